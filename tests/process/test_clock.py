"""The clock is set by an hour, forwards or back, while runs are under way: nothing is lost, nothing done twice."""

import asyncio

import pytest

from levada.process import run
from levada.process._steps import await_step

HOUR = 3600


def set_clock(world, seconds):
    """Set the machine's clock; what the store makes of it is the store's affair."""
    world.store.turned.advance(seconds * 1_000_000)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_set_while_a_call_is_in_flight_each_effect_happens_once(world, call, event, step):
    async def fulfil(_):
        first = await call("charge")
        return await call("ship", after=first)

    code = world.code(fulfil)
    gate = asyncio.Event()

    async def wait(attempt):
        await gate.wait()

    world.legacy.faults["charge"] = wait
    await world.happen(event("e-1"))
    worker, other = world.worker(code), world.worker(code)
    task = asyncio.ensure_future(worker.settle())
    while not world.legacy.calls:
        await asyncio.sleep(0)
    set_clock(world, step)
    # Ahead, the lease has run out, and another takes the run over, which is then at it twice; back, it has not.
    rival = asyncio.ensure_future(other.settle())
    if step > 0:
        async with asyncio.timeout(30):
            while len(world.legacy.calls) < 2:
                await asyncio.sleep(0)
    else:
        await asyncio.sleep(0.05)
    assert len(world.legacy.calls) == (2 if step > 0 else 1)
    gate.set()
    await asyncio.gather(task, rival)
    await worker.settle()
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["charge", "ship"]


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_set_while_runs_sleep_each_wakes_once_and_in_the_end(world, call, event, step):
    async def fulfil(order):
        await run.sleep(60)
        await call("ship", n=order["n"])

    world.code(fulfil)
    worker = world.worker()
    for n in range(3):
        await world.happen(event(f"e-{n}", data=b'{"n":%d}' % n))
    await worker.settle()
    set_clock(world, step)
    await worker.settle()
    assert world.legacy.done == (["ship"] * 3 if step > 0 else [])
    # A worker that is new knows the store's time alone, which has not gone back.
    for _ in range(2):
        world.advance(61)
        await world.worker().settle()
    assert world.legacy.done == ["ship"] * 3
    assert set((await world.states()).values()) == {"done"}


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_set_before_an_event_it_still_answers_the_wait_and_no_time_out_comes_besides(
    world, call, event, step
):
    async def fulfil(_):
        paid = await await_step("Paid", "k", timeout=2 * HOUR)
        await call("ship" if paid else "remind")

    world.code(fulfil)
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    set_clock(world, step)
    await world.pay("k")
    await worker.settle()
    world.advance(3 * HOUR)
    await worker.settle()
    assert world.legacy.done == ["ship"]


@pytest.mark.parametrize("steps", [(HOUR, -HOUR), (-HOUR, HOUR), (-HOUR, -HOUR)])
async def test_set_between_runs_of_a_key_their_order_stays(world, call, event, steps):
    async def fulfil(order):
        await call("mark", n=order["n"])

    world.code(fulfil)
    worker = world.worker()
    for n, step in enumerate((0, *steps)):
        set_clock(world, step)
        await world.happen(event(f"e-{n}", key="k", data=b'{"n":%d}' % n))
    await worker.settle()
    marks = world.legacy.db.execute("SELECT arguments FROM done ORDER BY n")
    assert [row[0] for row in marks] == ['{"n":0}', '{"n":1}', '{"n":2}']
    created = [row["created"] for row in await world.runs()]
    assert created == sorted(set(created))


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_set_between_attempts_an_unknown_call_is_repeated_under_its_key(world, call, event, step):
    async def fulfil(_):
        await call("charge")

    world.code(fulfil)
    lost = iter(["lost"])
    world.legacy.faults["charge"] = lambda attempt: next(lost, None)
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    set_clock(world, step)
    await worker.settle()
    world.advance(60)
    await worker.settle()
    assert (await world.run())["state"] == "done"
    assert len(world.legacy.calls) == 2
    assert world.legacy.done == ["charge"]
