import asyncio
import json
from datetime import timedelta

import pytest

from levada.process import run
from levada.process._protocol import Effect, HandlerId
from levada.process._steps import await_step, publish_step
from levada.process.worker import missing_handlers
from levada.store import Statement, StoreError, StoreUnknown, Unit

DAY = 86_400


async def test_a_run_does_its_steps_once_and_keeps_its_result(world, call, event):
    async def fulfil(order):
        hold = await call("hold", id=order["id"])
        await run.gather(call("reserve", line=1), call("reserve", line=2))
        await publish_step("Invoiced", order["id"], b"{}")
        return {
            "hold": hold,
            "at": (await run.now()).isoformat(),
            "id": str(await run.uuid()),
            "x": await run.random(),
        }

    world.code(fulfil)
    worker = world.worker()
    await world.happen(event("e-1", data=b'{"id":"o-1"}'))
    assert await worker.settle() is None
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["hold", "reserve", "reserve"]
    assert world.published() == ["Invoiced"]


async def test_the_same_event_makes_one_run_and_a_replay_repeats_no_effect(world, call, event):
    async def fulfil(_):
        await call("hold")

    world.code(fulfil)
    worker = world.worker()
    for _ in range(2):
        await world.happen(event("e-1"))
    await worker.settle()
    assert len(await world.runs()) == 1
    await world.happen(event("e-1", generation=2))
    await worker.settle()
    assert len(await world.runs()) == 2
    assert world.legacy.done == ["hold"]
    await world.happen(event("e-1", generation=3, again=True))
    await worker.settle()
    assert world.legacy.done == ["hold", "hold"]


async def test_a_sleep_of_a_month_leaves_memory_and_takes_no_real_time(world, call, event):
    async def fulfil(_):
        await run.sleep(timedelta(days=30))
        await call("dun")

    world.code(fulfil)
    await world.happen(event("e-1"))
    begun = world.store.clock
    worker = world.worker()
    due = await worker.settle()
    assert 30 * DAY - 1 < (due - begun) / 1e6 < 30 * DAY + 1
    assert (await world.run())["state"] == "waiting"
    assert not worker._actors
    world.advance(30 * DAY + 1)
    assert await world.worker().settle() is None
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["dun"]


@pytest.mark.parametrize("first", ["event", "wait"])
async def test_an_awaited_event_wakes_in_any_order(world, call, event, first):
    async def fulfil(_):
        return await await_step("Paid", "inv-1", timeout=timedelta(days=30))

    world.code(fulfil)
    worker = world.worker()
    await world.happen(event("e-1"))
    if first == "wait":
        await worker.settle()
    await world.pay("inv-1")
    await worker.settle()
    assert (await world.run())["result"] == b'"paid"'


async def test_the_time_out_answers_none_and_compensates_newest_first(world, call, event):
    async def fulfil(_):
        await call("hold")
        await run.gather(call("reserve", n=1), call("reserve", n=2))
        if await await_step("Paid", "inv-1", timeout=30 * DAY) is None:
            raise run.Compensate("not paid in 30 days")

    async def release(result):
        await call("release", of=result)

    async def unreserve(result):
        await call("unreserve", of=result)

    world.code(fulfil, undos={"hold": release, "reserve": unreserve})
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    world.advance(31 * DAY)
    await worker.settle()
    done = await world.run()
    assert (done["state"], done["reason"]) == ("compensated", "not paid in 30 days")
    assert world.legacy.done == ["hold", "reserve", "reserve", "unreserve", "unreserve", "release"]


async def test_a_declared_problem_compensates_and_a_defect_is_stuck(world, call, event, outcomes):
    async def fulfil(order):
        await call("hold")
        await call("invoice")

    async def release(result):
        await call("release")

    world.code(fulfil, undos={"hold": release})
    world.legacy.faults["invoice"] = lambda attempt: outcomes.refused(b"credit", declared=True)
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    assert world.legacy.done == ["hold", "release"]
    world.legacy.faults["invoice"] = lambda attempt: outcomes.refused(b"bad request", declared=False)
    await world.happen(event("e-2"))
    await worker.settle()
    assert await world.states() == {"e-1": "compensated", "e-2": "stuck"}
    assert "bad request" in (await world.runs())[1]["reason"]


async def test_an_unknown_outcome_is_repeated_under_its_key_until_known(world, call, event):
    async def fulfil(_):
        return await call("invoice")

    losses = iter(["lost", "lost"])
    world.code(fulfil)
    world.legacy.faults["invoice"] = lambda attempt: next(losses, None)
    worker = world.worker()
    await world.happen(event("e-1"))
    for _ in range(3):
        await worker.settle()
        world.advance(5)
    assert (await world.run())["state"] == "done"
    assert world.legacy.calls == [("invoice", 1, False), ("invoice", 2, True), ("invoice", 3, True)]
    assert world.legacy.done == ["invoice"]


async def test_at_least_once_with_an_unknown_outcome_is_stuck_and_not_repeated(world, call, event):
    async def fulfil(_):
        return await call("mail")

    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    world.legacy.faults["mail"] = lambda attempt: "lost"
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1505")
    world.advance(DAY)
    await worker.settle()
    assert len(world.legacy.calls) == 1


async def test_an_unknown_step_becomes_known_before_compensation(world, call, event, outcomes):
    """The slow branch's effect has happened; were it not resolved first, nobody would undo it."""

    async def fulfil(_):
        await call("hold")
        await run.gather(call("reserve"), call("invoice"))

    async def unreserve(result):
        await call("unreserve", of=result)

    async def release(result):
        await call("release", of=result)

    losses = iter(["lost"])
    world.code(fulfil, undos={"hold": release, "reserve": unreserve})
    world.legacy.faults["reserve"] = lambda attempt: next(losses, None)
    world.legacy.faults["invoice"] = lambda attempt: outcomes.refused(b"credit")
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    world.advance(5)
    await worker.settle()
    assert (await world.run())["state"] == "compensated"
    assert world.legacy.done == ["hold", "reserve", "unreserve", "release"]


async def test_retries_end_and_the_run_is_stuck_with_what_was_said(world, call, event, outcomes):
    async def fulfil(_):
        await call("invoice")

    world.code(fulfil)
    world.legacy.faults["invoice"] = lambda attempt: outcomes.refused(b"", again=True, reason="busy")
    worker = world.worker()
    await world.happen(event("e-1"))
    for _ in range(10):
        await worker.settle()
        world.advance(DAY)
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1506")
    assert "busy" in stuck["reason"]
    assert len(world.legacy.calls) == 4


async def test_what_no_repeat_changes_is_stuck_after_few_attempts(world, call, event, outcomes):
    async def fulfil(_):
        await call("invoice")

    world.code(fulfil)
    world.legacy.faults["invoice"] = lambda attempt: outcomes.unknown("the row is there", lasting=True)
    stuck = await worked_for_days(world, event)
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1517")
    assert "the row is there" in stuck["reason"]
    assert [attempt for _, attempt, _ in world.legacy.calls] == [1, 2, 3]


async def worked_for_days(world, event):
    await world.happen(event("e-1"))
    for _ in range(12):
        await world.worker().settle()  # another one each time: what was tried is known from the journal
        world.advance(DAY)
    return await world.run()


@pytest.mark.parametrize(
    ("answers", "tried", "problem"),
    [
        (["no price"], 3, "LV1517"),
        (["trace 1", "trace 2", "no price", "no price", "no price"], 5, "LV1517"),
        (["no price", "no price", "lost", "no price", "no price", "no price"], 6, "LV1517"),
        (["no price", "no price", "full", "full", "no price"], 5, "LV1517"),
        ([f"trace {n}" for n in range(10)], 9, "LV1506"),
    ],
    ids=[
        "the same",
        "the same at last",
        "but for an unknown outcome",
        "but for what was not sent",
        "each other",
    ],
)
async def test_a_failure_that_is_answered_in_the_same_words_again_is_a_defect(
    world, call, event, outcomes, answers, tried, problem
):
    async def fulfil(_):
        await call("invoice")

    said = []

    def answered(attempt):
        said.append(reason := answers[min(len(said), len(answers) - 1)])
        if reason == "full":
            return outcomes.refused(b"", again=True, reason=reason)
        return outcomes.unknown(reason, failed=reason != "lost")

    world.code(fulfil, attempts=9)
    world.legacy.faults["invoice"] = answered
    stuck = await worked_for_days(world, event)
    assert (stuck["state"], stuck["problem"]) == ("stuck", problem)
    assert (len(said), said[-1] in stuck["reason"]) == (tried, True)
    assert all(repeated for _, _, repeated in world.legacy.calls[1:])


async def test_a_failure_of_what_may_not_be_repeated_is_an_unknown_outcome(world, call, event, outcomes):
    async def fulfil(_):
        await call("mail")

    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    world.legacy.faults["mail"] = lambda attempt: outcomes.unknown("no price", failed=True)
    assert (await worked_for_days(world, event))["problem"] == "LV1505"
    assert len(world.legacy.calls) == 1


async def test_a_stuck_run_is_told_in_the_log_with_its_place_in_the_code(world, event, caplog):
    async def fulfil(_):
        raise KeyError("price")

    world.code(fulfil)
    await world.happen(event("e-1"))
    await world.worker().settle()
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    line = fulfil.__code__.co_firstlineno + 1
    assert told.run == (await world.run())["id"]
    assert told.handler == "sales/OrderToCash/fulfil/1"
    assert told.at == f"tests/process/test_worker.py:{line}"
    assert "KeyError: 'price'" in told.error
    assert told.at in (await world.run())["reason"]


async def test_the_log_names_the_step_that_made_a_run_stuck(world, call, event, outcomes, caplog):
    async def fulfil(_):
        await call("mail")

    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    world.legacy.faults["mail"] = lambda attempt: "lost"
    await world.happen(event("e-1"))
    await world.worker().settle()
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.step == "/0"
    assert "LV1505" in told.error


async def test_an_undo_that_fails_is_stuck_with_what_remains(world, call, event, outcomes):
    async def fulfil(_):
        await call("hold")
        await call("reserve")
        raise run.Compensate("no")

    async def undo(result):
        await call("unreserve")

    world.code(fulfil, undos={"hold": undo, "reserve": undo})
    world.legacy.faults["unreserve"] = lambda attempt: outcomes.refused(b"closed")
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1507")
    assert "reserve (/1)" in stuck["reason"]
    assert "hold (/0)" in stuck["reason"]


async def test_a_race_of_a_wait_and_a_sleep_gives_the_event_back(world, call, event):
    async def fulfil(_):
        who, _ = await run.race(run.sleep(10), await_step("Paid", "k"))
        await call(f"won-{who}")
        return await await_step("Paid", "k", timeout=5)

    world.code(fulfil)
    worker = world.worker()
    await world.happen(event("e-1"))
    await worker.settle()
    world.advance(11)
    await worker._timers()
    await world.pay("k")  # both are closed now: the sleep first
    await worker.settle()
    assert world.legacy.done == ["won-0"]
    assert (await world.run())["result"] == b'"paid"'


async def test_runs_stay_with_their_version_and_a_missing_one_is_refused(world, call, event):
    async def former(_):
        await run.sleep(10)
        await call("former")

    async def later(_):
        await call("later")

    one = world.code(former)
    await world.happen(event("e-1"), one)
    await world.worker(one).settle()
    two = world.code(later, id=HandlerId("sales", "OrderToCash", "fulfil", 2))
    await world.happen(event("e-2"), two)
    await world.happen(event("e-1"), two)  # the same event again: its run exists under the former version
    with pytest.raises(Exception, match=r"fulfil/1 .*keep the former code as @fulfil.version\(1\)"):
        await missing_handlers(world.store, [two])
    renamed = world.code(later, id=HandlerId("sales", "OrderToCash", "ship", 2))
    with pytest.raises(Exception, match=r"no handler fulfil any more.*call it fulfil again") as told:
        await missing_handlers(world.store, [renamed])
    assert "version(" not in str(told.value)
    world.codes.remove(renamed)
    with pytest.raises(Exception, match="nothing here keeps sales/OrderToCash"):
        await missing_handlers(world.store, [])
    await missing_handlers(world.store, [one, two])
    world.advance(11)
    await world.worker(one, two).settle()
    assert world.legacy.done == ["later", "former"]
    await missing_handlers(world.store, [two])


async def test_an_edited_handler_is_stuck_with_both_sides_before_anything_runs(world, call, event):
    amount = "10"

    async def fulfil(_):
        await call("charge", amount=amount)
        await run.sleep(10)
        await call("ship")

    world.code(fulfil)
    await world.happen(event("e-1"))
    await world.worker().settle()
    amount = "11"
    world.advance(11)
    await world.worker().settle()
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1503")
    assert '"10"' in stuck["reason"]
    assert '"11"' in stuck["reason"]
    assert world.legacy.done == ["charge"]


async def at_a_slow_call(world, call, event):
    """A run whose first call ends once the gate is open, and the worker that is to perform it."""
    gate = asyncio.Event()

    async def wait(attempt):
        await gate.wait()

    async def fulfil(_):
        await call("slow")
        await call("next")

    world.code(fulfil)
    world.legacy.faults["slow"] = wait
    worker = world.worker(poll=0.01)
    await world.happen(event("e-1"))
    return gate, worker


async def test_served_by_a_loop_and_drained(world, call, event):
    gate, worker = await at_a_slow_call(world, call, event)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(worker.serve())
        while not world.legacy.calls:
            await asyncio.sleep(0.005)
        stopping = group.create_task(worker.drain())
        await asyncio.sleep(0)
        gate.set()
        await stopping
    assert world.legacy.done == ["slow"]
    run_row = await world.run()
    assert (run_row["state"], run_row["worker"]) == ("scheduled", None)
    await world.worker().settle()
    assert world.legacy.done == ["slow", "next"]


async def test_waiting_for_what_is_not_declared_is_stuck_instead_of_for_ever(world, call, event):
    async def fulfil(_):
        await await_step("Shipped", "k")

    world.code(fulfil)
    await world.happen(event("e-1"))
    await world.worker().settle()
    stuck = await world.run()
    assert (stuck["state"], stuck["problem"]) == ("stuck", "LV1514")


async def test_a_defect_of_the_worker_delays_a_run_and_does_not_keep_it(world, call, event, monkeypatch):
    """A run whose task ended would stay with a worker that forgot it, as long as that one lives."""

    async def fulfil(_):
        await call("hold")

    world.code(fulfil)
    worker = world.worker()
    live, times = worker._live, []

    async def fails_at_first(row, *, fresh):
        times.append(row.id)
        if len(times) < 3:
            raise RuntimeError("cannot switch to state 12")
        return await live(row, fresh=fresh)

    monkeypatch.setattr(worker, "_live", fails_at_first)
    await world.happen(event("e-1"))
    await worker.settle()
    assert len(times) == 3
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["hold"]


async def test_what_was_claimed_by_a_commit_whose_answer_was_lost_is_worked_on(world, call, event):
    """The worker lives, so that nobody else takes it over."""

    async def fulfil(_):
        await call("hold")

    def lose(unit):
        if any(s.query == "runs.claim" for s in unit.statements):
            world.store.after_commit = lambda unit: None
            raise StoreUnknown(reason="lost")

    world.code(fulfil)
    worker = world.worker()
    await world.happen(event("e-1"))
    world.store.after_commit = lose
    with pytest.raises(StoreUnknown):
        await worker.settle()
    assert (await world.run())["worker"] == worker.id
    await worker.settle()
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["hold"]


async def test_what_was_claimed_after_its_worker_had_given_up_the_commit_is_worked_on(world, call, event):
    async def fulfil(_):
        await call("hold")

    code = world.code(fulfil)
    worker = world.worker(lease=0.1)
    await worker.turn()
    await world.happen(event("e-1"))
    late = {"worker": worker.id, "codes": json.dumps([code.id.code]), "n": 1}
    await world.store.commit(Unit([Statement("runs.claim", late)]))
    async with asyncio.timeout(5):
        while (await world.run())["state"] != "done":
            await worker.settle()
            await asyncio.sleep(0.01)
    assert world.legacy.done == ["hold"]


async def test_a_worker_ends_though_the_store_takes_nothing_more(world, call, event):
    gate, worker = await at_a_slow_call(world, call, event)

    def refuse(unit):
        raise StoreError(reason="The server cannot be reached.")

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(worker.serve())
        while not world.legacy.calls:
            await asyncio.sleep(0.005)
        world.store.before_commit = refuse
        gate.set()
        await worker.drain()
    world.store.before_commit = lambda unit: None
    world.advance(11)
    await world.worker().settle()
    assert world.legacy.done == ["slow", "next"]
