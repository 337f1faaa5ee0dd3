"""A tree of processes: the parent owns the store, reads the log and keeps the workers alive.

Each worker is told what to do through a socket pair, of which the parent holds the other
end: the URL of a store, which may hold a password, is in no argument and no file, and the end of the pair is
the end of the parent, on which workers end too. Workers accept from one listening socket
that the parent has bound, so a worker that dies takes no waiting connection with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from msgspec import Struct

from levada.deployment.configuration import Configuration
from levada.deployment.serve_app import Extend, Front, Options, Ready, StartFailed, deployed, told, url_of
from levada.deployment.serve_http import listen_tcp, listen_unix
from levada.deployment.serve_owner import owning
from levada.deployment.serve_places import worker_path

__all__ = ["Supervisor", "WorkerOrder", "supervise"]

log = logging.getLogger("levada.supervise")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_SETTLED = 30.0
"""Seconds of life after which a worker's next death is taken for a first one."""


class WorkerOrder(Struct, frozen=True, kw_only=True):
    """What a worker is told. ``listen``: the number of the inherited socket that it accepts from."""

    file: str
    environment: str | None
    store: str
    listen: int
    json: bool


class Supervisor:
    """Keeps one process for each listening socket; one that ends is started again, ever later.

    Args:
        order: Makes the order of a worker from the number of its socket.
        sockets: The socket of each worker; several may be the same one.
        drain: Seconds that a worker has to end by itself.
    """

    def __init__(
        self, order: Callable[[int], WorkerOrder], sockets: Sequence[socket.socket], *, drain: float
    ) -> None:
        self._order = order
        self._sockets = sockets
        self._drain = drain
        self._stopping = False
        self.processes: dict[int, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ready: list[asyncio.Event] = [asyncio.Event() for _ in sockets]
        self._failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Start all workers; returns once all serve.

        Raises:
            StartFailed: One ended before it ever served.
        """
        self._tasks = [
            asyncio.create_task(self._keep(number), name=f"levada worker {number}")
            for number in range(len(self._sockets))
        ]
        ready = asyncio.gather(*(event.wait() for event in self._ready))
        try:
            await asyncio.wait((ready, self._failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            await asyncio.gather(ready, return_exceptions=True)
        if self._failed.done():
            await self.stop()
            raise StartFailed(place="in a worker", reason=self._failed.result())

    async def stop(self) -> None:
        """Let all workers end by themselves; those that do not are killed."""
        self._stopping = True
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        waiting = [asyncio.create_task(p.wait()) for p in self.processes.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._drain + 5)
            for process in self.processes.values() if late else ():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.gather(*waiting)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while not self._stopping:
            began = loop.time()
            try:
                ended = f"it ended with {_said(await self._live(number))}; what it said stands above"
            except OSError as error:  # no memory, no process: it passes, or somebody makes room
                ended = f"it could not be started: {error.strerror or error}"
            if self._stopping:
                return
            if not self._ready[number].is_set():
                if not self._failed.done():
                    self._failed.set_result(ended)
                return
            if loop.time() - began > _SETTLED:
                pause = _FIRST_PAUSE
            log.warning(
                "worker_restarted",
                extra={"worker": number, "reason": ended, "pause": pause},
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _live(self, number: int) -> int:
        """One life of a worker; its exit code."""
        ours, theirs = socket.socketpair()
        listening = self._sockets[number].fileno()
        with ours:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "levada.deployment.worker",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(), listening),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            self.processes[number] = process
            try:
                if self._stopping:
                    process.terminate()
                ours.setblocking(False)
                loop = asyncio.get_running_loop()
                with contextlib.suppress(OSError):
                    await loop.sock_sendall(ours, msgspec.json.encode(self._order(listening)) + b"\n")
                    if await loop.sock_recv(ours, 1):
                        self._ready[number].set()
                return await process.wait()
            finally:
                self.processes.pop(number, None)


def _said(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def supervise(
    configuration: Configuration,
    options: Options,
    ready: Callable[[Ready], None],
    stop: asyncio.Event,
    workers: int,
    *,
    extend: Extend | None = None,
    front: Front | None = None,
) -> None:
    """Serve by a tree until ``stop`` is set; see :func:`levada.deployment.serve.serve`."""
    server = configuration.server
    async with AsyncExitStack() as stack:
        sockets: list[socket.socket]
        if front is None:
            bound = listen_tcp(server.host, server.port if options.port is None else options.port)
            sockets, paths = [bound] * workers, list[Path]()
        else:
            paths = [worker_path(configuration, n) for n in range(workers)]
            sockets = [listen_unix(path) for path in paths]
        for one in sockets:
            stack.callback(one.close)
        for path in paths:
            stack.callback(path.unlink, missing_ok=True)
        owner = await stack.enter_async_context(owning(configuration))
        app = await stack.enter_async_context(deployed(configuration, owner, extend, work=False))

        def order(listening: int) -> WorkerOrder:
            return WorkerOrder(
                file=os.fspath(options.file.absolute()),
                environment=options.environment,
                store=owner.url,
                listen=listening,
                json=options.json,
            )

        supervisor = Supervisor(order, sockets, drain=server.drain)
        stack.push_async_callback(supervisor.stop)
        await supervisor.start()
        if front is None:
            ready(told(configuration, app, url_of(sockets[0]), workers))
        else:
            url = await stack.enter_async_context(front(app, owner, [f"unix:{path}" for path in paths]))
            ready(told(configuration, app, url, workers, gateway=url))
        await stop.wait()
