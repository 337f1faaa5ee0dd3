"""What becomes of events when a handler is added, renamed, or takes another event: none is lost, none is handled anew."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from levada.app import App
from levada.deployment import RuntimeSettings, StoreRuntime
from levada.events.admin import Admin
from levada.store import open_store

CODE = """
from levada import Event, OrderKey, ProcessAPI, Publishes, handles, http

class Sent(Event, version="{major}.0", domain="post"):
    letter: OrderKey[str]

class Stamped(Event, version="1.0", domain="post"):
    letter: OrderKey[str]

class Post(ProcessAPI, domain="post", version="1.0"):
    sent: Publishes[Sent]
    stamped: Publishes[Stamped]

    @http.post("/letters/{{letter}}")
    async def send(self, letter: str) -> None:
        await self.sent(Sent(letter=letter))
        await self.stamped(Stamped(letter=letter))

    @handles({takes})
    async def {name}(self, event: {takes}) -> None:
        handled.append(event.letter)
"""


class Deployment:
    def __init__(self, app, runtime, space) -> None:
        self.app, self.runtime, self.space = app, runtime, space
        self.admin = Admin(runtime.log)

    async def send(self, letter):
        await self.app[self.space["Post"]].send(letter)

    @property
    def handled(self):
        return self.space["handled"]

    async def settled(self):
        """All that is there to be read has been read, and its runs have ended."""
        async with asyncio.timeout(20):
            while await self._lag() or await self.open_runs():
                await asyncio.sleep(0.01)
        return self.handled

    async def _lag(self):
        here = self.runtime.dispatcher.readers
        return sum(s.lag for s in await self.admin.status() if s.subscription.name in here)

    async def open_runs(self):
        return await self.runtime.store.read("runs.open")


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request, tmp_path):
    url = (
        f"sqlite:{tmp_path / 'levada.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("database")
    )
    store = await open_store(url)
    yield store
    await store.close()


@asynccontextmanager
async def deployed(store, *, name="deliver", takes="Sent", major=1, works=True):
    space = {"__name__": "post", "handled": []}
    exec(CODE.format(name=name, takes=takes, major=major), space)
    app = App(space["Post"])
    runtime = StoreRuntime(app, store, RuntimeSettings(work=works, dispatch=works, poll=0.05))
    async with app:
        yield Deployment(app, runtime, space)


async def test_a_handler_begins_with_its_deployment_and_is_given_the_past_by_a_replay_alone(store):
    async with deployed(store) as first:
        await first.send("a")
        assert await first.settled() == ["a"]
    async with deployed(store, name="renamed") as second:
        await second.send("b")
        assert await second.settled() == ["b"]
        await second.admin.replay("post/Post/v1/renamed", "it was asked for")
        assert sorted(await second.settled()) == ["a", "b", "b"]


async def test_what_the_former_handler_had_not_read_stays_for_it(store):
    async with deployed(store, works=False) as first:
        await first.send("a")
    async with deployed(store, name="renamed") as second:
        lags = {s.subscription.name: s.lag for s in await second.admin.status()}
        assert lags == {"post/Post/v1/deliver": 1, "post/Post/v1/renamed": 0}
    async with deployed(store) as third:
        assert await third.settled() == ["a"]


@pytest.mark.parametrize("now", [{"major": 2}, {"takes": "Stamped"}])
async def test_an_event_that_a_handler_does_not_take_any_more_is_parked_until_one_takes_it(store, now):
    async with deployed(store, works=False) as first:
        await first.send("a")
    async with deployed(store, **now) as second:
        await second.send("b")
        assert await second.settled() == ["b"]
        (parked,) = await second.admin.parked(behind=True)
        assert (parked.state, parked.key) == ("parked", "a")
        assert "post.Sent.v1" in parked.detail
    async with deployed(store) as third:
        await third.admin.resume(parked.id)
        async with asyncio.timeout(20):
            while third.handled != ["a"]:
                await asyncio.sleep(0.01)


async def test_the_other_major_is_read_on_as_older_processes_may_publish_it_still(store):
    async with deployed(store, works=False) as older, deployed(store, major=2) as newer:
        await older.send("b")
        await newer.send("c")
        assert await newer.settled() == ["c"]
        (waiting,) = await newer.admin.parked()
        assert (waiting.key, waiting.state) == ("b", "retry")
        assert "post.Sent.v1" in waiting.detail
