"""A durable operation: a call that waits for its run."""

import asyncio
from time import monotonic

import pytest

from levada import Event, OrderKey, Problem, ProcessAPI, Publishes, handles, http, run
from levada.app import App, Caller, Context
from levada.app.context import _current
from levada.contract.standard import DeadlineExceeded
from levada.deployment import RuntimeSettings, StoreRuntime
from levada.events.dispatcher import Dispatcher
from levada.process.worker import Settings as WorkerSettings
from levada.process.worker import Worker
from levada.store import open_store


class Refused(Problem, status=409, detail="{name} is refused."):
    """It is refused."""

    name: str


class Jobs(ProcessAPI, domain="work", version="1.0"):
    """Jobs."""

    @http.post("/jobs", durable=True, raises=[Refused])
    async def do(self, name: str) -> str:
        """Do a job."""
        begun.append(name)
        if name == "bad":
            raise Refused(name=name)
        if name == "long":
            await run.sleep(3600)
        return f"{name} done"


class Told(Event, version="1.0", domain="work"):
    name: OrderKey[str]


class Follows(ProcessAPI, domain="work", version="1.0"):
    """Follows what is told."""

    told: Publishes[Told]

    @http.post("/told/{name}", status=202)
    async def tell(self, name: str) -> None:
        """Tell."""
        await self.told(Told(name=name))

    @handles(Told)
    async def follow(self, event: Told) -> None:
        """Follow."""
        begun.append(f"followed {event.name}")


begun: list[str] = []


@pytest.fixture
async def jobs():
    begun.clear()
    store = await open_store("sqlite::memory:")
    app = App(Jobs)
    StoreRuntime(app, store, owns=True)
    async with app:
        yield app[Jobs]


async def call(jobs, name, key, seconds=10.0):
    token = _current.set(Context(deadline=monotonic() + seconds, caller=Caller(subject="anna"), key=key))
    try:
        return await jobs.do(name)
    finally:
        _current.reset(token)


async def test_the_result_of_the_run_and_the_same_for_the_same_key(jobs):
    assert await call(jobs, "first", "k-1") == "first done"
    before = len(begun)
    assert await call(jobs, "first", "k-1") == "first done"
    assert len(begun) == before


async def test_a_declared_problem_is_answered_as_such_and_again(jobs):
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await call(jobs, "bad", "k-2")
        assert refused.value.name == "bad"


async def test_a_run_that_goes_on_is_named(jobs):
    with pytest.raises(DeadlineExceeded, match="goes on"):
        await call(jobs, "long", "k-3", seconds=0.6)


@pytest.mark.parametrize("part", ["dispatcher", "worker"])
async def test_a_background_task_that_fails_is_begun_anew(part, monkeypatch, caplog):
    """A process that serves and neither reads events nor works on runs looks healthy and is not."""
    begun.clear()
    store = await open_store("sqlite::memory:")
    kind = {"dispatcher": Dispatcher, "worker": Worker}[part]
    method = {"dispatcher": "_serve", "worker": "turn"}[part]
    real, failures = getattr(kind, method), 2

    async def fails_at_first(self, *arguments):
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise RuntimeError("cannot switch to state 12")
        return await real(self, *arguments)

    monkeypatch.setattr(kind, method, fails_at_first)
    app = App(Jobs, Follows)
    runtime = StoreRuntime(app, store, RuntimeSettings(worker=WorkerSettings(lease=0.5)), owns=True)
    async with app:
        assert await call(app[Jobs], "first", "k-1") == "first done"
        await app[Follows].tell("n-1")
        async with asyncio.timeout(20):
            while "followed n-1" not in begun:
                await asyncio.sleep(0.01)
        assert runtime.dispatcher is not None
    assert failures < 0
    again = [r for r in caplog.records if r.message == "background_task_failed"]
    assert [r.task for r in again] == [f"levada {part}"] * 2
