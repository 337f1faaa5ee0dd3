"""What the process that owns the store does besides serving: the admin socket, counts, facts, tidying."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from levada._errors import LevadaError
from levada.app import App
from levada.deployment.admin import Admin
from levada.deployment.adminsocket import AdminServer
from levada.deployment.build import store_url
from levada.deployment.configuration import Configuration
from levada.deployment.purge import purge
from levada.deployment.roles import Roles
from levada.deployment.serve_places import admin_path, store_path
from levada.deployment.serve_records import Records
from levada.store import Store, StoreError, open_store
from levada.store.control import Facts
from levada.store.sqlite import SqliteStore

__all__ = ["Owner", "owning", "recording"]

log = logging.getLogger("levada.deployment")

FLUSH = 5.0
"""Seconds between hand-ins of call records."""
_LAST = 2.0
"""Seconds for the last hand-in, which may wait for a store that does not answer."""
TIDY = 600.0
"""Seconds between tidyings of the log, the inboxes and the kept answers."""


class Owner:
    """The store of a deployment, open, with its admin; ``url``: how other processes reach the store."""

    def __init__(self, store: Store, admin: Admin, url: str) -> None:
        self.store, self.admin, self.url = store, admin, url


@asynccontextmanager
async def owning(configuration: Configuration) -> AsyncGenerator[Owner]:
    """Open the store, let others in through its socket, and answer on the admin socket.

    Raises:
        StoreLocked: Another process owns the file.
        StoreNewer, StoreUnusable: It cannot be used.
    """
    url = store_url(configuration)
    store = await open_store(url, lease=configuration.server.lease)
    try:
        shared = url
        if isinstance(store, SqliteStore) and store.path != ":memory:":
            socket = store_path(store.path)
            shared = f"unix:{socket}"
            await store.serve(str(socket))
        admin = Admin(
            store, Roles(configuration.roles, configuration.app.environment), configuration.retention
        )
        async with AdminServer(admin, admin_path(configuration)), background(_tidying(store, configuration)):
            yield Owner(store, admin, shared)
    finally:
        await store.close()


@asynccontextmanager
async def recording(app: App, store: Store) -> AsyncGenerator[None]:
    """Hand in the call records of an app while it serves, and once more at the end."""
    records = Records(app, store)
    async with background(_every(FLUSH, records.flush)):
        yield
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(_LAST):
            await records.flush()


async def note_deployed(app: App, store: Store) -> None:
    """Note that this deployment was begun, once for each API."""
    facts = Facts(store, app.settings.environment)
    for contract_id in sorted(app.plan.served):
        await facts.add("deployed", api=contract_id)


async def _tidying(store: Store, configuration: Configuration) -> None:
    async def once() -> None:
        await purge(store, configuration.retention)

    await _every(TIDY, once)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except LevadaError as error:
            # The next turn tries again; nothing is lost meanwhile.
            log.warning("periodic_task_failed", extra={"code": error.code, "reason": error.message})
        except Exception as error:
            log.error("periodic_task_failed", extra={"reason": repr(error)}, exc_info=error)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Do some work beside a block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
