"""A store that tries units and takes them back: whether they would commit, without a trace of them."""

from __future__ import annotations

from levada.store.passing import PassingStore
from levada.store.protocol import Outcome, Statement, Unit

__all__ = ["TryingStore"]


class TryingStore(PassingStore):
    """Keeps :class:`levada.store.Store` over another one, which stays as it is.

    A unit is run with a last statement that never holds: what stands before it was done, and is undone.
    Each unit is tried by itself, on what the store has.
    """

    async def commit(self, unit: Unit) -> Outcome:
        """What would become of a unit; no rows."""
        tried = await self._store.commit(Unit([*unit.statements, _NEVER]))
        if tried.refused == len(unit.statements):
            return Outcome([()] * len(unit.statements))
        return tried


_NEVER = Statement("store.time", {}, 0)
"""It answers one row, never none."""
