"""Order per key (durability, rule 6)."""

import pytest

from levada.process import run
from levada.process._steps import await_step
from levada.process.admin import Admin


def order_of(world):
    return [row[0] for row in world.legacy.db.execute("SELECT arguments FROM done ORDER BY n")]


def marked(call):
    async def mark(order, what):
        await call("mark", who=order["n"], what=what)

    return mark


async def many(world, event, count, key="k"):
    for n in range(count):
        await world.happen(event(f"e-{n}", key=key, data=b'{"n":%d}' % n))


def marks(world):
    import json

    return [(a["who"], a["what"]) for a in map(json.loads, order_of(world))]


async def test_runs_of_one_key_come_one_after_another_in_order(world, call, event):
    mark = marked(call)

    async def fulfil(order):
        for what in "abc":
            await mark(order, what)

    world.code(fulfil)
    await many(world, event, 4)
    await world.worker().settle()
    assert marks(world) == [(n, what) for n in range(4) for what in "abc"]
    assert world.store.db.execute("SELECT count(*) FROM levada_lane").fetchone()[0] == 0


async def test_runs_without_a_key_do_not_wait_for_each_other(world, call, event, outcomes):
    async def fulfil(order):
        await call("mark", who=order["n"])

    world.code(fulfil)
    world.legacy.faults["mark"] = lambda a: None if len(world.legacy.calls) > 1 else outcomes.unknown("down")
    await many(world, event, 3, key=None)
    await world.worker().settle()
    assert list((await world.states()).values()).count("done") == 2


async def test_a_wait_gives_the_key_up_and_waking_queues_again(world, call, event):
    mark = marked(call)

    async def fulfil(order):
        await mark(order, "before")
        await await_step("Paid", str(order["n"]))
        await mark(order, "after")
        await mark(order, "end")

    world.code(fulfil)
    await many(world, event, 3)
    worker = world.worker()
    await worker.settle()
    assert marks(world) == [(0, "before"), (1, "before"), (2, "before")]
    for n in (2, 0, 1):
        await world.pay(str(n), f"p-{n}")
    await worker.settle()
    assert marks(world)[3:] == [(n, what) for n in (2, 0, 1) for what in ("after", "end")]


async def test_across_waits_keeps_the_key(world, call, event):
    mark = marked(call)

    async def fulfil(order):
        await mark(order, "before")
        await run.sleep(60)
        await mark(order, "after")

    world.code(fulfil, across_waits=True)
    await many(world, event, 2)
    worker = world.worker()
    for _ in range(3):
        await worker.settle()
        world.advance(61)
    assert marks(world) == [(0, "before"), (0, "after"), (1, "before"), (1, "after")]


async def test_backoff_keeps_the_key(world, call, event, outcomes):
    mark = marked(call)

    async def fulfil(order):
        await mark(order, "a")

    world.code(fulfil)
    world.legacy.faults["mark"] = lambda a: None if len(world.legacy.calls) > 2 else outcomes.unknown("down")
    await many(world, event, 2)
    worker = world.worker()
    due = await worker.settle()
    assert marks(world) == []
    assert due is not None
    for _ in range(3):
        world.advance(5)
        await worker.settle()
    assert marks(world) == [(0, "a"), (1, "a")]


@pytest.mark.parametrize("waits", [False, True])
async def test_stuck_before_the_first_wait_closes_the_key_and_skip_opens_it(world, call, event, waits):
    mark = marked(call)

    async def fulfil(order):
        if waits:
            await run.sleep(1)
        if order["n"] == 0:
            raise KeyError("defect")
        await mark(order, "a")

    world.code(fulfil)
    await many(world, event, 3)
    worker = world.worker()
    await worker.settle()
    world.advance(2)
    await worker.settle()
    assert marks(world) == ([(1, "a"), (2, "a")] if waits else [])
    stuck = next(r for r in await world.runs() if r["state"] == "stuck")
    await Admin(world.store, lambda change: []).skip(stuck["id"], "ann", "customer is gone")
    await worker.settle()
    assert marks(world) == [(1, "a"), (2, "a")]
    assert set((await world.states()).values()) == {"done"}
