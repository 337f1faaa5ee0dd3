"""Serves a deployment: in one process, or as a tree of a supervisor and its workers.

One process owns the store, reads subscriptions, relays outboxes and answers on the admin
socket. Alone it serves HTTP and performs runs as well; with workers these two are theirs
alone, so that a handler that hangs or dies takes neither the store nor the log with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from levada._errors import LevadaError
from levada.app import App
from levada.deployment.admin import Admin
from levada.deployment.build import open_deployment, place_of
from levada.deployment.configuration import Configuration
from levada.deployment.runtime import RuntimeSettings
from levada.deployment.serve_http import listen_tcp, serve_http
from levada.deployment.serve_owner import Owner, note_deployed, owning, recording
from levada.deployment.serve_places import admin_path
from levada.process.worker import Settings as WorkerSettings
from levada.store import Store

T = TypeVar("T")

__all__ = ["Front", "Options", "Ready", "StartFailed", "run_loop", "serve", "started", "stop_on_signals"]


class StartFailed(LevadaError, code="LV1207"):
    """The app did not start, {place}: {reason}. Nothing is left running."""


class Options(Struct, frozen=True, kw_only=True):
    """How to serve.

    Attributes:
        port: The TCP port instead of ``[server] port``; 0: a free one.
        workers: Processes instead of ``[server] workers``; 1: all in one process.
        file: Where ``levada.toml`` is; workers read it too.
        environment: The environment that was asked for, or None.
        json: Whether logs are JSON lines.
    """

    port: int | None = None
    workers: int | None = None
    file: Path = Path("levada.toml")
    environment: str | None = None
    json: bool = False


class Ready(Struct, frozen=True, kw_only=True):
    """What is served now: ``apis`` are (contract id, URL)."""

    url: str
    apis: list[tuple[str, str]]
    environment: str
    store: str
    admin: str
    workers: int
    gateway: str | None = None


Front: TypeAlias = Callable[[App, Owner, list[str]], AbstractAsyncContextManager[str]]
"""Stands in front of the workers at these ``unix:PATH`` addresses; gives the URL to call."""


async def serve(
    configuration: Configuration,
    options: Options,
    ready: Callable[[Ready], None],
    *,
    extend: Callable[[Admin, Store], None] | None = None,
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
        signals.append(number)
        stop.set()
        if not begun:
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
    extend: Callable[[Admin, Store], None] | None,
    front: Front | None,
) -> None:
    workers = options.workers or configuration.server.workers
    if front is not None or workers > 1:
        from levada.deployment.supervise import supervise

        await supervise(configuration, options, ready, stop, max(1, workers), extend=extend, front=front)
        return
    server = configuration.server
    async with AsyncExitStack() as stack:
        bound = listen_tcp(server.host, server.port if options.port is None else options.port)
        stack.callback(bound.close)
        owner = await stack.enter_async_context(owning(configuration))
        app, runtime = await open_deployment(
            configuration,
            store=owner.store,
            settings=RuntimeSettings(
                worker=WorkerSettings(lease=server.lease),
                outbox_keep=configuration.retention.outbox * 86_400,
                retention=configuration.retention,
            ),
        )
        owner.admin.know(app, runtime.personal)
        if extend is not None:
            owner.admin.extend(extend)
        await stack.enter_async_context(started(app))
        await note_deployed(app, owner.store)
        await stack.enter_async_context(recording(app, owner.store))
        ready(told(configuration, app, url_of(bound), 1))
        await serve_http(app, [bound], stop, drain=server.drain)


def told(configuration: Configuration, app: App, url: str, workers: int, gateway: str | None = None) -> Ready:
    """What to say once it serves."""
    return Ready(
        url=url,
        apis=[
            (name, url + local.contract.path)
            for name, local in sorted(app.plan.served.items())
            if gateway is None or local.contract.layer == "experience"
        ],
        environment=app.settings.environment,
        store=place_of(configuration),
        admin=str(admin_path(configuration)),
        workers=workers,
        gateway=gateway,
    )


def url_of(bound: Any) -> str:
    """The URL of a listening TCP socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def started(app: App) -> AsyncGenerator[None]:
    """An app that runs; an error of the user's own code at its start names where it is.

    Raises:
        StartFailed: A resource, an adapter or the runtime did not start.
    """
    try:
        await app.start()
    except LevadaError:
        raise
    except Exception as error:
        raise StartFailed(place=_where(error), reason=f"{type(error).__name__}: {error}") from error
    try:
        yield
    finally:
        await app.stop()


def _where(error: BaseException) -> str:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"in {last.filename}, line {last.lineno}"


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop; what it returns."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
