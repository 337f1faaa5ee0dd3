"""Call records: counts per minute at each contract's border, added up over all processes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from levada.store.errors import StoreUnknown
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["CallCounts", "Calls"]


class CallCounts(Struct, frozen=True, kw_only=True):
    """The calls of one minute, by one consumer and client, of one operation.

    ``minute``: minutes since 1970-01-01 UTC. ``operation`` holds domain, API, major and name.
    ``ok``, ``caller``, ``declared``, ``provider``: how many calls ended well, by the caller's
    fault, with a declared problem, by the provider's fault. ``microseconds``: their sum.
    ``latency``: how many calls by bucket; bucket n has those of 2**(n-1) to 2**n - 1 us.
    ``problems``: how many by problem code.
    """

    minute: int
    environment: str
    consumer: str
    client: str
    operation: str
    ok: int = 0
    caller: int = 0
    declared: int = 0
    provider: int = 0
    microseconds: int = 0
    latency: Sequence[int] = ()
    problems: Mapping[str, int] = {}


class Calls:
    """The call records of a store, written by one process. May be called concurrently.

    A batch is numbered, and the store takes each number once: a batch whose outcome was
    unknown is handed in again before the next one, and counts nothing twice.
    """

    def __init__(self, store: Store, process: str | None = None) -> None:
        self._store = store
        self._process = process or uuid.uuid4().hex
        self._number = 0
        self._unknown: Unit | None = None
        self._lock = asyncio.Lock()

    async def add(self, counts: Sequence[CallCounts]) -> None:
        """Add counts; durable when it returns.

        Raises:
            StoreUnknown: They may have been added or not; the next call settles it.
            StoreError: They were not added.
        """
        async with self._lock:
            if self._unknown is not None:
                await self._store.commit(self._unknown)
                self._unknown = None
            if not counts:
                return
            unit = self._batch(counts)
            try:
                await self._store.commit(unit)
            except (StoreUnknown, asyncio.CancelledError):
                self._unknown = unit
                raise

    def _batch(self, counts: Sequence[CallCounts]) -> Unit:
        self._number += 1
        # By key, so that two processes that add to the same rows wait for each other in one order.
        ordered = sorted(counts, key=lambda c: (c.minute, c.environment, c.consumer, c.client, c.operation))
        named = {"process": self._process, "batch": self._number}
        return Unit([Statement("call.flush", named, 1), *(s for c in ordered for s in _added(c))])

    async def read(self, since: int, until: int) -> Sequence[CallCounts]:
        """The counts from one minute up to before another, in order of time."""
        between = {"since": since, "until": until}
        rows = await self._store.read("call.read", between)
        parts: dict[tuple[object, ...], list[Row]] = {}
        for part in await self._store.read("call.read_parts", between):
            parts.setdefault(_place(part), []).append(part)
        return [_counts(row, parts.get(_place(row), [])) for row in rows]

    async def clean(self, before: int) -> None:
        """Forget the minutes before one, and processes that have handed in nothing since."""
        named = {"before": before}
        await self._store.commit(
            Unit(
                [
                    Statement("call.clean", named),
                    Statement("call.clean_parts", named),
                    Statement("call.clean_flushes", {"before": before * 60_000_000}),
                ]
            )
        )


def _added(counts: CallCounts) -> Iterator[Statement]:
    values = msgspec.structs.asdict(counts)
    values.pop("latency")
    values.pop("problems")
    yield Statement("call.add", values)
    place = {name: values[name] for name in ("minute", "environment", "consumer", "client", "operation")}
    parts = [("latency", f"{n:02d}", found) for n, found in enumerate(counts.latency) if found]
    parts += [("problem", code, found) for code, found in sorted(counts.problems.items())]
    for kind, name, found in parts:
        yield Statement("call.add_part", {**place, "kind": kind, "name": name, "n": found})


def _place(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("minute", "environment", "consumer", "client", "operation"))


def _counts(row: Row, parts: Sequence[Row]) -> CallCounts:
    by_bucket = {int(p["name"]): p["n"] for p in parts if p["kind"] == "latency"}
    latency = tuple(by_bucket.get(n, 0) for n in range(max(by_bucket, default=-1) + 1))
    problems = {p["name"]: p["n"] for p in parts if p["kind"] == "problem"}
    return CallCounts(**row, latency=latency, problems=problems)
