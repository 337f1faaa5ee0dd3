"""The clock is set by an hour while a subscription reads: nothing is lost, nothing taken in twice."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from levada.events.admin import Admin
from levada.events.delivery import Delivery, Retry
from levada.events.dispatcher import Reader
from levada.events.envelope import Envelope
from levada.events.housekeeping import tidy
from levada.events.log import Log
from levada.events.subscription import Subscriptions
from levada.store import Store, VirtualClock, open_store
from levada.store.control import Idempotency
from levada.store.protocol import Statement, Unit

HOUR = 3_600_000_000
TOPIC = "shop.OrderPlaced.v1"
STEPS = pytest.mark.parametrize("step", [HOUR, -HOUR])


class Books:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.later: set[str] = set()

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        if delivery.event.id in self.later:
            raise Retry(30, "the ledger is closed")
        self.ids.append(delivery.event.id)
        return ()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Store]:
    made = await open_store(f"sqlite:{tmp_path / 'levada.db'}?synchronous=NORMAL", clock=clock)
    yield made
    await made.close()


async def pass_(store: Store, clock: VirtualClock, micros: int) -> None:
    """Time passes, from wherever the store's clock is."""
    clock.time = await store.now() + micros


@STEPS
async def test_events_around_a_step_are_each_given_once_and_in_order(store, clock, make, step):
    log, books = await Log.open(store), Books()
    await Subscriptions(log).declare("billing", [TOPIC])
    reader = Reader(log, "billing", books)
    assert await reader.claim()
    events = [make("o-1") for _ in range(6)]
    await log.append(events[:2])
    await reader.step()
    await log.append(events[2:4])
    clock.advance(step)
    await log.append(events[4:])
    await log.append(events[:1])  # a copy from before
    if not await reader.claim():
        reader = Reader(log, "billing", books)
        assert await reader.claim()
    await reader.until_idle()
    assert books.ids == [e.id for e in events]
    assert (await Admin(log).status())[0].lag == 0


@STEPS
async def test_a_retry_that_was_put_off_comes_in_the_end_and_once(store, clock, make, step):
    log, books = await Log.open(store), Books()
    await Subscriptions(log).declare("billing", [TOPIC])
    reader = Reader(log, "billing", books)
    assert await reader.claim()
    first, second = make("o-1"), make("o-1")
    books.later = {first.id}
    await log.append([first, second])
    await reader.step()
    books.later = set()
    clock.advance(step)
    for _ in range(3):
        await pass_(store, clock, 61_000_000)
        again = Reader(log, "billing", books)
        if await again.claim():
            reader = again
        await reader.step()
    assert books.ids == [first.id, second.id]
    assert await Admin(log).parked(behind=True) == []


@STEPS
async def test_an_answer_is_kept_over_a_step_and_a_repeat_of_its_key_is_answered(store, clock, step):
    kept = Idempotency(store)
    place = {"caller": "phone", "operation": "shop/Orders.place", "key": "k-1"}
    taken = await kept.begin(**place, digest=b"d")
    done = kept.done(**place, token=taken.token, response=b"answer")
    assert (await store.commit(Unit(done))).committed
    clock.advance(step)
    await kept.clean()
    again = await kept.begin(**place, digest=b"d")
    assert (again.state, again.response) == ("done", b"answer")
    await pass_(store, clock, 25 * HOUR)
    await kept.clean()
    assert (await kept.begin(**place, digest=b"d")).state == "taken"


@STEPS
async def test_what_is_young_is_not_tidied_away_by_a_step_and_what_is_old_is_in_the_end(
    store, clock, make: Callable[..., Envelope], step
):
    log = await Log.open(store)
    await log.create(TOPIC, retention=2 * HOUR)
    await Subscriptions(log).declare("billing", [TOPIC])
    reader = Reader(log, "billing", Books())
    assert await reader.claim()
    await log.append([make()])
    await reader.until_idle()
    clock.advance(step)
    assert (await tidy(log)).events == 0
    await pass_(store, clock, 3 * HOUR)
    assert (await tidy(log)).events == 1
