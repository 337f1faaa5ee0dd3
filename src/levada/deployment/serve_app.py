"""The app as a process that owns the store serves it: how it is asked for, how it starts, and what is said then."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from levada._errors import LevadaError
from levada.app import App
from levada.deployment.admin import Admin
from levada.deployment.build import open_deployment, place_of
from levada.deployment.configuration import Configuration
from levada.deployment.runtime import RuntimeSettings
from levada.deployment.serve_owner import Owner, note_deployed, recording
from levada.deployment.serve_places import admin_path
from levada.process.worker import Settings as WorkerSettings
from levada.store import Store

__all__ = ["Extend", "Front", "Options", "Ready", "StartFailed", "deployed", "started", "told", "url_of"]


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
Extend: TypeAlias = Callable[[Admin, Store], None]
"""Adds actions to the admin API."""


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
async def deployed(
    configuration: Configuration, owner: Owner, extend: Extend | None, *, work: bool
) -> AsyncGenerator[App]:
    """The app in the process that owns the store: started, known to its admin, its calls counted.

    ``work``: it performs runs itself, instead of leaving them to workers.

    Raises:
        ModelError: The parts do not fit.
        StartFailed: A resource, an adapter or the runtime did not start.
    """
    settings = RuntimeSettings(
        work=work,
        worker=WorkerSettings(lease=configuration.server.lease),
        outbox_keep=configuration.retention.outbox * 86_400,
        retention=configuration.retention,
        drain=configuration.server.drain,
    )
    app, runtime = await open_deployment(configuration, store=owner.store, settings=settings)
    owner.admin.know(app, runtime.personal)
    if extend is not None:
        owner.admin.extend(extend)
    async with started(app):
        await note_deployed(app, owner.store)
        async with recording(app, owner.store):
            yield app


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
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"in {last.filename}, line {last.lineno}"
