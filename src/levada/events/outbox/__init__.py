"""The outbox and the effects in a system's own database: they commit with the change, or not at all."""

from levada.events.outbox._protocol import Database, Transaction
from levada.events.outbox._queries import DialectUnknown
from levada.events.outbox.effects import (
    Answer,
    EffectFenced,
    EffectMismatch,
    EffectUnrecorded,
    answered,
    forget,
    record,
)
from levada.events.outbox.rows import append, create_tables, ddl

__all__ = [
    "Answer",
    "Database",
    "DialectUnknown",
    "EffectFenced",
    "EffectMismatch",
    "EffectUnrecorded",
    "Transaction",
    "answered",
    "append",
    "create_tables",
    "ddl",
    "forget",
    "record",
]
