"""Runs a group of units as one transaction of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from levada.store._queries import Query
from levada.store.errors import QueryUnknown, StoreError
from levada.store.protocol import Outcome, Row, Statement, Unit

__all__ = ["FAILURES", "Groups", "run", "told"]

FAILURES = (sqlite3.Error, StoreError, OverflowError, ValueError, TypeError)
"""What a statement may fail with: refused by SQLite, or a parameter that it cannot take."""


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
            outcomes = [self._unit(unit, now) for unit in units]
            if any(isinstance(outcome, Outcome) and outcome.committed for outcome in outcomes):
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
        db = self._db
        db.execute("SAVEPOINT unit")
        rows: list[Sequence[Row]] = []
        outcome: Outcome | StoreError | None = None
        for position, statement in enumerate(unit.statements):
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
        if outcome is not None:
            db.execute("ROLLBACK TO unit")
        db.execute("RELEASE unit")
        return outcome or Outcome(rows=rows)


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
    return error if isinstance(error, StoreError) else StoreError(reason=f"{error}.")
