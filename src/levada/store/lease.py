"""A lease: one holder of a name at a time, whose late units are refused.

A heartbeat alone does not keep a paused process from writing after it was taken for
dead; the guard does, because it is part of the unit (durability, rule 11).
"""

from __future__ import annotations

from levada.store.errors import StoreError
from levada.store.protocol import Statement, Store, Unit

__all__ = ["Lease", "LeaseLost"]


class LeaseLost(StoreError, code="LV1309"):
    """The lease {name} is no longer held by {holder}: another has taken it over. Stop, and begin anew."""


class Lease:
    """A lease on a name. Used by one task.

    Args:
        store: Where it is kept; its clock counts.
        name: What is held.
        holder: Who holds it: different for each start of a process.
        seconds: How long it lasts without a heartbeat. On PostgreSQL longer than the
            server's time-out for idle transactions, 5 s by default.

    Attributes:
        epoch: Grows with each taking; a fence for other systems. 0: not held.
        until: When it ends without a heartbeat, microseconds since 1970-01-01 UTC.
    """

    def __init__(self, store: Store, name: str, holder: str, *, seconds: float = 15.0) -> None:
        self._store = store
        self.name = name
        self.holder = holder
        self.epoch = 0
        self.until = 0
        self._micros = round(seconds * 1_000_000)

    async def take(self) -> bool:
        """Take it if it is free, over or one's own; False: somebody else holds it."""
        named = {"name": self.name, "holder": self.holder, "micros": self._micros}
        outcome = await self._store.commit(Unit([Statement("lease.take", named, 1)]))
        if not outcome.committed:
            return False
        (row,) = outcome.rows[0]
        self.epoch, self.until = row["epoch"], row["until"]
        return True

    async def beat(self) -> None:
        """Hold on for longer; at least every third of its time.

        Raises:
            LeaseLost: Somebody has taken it over.
        """
        named = {**self._named(), "micros": self._micros}
        if not (await self._store.commit(Unit([Statement("lease.renew", named, 1)]))).committed:
            self.epoch = 0
            raise LeaseLost(name=self.name, holder=self.holder)
        self.until = await self._store.now() + self._micros

    async def release(self) -> None:
        """Let the next one have it at once; nothing happens if it was taken over."""
        if self.epoch:
            await self._store.commit(Unit([Statement("lease.release", self._named())]))
            self.epoch = 0

    def guard(self) -> Statement:
        """Put first in a unit: the unit is refused, at position 0, once the lease was taken over."""
        return Statement("lease.guard", self._named(), 1)

    def _named(self) -> dict[str, str | int]:
        return {"name": self.name, "holder": self.holder, "epoch": self.epoch}
