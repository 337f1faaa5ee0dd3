"""From outbox to log: late commits, deaths in between, two relays: nothing lost, nothing twice."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from levada.events.admin import Admin, OutboxRowUnreadable, ParkedUnknown
from levada.events.envelope import Envelope, EnvelopeMalformed
from levada.events.log import Log
from levada.events.outbox import append
from levada.events.relay import Relay, RelayFenced, RelayRewound
from levada.store import StoreUnknown
from levada.store.protocol import Outcome, Store, Unit

TOPIC = "shop.OrderPlaced.v1"
Make = Callable[..., Envelope]


@pytest.fixture
async def log(store: Store) -> Log:
    return await Log.open(store)


async def put(system: Any, *events: Envelope) -> None:
    async with system.begin() as tx:
        await append(tx, events)


async def ids(log: Log) -> list[str]:
    """Event ids in the log, by key in order; fails if one is there twice."""
    found: list[str] = []
    for topic in await log.topics():
        for part in range(topic.partitions):
            found += [record.event_id for record in await log.read(topic.name, part, 0, 100_000)]
    assert len(found) == len(set(found)), "an event was relayed twice"
    return found


async def test_all_is_relayed_once_in_order(any_system: Any, log: Log, make: Make):
    relay = Relay("erp", any_system, log, batch=7)
    events = [make("o-1") for _ in range(50)]
    for start in range(0, 50, 5):
        await put(any_system, *events[start : start + 5])
    assert await relay.until_idle() == 50
    assert await ids(log) == [e.id for e in events]
    assert await relay.step() == 0


async def test_a_late_commit_with_a_lower_id_is_not_lost(pg_system: Any, log: Log, make: Make):
    relay = Relay("erp", pg_system, log)
    late, early, last = make("a"), make("b"), make("c")
    async with pg_system.begin() as tx:
        await append(tx, [late])  # takes the lower id and stays open
        await put(pg_system, early)
        await relay.until_idle()
        assert await ids(log) == []  # the horizon waits for the open transaction
        await relay.step()
        assert relay.age > 0
    await put(pg_system, last)
    await relay.until_idle()
    assert sorted(await ids(log)) == sorted([late.id, early.id, last.id])
    assert relay.age == 0


async def test_late_commits_under_load(pg_system: Any, log: Log, make: Make):
    relay = Relay("erp", pg_system, log, batch=5)
    done = asyncio.Event()
    written: list[str] = []

    async def write(n: int) -> None:
        for i in range(15):
            async with pg_system.begin() as tx:
                event = make(f"w-{n}")
                await append(tx, [event])
                await asyncio.sleep(0.001 * ((n * 7 + i * 3) % 5))
                written.append(event.id)

    async def relaying() -> None:
        while not done.is_set():
            await relay.step()
            await asyncio.sleep(0)

    task = asyncio.create_task(relaying())
    await asyncio.gather(*(write(n) for n in range(4)))
    done.set()
    await task
    await relay.until_idle()
    assert sorted(await ids(log)) == sorted(written)


async def test_an_id_is_not_given_out_twice_after_cleaning(any_system: Any, log: Log, make: Make):
    relay = Relay("erp", any_system, log)
    first, second = make(), make()
    await put(any_system, first)
    await relay.until_idle()
    assert await relay.clean() == 1
    await put(any_system, second)  # a plain rowid would be 1 again, and be passed over
    await relay.until_idle()
    assert await ids(log) == [first.id, second.id]


async def test_cleaning_leaves_what_is_not_relayed(any_system: Any, log: Log, make: Make):
    relay = Relay("erp", any_system, log, batch=4)
    events = [make("o-1") for _ in range(10)]
    await put(any_system, *events)
    await relay.step()
    assert await relay.clean(limit=3) == 3
    assert await relay.clean() == 1
    await relay.until_idle()
    assert await ids(log) == [e.id for e in events]


class Dying:
    """A store whose appends are killed before or after the commit."""

    def __init__(self, store: Store, after: bool, times: int) -> None:
        self.inner, self.after, self.times = store, after, times
        self.then: Callable[[], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, unit: Unit) -> Outcome:
        moving = any(s.query == "relay.move" for s in unit.statements)
        if moving and self.then is not None:
            then, self.then = self.then, None
            await then()
        if moving and self.times:
            self.times -= 1
            if self.after:
                await self.inner.commit(unit)
            raise StoreUnknown(reason="killed")
        return await self.inner.commit(unit)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("new", [False, True], ids=["same relay", "new relay"])
async def test_killed_around_the_commit(any_system: Any, store: Store, make: Make, after: bool, new: bool):
    dying = Dying(store, after, times=3)
    log = await Log.open(dying)
    relay = Relay("erp", any_system, log, batch=4)
    events = [make("o-1") for _ in range(30)]
    await put(any_system, *events)
    total = 0
    while total < 20:
        try:
            if not (moved := await relay.step()):
                break
            total += moved
        except StoreUnknown:
            if new:
                relay = Relay("erp", any_system, log, batch=4)
                assert await relay.claim(force=True)
    await relay.until_idle()
    assert await ids(log) == [e.id for e in events]


async def test_two_relays_the_former_is_refused(any_system: Any, store: Store, make: Make):
    dying = Dying(store, after=False, times=0)
    log = await Log.open(dying)
    old, new = Relay("erp", any_system, log), Relay("erp", any_system, await Log.open(store))
    assert await old.claim()
    assert not await new.claim()
    events = [make("o-1") for _ in range(5)]
    await put(any_system, *events)

    async def overtaken() -> None:
        assert await new.claim(force=True)
        assert await new.until_idle() == 5

    dying.then = overtaken
    with pytest.raises(RelayFenced):
        await old.step()
    assert await ids(log) == [e.id for e in events]


async def test_many_relays_at_once(any_system: Any, log: Log, make: Make):
    events = [make("o-1") for _ in range(60)]
    relays = [Relay("erp", any_system, log, batch=3) for _ in range(3)]

    async def contend(relay: Relay) -> None:
        for _ in range(15):
            try:
                await relay.claim(force=True)
                await relay.step()
            except RelayFenced:
                await asyncio.sleep(0)

    await put(any_system, *events)
    await asyncio.gather(*(contend(relay) for relay in relays))
    await relays[0].claim(force=True)
    await relays[0].until_idle()
    assert await ids(log) == [e.id for e in events]


async def test_a_restored_outbox_is_noticed(system: Any, log: Log, make: Make):
    relay = Relay("erp", system, log)
    await put(system, make(), make())
    await relay.until_idle()
    async with system.begin() as tx:
        await tx.execute("UPDATE sqlite_sequence SET seq = 1")
    with pytest.raises(RelayRewound):
        await relay.step()


async def test_a_row_that_is_no_event_is_parked(any_system: Any, log: Log, make: Make):
    good = make()
    async with any_system.begin() as tx:
        await tx.execute("INSERT INTO levada_outbox (event_id, head, data) VALUES ('x', 'junk', '')")
    await put(any_system, good)
    await Relay("erp", any_system, log).until_idle()
    assert await ids(log) == [good.id]
    (parked,) = await Admin(log).parked("relay/erp")
    assert (parked.event_id, parked.reason) == ("x", "unreadable")
    with pytest.raises(OutboxRowUnreadable, match=r"relay/erp:.*skip"):
        await Admin(log).resume(parked.id)
    assert await Admin(log).parked("relay/erp") == [parked]
    await Admin(log).skip(parked.id, "the sender was told")
    assert await Admin(log).parked("relay/erp", behind=True) == []


async def test_a_parked_row_that_can_be_read_by_now_is_published_once(
    any_system: Any, log: Log, make: Make, monkeypatch
):
    event = make()
    await put(any_system, event)
    with monkeypatch.context() as older:  # a program that does not know the row's format yet
        older.setattr(Envelope, "stored", unread)
        await Relay("erp", any_system, log).until_idle()
    (parked,) = await Admin(log).parked("relay/erp")
    await Admin(log).resume(parked.id)
    assert await ids(log) == [event.id]
    with pytest.raises(ParkedUnknown):
        await Admin(log).resume(parked.id)
    assert await ids(log) == [event.id]


def unread(head: bytes, data: bytes) -> Envelope:
    raise EnvelopeMalformed(reason="it is of a newer format")


async def test_it_runs_until_stopped(any_system: Any, log: Log, make: Make):
    relay = Relay("erp", any_system, log)
    running = asyncio.create_task(relay.run(poll=5))
    event = make()
    async with asyncio.timeout(4):
        while relay.epoch is None:
            await asyncio.sleep(0.01)
        await put(any_system, event)
        relay.wake()
        while await ids(log) != [event.id]:
            await asyncio.sleep(0.01)
        relay.stop()
        await running
    assert await Relay("erp", any_system, log).claim()


async def test_what_is_in_the_log_stays_in_the_outbox_as_long_as_it_is_told_to(
    any_system: Any, log: Log, make: Make
):
    relay = Relay("erp", any_system, log, keep=3600.0)
    await put(any_system, make("o-1"))
    await relay.until_idle()
    assert await relay.clean() == 0
    relay.keep = 0.0
    assert await relay.clean() == 1


async def test_a_defect_delays_a_relay_and_does_not_end_it(
    any_system: Any, log: Log, make: Make, monkeypatch: Any
):
    relay = Relay("erp", any_system, log)
    step, told = relay.step, []

    async def fails_at_first() -> int:
        if len(told) < 2:
            told.append(relay.trouble)
            raise RuntimeError("cannot switch to state 12")
        return await step()

    monkeypatch.setattr(relay, "step", fails_at_first)
    await put(any_system, make("o-1"))
    running = asyncio.create_task(relay.run(poll=0.01))
    async with asyncio.timeout(20):
        while not await ids(log):
            await asyncio.sleep(0.01)
        while relay.trouble is not None:
            await asyncio.sleep(0.01)
    relay.stop()
    await running
    assert told == [None, "RuntimeError: cannot switch to state 12"]
