"""A world of its own for each test: a store with a clock to turn, a legacy system, a worker.

The legacy system keeps its rows in a file of its own. What has happened is judged by them.
"""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from levada.process._protocol import Effect, HandlerId, Known, Operation, Refused, Retry, Unknown
from levada.process._steps import call_step
from levada.process.sink import ArrivalSink, RunSink
from levada.process.worker import Settings, Worker
from levada.store import Statement, Unit, VirtualClock
from levada.store._queries import Query
from levada.store.sqlite import SqliteStore


class TurnedStore(SqliteStore):
    """The embedded store with a clock that tests turn, and places to crash at."""

    def __init__(self, path):
        self.turned = VirtualClock()
        super().__init__(str(path), clock=self.turned, synchronous="OFF")
        self._queries = {
            **self._queries,
            "test.publish": Query(
                "test.publish", "INSERT INTO published VALUES (:id, :type, :key, :data)", "", ()
            ),
        }
        self.before_commit = lambda unit: None
        self.after_commit = lambda unit: None

    async def open(self):
        await super().open()
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("CREATE TABLE published (id text PRIMARY KEY, type text, key text, data blob)")

    @property
    def clock(self):
        return max(self._last, self.turned.time)

    @clock.setter
    def clock(self, time):
        self.turned.time = time

    async def commit(self, unit):
        self.before_commit(unit)
        outcome = await super().commit(unit)
        self.after_commit(unit)
        return outcome

    async def close(self):
        await super().close()
        self.db.close()


class Declined(Exception):
    pass


@dataclass
class Code:
    """A handler as the assembly would give it."""

    start_with: object
    id: HandlerId = field(default_factory=lambda: HandlerId("sales", "OrderToCash", "fulfil", 1))
    awaits: tuple = ("Paid",)
    across_waits: bool = False
    operations: dict = field(default_factory=dict)
    undos: dict = field(default_factory=dict)
    attempts: int = 4

    def start(self, given):
        return self.start_with(msgspec.json.decode(given.data))

    def undo(self, step, result):
        how = self.undos.get(step.operation)
        return how(msgspec.json.decode(result)) if how else None

    def operation(self, operation):
        effect = self.operations.get(operation, Effect.TABLE)
        return Operation(
            effect, undoable=operation in self.undos, retry=Retry(attempts=self.attempts, lasting=3, same=3)
        )

    def payload(self, step):
        return "from the journal"

    def result(self, step, value):
        return msgspec.json.decode(value)

    def problem(self, step, value):
        return Declined(value.decode())

    def encode(self, value):
        return msgspec.json.encode(value)


class Legacy:
    """A system with its own database: what it has done stands in ``done``, once a key (`levada_effect`)."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(
            "PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS done (n integer PRIMARY KEY AUTOINCREMENT, what text, arguments text, key text);"
            "CREATE TABLE IF NOT EXISTS levada_effect (key text PRIMARY KEY, result text, fence integer);"
        )
        self.calls = []
        self.faults = {}
        self.hooks = []
        self.ignores_keys = False

    async def perform(self, step, attempt):
        self.calls.append((step.operation, attempt.number, attempt.repeated))
        fault = self.faults.get(step.operation)
        planned = fault(attempt) if fault else None
        if planned is not None and not isinstance(planned, str):
            if asyncio.iscoroutine(planned):
                planned = await planned
            if planned is not None:
                return planned
        await asyncio.sleep(0)
        self.hook("before", step)
        result = self.effect(step, attempt)
        self.hook("after", step)
        if planned == "lost":
            return Unknown("connection lost after the work was done")
        return result

    def hook(self, where, step):
        for hook in self.hooks:
            hook(where, step)

    def effect(self, step, attempt):
        self.db.execute("BEGIN IMMEDIATE")
        found = self.db.execute(
            "SELECT result, fence FROM levada_effect WHERE key = ?", [attempt.key]
        ).fetchone()
        if self.ignores_keys:
            found = None
            self.db.execute("DELETE FROM levada_effect WHERE key = ?", [attempt.key])
        if found and found[1] > attempt.fence:
            self.db.execute("ROLLBACK")
            return Unknown("a newer worker has this key")
        if not found:
            cursor = self.db.execute(
                "INSERT INTO done (what, arguments, key) VALUES (?, ?, ?)",
                [step.operation, step.arguments.decode(), attempt.key],
            )
            found = (str(cursor.lastrowid), attempt.fence)
            self.db.execute("INSERT INTO levada_effect VALUES (?, ?, ?)", [attempt.key, *found])
        self.db.execute("COMMIT")
        return Known(found[0].encode(), "int/1")

    @property
    def done(self):
        return [row[0] for row in self.db.execute("SELECT what FROM done ORDER BY n")]


class Outbox:
    notify = ()

    def statements(self, step, event_id, given, now):
        event_type, key, data, _ = step.payload
        return [Statement("test.publish", {"id": event_id, "type": event_type, "key": key, "data": data})]


class Event(msgspec.Struct):
    """A delivery and its envelope in one."""

    event_id: str
    type: str = "Placed"
    key: str | None = None
    data: bytes = b"{}"
    topic: str = "Placed"
    part: int = 0
    pos: int = 0
    subscription: str = "fulfil"
    generation: int = 1
    again: bool = False
    at: int = 0
    initiator: str = "ann"
    traceparent: str | None = None

    @property
    def event(self):
        return msgspec.structs.replace(self, subscription=f"not {self.subscription}")

    @property
    def id(self):
        if self.subscription.startswith("not "):
            return self.event_id
        return f"{self.subscription}:{self.generation}:{self.event_id}"

    @property
    def seed(self):
        return f"{self.subscription}:{self.generation if self.again else 0}:{self.event_id}"


class World:
    def __init__(self, folder):
        self.store = TurnedStore(folder / "levada.db")
        self.legacy = Legacy(folder / "legacy.db")
        self.codes = []
        self.workers = []

    def code(self, start, **how):
        code = Code(start, **how)
        self.codes.append(code)
        return code

    def worker(self, *codes, **settings):
        worker = Worker(
            self.store,
            codes or self.codes,
            self.legacy,
            Outbox(),
            Settings(**({"lease": 10.0, "poll": 0.05} | settings)),
        )
        self.workers.append(worker)
        return worker

    async def happen(self, event, code=None):
        """An event comes in, for whoever handles its type, as a subscription hands it over."""
        event.at = event.at or self.store.clock
        sink = ArrivalSink(["Paid"]) if event.type == "Paid" else RunSink(code or self.codes[-1])
        outcome = await self.store.commit(Unit(await sink.take(event)))
        assert outcome.committed

    async def pay(self, key, event="p-1", data=b'"paid"'):
        await self.happen(Event(event, type="Paid", key=key, data=data))

    def advance(self, seconds):
        self.store.clock += round(seconds * 1_000_000)

    async def runs(self):
        return [dict(row) for row in self.store.db.execute("SELECT * FROM levada_run ORDER BY created, id")]

    async def run(self):
        (run,) = await self.runs()
        return run

    async def states(self):
        return {run["event"]: run["state"] for run in await self.runs()}

    def published(self):
        return [row["type"] for row in self.store.db.execute("SELECT * FROM published ORDER BY rowid")]


@asynccontextmanager
async def opened(folder):
    world = World(folder)
    await world.store.open()
    yield world
    for worker in world.workers:
        await worker.kill()
    await world.store.close()
    world.legacy.db.close()


@pytest.fixture
def make_world():
    return opened


@pytest.fixture
async def world(tmp_path):
    async with opened(tmp_path) as world:
        yield world


@pytest.fixture
def call():
    async def call(name, **arguments):
        return await call_step(name, arguments)

    return call


@pytest.fixture
def event():
    return Event


@pytest.fixture
def outcomes():
    """Known, Refused, Unknown, and the exception that refused calls raise."""

    class Outcomes:
        known, refused, unknown, declined = Known, Refused, Unknown, Declined

    return Outcomes
