"""The web servers in front of billing and payments: a reverse proxy that does what their nginx configurations
say and writes their logs, in the time of the landscape's calendar.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import web
from msgspec import Struct

__all__ = ["Front", "Site", "read_site"]

_PASSED_ON = ("Content-Type", "SOAPAction", "Accept")


class Site(Struct, frozen=True):
    """One ``server`` of a configuration."""

    name: str
    access_log: Path
    error_log: Path
    timeout: float
    """Seconds of the landscape's time that the system behind may take."""


def read_site(path: Path) -> Site:
    """The server of a configuration with one; paths of its logs are relative to its folder."""
    text = path.read_text()

    def directive(name: str) -> str:
        found = re.search(rf"^\s*{name}\s+([^;\s]+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{path}: {name} is missing")
        return found[1]

    return Site(
        name=directive("server_name"),
        access_log=path.parent / directive("access_log"),
        error_log=path.parent / directive("error_log"),
        timeout=float(directive("proxy_read_timeout").removesuffix("s")),
    )


class Front:
    """One port for all names. ``now`` is the landscape's time, ``scale`` the seconds that one of its seconds takes."""

    def __init__(self, sites: dict[str, tuple[Site, str]], now: Callable[[], datetime], scale: float) -> None:
        """``sites``: by name, the server and the address of the system behind it."""
        self._sites, self._now, self._scale = sites, now, scale
        self.port = 0

    async def __aenter__(self) -> Front:
        for site, _ in self._sites.values():
            site.access_log.parent.mkdir(parents=True, exist_ok=True)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _pass(self, request: web.Request) -> web.Response:
        site, behind = self._sites[request.host.partition(":")[0]]
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        timeout = aiohttp.ClientTimeout(total=site.timeout * self._scale)
        trouble = ""
        try:
            async with self._http.request(
                request.method,
                behind + request.path_qs,
                data=await request.read(),
                headers=headers,
                timeout=timeout,
            ) as answer:
                status, body, kind = answer.status, await answer.read(), answer.content_type
        except TimeoutError:
            status, body, kind = 504, b"504 Gateway Time-out\n", "text/plain"
            trouble = (
                "upstream timed out (110: Connection timed out) while reading response header from upstream"
            )
        except aiohttp.ClientConnectorError:
            status, body, kind = 502, b"502 Bad Gateway\n", "text/plain"
            trouble = "connect() failed (111: Connection refused) while connecting to upstream"
        except aiohttp.ClientError:
            status, body, kind = 502, b"502 Bad Gateway\n", "text/plain"
            trouble = "upstream prematurely closed connection while reading response header from upstream"
        self._log(site, request, status, len(body), trouble)
        return web.Response(status=status, body=body, content_type=kind)

    def _log(self, site: Site, request: web.Request, status: int, size: int, trouble: str) -> None:
        now = self._now()
        line = f"{request.method} {request.path_qs} HTTP/1.1"
        with site.access_log.open("a") as log:
            log.write(
                f'{request.remote} - {_user(request)} [{now:%d/%b/%Y:%H:%M:%S +0000}] "{line}" {status} {size} "-" '
                f'"{request.headers.get("User-Agent", "-")}"\n'
            )
        if trouble:
            with site.error_log.open("a") as log:
                log.write(
                    f'{now:%Y/%m/%d %H:%M:%S} [error] 812#812: {trouble}, client: {request.remote}, server: {site.name}, request: "{line}"\n'
                )


def _user(request: web.Request) -> str:
    kind, _, word = request.headers.get("Authorization", "").partition(" ")
    return base64.b64decode(word).decode().partition(":")[0] if kind == "Basic" else "-"


class Clock:
    """The landscape's calendar: set for each job, running on at the pace of the world while the job runs."""

    def __init__(self, at: datetime) -> None:
        self.set(at)

    def set(self, at: datetime) -> None:
        self._at, self._since = at, time.monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._at.timestamp() + time.monotonic() - self._since, UTC)
