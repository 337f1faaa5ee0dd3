"""Stores that are closed at the end."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from levada.store import Store


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
