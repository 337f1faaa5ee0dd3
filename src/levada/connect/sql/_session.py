"""Statements on one connection, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

__all__ = ["Driver", "Session", "Transaction"]

Row = dict[str, Any]


class Driver(Protocol):
    """One connection of a backend. Errors are already those of ``connect.errors``."""

    dialect: str

    async def run(self, sql: Any, args: Sequence[Any]) -> int:
        """Run a statement; how many rows it changed."""
        ...

    async def rows(self, sql: Any, args: Sequence[Any]) -> list[Row]:
        """The rows of a statement."""
        ...

    async def many(self, sql: Any, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the argument lists."""
        ...


class Session:
    """A connection outside of a transaction: each statement commits by itself.

    Placeholders are ``$1, $2`` for PostgreSQL, and ``?`` (or ``$1``) for every other dialect. Not for concurrent
    use. A connection lost during a statement raises ``OutcomeUnknown`` here.
    """

    __slots__ = ("_driver",)

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def dialect(self) -> str:
        """``postgresql``, ``sqlite`` or another name of SQLAlchemy's."""
        return self._driver.dialect

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; how many rows it changed."""
        return await self._driver.run(sql, args)

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """The rows of a statement, by column."""
        return await self._driver.rows(sql, args)

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        rows = await self._driver.rows(sql, args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        rows = await self._driver.rows(sql, args)
        return next(iter(rows[0].values()), None) if rows else None

    async def executemany(self, sql: str, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the argument lists."""
        await self._driver.many(sql, args)


class Transaction(Session):
    """An open transaction: committed when its block ends, rolled back on an exception.

    A connection lost before the commit raises ``Unavailable``: nothing of it remains.
    """

    __slots__ = ()
