"""One holder at a time; a paused one's units are refused."""

import asyncio

import pytest

from levada.store import Statement, Unit, VirtualClock, open_store
from levada.store.lease import Lease, LeaseLost


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request, closing, clock):
    if request.param == "sqlite":
        return await closing(open_store("sqlite::memory:", clock=clock))
    return await closing(open_store(request.getfixturevalue("database")))


@pytest.fixture
def passes(clock, store):
    """Lets time pass: virtual where the clock is ours, real where it is the database's."""

    async def wait(seconds):
        clock.advance(round(seconds * 1_000_000))
        if store.dialect == "postgresql":
            await asyncio.sleep(seconds)

    return wait


def work(lease):
    return Unit([lease.guard(), Statement("meta.set", {"name": "done by", "value": lease.holder}, 1)])


async def test_one_of_many_gets_it(store):
    leases = [Lease(store, "relay", str(n)) for n in range(20)]
    assert sum(await asyncio.gather(*(lease.take() for lease in leases))) == 1


async def test_a_paused_holders_unit_is_refused_after_the_take_over(store, passes):
    first, second = (Lease(store, "relay", who, seconds=0.2) for who in ("first", "second"))
    assert await first.take()
    assert (await store.commit(work(first))).committed
    assert not await second.take()
    await passes(0.25)
    assert await second.take()
    assert second.epoch > first.epoch
    outcome = await store.commit(work(first))
    assert outcome.refused == 0
    assert (await store.commit(work(second))).committed
    assert await store.read("meta.get", {"name": "done by"}) == [{"value": "second"}]
    with pytest.raises(LeaseLost):
        await first.beat()


async def test_a_heartbeat_keeps_it(store, passes):
    first, second = (Lease(store, "relay", who, seconds=0.4) for who in ("first", "second"))
    assert await first.take()
    for _ in range(3):
        await passes(0.2)
        await first.beat()
        assert not await second.take()


async def test_what_was_released_is_free_at_once_and_its_epoch_grows(store):
    epochs = []
    for n in range(3):
        lease = Lease(store, "relay", str(n))
        assert await lease.take()
        epochs.append(lease.epoch)
        late = work(lease)
        await lease.release()
        assert not (await store.commit(late)).committed
    assert epochs == sorted(set(epochs))


async def test_taken_anew_by_the_same_holder_its_earlier_units_are_refused(store):
    lease = Lease(store, "relay", "same")
    await lease.take()
    late = work(lease)
    await lease.take()
    assert not (await store.commit(late)).committed
    assert (await store.commit(work(lease))).committed


async def test_names_are_apart(store):
    assert await Lease(store, "a", "x").take()
    assert await Lease(store, "b", "y").take()
