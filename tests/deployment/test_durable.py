"""A durable operation: a call that waits for its run."""

from time import monotonic

import pytest

from levada import Problem, ProcessAPI, http, run
from levada.app import App, Caller, Context
from levada.app.context import _current
from levada.contract.standard import DeadlineExceeded
from levada.deployment import StoreRuntime
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
