"""Stores of each kind, and the server they need."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from levada.store import Store
from levada.testing.servers.postgres import PostgresAbsent, PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        running = postgres_server()
        server = running.__enter__()
    except PostgresAbsent as absent:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(absent))
    yield server
    running.__exit__(None, None, None)


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The DSN of an empty database of its own."""
    return postgres.database()


@pytest.fixture
async def closing() -> AsyncIterator[Callable[[Awaitable[Store]], Awaitable[Store]]]:
    """Opens stores, and closes them at the end."""
    opened: list[Store] = []

    async def keep(opening: Awaitable[Store]) -> Store:
        store = await opening
        opened.append(store)
        return store

    yield keep
    for store in reversed(opened):
        await store.close()
