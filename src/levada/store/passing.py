"""A store that hands everything on to another one, for those that change what becomes of a unit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from levada.store.protocol import Outcome, Row, Store, Unit, Value

__all__ = ["PassingStore"]


class PassingStore:
    """Keeps :class:`levada.store.Store` over another one; what is not overridden is as that one has it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def dialect(self) -> str:
        """That of the store."""
        return self._store.dialect

    async def commit(self, unit: Unit) -> Outcome:
        """Commit a unit."""
        return await self._store.commit(unit)

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """As the store has it."""
        return await self._store.read(query, params)

    async def now(self) -> int:
        """The store's clock."""
        return await self._store.now()

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Wake-ups of the store."""
        return self._store.listen(*channels)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()
