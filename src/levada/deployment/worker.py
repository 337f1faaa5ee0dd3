"""One worker of a tree: ``python -m levada.deployment.worker FD``; serves HTTP and performs runs.

Started by :mod:`levada.deployment.supervise` alone, which tells it what to do through the
socket with this number. When that ends, the parent has ended, and so does the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from levada._errors import LevadaError
from levada.deployment.build import open_deployment
from levada.deployment.configuration import load_configuration
from levada.deployment.runtime import RuntimeSettings
from levada.deployment.serve import run_loop
from levada.deployment.serve_app import started
from levada.deployment.serve_http import serve_http
from levada.deployment.serve_logs import set_up_logs
from levada.deployment.serve_owner import recording
from levada.deployment.supervise import WorkerOrder
from levada.process.worker import Settings as WorkerSettings
from levada.store import open_store

__all__ = ["main"]

_ORPHANED = 2.0
"""Seconds that a worker without its parent still has: the store is gone, nothing can be committed any more."""


async def work(control: socket.socket, order: WorkerOrder) -> None:
    """Serve and work until a signal, or until the parent is gone; one that comes before it serves breaks the start off."""
    stop, begun = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(_work(control, order, stop, begun), name="levada serving")
    _stop_on_signals(stop)
    control.setblocking(False)
    watching = asyncio.create_task(_watch(control, stop), name="levada parent")
    stopping = asyncio.create_task(stop.wait(), name="levada stop")
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not begun.is_set():
        working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        stopping.cancel()
        watching.cancel()


async def _work(
    control: socket.socket, order: WorkerOrder, stop: asyncio.Event, begun: asyncio.Event
) -> None:
    configuration = load_configuration(Path(order.file), order.environment)
    store = await open_store(order.store, lease=configuration.server.lease)
    try:
        app, _ = await open_deployment(
            configuration,
            store=store,
            settings=RuntimeSettings(
                dispatch=False,
                worker=WorkerSettings(lease=configuration.server.lease),
                drain=configuration.server.drain,
            ),
        )
        bound = socket.socket(fileno=order.listen)
        bound.setblocking(False)
        async with started(app), recording(app, store):
            begun.set()
            with contextlib.suppress(OSError):  # the parent is gone, which is seen by who watches it
                await asyncio.get_running_loop().sock_sendall(control, b"1")
            await serve_http(app, [bound], stop, drain=configuration.server.drain)
    finally:
        await store.close()


async def _watch(control: socket.socket, stop: asyncio.Event) -> None:
    # A parent that died before it had read what was said to it resets the connection.
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().sock_recv(control, 1)
    stop.set()
    await asyncio.sleep(_ORPHANED)
    os._exit(1)


def main() -> int:
    """Take the order, then work."""
    # Ctrl-C is for the parent, which stops the gateway first and then the workers.
    os.setpgrp()
    control = socket.socket(fileno=int(sys.argv[1]))
    line = b""
    while not line.endswith(b"\n"):
        part = control.recv(65536)
        if not part:
            return 1
        line += part
    order = msgspec.json.decode(line, type=WorkerOrder)
    set_up_logs(json=order.json)
    try:
        run_loop(work(control, order))
    except LevadaError as error:
        sys.stderr.write(f"{error.code} {error.message}\n")
        return 1
    return 0


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


if __name__ == "__main__":
    raise SystemExit(main())
