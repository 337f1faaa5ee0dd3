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
OK, CALLER, DECLARED, PROVIDER = range(4)

BUCKETS = 64
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
    """The running counts of one (consumer, client, operation); it stays the same through every drain.

    Calls that went well stand in ``latency`` alone, whose sum is their number: the
    generated code counts them in place.
    """

    __slots__ = ("failed", "failures", "latency", "microseconds", "problems")

    def __init__(self) -> None:
        self.latency = [0] * BUCKETS
        self.microseconds = 0
        self.failed = [0] * BUCKETS
        self.failures = [0, 0, 0, 0]
        self.problems: dict[str, int] = {}

    def add(self, seconds: float) -> None:
        """Count a call that went well."""
        us = int(seconds * 1e6)
        self.latency[us.bit_length()] += 1
        self.microseconds += us

    def fail(self, outcome: int, seconds: float, problem: str) -> None:
        """Count a call that ended with a problem."""
        us = int(seconds * 1e6)
        self.failures[outcome] += 1
        self.failed[us.bit_length()] += 1
        self.microseconds += us
        self.problems[problem] = self.problems.get(problem, 0) + 1

    def take(self) -> tuple[list[int], list[int], int, dict[str, int]] | None:
        """(latency, counts by outcome, microseconds, problems) since the last time; None if there were no calls."""
        ok = sum(self.latency)
        if not ok and not any(self.failures):
            return None
        latency = [a + b for a, b in zip(self.latency, self.failed, strict=True)]
        counts = [ok, *self.failures[1:]]
        taken = latency, counts, self.microseconds, self.problems
        self.latency[:] = [0] * BUCKETS
        self.failed[:] = [0] * BUCKETS
        self.failures[:] = [0, 0, 0, 0]
        self.microseconds = 0
        self.problems = {}
        return taken


class Recorder:
    """Collects the call records of a process; used from one event loop."""

    def __init__(self, environment: str = "development") -> None:
        self.environment = environment
        self._cells: dict[tuple[str, str | None, str], Cell] = {}
        self._minute = int(time.time() // 60)

    def cell(self, consumer: str, client: str | None, operation: str) -> Cell:
        """The counts to add to; callers may keep it."""
        key = (consumer, client, operation)
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell()
        return found

    def fail(
        self, consumer: str, client: str | None, operation: str, outcome: int, seconds: float, problem: str
    ) -> None:
        """Count a call that ended with a problem."""
        self.cell(consumer, client, operation).fail(outcome, seconds, problem)

    def drain(self) -> Iterator[CallRecord]:
        """Hand on what was counted since the last time, and begin anew."""
        minute, self._minute = self._minute, int(time.time() // 60)
        for (consumer, client, operation), cell in list(self._cells.items()):
            taken = cell.take()
            if taken is None:
                continue
            latency, counts, microseconds, problems = taken
            yield CallRecord(
                minute=minute,
                environment=self.environment,
                consumer=consumer,
                client=client or "",
                operation=operation,
                ok=counts[OK],
                caller=counts[CALLER],
                declared=counts[DECLARED],
                provider=counts[PROVIDER],
                latency=tuple(latency),
                microseconds=microseconds,
                problems=problems,
            )
