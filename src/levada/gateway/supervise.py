"""Keeps Envoy running: starts it, starts it again when it dies, applies what changes.

What is desired and what is in force are two things, and both can be read: a
configuration that Envoy rejects leaves the last good one in force, with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from levada.gateway.envoy.admin import Admin, InForce
from levada.gateway.envoy.process import envoy_path, said, spawn, validate
from levada.gateway.envoy.render import render
from levada.gateway.envoy.write import ORDER, write_files
from levada.gateway.errors import GatewayFailed, GatewayRejected
from levada.gateway.model import GatewayConfiguration

__all__ = ["EnvoySupervisor", "GatewayStatus", "envoy_path"]

log = logging.getLogger("levada.gateway")

_SILENT = (aiohttp.ClientError, OSError, msgspec.DecodeError)
"""What asking an Envoy that has just ended raises."""

Files = Mapping[str, bytes]


class GatewayStatus(Struct, frozen=True):
    """How the gateway is. ``desired`` and ``applied`` are revisions; ``reason``: why they differ."""

    running: bool
    restarts: int
    desired: str
    applied: str
    reason: str | None
    address: str | None


class EnvoySupervisor:
    """Supervises one Envoy; a :class:`~levada.gateway.model.Gateway`.

    Use ``async with``; methods are called from one event loop, and may be called concurrently.

    Args:
        configuration: What it is told at first.
        folder: Where its files are; mode 0700.
    """

    def __init__(self, configuration: GatewayConfiguration, folder: Path) -> None:
        self.folder = folder.resolve()
        self._configuration = configuration
        self._envoy = Admin(self.folder / "admin.sock")
        self._log = self.folder / "envoy.log"
        self._good: Files = {}
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._address: str | None = None
        self._restarts = 0
        self._desired = ""
        self._reason: str | None = None
        self._applying = asyncio.Lock()

    async def start(self) -> None:
        """Start Envoy; returns once it serves.

        Raises:
            EnvoyMissing: There is no Envoy for this platform.
            GatewayFailed: It did not come up; with what it said.
        """
        envoy_path()
        files = self.render(self._configuration)
        self._desired = revision(files)
        write_files(files, self.folder)
        await self._bring_up()
        self._good = files
        self._watching = asyncio.create_task(self._watch(), name="levada envoy")

    async def stop(self, drain: float = 5.0) -> None:
        """Let requests in flight end, at most ``drain`` seconds, then end Envoy. May be called again."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(*_SILENT, TimeoutError):
            await self._envoy.ask("POST", "/drain_listeners?graceful&skip_exit")
            async with asyncio.timeout(drain):
                while await self._envoy.active():  # noqa: ASYNC110 - another process cannot set an event of ours
                    await asyncio.sleep(0.05)
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

    @property
    def pid(self) -> int | None:
        """The process of Envoy, while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    def status(self) -> GatewayStatus:
        """How it is now."""
        applied = revision(self._good) if self._good else ""
        return GatewayStatus(
            self.pid is not None, self._restarts, self._desired, applied, self._reason, self._address
        )

    def render(self, configuration: GatewayConfiguration) -> Files:
        """The files of a configuration, as they lie in this gateway's folder."""
        return render(configuration, str(self.folder))

    async def validate(self, configuration: GatewayConfiguration) -> str | None:
        """Why Envoy would refuse this, or None; asks an Envoy of its own that serves nothing."""
        return await validate(self.render(configuration))

    async def apply(self, configuration: GatewayConfiguration) -> list[str]:
        """Bring this into force; returns the files that changed, once Envoy has them.

        A change of the listener or of a plan's limit drains connections: they are told to come again.

        Raises:
            GatewayRejected: Envoy refused routes, upstreams or listener: the last good ones stay. Keys come into
                force all the same: a bad route does not keep a revoked key alive.
        """
        async with self._applying:
            files = self.render(configuration)
            self._desired = revision(files)
            changed: list[str] = []
            for name, content in self._steps(configuration, files):
                reason = await self._put(name, content)
                if reason is not None:
                    await self._back(files, reason)
                    raise GatewayRejected(reason=reason)
                changed.append(name)
            self._configuration, self._good, self._reason = configuration, files, None
            return list(dict.fromkeys(changed))

    async def reopen_log(self) -> None:
        """Go on in a new file after the access log was renamed."""
        await self._envoy.ask("POST", "/reopen_logs")

    # -- bringing files into force ----------------------------------------------------

    def _steps(self, configuration: GatewayConfiguration, files: Files) -> Iterator[tuple[str, bytes]]:
        """What to write, in order: keys; upstreams that are new; routes; upstreams that are gone; the listener."""
        kept = {u.name for u in configuration.upstreams}
        leaving = [u for u in self._configuration.upstreams if u.name not in kept]
        both = msgspec.structs.replace(configuration, upstreams=[*configuration.upstreams, *leaving])
        steps = [
            ("ecds.json", files["ecds.json"]),
            ("cds.json", self.render(both)["cds.json"] if leaving else files["cds.json"]),
            ("rds.json", files["rds.json"]),
            ("cds.json", files["cds.json"]),
            ("lds.json", files["lds.json"]),
        ]
        for name, content in steps:
            if (self.folder / name).read_bytes() != content:
                yield name, content

    async def _back(self, files: Files, reason: str) -> None:
        """The last good files again, also on disk: a restart must not find what was rejected."""
        self._good = {**self._good, "ecds.json": files["ecds.json"]}
        self._reason = reason
        log.error("gateway_configuration_rejected", extra={"reason": reason})
        for name in ("cds.json", "rds.json", "lds.json"):
            if (self.folder / name).read_bytes() != self._good[name]:
                await self._put(name, self._good[name])

    async def _put(self, name: str, content: bytes, seconds: float = 5.0) -> str | None:
        """Write a file and wait until Envoy has it in force; why it has not, or None."""
        wanted = version_of(content)
        log_end = self._log.stat().st_size
        try:
            async with asyncio.timeout(seconds):
                before = await self._in_force(name)
                write_files({name: content}, self.folder, names=(name,))
                while True:
                    now = await self._in_force(name)
                    # Counted anew by an Envoy that was started meanwhile: fewer is no refusal.
                    if now.refused > before.refused:
                        return said(self._log, log_end)
                    if now.version == wanted:
                        return None
                    await asyncio.sleep(0.003)
        except TimeoutError:
            return f"Envoy did not take {name} within {seconds:g} s; {said(self._log, log_end)}"

    async def _in_force(self, name: str) -> InForce:
        while True:
            with contextlib.suppress(*_SILENT):
                return (await self._envoy.in_force())[name]
            await asyncio.sleep(0.02)

    # -- the process ------------------------------------------------------------------

    async def _bring_up(self, seconds: float = 15.0) -> None:
        log_end = self._log.stat().st_size if self._log.exists() else 0
        self._process = process = await spawn(self.folder)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while process.returncode is None:
                    with contextlib.suppress(*_SILENT):
                        if await self._envoy.live() and (address := await self._envoy.address()):
                            self._address = address
                            return
                    await asyncio.sleep(0.02)
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise GatewayFailed(reason=said(self._log, log_end))

    async def _watch(self) -> None:
        pause = 0.1
        while True:
            process = self._process
            assert process is not None
            started = asyncio.get_running_loop().time()
            code = await process.wait()
            lived = asyncio.get_running_loop().time() - started
            self._restarts += 1
            log.error("envoy_restarted", extra={"code": code, "restarts": self._restarts})
            pause = 0.1 if lived > 10 else min(5.0, pause * 2)
            await asyncio.sleep(pause)
            try:
                write_files(self._good, self.folder)
                await self._bring_up()
                if self._desired == self.status().applied:
                    self._reason = None
            except (GatewayFailed, OSError) as error:
                self._reason = str(error)
                log.error("envoy_not_up", extra={"reason": self._reason})


def version_of(content: bytes) -> str:
    """The version that a file states."""
    return str(msgspec.json.decode(content)["version_info"])


def revision(files: Files) -> str:
    """A short name of a configuration, by its contents."""
    digest = hashlib.sha256()
    for name in ORDER:
        digest.update(files[name])
    return digest.hexdigest()[:12]
