"""Subscriptions: order per key, poison events, duplicates, faults between, replay, pause."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from levada.events.admin import Admin
from levada.events.delivery import Delivery, Park, Retry
from levada.events.dispatcher import Dispatcher, LogGap, Reader, ReaderFenced
from levada.events.envelope import Envelope
from levada.events.filter import Filter
from levada.events.log import Log
from levada.events.subscription import Subscriptions
from levada.store import StoreError, StoreUnknown
from levada.store.errors import StoreHindered
from levada.store.protocol import Outcome, Statement, Store, Unit
from levada.store.sqlite import SqliteStore

TOPIC = "shop.OrderPlaced.v1"
Make = Callable[..., Envelope]


class Books:
    """A sink that records what it was given; ``poison``: event ids it parks."""

    def __init__(self) -> None:
        self.given: list[Delivery] = []
        self.poison: set[str] = set()
        self.later: set[str] = set()
        self.broken: set[str] = set()

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        if delivery.event.id in self.poison:
            raise Park("schema", "total is missing")
        if delivery.event.id in self.later:
            raise Retry(0, "not yet")
        if delivery.event.id in self.broken:
            raise KeyError("customer")
        self.given.append(delivery)
        return ()

    @property
    def ids(self) -> list[str]:
        return [delivery.event.id for delivery in self.given]


@pytest.fixture
async def log(store: Store) -> Log:
    return await Log.open(store)


async def reading(log: Log, sink: Any, name: str = "billing", pattern: Any = None, **more: Any) -> Reader:
    await Subscriptions(log).declare(name, [TOPIC], None if pattern is None else Filter(pattern))
    reader = Reader(log, name, sink, **more)
    assert await reader.claim()
    return reader


async def test_each_event_is_given_once_and_in_the_order_of_its_key(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books, batch=7)
    events = [make(f"o-{i % 5}") for i in range(100)]
    for start in range(0, 100, 10):
        await log.append(events[start : start + 10])
    await reader.until_idle()
    assert sorted(books.ids) == sorted(e.id for e in events)
    for key in {e.key for e in events}:
        assert [d.event.id for d in books.given if d.event.key == key] == [
            e.id for e in events if e.key == key
        ]
    assert await reader.step() == 0


async def test_a_second_copy_is_not_given_again(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    event = make()
    await log.append([event, event])
    await reader.until_idle()
    await log.append([event])
    await reader.until_idle()
    assert books.ids == [event.id]


async def test_a_poison_event_closes_its_key_and_no_other(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    a1, a2, b1, a3 = make("a"), make("a"), make("b"), make("a")
    books.poison = {a1.id}
    await log.append([a1, a2, b1])
    await reader.until_idle()
    await log.append([a3])
    await reader.until_idle()
    assert books.ids == [b1.id]
    admin = Admin(log)
    (parked,) = await admin.parked()
    assert (parked.event_id, parked.reason, parked.detail, parked.behind) == (
        a1.id,
        "schema",
        "total is missing",
        2,
    )
    assert (await admin.status())[0].lag == 0
    assert await admin.parked(key="a") == [parked]
    assert [p.event_id for p in await admin.parked(key="a", behind=True)] == [a1.id, a2.id, a3.id]
    assert await admin.parked(key="b") == await admin.parked("another", key="a") == []
    # A resume that fails again changes nothing for those behind.
    await admin.resume(parked.id)
    await reader.until_idle()
    assert books.ids == [b1.id]
    assert (await admin.parked())[0].attempts == 2
    books.poison = set()
    await admin.resume(parked.id)
    await reader.until_idle()
    assert books.ids == [b1.id, a1.id, a2.id, a3.id]
    assert await admin.parked(behind=True) == []


async def test_skip_opens_the_key(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    first, second = make("a"), make("a")
    books.poison = {first.id}
    await log.append([first, second])
    await reader.until_idle()
    admin = Admin(log)
    (parked,) = await admin.parked()
    skipped = await admin.skip(parked.id, "customer was merged")
    assert skipped.event_id == first.id
    await reader.until_idle()
    assert books.ids == [second.id]


async def test_what_the_sink_raises_parks_and_the_reader_goes_on(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    bad, good = make("a"), make("b")
    books.broken = {bad.id}
    await log.append([bad, good])
    await reader.until_idle()
    assert books.ids == [good.id]
    (parked,) = await Admin(log).parked()
    assert parked.reason == "error"
    assert "KeyError" in parked.detail


async def test_an_event_that_comes_later_keeps_its_key_in_order(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    first, second, other = make("a"), make("a"), make("b")
    books.later = {first.id}
    await log.append([first, second, other])
    await reader.step()
    assert books.ids == [other.id]
    books.later = set()
    await reader.until_idle()
    assert books.ids == [other.id, first.id, second.id]


async def test_retries_end_in_parking(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    event = make("a")
    books.later = {event.id}
    await log.append([event])
    await reader.until_idle()
    (parked,) = await Admin(log).parked()
    assert (parked.state, parked.reason, parked.attempts) == ("parked", "tried too often", 12)


async def test_events_without_a_key_do_not_wait_for_each_other(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    events = [make(None) for _ in range(20)]
    books.poison = {events[0].id}
    await log.append(events)
    await reader.until_idle()
    assert sorted(books.ids) == sorted(e.id for e in events[1:])


async def test_the_filter_is_asked_and_answers_why(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books, pattern={"data": {"total": [{"numeric": [">", 100]}]}})
    large, small, broken = make(data={"total": "250.00"}), make(data={"total": "5.00"}), make("z", data=b"{")
    await log.append([large, small, broken])
    await reader.until_idle()
    assert books.ids == [large.id]
    admin = Admin(log)
    (found,) = await admin.explain(small.id)
    assert found.state == "not matched"
    assert found.why == ['data.total is "5.00"; wanted one of [{"numeric":[">",100]}]']
    assert (await admin.explain(large.id))[0].state == "taken"
    (parked,) = await admin.parked()
    assert (parked.event_id, parked.reason) == (broken.id, "filter")


class Faulty:
    """A store whose next commits with a certain query fail: before, after, or by answering a refusal."""

    def __init__(self, store: Store) -> None:
        self.inner = store
        self.before = 0
        self.after = 0
        self.then: Callable[[], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, unit: Unit) -> Outcome:
        hit = any(s.query == "subscription.move" for s in unit.statements)
        if hit and self.then is not None:
            then, self.then = self.then, None
            await then()
        if hit and self.before:
            self.before -= 1
            raise StoreUnknown(reason="killed before the commit")
        outcome = await self.inner.commit(unit)
        if hit and self.after:
            self.after -= 1
            raise StoreUnknown(reason="killed after the commit")
        return outcome


NOTE = "log.topic_create"  # a query that a sink's statement may use as its effect: a row by name


class Noting(Books):
    """Its effect is a row in the store, so that what was committed can be counted."""

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        await super().take(delivery)
        name = f"note.{delivery.event.id}"
        return [Statement(NOTE, {"topic": name, "partitions": 1, "retention": None}, 1)]


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_killed_around_the_commit_takes_in_once(store: Store, make: Make, fault: str):
    faulty = Faulty(store)
    log = await Log.open(faulty)
    sink = Noting()
    reader = await reading(log, sink, batch=10)
    events = [make(f"o-{i}") for i in range(30)]
    await log.append(events)
    setattr(faulty, fault, 2)
    await reader.until_idle()
    # rows=1 on each note: a second effect for one event would have been refused.
    assert not await Admin(log).parked()
    assert set(sink.ids) == {e.id for e in events}
    found = [await store.read("inbox.has", {"subscription": "billing", "event_id": e.id}) for e in events]
    assert all(len(rows) == 1 for rows in found)


async def test_two_readers_the_former_is_refused(store: Store, make: Make):
    faulty = Faulty(store)
    old_log, new_log = await Log.open(faulty), await Log.open(store)
    old_sink, new_sink = Noting(), Noting()
    old = await reading(old_log, old_sink)
    new = Reader(new_log, "billing", new_sink)
    assert not await new.claim()
    events = [make(f"o-{i}") for i in range(20)]
    await new_log.append(events)

    async def overtaken() -> None:
        assert await new.claim(force=True)
        await new.until_idle()

    faulty.then = overtaken  # the old one pauses between reading and committing
    await old.step()
    with pytest.raises(ReaderFenced):
        await old.step()
    assert sorted(new_sink.ids) == sorted(e.id for e in events)
    assert not await Admin(new_log).parked()


async def test_replay_to_one_while_another_goes_on(log: Log, make: Make):
    once, other = Books(), Books()
    reader = await reading(log, once)
    bystander = await reading(log, other, "shipping")
    old = [make(f"o-{i}") for i in range(5)]
    await log.append(old)
    await reader.until_idle()
    await bystander.until_idle()
    seeds = {d.event.id: d.seed for d in once.given}
    ids = {d.event.id: d.id for d in once.given}
    once.given.clear()
    since = await log.store.now()
    new = [make(f"o-{i}") for i in range(3)]
    await log.append(new)
    admin = Admin(log)
    assert await admin.replay("billing", "a bug in the totals") == 8
    await reader.until_idle()
    assert sorted(once.ids) == sorted(e.id for e in old + new)
    assert {d.generation for d in once.given} == {2}
    replayed = [d for d in once.given if d.event.id in seeds]
    assert all(d.seed == seeds[d.event.id] and d.id != ids[d.event.id] for d in replayed)
    await bystander.until_idle()
    assert sorted(other.ids) == sorted(e.id for e in old + new)
    once.given.clear()
    assert await admin.replay("billing", "once more", since=since, again=True) == 3
    await reader.until_idle()
    assert sorted(once.ids) == sorted(e.id for e in new)
    assert all(d.again and d.seed not in seeds.values() for d in once.given)


async def test_a_replay_between_reading_and_committing_wins(store: Store, make: Make):
    faulty = Faulty(store)
    log = await Log.open(faulty)
    books = Books()
    reader = await reading(log, books)
    events = [make(f"o-{i}") for i in range(4)]
    await log.append(events)
    await reader.until_idle()
    await log.append([make("o-9")])
    faulty.then = lambda: Admin(log).replay("billing", "test")
    await reader.until_idle()
    assert sorted(d.event.id for d in books.given if d.generation == 2) == ["e-1", "e-2", "e-3", "e-4", "e-5"]


async def test_pause_holds_and_goes_on(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    admin = Admin(log)
    await admin.pause("billing", "ERP is being moved")
    event = make()
    await log.append([event])
    assert await reader.step() == 0
    (found,) = await admin.explain(event.id)
    assert (found.state, found.why[-1]) == ("waiting", "paused: ERP is being moved")
    await admin.go_on("billing")
    await reader.until_idle()
    assert books.ids == [event.id]


class Refused(Books):
    """Its statements are refused, or in error, for one event."""

    statement = Statement("log.reserve", {"topic": "no such topic", "part": 0, "n": 1}, 1)
    victim = ""

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        if delivery.event.id == self.victim:
            return [self.statement]
        return await super().take(delivery)


@pytest.mark.parametrize(
    "statement",
    [Refused.statement, Statement("log.append", {"topic": "x"}), Statement("no.such_query", {})],
    ids=["refused", "in error", "unknown"],
)
async def test_a_delivery_whose_statements_the_store_does_not_take_is_parked_alone(
    log: Log, make: Make, statement: Statement
):
    sink = Refused()
    sink.statement = statement
    reader = await reading(log, sink)
    events = [make(f"o-{i}") for i in range(12)]
    sink.victim = events[5].id
    await log.append(events)
    await reader.until_idle()
    (parked,) = await Admin(log).parked()
    assert (parked.event_id, parked.reason) == (sink.victim, "refused")
    assert set(sink.ids) == {e.id for e in events} - {sink.victim}


async def test_an_outage_of_the_store_parks_nothing(store: Store, make: Make):
    faulty = Faulty(store)
    log = await Log.open(faulty)
    books = Books()
    reader = await reading(log, books)
    await log.append([make("a")])

    async def down(unit: Unit) -> Outcome:
        raise StoreError(reason="disk full")

    commit, faulty.commit = faulty.commit, down  # type: ignore[method-assign]
    for _ in range(5):
        with pytest.raises(StoreError):
            await reader.step()
    faulty.commit = commit  # type: ignore[method-assign]
    await reader.until_idle()
    assert not await Admin(log).parked()
    assert books.ids[-1] == "e-1"


async def test_a_gap_in_the_log_stops_the_subscription(log: Log, make: Make):
    reader = await reading(log, Books())
    await log.append([make("a"), make("a"), make("a")])
    (record, *_) = await log.find("e-1")
    await log.store.commit(Unit([Statement("log.trim", {"topic": TOPIC, "part": record.part, "upto": 2})]))
    with pytest.raises(LogGap):
        await reader.step()


async def test_what_is_older_than_the_inbox_is_parked(log: Log, make: Make):
    books = Books()
    reader = await reading(log, books)
    old = make("a", time=datetime.now(UTC) - timedelta(days=400))
    await log.append([old])
    await reader.until_idle()
    await Subscriptions(log).clean_inbox("billing", 0)
    await log.append([old, make("b")])
    await reader.until_idle()
    assert books.ids == ["e-1", "e-2"]
    (parked,) = await Admin(log).parked()
    assert parked.reason == "too old"


async def test_the_dispatcher_runs_many_and_stops(log: Log, make: Make):
    sinks = {"billing": Books(), "shipping": Books()}
    for name in sinks:
        await Subscriptions(log).declare(name, [TOPIC])
    dispatcher = Dispatcher(log, sinks, poll=5)
    running = asyncio.create_task(dispatcher.run())
    events = [make(f"o-{i}") for i in range(50)]
    async with asyncio.timeout(4):  # below the poll: the wake-up has to bring them
        await log.append(events[:25])
        await log.append(events[25:])
        while any(len(sink.given) < 50 for sink in sinks.values()):
            await asyncio.sleep(0.01)
    dispatcher.stop()
    await running
    assert all(sorted(s.ids) == sorted(e.id for e in events) for s in sinks.values())
    # Released: the next process does not wait for the lease.
    assert await Reader(log, "billing", Books()).claim()


async def test_a_defect_keeps_one_subscription_waiting_and_no_other(log: Log, make: Make, monkeypatch: Any):
    """Whatever a driver or we raise: a reader that ended with it would be silent for good."""
    one, other = Books(), Books()
    for name in ("one", "other"):
        await Subscriptions(log).declare(name, [TOPIC])
    dispatcher = Dispatcher(log, {"one": one, "other": other}, poll=0.02)
    step, failures = dispatcher.readers["one"].step, 3

    async def fails_at_first() -> int:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise RuntimeError("cannot switch to state 12")
        return await step()

    monkeypatch.setattr(dispatcher.readers["one"], "step", fails_at_first)
    running = asyncio.create_task(dispatcher.run())
    events = [make(f"o-{i}") for i in range(5)]
    await log.append(events)
    async with asyncio.timeout(20):
        while not other.given:
            await asyncio.sleep(0.01)
        while len(one.given) < 5 or len(other.given) < 5 or dispatcher.troubles:
            await asyncio.sleep(0.01)
    assert failures < 0
    dispatcher.stop()
    await running


class Bulky:
    """What it makes of an event needs room on the disk."""

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        return [Statement("meta.set", {"name": delivery.event.id, "value": "x" * 1_000_000}, 1)]


async def test_a_disk_that_is_almost_full_is_no_fault_of_an_event(tmp_path: Path, make: Make):
    store = SqliteStore(str(tmp_path / "levada.db"))
    await store.open()
    log = await Log.open(store)
    reader = await reading(log, Bulky())
    event = make("o-1")
    await log.append([event])
    writer = store._writer
    assert writer is not None
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 20}")
    for _ in range(5):
        with pytest.raises(StoreHindered, match="full"):
            await reader.step()
    assert await Admin(log).parked() == []
    writer.execute("PRAGMA max_page_count = 1000000")
    await reader.until_idle()
    assert await store.read("meta.get", {"name": event.id})
    await store.close()
