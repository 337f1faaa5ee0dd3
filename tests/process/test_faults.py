"""Crash at every boundary, pauses beyond the lease, races: judged by the legacy system's rows."""

import asyncio
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levada.process import run
from levada.process._protocol import Effect
from levada.process._steps import await_step, publish_step
from levada.process.worker import Worker
from levada.store import StoreUnknown
from levada.store.protocol import Outcome

DAY = 86_400


def order_to_cash(call):
    async def fulfil(order):
        hold = await call("hold", id=order["id"])
        await run.gather(*(call("reserve", line=n) for n in range(2)))
        await publish_step("Reserved", order["id"], b"{}")
        invoice = await call("invoice", hold=hold, ref=str(await run.uuid()))
        await run.sleep(60)
        if await await_step("Paid", order["id"], timeout=30 * DAY) is None:
            raise run.Compensate("not paid")
        await call("ship", invoice=invoice)

    return fulfil


def undos(call, *names):
    def undo(name):
        async def undoing(result):
            await call(f"undo-{name}", of=result)

        return undoing

    return {name: undo(name) for name in names}


async def crashing(world, worker):
    """Settle until the crash, if there is one; whether there was."""
    task = asyncio.ensure_future(worker.settle())
    await asyncio.wait([task, world.crashed_task], return_when=asyncio.FIRST_COMPLETED)
    if not world.crashed.is_set():
        task.result()
        return False
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await worker.kill()
    return True


class Bomb:
    """Stops the world at its n-th place: from there on nothing of the process happens any more."""

    def __init__(self, world, at):
        self.world, self.left, self.places = world, at, 0
        world.crashed = asyncio.Event()
        world.crashed_task = asyncio.ensure_future(world.crashed.wait())
        world.store.before_commit = lambda unit: self.place()
        world.store.after_commit = lambda unit: self.place()
        world.legacy.hooks = [lambda where, step: self.place()]

    def place(self):
        self.places += 1
        self.left -= 1
        if self.left == 0:
            self.world.crashed.set()
        if self.world.crashed.is_set():
            raise asyncio.CancelledError  # the code that was running is gone; nothing it holds survives

    def defuse(self):
        self.world.crashed_task.cancel()
        self.world.store.before_commit = self.world.store.after_commit = lambda unit: None
        self.world.legacy.hooks = []


async def live_through(world, event, code, at, pay):
    """One order's whole life with one crash at the n-th place; the number of places passed."""
    await world.happen(event("e-1", key="o-1", data=b'{"id":"o-1"}'))
    bomb = Bomb(world, at)
    worker = world.worker(code)
    phase = iter(range(3))
    for seconds in (0, 61, 31 * DAY):
        world.advance(seconds)
        if next(phase) == 1 and pay:
            bomb_hooks = world.store.before_commit, world.store.after_commit
            world.store.before_commit = world.store.after_commit = lambda unit: None
            await world.pay("o-1")
            world.store.before_commit, world.store.after_commit = bomb_hooks
        if await crashing(world, worker):
            bomb.defuse()
            world.advance(worker.settings.lease + 1)
            worker = world.worker(code)
            await worker.settle()
            world.advance(10)  # what was in backoff
            await worker.settle()
    bomb.defuse()
    return bomb.places


PAID = ["hold", "invoice", "reserve", "reserve", "ship"]
UNPAID = sorted(
    ["hold", "invoice", "reserve", "reserve", "undo-hold", "undo-invoice", "undo-reserve", "undo-reserve"]
)


@pytest.mark.parametrize("pay", [True, False], ids=["paid", "compensated"])
async def test_killed_at_every_boundary_each_effect_happens_once(tmp_path, call, event, make_world, pay):
    reached = 0
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        async with make_world(folder) as world:
            code = world.code(order_to_cash(call), undos=undos(call, "hold", "reserve", "invoice"))
            places = await live_through(world, event, code, at, pay)
            assert sorted(world.legacy.done) == (PAID if pay else UNPAID), f"crash at {at}"
            assert world.published() == ["Reserved"], f"crash at {at}"
            assert (await world.run())["state"] == ("done" if pay else "compensated"), f"crash at {at}"
        reached = max(reached, at)
        if places < at:
            break
    assert reached > 60


async def test_without_the_effect_table_a_crash_repeats_the_effect(tmp_path, call, event, make_world):
    """The judge can tell: with a system that ignores keys, some crash does something twice."""
    worst = 0
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        async with make_world(folder) as world:
            code = world.code(order_to_cash(call))
            world.legacy.ignores_keys = True
            await live_through(world, event, code, at, True)
            worst = max(worst, len(world.legacy.done))
    assert worst > len(PAID)


async def test_an_intent_stands_before_an_unsafe_call_and_none_before_a_safe_one(world, call, event):
    async def fulfil(_):
        await call("read")
        await call("charge")

    seen = {}
    world.code(fulfil, operations={"read": Effect.SAFE})
    query = "SELECT count(*) FROM levada_journal WHERE kind = 'intent' AND operation = ?"
    world.legacy.hooks.append(
        lambda where, step: seen.setdefault(
            step.operation, world.store.db.execute(query, [step.operation]).fetchone()[0]
        )
    )
    await world.happen(event("e-1"))
    await world.worker().settle()
    assert seen == {"read": 0, "charge": 1}


async def test_a_crash_within_an_at_least_once_call_is_stuck(world, call, event):
    async def fulfil(_):
        await call("mail")

    code = world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    await world.happen(event("e-1"))
    never = asyncio.Event()

    async def hang(attempt):
        await never.wait()

    world.legacy.faults["mail"] = hang
    worker = world.worker(code)
    task = asyncio.ensure_future(worker.settle())
    while not world.legacy.calls:
        await asyncio.sleep(0)
    task.cancel()
    await worker.kill()
    world.advance(60)
    await world.worker(code).settle()
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1505")
    assert len(world.legacy.calls) == 1


async def test_paused_beyond_its_lease_a_worker_writes_nothing_and_another_goes_on(world, call, event):
    async def fulfil(_):
        first = await call("charge")
        return await call("ship", after=first)

    code = world.code(fulfil)
    await world.happen(event("e-1"))
    paused = asyncio.Event()

    async def pause(attempt):
        if attempt.fence == 1:
            await paused.wait()

    world.legacy.faults["charge"] = pause
    slow = world.worker(code)
    task = asyncio.ensure_future(slow.settle())
    while not world.legacy.calls:
        await asyncio.sleep(0)
    world.advance(11)
    other = world.worker(code)
    await other.settle()
    assert (await world.run())["state"] == "done"
    journal = world.store.db.execute("SELECT * FROM levada_journal ORDER BY seq").fetchall()
    paused.set()
    await task
    assert [tuple(row) for row in world.store.db.execute("SELECT * FROM levada_journal ORDER BY seq")] == [
        tuple(row) for row in journal
    ]
    assert world.legacy.done == ["charge", "ship"]
    fences = world.legacy.db.execute("SELECT fence FROM levada_effect").fetchall()
    assert fences == [(2,), (2,)]
    await slow.settle()


async def test_a_worker_taken_for_dead_is_refused_even_where_nobody_has_written_yet(world, call, event):
    async def fulfil(_):
        await call("charge")
        await call("ship")

    code = world.code(fulfil)
    await world.happen(event("e-1"))
    gates = {1: asyncio.Event(), 2: asyncio.Event()}

    async def pause(attempt):
        await gates[attempt.fence].wait()

    world.legacy.faults["charge"] = pause
    slow, other = world.worker(code), world.worker(code)
    tasks = []
    for number, worker in enumerate((slow, other), 1):
        tasks.append(asyncio.ensure_future(worker.settle()))
        while len(world.legacy.calls) < number:
            await asyncio.sleep(0)
        world.advance(11 if worker is slow else 0)
    known = "SELECT count(*) FROM levada_journal WHERE kind = 'known'"
    gates[1].set()
    await tasks[0]
    assert world.store.db.execute(known).fetchone()[0] == 0
    gates[2].set()
    await tasks[1]
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["charge", "ship"]


async def test_two_workers_share_the_runs_and_do_each_once(world, call, event):
    async def fulfil(order):
        await call("a", n=order["n"])
        await run.sleep(1)
        await call("b", n=order["n"])

    code = world.code(fulfil)
    for n in range(30):
        await world.happen(event(f"e-{n}", key=str(n % 7), data=b'{"n":%d}' % n))
    one, two = world.worker(code, runs=4), world.worker(code, runs=4)
    for _ in range(3):
        await asyncio.gather(one.settle(), two.settle())
        world.advance(2)
    assert set((await world.states()).values()) == {"done"}
    assert sorted(world.legacy.done) == ["a"] * 30 + ["b"] * 30


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_events_and_waits_in_any_order_lose_no_wake_up(tmp_path_factory, call, event, make_world, data):
    """Each run takes each event once, in order, whenever it came."""

    async def go():
        async with make_world(tmp_path_factory.mktemp("w")) as world:

            async def fulfil(_):
                got = []
                for _ in range(3):
                    got.append(await await_step("Paid", "k"))
                    await call("got")
                return got

            world.code(fulfil)
            worker = world.worker()
            await world.happen(event("e-1"))
            for n in range(3):
                for _ in range(data.draw(st.integers(0, 2))):
                    await worker.turn()
                    await asyncio.sleep(0)
                if data.draw(st.booleans()):
                    await worker.settle()
                await world.pay("k", f"p-{n}", json.dumps(n).encode())
                if data.draw(st.booleans()):
                    await world.pay("k", f"p-{n}", json.dumps(n).encode())
            await worker.settle()
            finished = await world.run()
            assert finished["state"] == "done"
            assert json.loads(finished["result"]) == [0, 1, 2]

    asyncio.run(go())


async def test_an_event_from_before_the_run_does_not_answer_it(world, call, event):
    async def fulfil(_):
        return await await_step("Paid", "k", timeout=5)

    world.code(fulfil)
    worker = world.worker()
    await world.pay("k", "old")
    world.advance(1)
    await world.happen(event("e-1"))
    await worker.settle()
    assert (await world.run())["state"] == "waiting"


async def test_an_event_from_before_the_run_does_not_answer_it_when_it_comes_again_in_a_replay(
    world, call, event
):
    async def fulfil(_):
        return await await_step("Paid", "k", timeout=500)

    world.code(fulfil)
    worker = world.worker()
    paid_at = world.store.clock
    await world.pay("k", "old")
    world.advance(10)
    await world.happen(event("e-1"))
    await worker.settle()
    await world.happen(event("old", type="Paid", key="k", data=b'"old"', generation=2, at=paid_at))
    await worker.settle()
    assert (await world.run())["state"] == "waiting"
    await world.pay("k", "new")
    await worker.settle()
    assert (await world.run())["result"] == b'"paid"'


async def test_an_event_that_was_taken_in_before_a_late_run_but_happened_after_it_counts(world, call, event):
    """The subscription of the orders was paused: the payment was taken in first."""

    async def fulfil(_):
        return await await_step("Paid", "k", timeout=5)

    world.code(fulfil)
    placed_at = world.store.clock
    world.advance(60)
    await world.pay("k")
    world.advance(60)
    await world.happen(event("e-1", at=placed_at))
    await world.worker().settle()
    assert (await world.run())["result"] == b'"paid"'


async def test_a_lost_commit_answer_is_found_out_from_the_store(world, call, event):
    """The unit was committed, the answer was lost: the run is loaded anew and nothing is done twice."""

    async def fulfil(_):
        await call("a")
        await call("b")

    world.code(fulfil)
    await world.happen(event("e-1"))
    lose = itertools.cycle([False, False, True])

    def after(unit):
        if any(s.query == "runs.guard" for s in unit.statements) and next(lose):
            raise StoreUnknown(reason="pulled")

    world.store.after_commit = after
    await world.worker().settle()
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["a", "b"]


async def test_a_refused_unit_of_a_run_that_is_still_ours_is_no_end_of_it(world, call, event):
    """As if somebody else had written into its journal: the run is loaded anew, and not left with a worker that forgot it."""

    async def fulfil(_):
        await call("one")
        return await call("two")

    world.code(fulfil)
    await world.happen(event("e-1"))
    commit, refused = world.store.commit, []

    async def refusing(unit):
        if len(refused) < 2 and any(s.query == "runs.journal_add" for s in unit.statements):
            refused.append(unit)
            return Outcome(refused=1)
        return await commit(unit)

    world.store.commit = refusing
    await world.worker().settle()
    assert len(refused) == 2
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["one", "two"]


async def test_timers_are_closed_in_bounded_batches(world, call, event):
    async def fulfil(_):
        await run.sleep(1)

    world.code(fulfil)
    for n in range(25):
        await world.happen(event(f"e-{n}"))
    worker: Worker = world.worker(timers=10)
    await worker.settle()
    world.advance(2)
    closed = "SELECT count(*) FROM levada_wait WHERE state <> 'open'"
    await worker._timers()
    assert world.store.db.execute(closed).fetchone()[0] == 10
    await worker.settle()
    assert set((await world.states()).values()) == {"done"}


programs = st.recursive(
    st.sampled_from(["call", "sleep", "now", "publish"]),
    lambda inner: st.tuples(
        st.sampled_from(["gather", "race"]), st.lists(st.lists(inner, max_size=3), min_size=1, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(programs, max_size=4), places=st.lists(st.integers(1, 25), max_size=3))
def test_any_program_crashed_anywhere_comes_to_its_end(
    tmp_path_factory, call, event, make_world, program, places
):
    """No crash makes replay differ from life, loses a step or repeats an effect."""

    async def interpret(items, counted):
        for item in items:
            if item == "call":
                counted.append(await call("op", after=len(counted)))
            elif item == "sleep":
                await run.sleep(5)
            elif item == "now":
                counted.append((await run.now()).isoformat())
            elif item == "publish":
                await publish_step("Told", None, b"{}")
            else:
                how = run.gather if item[0] == "gather" else run.race
                counted.append(await how(*(interpret(branch, counted) for branch in item[1])))

    async def go():
        async with make_world(tmp_path_factory.mktemp("w")) as world:
            code = world.code(lambda _: interpret(program, []))
            await world.happen(event("e-1"))
            for at in [*places, 10**9]:
                bomb = Bomb(world, at)
                worker = world.worker(code)
                for _ in range(60):
                    if await crashing(world, worker) or (await world.run())["state"] == "done":
                        break
                    world.advance(6)
                bomb.defuse()
                world.advance(worker.settings.lease + 1)
            finished = await world.run()
            assert (finished["state"], finished["reason"]) == ("done", None)
            calls = world.store.db.execute(
                "SELECT count(DISTINCT step) FROM levada_journal WHERE kind = 'known' AND operation = 'op'"
            ).fetchone()[0]
            assert len(world.legacy.done) == calls

    asyncio.run(go())
