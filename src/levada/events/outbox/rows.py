"""Writing to the outbox, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from levada.events.envelope import Envelope
from levada.events.outbox._protocol import Transaction
from levada.events.outbox._queries import queries

__all__ = ["append", "create_tables", "ddl"]


def ddl(dialect: str) -> Sequence[str]:
    """The statements that make ``levada_outbox`` and ``levada_effect``, for a system's own migrations.

    Raises:
        DialectUnknown: There is no outbox for this dialect.
    """
    return [sql for name, sql in queries(dialect).items() if name.startswith("ddl.")]


async def create_tables(tx: Transaction) -> None:
    """Make the two tables where they are missing."""
    for sql in ddl(tx.dialect):
        await tx.execute(sql)


async def append(tx: Transaction, events: Iterable[Envelope]) -> None:
    """Put events into the outbox: published if, and only if, ``tx`` commits."""
    sql = queries(tx.dialect)["append"]
    for event in events:
        await tx.execute(sql, event.id, event.head(), event.data, event.format)
