"""A replay is answered from what was done before, at once and whoever did it."""

import asyncio

import pytest

from levada import Event, OrderKey, ProcessAPI, Publishes, SystemAPI, effect, handles, http, resource
from levada.app import App
from levada.connect.sql import Database
from levada.deployment import RuntimeSettings, StoreRuntime
from levada.events.admin import Admin
from levada.process.admin import Admin as Runs
from levada.process.admin import State
from levada.store import open_store


class Sent(Event, version="1.0", domain="post"):
    letter: OrderKey[str]


class Shelf(SystemAPI, domain="post", version="1.0"):
    """A shelf."""

    db: Database = resource("shelf")

    def __init__(self) -> None:
        self.fails = 0
        """How many calls fail before one is done."""

    @effect.table
    @http.post("/letters/{letter}", final=True)
    async def put(self, letter: str) -> str:
        """Put a letter there."""
        async with self.db.begin() as tx:
            await tx.execute(f"INSERT INTO put VALUES ('{letter}')")
        if self.fails:
            self.fails -= 1
            raise ConnectionError
        return letter


class Post(ProcessAPI, domain="post", version="1.0"):
    """The post."""

    sent: Publishes[Sent]
    shelf: Shelf

    @http.post("/sent/{letter}")
    async def send(self, letter: str) -> None:
        """Send a letter."""
        await self.sent(Sent(letter=letter))

    @handles(Sent)
    async def deliver(self, event: Sent) -> None:
        """Deliver it."""
        await self.shelf.put(event.letter)


class World:
    """A letter's way, its replay, and what came of both."""

    def __init__(self, app, store, runtime, db, shelf):
        self.post, self.shelf, self.db = app[Post], shelf, db
        self.runs = Runs(store, lambda _: [])
        self.events = Admin(runtime.log)

    async def replay(self):
        await self.events.replay("post/Post/v1/deliver", "to see")

    async def ended(self, count):
        """So many runs that are done, the oldest first."""
        async with asyncio.timeout(20):
            while len(listed := await self.runs.list(State.DONE)) < count:
                await asyncio.sleep(0.02)
        return [await self.runs.show(r.id) for r in reversed(listed)]

    async def letters(self):
        async with self.db.begin() as tx:
            return [row["letter"] for row in await tx.fetch("SELECT letter FROM put")]


@pytest.fixture
async def world(tmp_path):
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    db = Database(f"sqlite:{tmp_path / 'shelf.db'}")
    async with db, db.begin() as tx:
        await tx.execute("CREATE TABLE put (letter text)")
    shelf = Shelf()
    app = App(shelf, Post, resources={"shelf": db})
    runtime = StoreRuntime(app, store, RuntimeSettings(poll=0.05), owns=True)
    async with app:
        yield World(app, store, runtime, db, shelf)


async def test_what_several_takings_did_is_answered_to_the_first_of_a_replay(world):
    """A run's fences grow with its takings; those of a replay's run begin anew, and it is no superseded worker."""
    world.shelf.fails = 1
    await world.post.send("a")
    await world.ended(1)
    await world.replay()
    assert [run.root.steps[0].attempts for run in await world.ended(2)] == [2, 1]
    assert await world.letters() == ["a"]


async def test_what_a_replay_did_is_answered_to_the_run_before_it(world):
    world.shelf.fails = 4
    await world.post.send("a")
    async with asyncio.timeout(20):
        while world.shelf.fails > 1:  # it waits for its fourth attempt
            await asyncio.sleep(0.01)
    world.shelf.fails = 0
    await world.replay()
    first, again = await world.ended(2)
    assert again.root.steps[0].attempts == 1
    assert first.root.steps[0].attempts == 4
    assert await world.letters() == ["a"]
