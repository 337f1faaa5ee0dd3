"""Runs a group of units as one transaction of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from levada.store._queries import Query
from levada.store.errors import QueryUnknown, StoreError, StoreHindered
from levada.store.protocol import Outcome, Row, Statement, Unit

__all__ = ["FAILURES", "Groups", "run", "told"]

FAILURES = (sqlite3.Error, StoreError, OverflowError, ValueError, TypeError)
"""What a statement may fail with: refused by SQLite, or a parameter that it cannot take."""


_HINDERED = frozenset((
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
))  # fmt: skip
"""Results that tell of the file, the disk or the machine, and nothing of what was to be written."""


class Groups:
    """Units on a connection. Not to be used concurrently."""

    def __init__(self, db: sqlite3.Connection, queries: Mapping[str, Query]) -> None:
        self._db = db
        self._queries = queries

    def transact(self, units: Sequence[Unit], now: int) -> list[Outcome | StoreError]:
        """Run units in one transaction; what became of each.

        An error of one unit undoes that unit alone.

        Raises:
            sqlite3.Error: The transaction as a whole failed; nothing of it remains.
        """
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            before = db.total_changes
            outcomes = [self._unit(unit, now) for unit in units]
            # Nothing was changed by guards and looks alone, and the disk need not be waited for.
            if db.total_changes != before:
                # The clock does not go back over a crash either.
                run(db, self._queries, Statement("meta.set", {"name": "now", "value": str(now)}), now)
                db.execute("COMMIT")
            else:
                db.execute("ROLLBACK")
            return outcomes
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _unit(self, unit: Unit, now: int) -> Outcome | StoreError:
        """Run one unit; when it is refused or fails, only what the others did remains."""
        db = self._db
        last = len(unit.statements) - 1
        saved = False
        rows: list[Sequence[Row]] = []
        outcome: Outcome | StoreError | None = None
        for position, statement in enumerate(unit.statements):
            # What a single statement does it undoes itself when it fails, and guards change
            # nothing: a savepoint is for a change after which something may still go wrong.
            if not saved and (position < last or statement.rows is not None) and self._writes(statement):
                db.execute("SAVEPOINT unit")
                saved = True
            try:
                found, count = run(db, self._queries, statement, now)
            except FAILURES as error:
                # A full disk or a failed read ends the whole transaction, a broken constraint does not.
                if not db.in_transaction or isinstance(error, sqlite3.OperationalError):
                    raise
                outcome = told(error)
                break
            if statement.rows is not None and count != statement.rows:
                outcome = Outcome(refused=position)
                break
            rows.append(found)
        if saved:
            if outcome is not None:
                db.execute("ROLLBACK TO unit")
            db.execute("RELEASE unit")
        return outcome or Outcome(rows=rows)

    def _writes(self, statement: Statement) -> bool:
        query = self._queries.get(statement.query)
        return query is not None and query.writes


def run(
    db: sqlite3.Connection, queries: Mapping[str, Query], statement: Statement, now: int
) -> tuple[Sequence[Row], int]:
    """The rows of a statement, and how many it returned or changed."""
    query = queries.get(statement.query)
    if query is None:
        raise QueryUnknown(query=statement.query, dialect="sqlite")
    cursor = db.execute(query.text, {**statement.params, "now": now})
    if cursor.description is None:
        return (), cursor.rowcount
    found = [dict(row) for row in cursor.fetchall()]
    return found, len(found)


def told(error: Exception) -> StoreError:
    """An error as callers get it."""
    if isinstance(error, StoreError):
        return error
    hindered = getattr(error, "sqlite_errorcode", 0) & 0xFF in _HINDERED
    return (StoreHindered if hindered else StoreError)(reason=f"{error}.")
