"""Everything at once: each event has its effect once, and a key's effects are in its order."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levada.events.admin import Admin, ParkedUnknown
from levada.events.delivery import Delivery, Park, Retry
from levada.events.dispatcher import Reader, ReaderFenced
from levada.events.envelope import Envelope
from levada.events.log import Log
from levada.events.subscription import Subscriptions
from levada.store import StoreUnknown
from levada.store.protocol import Outcome, Statement, Store, Unit


class Unreliable:
    """Loses the connection around commits by chance, and writes down which effects were committed."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.inner, self.chance = store, chance
        self.calm = False
        self.effects: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, unit: Unit) -> Outcome:
        dice = 1.0 if self.calm else self.chance.random()
        if dice < 0.1:
            raise StoreUnknown(reason="lost before")
        outcome = await self.inner.commit(unit)
        if outcome.committed:
            self.effects += [
                str(s.params["topic"]).removeprefix("note.")
                for s in unit.statements
                if s.query == "log.topic_create" and str(s.params["topic"]).startswith("note.")
            ]
        if dice < 0.2:
            raise StoreUnknown(reason="lost after")
        return outcome


class Moody:
    """Takes, parks, asks for later or breaks, by chance; its effect is a row that exists once."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.calm = False

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        await asyncio.sleep(0)
        dice = 1.0 if self.calm else self.chance.random()
        if dice < 0.1:
            raise Park("mood")
        if dice < 0.2:
            raise Retry(0)
        if dice < 0.25:
            raise RuntimeError("broken")
        name = f"note.{delivery.event.id}"
        return [Statement("log.topic_create", {"topic": name, "partitions": 1, "retention": None}, 1)]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_effects_once_and_in_order(store: Store, make: Callable[..., Envelope], seed: int):
    chance = random.Random(seed)
    shaky = Unreliable(store, chance)
    name, topic = f"s-{seed}", f"shop.Chaos{seed}"
    log, sink = await Log.open(store), Moody(chance)
    await Subscriptions(log).declare(name, [f"{topic}.v1"])
    shaken = await Log.open(shaky)
    readers = [Reader(shaken, name, sink, batch=chance.choice([1, 3, 50])) for _ in range(2)]
    events: list[Envelope] = []
    admin = Admin(log)
    for _ in range(40):
        move = chance.random()
        if move < 0.4:
            new = [make(chance.choice(["a", "b", "c", None]), of=topic) for _ in range(chance.randint(1, 5))]
            await log.append(new + new[:1] if chance.random() < 0.3 else new)
            events += new
        elif move < 0.8:
            await _try(chance.choice(readers))
        elif aside := await admin.parked(name):
            try:
                await admin.resume(chance.choice(aside).id)
            except ParkedUnknown:
                pytest.fail("it was just listed")
    sink.calm = shaky.calm = True
    await readers[0].claim(force=True)
    await readers[0].until_idle()
    while aside := await admin.parked(name):
        for one in aside:
            await admin.resume(one.id)
        await readers[0].until_idle()
    assert sorted(shaky.effects) == sorted(e.id for e in events)
    for key in "abc":
        expected = [e.id for e in events if e.key == key]
        assert [i for i in shaky.effects if i in set(expected)] == expected


async def _try(reader: Reader) -> None:
    """One of two readers works for a while, taking over from the other without asking."""
    try:
        if await reader.claim(force=True):
            for _ in range(4):
                await reader.step()
    except (ReaderFenced, StoreUnknown):
        reader.epoch = None
