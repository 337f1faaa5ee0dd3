"""A store that tries units and takes them back: whether they would commit, without a trace of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from levada.store.protocol import Outcome, Row, Statement, Store, Unit, Value

__all__ = ["TryingStore"]


class TryingStore:
    """Keeps :class:`levada.store.Store` over another one, which stays as it is.

    A unit is run with a last statement that never holds: what stands before it was done, and is undone.
    Each unit is tried by itself, on what the store has.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def dialect(self) -> str:
        """That of the store."""
        return self._store.dialect

    async def commit(self, unit: Unit) -> Outcome:
        """What would become of a unit; no rows."""
        tried = await self._store.commit(Unit([*unit.statements, _NEVER]))
        if tried.refused == len(unit.statements):
            return Outcome([()] * len(unit.statements))
        return tried

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """As the store has it."""
        return await self._store.read(query, params)

    async def now(self) -> int:
        """The store's clock."""
        return await self._store.now()

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Wake-ups of the store; what is tried causes none."""
        return self._store.listen(*channels)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()


_NEVER = Statement("store.time", {}, 0)
"""It answers one row, never none."""
