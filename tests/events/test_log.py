"""The log: order of positions, concurrent appends, retention that waits for its readers."""

import asyncio
from collections.abc import Callable

import pytest

from levada.events.admin import Admin, Superseded, WhyMissing
from levada.events.envelope import Envelope
from levada.events.log import Log, TopicUnknown
from levada.events.publish import Held, HeldClosed, event_id
from levada.events.subscription import Subscriptions
from levada.store.protocol import Statement, Store, Unit

TOPIC = "shop.OrderPlaced.v1"
Make = Callable[..., Envelope]


@pytest.fixture
async def log(store: Store) -> Log:
    return await Log.open(store)


async def test_positions_have_no_gap_under_concurrent_appends(store: Store, log: Log, make: Make):
    await log.create(TOPIC, partitions=3)
    second = await Log.open(store)
    batches = [[make(f"o-{i}-{j}") for j in range(5)] for i in range(40)]
    await asyncio.gather(*((log if i % 2 else second).append(b) for i, b in enumerate(batches)))
    total = 0
    for part in range(3):
        records = await log.read(TOPIC, part)
        assert [r.pos for r in records] == list(range(len(records)))
        assert [r.appended for r in records] == sorted(r.appended for r in records)
        total += len(records)
    assert total == 200


async def test_a_refused_unit_takes_no_position(log: Log, make: Make):
    await log.append([make("a")])
    bad = Statement("log.reserve", {"topic": "nowhere", "part": 0, "n": 1}, 1)
    outcome = await log.store.commit(Unit([*log.append_statements([make("a")]), bad]))
    assert not outcome.committed
    await log.append([make("a")])
    records = await log.read(TOPIC, (await log.find("e-1"))[0].part)
    assert [(r.pos, r.event_id) for r in records] == [(0, "e-1"), (1, "e-3")]


async def test_events_come_back_as_they_were(log: Log, make: Make):
    event = make("ключ", subject="s", traceparent="00-1", initiator="ann", key_id="k-1")
    await log.append([event])
    (record,) = await log.find(event.id)
    assert record.envelope() == event


async def test_the_last_events_of_a_key(log: Log, make: Make):
    await log.create(TOPIC, partitions=3)
    await log.append([make(f"o-{n % 4}") for n in range(40)] + [make(None)])
    admin = Admin(log)
    seen = await admin.tail_of(TOPIC, "o-1", 3)
    assert [(e.key, e.event_id) for e in seen] == [("o-1", f"e-{n}") for n in (30, 34, 38)]
    assert len(await admin.tail_of(TOPIC, "o-1")) == 10
    assert await admin.tail_of(TOPIC, "o") == await admin.tail_of("nowhere", "o-1") == []


async def test_an_unknown_topic_is_an_error(log: Log, make: Make):
    with pytest.raises(TopicUnknown, match="no topic shop"):
        log.append_statements([make()])


async def test_retention_waits_for_the_slowest_subscription(log: Log, make: Make):
    await log.create(TOPIC, partitions=1, retention=0)
    await Subscriptions(log).declare("billing", [TOPIC])
    await log.append([make() for _ in range(5)])
    assert await log.trim(TOPIC) == 0
    move = {"subscription": "billing", "topic": TOPIC, "part": 0, "was": 0, "next": 3}
    await log.store.commit(Unit([Statement("subscription.move", move, 1)]))
    assert await log.trim(TOPIC) == 3
    assert [r.pos for r in await log.read(TOPIC, 0)] == [3, 4]
    # A replay from the beginning begins with what there is.
    assert await Admin(log).replay("billing", "all of it") == 2


async def test_a_replay_that_retention_overtook_is_refused(
    log: Log, make: Make, monkeypatch: pytest.MonkeyPatch
):
    await log.create(TOPIC, partitions=1, retention=0)
    subscriptions = Subscriptions(log)
    await subscriptions.declare("billing", [TOPIC])
    await log.append([make() for _ in range(5)])
    move = {"subscription": "billing", "topic": TOPIC, "part": 0, "was": 0, "next": 5}
    await log.store.commit(Unit([Statement("subscription.move", move, 1)]))
    admin = Admin(log)
    target = admin._target

    async def slow(*args: object) -> int:
        found = await target(*args)  # type: ignore[arg-type]
        assert await log.trim(TOPIC) == 5
        return found

    monkeypatch.setattr(admin, "_target", slow)
    with pytest.raises(Superseded):
        await admin.replay("billing", "all of it")
    assert (await subscriptions.get("billing")).generation == 1


async def test_tail_and_unclaimed(log: Log, make: Make):
    await log.append([make(f"o-{i}") for i in range(30)])
    seen = await Admin(log).tail(TOPIC, 10)
    assert [s.data["n"] for s in seen] == list(range(21, 31))
    assert await Admin(log).unclaimed() == {TOPIC: 30}
    await Subscriptions(log).declare("billing", [TOPIC])
    assert await Admin(log).unclaimed() == {}


async def test_a_reason_is_obligatory(log: Log):
    await Subscriptions(log).declare("billing", [TOPIC])
    admin = Admin(log)
    for change in (admin.replay("billing", " "), admin.skip("x", ""), admin.pause("billing", "")):
        with pytest.raises(WhyMissing):
            await change


async def test_held_publishes_commit_once_with_derived_ids(log: Log, make: Make):
    await log.create(TOPIC)

    def attempt() -> Held:
        held = Held(log, "ann/shop/Orders.place/k-1")
        held.publish(make("a"))
        held.publish(make("a"))
        return held

    one, two = attempt(), attempt()
    assert [e.id for e in one.events] == [e.id for e in two.events]
    assert len({e.id for e in one.events}) == 2
    await log.store.commit(Unit(one.statements(), one.notify))
    assert len(await log.read(TOPIC, (await log.find(one.events[0].id))[0].part)) == 2
    with pytest.raises(HeldClosed):
        one.publish(make())
    two.discard()
    assert two.statements() == []
    assert event_id(None, 0) != event_id(None, 0)
