"""A replay is answered from what was done before, at once and whoever did it."""

import asyncio

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
    broken = True

    @effect.table
    @http.post("/letters/{letter}", final=True)
    async def put(self, letter: str) -> str:
        """Put a letter there."""
        async with self.db.begin() as tx:
            await tx.execute(f"INSERT INTO put VALUES ('{letter}')")
        if self.broken:
            self.broken = False
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


async def test_what_several_takings_did_is_answered_to_the_first_of_a_replay(tmp_path):
    """Fences of a run grow with its takings, and those of a replay's run have to be above them."""
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    db = Database(f"sqlite:{tmp_path / 'shelf.db'}")
    async with db, db.begin() as tx:
        await tx.execute("CREATE TABLE put (letter text)")
    app = App(Shelf, Post, resources={"shelf": db})
    runtime = StoreRuntime(app, store, RuntimeSettings(poll=0.05), owns=True)
    async with app:
        runs = Runs(store, lambda _: [])

        async def ended(count):
            async with asyncio.timeout(20):
                while len(listed := await runs.list(State.DONE)) < count:
                    await asyncio.sleep(0.02)
            return listed

        await app[Post].send("a")
        (first,) = await ended(1)
        await Admin(runtime.log).replay("post/Post/v1/deliver", "to see")
        again = next(r for r in await ended(2) if r.id != first.id)
        attempts = [(await runs.show(each.id)).root.steps[0].attempts for each in (first, again)]
        assert attempts == [2, 1]
        async with db.begin() as tx:
            assert len(await tx.fetch("SELECT letter FROM put")) == 1
