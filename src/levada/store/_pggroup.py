"""Runs a group of units as one transaction of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from levada.store._pgconnection import Connection
from levada.store._queries import Query
from levada.store.protocol import Outcome, Row, Unit

__all__ = ["CommitLost", "NeedsAlone", "transact"]


class CommitLost(Exception):
    """The connection was lost after COMMIT was sent: only the server knows."""

    def __init__(self, outcomes: list[Outcome], xact: str, server: str) -> None:
        super().__init__(xact)
        self.outcomes = outcomes
        self.xact = xact
        self.server = server


class NeedsAlone(Exception):
    """A unit has to be undone for which no savepoint was taken."""


async def transact(
    connection: Connection, units: Sequence[Unit], time: Callable[[int], int]
) -> list[Outcome]:
    """Run units in one transaction; their outcomes. ``time``: the store's, where the server's clock told this.

    Raises:
        CommitLost: See there.
        NeedsAlone, asyncpg.PostgresError: A unit cannot be run with the others; nothing remains.
    """
    await connection.raw.execute("BEGIN")
    try:
        begun = await connection.one("store.begin")
        now = time(begun["now"])
        group = _Group(connection, now, alone=len(units) == 1)
        outcomes = [await group.unit(unit) for unit in units]
        if not any(outcome.committed for outcome in outcomes):
            await connection.raw.execute("ROLLBACK")
            return outcomes
        woken = sorted(channels_of(units, outcomes))
        if woken:
            await connection.one("store.notify", channels=msgspec.json.encode(woken).decode())
    except BaseException as error:
        if not connection.lost(error):
            await connection.raw.execute("ROLLBACK")
        raise
    try:
        await connection.raw.execute("COMMIT")
    except BaseException as error:
        if connection.lost(error):
            raise CommitLost(outcomes, begun["xact"], begun["server"]) from error
        raise
    return outcomes


def channels_of(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> set[str]:
    """The channels to wake for what was committed."""
    return {c for u, o in zip(units, outcomes, strict=True) if o.committed for c in u.notify}


class _Group:
    """The units of one transaction.

    A savepoint costs a round trip, so one is taken only before a change that a later
    statement may have to undo: guards come first and fail before anything has changed.
    """

    def __init__(self, connection: Connection, now: int, *, alone: bool) -> None:
        self._connection = connection
        self._now = now
        self._alone = alone
        self._savepoint = False

    async def unit(self, unit: Unit) -> Outcome:
        """Run one unit; when it is refused, only what the others did remains."""
        checked = max((i for i, s in enumerate(unit.statements) if s.rows is not None), default=-1)
        saved = False
        rows: list[Sequence[Row]] = []
        for position, statement in enumerate(unit.statements):
            query = self._connection.query(statement.query)
            if (
                not self._alone
                and not saved
                and position < checked + (query.kind == "mixed")
                and query.writes
            ):
                await self._save()
                saved = True
            found, count = await self._connection.run(query, statement.params, self._now)
            if statement.rows is not None and count != statement.rows:
                await self._undo(query, count, saved=saved)
                return Outcome(refused=position)
            rows.append(found)
        return Outcome(rows=rows)

    async def _save(self) -> None:
        # Released first: savepoints within savepoints are slow beyond 64.
        release = "RELEASE SAVEPOINT unit; " if self._savepoint else ""
        await self._connection.raw.execute(f"{release}SAVEPOINT unit")
        self._savepoint = True

    async def _undo(self, query: Query, count: int, *, saved: bool) -> None:
        if self._alone:
            return
        if saved:
            await self._connection.raw.execute("ROLLBACK TO SAVEPOINT unit")
        elif count and query.writes:
            raise NeedsAlone
