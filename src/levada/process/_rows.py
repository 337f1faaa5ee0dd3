"""Statements and rows of ``runs.sql``, as the worker and the actors need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, convert

from levada.process._journal import FORMAT, Entry
from levada.process._protocol import RunInput
from levada.process._steps import Kind, Step
from levada.store.protocol import Row, Statement

__all__ = ["RunRow", "add_entry", "entries", "guard", "leave_lane", "register", "touch_lane"]

CHANNEL = "runs"
"""Told whenever a run may go on."""


class RunRow(Struct, frozen=True):
    """What a worker needs of a run's row."""

    id: str
    keyed: str
    code: str
    state: str
    type: str
    event: str | None
    subscription: str | None
    key: str | None
    lane: str | None
    across: int
    generation: int
    fence: int
    due: int
    since: int
    input: bytes
    initiator: str
    traceparent: str

    @classmethod
    def of(cls, row: Row) -> RunRow:
        """From a row of the store."""
        return convert({name: row[name] for name in cls.__struct_fields__}, cls)

    @property
    def given(self) -> RunInput:
        """What its handler begins with."""
        return RunInput(
            self.id, self.type, self.input, self.event, self.key, self.since, self.initiator, self.traceparent
        )


def entries(rows: Sequence[Row]) -> list[Entry]:
    """A journal from its rows."""
    return [convert(row, Entry) for row in rows]


def guard(run: str, worker: str, epoch: int) -> Statement:
    """Refuses its unit unless the worker lives and the run is its own (durability, rule 11)."""
    return Statement("runs.guard", {"run": run, "worker": worker, "epoch": epoch}, 1)


def add_entry(run: str, entry: Entry) -> Statement:
    """Writes one entry; refuses its unit when somebody else wrote there."""
    return Statement("runs.journal_add", _entry(run, entry) | {"seq": entry.seq}, 1)


def append_entry(run: str, entry: Entry) -> Statement:
    """Writes one entry behind the last."""
    return Statement("runs.journal_append", _entry(run, entry), 1)


def _entry(run: str, entry: Entry) -> dict[str, Any]:
    return {
        "run": run,
        "kind": str(entry.kind),
        "step": entry.step,
        "operation": entry.operation,
        "arguments": entry.arguments,
        "value": entry.value,
        "type": entry.type,
        "event": entry.event,
        "attempt": entry.attempt,
        "format": FORMAT,
    }


def register(run: str, step: Step) -> list[Statement]:
    """Registers a wait or a sleep. The row (type, key) is locked first (durability, rule 5)."""
    base: dict[str, Any] = {"run": run, "step": step.id}
    if step.kind is Kind.SLEEP:
        return [
            Statement(
                "runs.wait_add", base | {"type": None, "key": None, "micros": _micros(step.payload)}, None
            )
        ]
    event_type, key, seconds = step.payload
    named = {"type": event_type, "key": key}
    return [
        Statement("runs.wait_key", named),
        Statement("runs.wait_add", base | named | {"micros": _micros(seconds)}),
        Statement("runs.wait_take", base | named),
    ]


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else max(0, round(seconds * 1_000_000))


def touch_lane(lane: str | None) -> list[Statement]:
    """Locks a lane and takes its next place."""
    return [] if lane is None else [Statement("runs.lane_touch", {"lane": lane})]


def leave_lane(lane: str | None, leave: Statement) -> list[Statement]:
    """Lets a run give up its place, and the next one in."""
    if lane is None:
        return [leave]
    named = {"lane": lane}
    return [
        Statement("runs.lane_lock", named),
        leave,
        Statement("runs.lane_next", named),
        Statement("runs.lane_tidy", named),
    ]
