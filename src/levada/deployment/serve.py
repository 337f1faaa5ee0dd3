"""Serves a deployment: in one process, or as a tree of a supervisor and its workers.

One process owns the store, reads subscriptions, relays outboxes and answers on the admin
socket. Alone it serves HTTP and performs runs as well; with workers these two are theirs
alone, so that a handler that hangs or dies takes neither the store nor the log with it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from levada.deployment.configuration import Configuration
from levada.deployment.serve_app import Extend, Front, Options, Ready, deployed, told, url_of
from levada.deployment.serve_http import listen_tcp, serve_http
from levada.deployment.serve_owner import owning
from levada.deployment.supervise import supervise

T = TypeVar("T")

__all__ = ["run_loop", "serve"]


async def serve(
    configuration: Configuration,
    options: Options,
    ready: Callable[[Ready], None],
    *,
    extend: Extend | None = None,
    front: Front | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; a request in flight is answered, a step under way is finished.

    One that comes before it serves breaks the start off.

    Args:
        configuration: What is deployed.
        options: How.
        ready: Told once it serves.
        extend: Adds actions to the admin API.
        front: The gateway; with it the workers listen on Unix sockets alone.

    Returns:
        The exit code: 130 after SIGINT, as shells have it, else 0.

    Raises:
        LevadaError: It cannot be served; nothing is left running.
    """
    serving = asyncio.current_task()
    assert serving is not None
    stop, signals = asyncio.Event(), list[signal.Signals]()
    begun = False

    def on_signal(number: signal.Signals) -> None:
        first = not signals
        signals.append(number)
        stop.set()
        if first and not begun:  # another one would break off the cleaning up
            serving.cancel()

    def begin(what: Ready) -> None:
        nonlocal begun
        begun = True
        ready(what)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    try:
        await _serve(configuration, options, begin, stop, extend=extend, front=front)
    except asyncio.CancelledError:
        if not signals:
            raise
    return 130 if signals[:1] == [signal.SIGINT] else 0


async def _serve(
    configuration: Configuration,
    options: Options,
    ready: Callable[[Ready], None],
    stop: asyncio.Event,
    *,
    extend: Extend | None,
    front: Front | None,
) -> None:
    workers = options.workers or configuration.server.workers
    if front is not None or workers > 1:
        await supervise(configuration, options, ready, stop, max(1, workers), extend=extend, front=front)
        return
    server = configuration.server
    async with AsyncExitStack() as stack:
        bound = listen_tcp(server.host, server.port if options.port is None else options.port)
        stack.callback(bound.close)
        owner = await stack.enter_async_context(owning(configuration))
        app = await stack.enter_async_context(deployed(configuration, owner, extend, work=True))
        ready(told(configuration, app, url_of(bound), 1))
        await serve_http(app, [bound], stop, drain=server.drain)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop; what it returns."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
