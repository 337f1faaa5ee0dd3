"""What is past its time is deleted, in small steps, by one process at a time.

Nothing goes that a rule of durability needs: a run's row stays as long as the log has events
that could make it anew, an inbox as long as the log, an arrival as long as a run that is open,
or that can still come about, may wait for it. Audit and facts stay for good.
"""

from __future__ import annotations

import json
import uuid
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from levada.events.housekeeping import tidy
from levada.events.log import Log
from levada.store.control import Idempotency
from levada.store.lease import Lease
from levada.store.protocol import Statement, Store, Unit

__all__ = ["Purged", "RetentionSection", "effects_before", "purge", "purgeable"]

DAY = 86_400_000_000
BATCH = 500
Days: TypeAlias = Annotated[float, Meta(ge=0)]


class RetentionSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[retention]``: how long is kept what is done with. One process at a time deletes, in batches of 500.

    Attributes:
        events: Days that the log keeps events, where their topic has no retention of its own; 0: for good. What a
            subscription has not read stays. Default 90. A replay reaches back as far.
        runs: Days that a run is kept once it is done or compensated; those of events at least as long as the log.
            Default 90.
        arrivals: Days that events are kept that runs may wait for; longer while a run is open that may, and as long as
            the log, whose replay makes such runs anew. Default 90.
        calls: Days that the counts of calls are kept. Default 400.
        outbox: Days that a system's outbox keeps events that are in the log, so that a restored backup of the store
            gets them again. Default 7.
        effects: Days that ``levada_effect`` in a system's database keeps the results of calls, once a day; 0: for good.
            At least as long as the log, whose replay repeats them, and as a run is open that may. A backup that is
            older when it is restored makes calls anew that have been forgotten since. Default 90.
    """

    events: Days = 90
    runs: Days = 90
    arrivals: Days = 90
    calls: Days = 400
    outbox: Days = 7
    effects: Days = 90


class Purged(Struct, frozen=True):
    """How much was, or would be, deleted."""

    events: int = 0
    runs: int = 0
    arrivals: int = 0


async def purge(store: Store, kept: RetentionSection) -> Purged | None:
    """Delete what is past its time; None: another process is at it. May be killed at any time.

    Raises:
        LeaseLost: It took so long that another has taken over; what was deleted is deleted.
    """
    lease = Lease(store, "purge", uuid.uuid4().hex, seconds=60)
    if not await lease.take():
        return None
    try:
        log = Log(store)
        tidied = await tidy(log, _days(kept.events))
        await Idempotency(store).clean()
        await lease.beat()
        runs = await _runs(store, lease, await _times(store, log, kept))
        before = await _arrivals_before(store, log, kept)
        arrivals = await _batches(store, lease, "purge.arrivals", before, "purge.arrivals_count")
        await _calls(store, kept)
        return Purged(tidied.events, runs, arrivals)
    finally:
        await lease.release()


async def effects_before(store: Store, kept: RetentionSection) -> int:
    """Up to when the results of calls go, microseconds UTC: no run and no replay repeats one of before. 0: none goes."""
    if not kept.effects:
        return 0
    before = await _log_before(store, Log(store), kept, max(DAY, round(kept.effects * DAY)))
    needed = (await store.read("purge.needed"))[0]["at"]
    # A day more: the clocks of systems are their own.
    return max(0, (before if needed is None else min(before, needed)) - DAY)


async def purgeable(store: Store, kept: RetentionSection) -> Purged:
    """What :func:`purge` would delete now at most; what subscriptions have not read stays."""
    log, now = Log(store), await store.now()
    events = 0
    for topic in await log.topics():
        retention = topic.retention if topic.retention is not None else _days(kept.events)
        if retention is not None:
            named = {"topic": topic.name, "before": now - retention}
            events += (await store.read("purge.log_count", named))[0]["n"]
    times = await _times(store, log, kept)
    runs = (await store.read("purge.runs_count", times))[0]["n"]
    before = await _arrivals_before(store, log, kept)
    arrivals = (await store.read("purge.arrivals_count", {"before": before}))[0]["n"]
    return Purged(events, runs, arrivals)


async def _times(store: Store, log: Log, kept: RetentionSection) -> dict[str, int]:
    """Up to when runs go: of events never before the log has let go of all that could make them anew."""
    own = round(kept.runs * DAY)
    # A call's key is kept a day, and its run at least as long.
    called = await store.now() - max(own, DAY)
    return {"before": await _log_before(store, log, kept, own), "called": called}


async def _log_before(store: Store, log: Log, kept: RetentionSection, own: int) -> int:
    """A time of its own (microseconds ago), or before all that the log has; 0 where it keeps events for good."""
    longest, forever = own, False
    for topic in await log.topics():
        retention = topic.retention if topic.retention is not None else _days(kept.events)
        forever = forever or retention is None
        longest = max(longest, retention or 0)
    return 0 if forever else await store.now() - longest


async def _runs(store: Store, lease: Lease, times: dict[str, int]) -> int:
    deleted = 0
    while found := await store.read("purge.runs", {**times, "n": BATCH}):
        ids = {"ids": json.dumps([row["id"] for row in found])}
        gone = [Statement(f"purge.{what}", ids) for what in ("journal", "waits")]
        unit = Unit([lease.guard(), *gone, Statement("purge.run", ids, len(found))])
        if not (await store.commit(unit)).committed:
            break
        deleted += len(found)
        await lease.beat()
    return deleted


async def _arrivals_before(store: Store, log: Log, kept: RetentionSection) -> int:
    """Up to when arrivals go: a replay makes runs of all that the log has, and they wait for what came then."""
    needed = (await store.read("purge.needed"))[0]["at"]
    before = await _log_before(store, log, kept, round(kept.arrivals * DAY))
    return before if needed is None else min(before, needed)


async def _batches(store: Store, lease: Lease, query: str, before: int, count: str) -> int:
    deleted = 0
    while left := (await store.read(count, {"before": before}))[0]["n"]:
        await store.commit(Unit([lease.guard(), Statement(query, {"before": before, "n": BATCH})]))
        await lease.beat()
        deleted += min(left, BATCH)
    await store.commit(Unit([lease.guard(), Statement("purge.arrival_keys", {"before": before, "n": BATCH})]))
    return deleted


async def _calls(store: Store, kept: RetentionSection) -> None:
    now = await store.now()
    minute = {"before": (now - round(kept.calls * DAY)) // 60_000_000}
    await store.commit(
        Unit(
            [
                Statement("call.clean", minute),
                Statement("call.clean_parts", minute),
                Statement("call.clean_flushes", {"before": now - 7 * DAY}),
            ]
        )
    )


def _days(days: float) -> int | None:
    return round(days * DAY) if days else None
