"""Call records: counts and latencies at each contract's border.

The same in process, over HTTP and in a run. A record costs well under 2 us; what is
counted in a minute is handed on by :meth:`Recorder.drain` and then forgotten here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["BUCKETS", "CallRecord", "Cell", "Outcome", "Recorder"]

Outcome: TypeAlias = Literal["ok", "caller", "declared", "provider"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "caller", "declared", "provider")
OK, CALLER, DECLARED, PROVIDER = range(4)

BUCKETS = 32
"""Latencies are counted by powers of two: bucket n has calls of 2**(n-1) to 2**n - 1 us."""


class CallRecord(Struct, frozen=True):
    """The calls of one minute, by one consumer and caller, of one operation.

    ``minute``: minutes since 1970-01-01 UTC. ``latency``: counts by bucket, see
    :data:`BUCKETS`. ``problems``: counts by problem code.
    """

    minute: int
    environment: str
    consumer: str
    client: str
    operation: str
    ok: int
    caller: int
    declared: int
    provider: int
    latency: Sequence[int]
    microseconds: int
    problems: dict[str, int]


class Cell:
    """The running counts of one (consumer, client, operation)."""

    __slots__ = ("counts", "latency", "microseconds", "problems")

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0]
        self.latency = [0] * BUCKETS
        self.microseconds = 0
        self.problems: dict[str, int] = {}

    def add(self, outcome: int, seconds: float) -> None:
        """Count a call."""
        us = int(seconds * 1e6)
        self.counts[outcome] += 1
        self.latency[us.bit_length() if us < 0x7FFFFFFF else BUCKETS - 1] += 1
        self.microseconds += us


class Recorder:
    """Collects the call records of a process; used from one event loop."""

    def __init__(self, environment: str = "development") -> None:
        self.environment = environment
        self.cells: dict[tuple[str, str | None, str], Cell] = {}
        self._minute = int(time.time() // 60)

    def cell(self, consumer: str, client: str | None, operation: str) -> Cell:
        """The counts to add to, valid until the next drain."""
        key = (consumer, client, operation)
        found = self.cells.get(key)
        if found is None:
            found = self.cells[key] = Cell()
        return found

    def add(
        self,
        consumer: str,
        client: str | None,
        operation: str,
        outcome: int,
        seconds: float,
        problem: str | None = None,
    ) -> None:
        """Count a call, and the problem it ended with."""
        cell = self.cells.get((consumer, client, operation))
        if cell is None:
            cell = self.cell(consumer, client, operation)
        cell.add(outcome, seconds)
        if problem is not None:
            cell.problems[problem] = cell.problems.get(problem, 0) + 1

    def drain(self) -> Iterator[CallRecord]:
        """Hand on what was counted since the last time, and begin anew."""
        cells, self.cells = self.cells, {}
        minute, self._minute = self._minute, int(time.time() // 60)
        for (consumer, client, operation), cell in cells.items():
            yield CallRecord(
                minute=minute,
                environment=self.environment,
                consumer=consumer,
                client=client or "",
                operation=operation,
                ok=cell.counts[OK],
                caller=cell.counts[CALLER],
                declared=cell.counts[DECLARED],
                provider=cell.counts[PROVIDER],
                latency=tuple(cell.latency),
                microseconds=cell.microseconds,
                problems=cell.problems,
            )
