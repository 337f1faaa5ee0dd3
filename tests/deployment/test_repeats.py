"""A call that is repeated under its key: never made beside the first one, and answered with the same bytes."""

import asyncio
from time import monotonic

import pytest

from levada import ProcessAPI, http
from levada.app import App, Caller, Context
from levada.app.context import _current
from levada.contract.standard import Conflict
from levada.deployment import StoreRuntime
from levada.store import VirtualClock, open_store
from levada.store.control import Idempotency

LEASE = 300_000


class Desk(ProcessAPI, domain="work", version="1.0"):
    """A desk."""

    def __init__(self) -> None:
        self.made = 0
        self.go_on = asyncio.Event()

    @http.post("/letters")
    async def write(self, name: str) -> bytes:
        """Write a letter."""
        self.made += 1
        await self.go_on.wait()
        return name.encode()

    @http.post("/stamps")
    async def stamp(self, name: str) -> None:
        """Stamp a letter."""
        self.made += 1


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
async def desk(clock):
    store = await open_store("sqlite::memory:", clock=clock)
    app = App(Desk)
    runtime = StoreRuntime(app, store, owns=True)
    runtime.records = Idempotency(store, lease=LEASE)
    async with app:
        yield app[Desk], app.instance("work/Desk/v1"), store


async def keyed(call, name, key="k-1"):
    token = _current.set(Context(deadline=monotonic() + 20, caller=Caller(subject="anna"), key=key))
    try:
        return await call(name)
    finally:
        _current.reset(token)


async def until_of(store):
    named = {"caller": "anna", "operation": "work/Desk/v1.write", "key": "k-1/1"}
    rows = await store.read("idempotency.get", named)
    return rows[0]["until"] if rows else 0


async def test_a_call_that_takes_longer_than_the_lease_keeps_its_key(desk, clock):
    api, instance, store = desk
    first = asyncio.create_task(keyed(api.write, "dear"))
    async with asyncio.timeout(10):
        for _ in range(4):
            while await until_of(store) < clock.now() + LEASE:
                await asyncio.sleep(0.01)
            clock.advance(LEASE - 1000)
    with pytest.raises(Conflict):
        await keyed(api.write, "dear")
    instance.go_on.set()
    assert await first == b"dear"
    assert await keyed(api.write, "dear") == b"dear"
    assert instance.made == 1


@pytest.mark.parametrize("name", ["dear", ""])
async def test_a_repeat_is_answered_with_the_same_bytes_also_where_there_are_none(desk, name):
    api, instance, _ = desk
    instance.go_on.set()
    assert [await keyed(api.write, name) for _ in range(3)] == [name.encode()] * 3
    assert [await keyed(api.stamp, name, "k-2") for _ in range(3)] == [None] * 3
    assert instance.made == 2
