"""Envoy's admin interface on its Unix socket: what it has in force, and what it refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

__all__ = ["Admin", "InForce"]

STATS = {
    "cds.json": "cluster_manager.cds",
    "ecds.json": "extension_config_discovery.http_filter.keys",
    "rds.json": "http.public.rds.public",
    "lds.json": "listener_manager.lds",
}
"""Where Envoy counts the updates of each file."""


class InForce(Struct, frozen=True):
    """What Envoy says of one file. ``version``: of the last one taken; ``refused``: how many were not."""

    version: str
    refused: int


class Admin:
    """Asks an Envoy that listens on ``socket``. Raises aiohttp.ClientError or OSError where it does not answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(self, method: str, path: str) -> bytes:
        """The body of an answer."""
        connector = aiohttp.UnixConnector(str(self._socket))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.request(method, f"http://envoy{path}") as response,
        ):
            return await response.read()

    async def live(self) -> bool:
        """Whether it serves: it has read all its files."""
        return (await self.ask("GET", "/ready")).startswith(b"LIVE")

    async def address(self) -> str | None:
        """Where it listens, ``host:port``."""
        found = msgspec.json.decode(await self.ask("GET", "/listeners?format=json"))
        for listener in found.get("listener_statuses", []):
            socket = listener["local_address"].get("socket_address")
            if socket:
                return f"{socket['address']}:{socket['port_value']}"
        return None

    async def active(self) -> int:
        """How many requests are in flight."""
        found = await self._stats(r"^http\.public\.downstream_rq_active$")
        return sum(int(value) for value in found.values())

    async def in_force(self) -> dict[str, InForce]:
        """What is in force of each file, by its name."""
        found = await self._stats(r"(version_text|update_rejected|update_failure)$")
        return {
            name: InForce(
                str(found.get(f"{prefix}.version_text", "")),
                sum(int(found.get(f"{prefix}.{kind}", 0)) for kind in ("update_rejected", "update_failure")),
            )
            for name, prefix in STATS.items()
        }

    async def _stats(self, pattern: str) -> dict[str, str | int]:
        query = f"/stats?format=json&filter={pattern.replace('^', '%5E').replace('|', '%7C')}"
        found: Any = msgspec.json.decode(await self.ask("GET", query))
        return {s["name"]: s["value"] for s in found["stats"] if "name" in s and "value" in s}
