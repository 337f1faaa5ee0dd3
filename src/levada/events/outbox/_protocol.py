"""What the outbox needs of a system's own database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

__all__ = ["Database", "Transaction"]


@runtime_checkable
class Transaction(Protocol):
    """An open transaction. Not for concurrent use; an error leaves it to be rolled back.

    Placeholders are positional, in the dialect's own way: ``$1, $2`` for
    ``postgresql``, ``?`` in order for every other dialect.
    """

    @property
    def dialect(self) -> str:
        """``postgresql``, ``sqlite`` or another name."""
        ...

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; how many rows it changed."""
        ...

    async def fetch(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """The rows of a statement, by column."""
        ...


@runtime_checkable
class Database(Protocol):
    """A system's database. ``begin`` may be called concurrently."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed when the block ends, rolled back on an exception."""
        ...
