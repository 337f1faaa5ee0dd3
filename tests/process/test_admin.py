import asyncio

import pytest

from levada.process import run
from levada.process._errors import NoOpenCall, RunNotFound, WhyMissing, WrongState
from levada.process._protocol import Effect, Unknown
from levada.process._states import State
from levada.process._steps import await_step
from levada.process.admin import Admin
from levada.process.start import start
from levada.store import Statement, Unit


@pytest.fixture
def admin(world):
    world.audited = []

    def audit(change):
        world.audited.append(change)
        return []

    return Admin(world.store, audit)


async def stuck_run(world, event, code_args=None):
    await world.happen(event("e-1"))
    worker = world.worker()
    await worker.settle()
    return worker, (await world.run())["id"]


async def test_resume_takes_up_where_it_stands(world, call, event, admin, outcomes):
    broken = True

    async def fulfil(_):
        await call("hold")
        if broken:
            raise KeyError("defect")
        await call("ship")

    world.code(fulfil)
    worker, run_id = await stuck_run(world, event)
    shown = await admin.show(run_id)
    assert (shown.state, shown.problem) == ("stuck", "LV1508")
    assert "KeyError" in shown.reason
    assert [step.operation for step in shown.root.steps] == ["hold"]
    assert any("resume" in command for command in shown.commands)
    broken = False
    await admin.resume(run_id, "ann")
    await worker.settle()
    assert world.legacy.done == ["hold", "ship"]
    assert [(c.action, c.before, c.after) for c in world.audited] == [("resume", "stuck", "scheduled")]
    with pytest.raises(WrongState):
        await admin.resume(run_id, "ann")


async def test_at_least_once_is_answered_or_repeated_by_an_operator(world, call, event, admin):
    async def fulfil(_):
        return await call("mail")

    lost = iter(["lost"] * 2)
    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    world.legacy.faults["mail"] = lambda attempt: next(lost, None)
    worker, run_id = await stuck_run(world, event)
    await admin.resume(run_id, "ann")
    await worker.settle()
    assert (await world.run())["state"] == "stuck"
    assert len(world.legacy.calls) == 2
    await admin.answer(run_id, "/0", b"42", "ann", "seen in the mail server's log")
    await worker.settle()
    assert (await world.run())["result"] == b"42"
    assert len(world.legacy.calls) == 2


async def test_skip_and_compensate_need_a_reason(world, call, event, admin):
    async def fulfil(_):
        raise KeyError("x")

    world.code(fulfil)
    _, run_id = await stuck_run(world, event)
    for change in (admin.skip, admin.compensate):
        with pytest.raises(WhyMissing):
            await change(run_id, "ann", " ")
    with pytest.raises(RunNotFound):
        await admin.skip("nobody", "ann", "why")


@pytest.mark.parametrize("state", ["waiting", "stuck"])
async def test_compensate_undoes_a_run_that_waits_or_is_stuck(world, call, event, admin, state):
    async def fulfil(_):
        await run.gather(call("hold"), call("reserve"))
        if state == "stuck":
            raise KeyError("x")
        await await_step("Paid", "k")

    async def release(result):
        await call("release")
        await run.gather(call("note", n=1), call("note", n=2))

    world.code(fulfil, undos={"hold": release})
    worker, run_id = await stuck_run(world, event)
    assert (await world.run())["state"] == state
    await admin.compensate(run_id, "ann", "the customer called")
    await worker.settle()
    assert (await world.run())["state"] == "compensated"
    assert sorted(world.legacy.done) == ["hold", "note", "note", "release", "reserve"]
    shown = await admin.show(run_id)
    assert [len(branch.steps) for branch in shown.root.branches] == [1, 1]
    assert [step.state for branch in shown.root.branches for step in branch.steps] == ["undone", "known"]
    (undo,) = shown.undos
    assert [step.operation for step in undo.steps] == ["release"]
    assert [step.operation for branch in undo.branches for step in branch.steps] == ["note", "note"]
    await world.pay("k")
    assert [u.event for u in await admin.unclaimed()] == ["p-1"]


async def test_undos_are_shown_in_the_order_in_which_they_are_made(world, call, event, admin):
    async def fulfil(_):
        for n in range(12):
            await call("hold", n=n)
        raise run.Compensate("enough")

    async def release(result):
        await call("release")

    world.code(fulfil, undos={"hold": release})
    _, run_id = await stuck_run(world, event)
    shown = await admin.show(run_id)
    assert [undo.path for undo in shown.undos] == [f"~/{n}" for n in reversed(range(12))]


@pytest.fixture
def retrying(world, call, event, outcomes):
    """Makes a run of which a step was refused for now and waits for its next attempt, and one of the same key behind it."""

    async def fulfil(order):
        await call("hold", order=order["n"])
        await call("ship", order=order["n"])

    async def release(result):
        await call("release")

    async def make():
        world.code(fulfil, undos={"hold": release})
        world.legacy.faults["ship"] = lambda attempt: outcomes.refused(
            b"", again=True, reason="the van is full"
        )
        worker = world.worker()
        for n in (1, 2):
            await world.happen(event(f"e-{n}", key="o-1", data=b'{"n":%d}' % n))
        due = await worker.settle()
        first, second = await world.runs()
        return worker, first, second, due

    return make


async def test_a_run_between_attempts_says_what_failed_and_when_it_tries_again(world, admin, retrying):
    worker, first, _, due = await retrying()
    listed = {row.id: row for row in await admin.list()}[first["id"]]
    assert (listed.state, listed.again) == ("scheduled", due)
    assert "ship (step /1), attempt 1: the van is full" in listed.reason
    shown = await admin.show(first["id"])
    assert shown.again == due
    assert [c.split()[2] for c in shown.commands] == ["resume", "answer", "compensate", "skip"]
    world.legacy.faults.clear()
    world.advance(1)
    await worker.settle()
    assert [(row.state, row.reason, row.again) for row in await admin.list()] == [("done", None, None)] * 2
    assert (await admin.show(first["id"])).again is None


async def test_a_run_says_which_one_of_its_key_it_stands_behind(world, admin, retrying):
    worker, first, second, _ = await retrying()
    shown = await admin.show(second["id"])
    assert shown.behind == first["id"]
    assert [c.split()[2] for c in shown.commands] == ["compensate", "skip"]
    assert (await admin.show(first["id"])).behind is None
    await admin.skip(first["id"], "ann", "by hand")
    assert (await admin.show(second["id"])).behind is None


async def test_resume_tries_now_what_waits_for_its_next_attempt(world, admin, retrying):
    worker, first, _, _ = await retrying()
    world.legacy.faults.clear()
    await admin.resume(first["id"], "ann")
    await worker.settle()
    assert await world.states() == {"e-1": "done", "e-2": "done"}
    assert world.legacy.done == ["hold", "ship", "hold", "ship"]


async def test_compensate_undoes_what_waits_for_its_next_attempt(world, admin, retrying):
    worker, first, _, _ = await retrying()
    await admin.compensate(first["id"], "ann", "the customer called")
    await worker.settle()
    assert (await world.states())["e-1"] == "compensating"
    world.legacy.faults.clear()
    world.advance(1)
    await worker.settle()
    # What was begun becomes known first (durability, rule 3); then the key is open.
    assert await world.states() == {"e-1": "compensated", "e-2": "done"}
    assert world.legacy.done == ["hold", "ship", "release", "hold", "ship"]


async def test_skip_opens_the_key_of_what_waits_for_its_next_attempt(world, admin, retrying):
    worker, first, second, _ = await retrying()
    await admin.skip(first["id"], "ann", "by hand")
    world.legacy.faults.clear()
    await worker.settle()
    assert await world.states() == {"e-1": "done", "e-2": "done"}
    assert [c[0] for c in world.legacy.calls] == ["hold", "ship", "hold", "ship"]
    assert (await admin.show(first["id"])).reason == "skipped: by hand"


async def test_what_a_person_did_of_a_step_between_attempts_is_taken_for_its_result(world, admin, retrying):
    worker, first, _, _ = await retrying()
    run_id = first["id"]
    assert f'levada runs answer {run_id} /1 RESULT --why "..."' in (await admin.show(run_id)).commands
    await admin.answer(run_id, "/1", b"7", "ann", "taken there by hand")
    world.legacy.faults.clear()
    await worker.settle()
    assert await world.states() == {"e-1": "done", "e-2": "done"}
    assert world.legacy.done == ["hold", "hold", "ship"]
    assert [(c.action, c.before, c.after) for c in world.audited] == [("answer", "scheduled", "scheduled")]
    with pytest.raises(NoOpenCall):
        await admin.answer(run_id, "/1", b"7", "ann", "again")


async def test_an_answer_is_undone_like_any_other(world, admin, call, event, outcomes):
    async def fulfil(_):
        held = await call("hold")
        await call("price")
        raise run.Compensate(f"held {held}")

    async def release(result):
        await call("release", hold=result)

    world.code(fulfil, undos={"hold": release}, operations={"price": Effect.SAFE})
    for name in ("hold", "price", "release"):
        world.legacy.faults[name] = lambda attempt: outcomes.refused(b"", again=True, reason="down")
    worker, run_id = await stuck_run(world, event)
    await admin.answer(run_id, "/0", b"41", "ann", "held by hand")
    await worker.settle()
    await admin.answer(run_id, "/1", b"5", "ann", "asked by telephone")
    await worker.settle()
    shown = await admin.show(run_id)
    assert (shown.state, shown.reason) == ("compensating", "held 41")
    step = "~/0/0"
    assert [c.split()[2:5] for c in shown.commands] == [["resume", run_id], ["answer", run_id, f"'{step}'"]]
    assert [s.arguments for s in shown.undos[0].steps] == [b'{"hold":41}']
    await admin.answer(run_id, step, b"1", "ann", "released by hand")
    await worker.settle()
    assert (await world.run())["state"] == "compensated"
    assert world.legacy.done == []


async def test_resume_tries_an_undo_now(world, admin, retrying):
    worker, first, _, _ = await retrying()
    await admin.compensate(first["id"], "ann", "the customer called")
    await worker.settle()
    world.legacy.faults.clear()
    await admin.resume(first["id"], "ann")
    await worker.settle()
    assert await world.states() == {"e-1": "compensated", "e-2": "done"}
    assert world.legacy.done == ["hold", "ship", "release", "hold", "ship"]


async def test_of_a_run_that_is_undone_what_fails_for_good_was_done_or_not(
    world, call, event, admin, outcomes
):
    async def fulfil(_):
        await call("hold")
        await call("ship")

    async def release(result):
        await call("release")

    world.code(fulfil, undos={"hold": release, "ship": release})
    world.legacy.faults["ship"] = lambda attempt: Unknown("a defect", lasting=True)
    worker, run_id = await stuck_run(world, event)
    await admin.compensate(run_id, "ann", "it will never work")
    await worker.settle()
    assert (await world.run())["state"] == "compensating"
    await admin.not_done(run_id, "/1", "ann", "the van is here")
    await worker.settle()
    assert (await world.run())["state"] == "compensated"
    assert world.legacy.done == ["hold", "release"]


async def test_a_refusal_that_made_it_stuck_is_answered_with_what_was_done_by_hand(
    world, call, event, admin, outcomes
):
    async def fulfil(_):
        try:
            return await call("ship")
        except outcomes.declined as refused:
            raise RuntimeError("cannot ship") from refused

    world.code(fulfil)
    world.legacy.faults["ship"] = lambda attempt: outcomes.refused(b"forbidden")
    worker, run_id = await stuck_run(world, event)
    assert (await world.run())["problem"] == "LV1508"
    assert [c.split()[2] for c in (await admin.show(run_id)).commands][:2] == ["resume", "answer"]
    await admin.answer(run_id, "/0", b"7", "ann", "taken there by hand")
    await worker.settle()
    assert ((await world.run())["state"], (await world.run())["result"]) == ("done", b"7")
    assert len(world.legacy.calls) == 1


@pytest.mark.parametrize(("timeout", "told"), [(None, b'"by cheque"'), (600, b'"by cheque"'), (600, None)])
async def test_a_wait_is_answered_with_its_event_or_that_its_time_is_up(world, event, admin, timeout, told):
    async def fulfil(_):
        return await await_step("Paid", "k", timeout=timeout)

    world.code(fulfil)
    worker, run_id = await stuck_run(world, event)
    assert f'levada runs answer {run_id} /0 RESULT --why "..."' in (await admin.show(run_id)).commands
    _, wait = await admin.open_wait(run_id, "/0")
    assert (wait.type, wait.key) == ("Paid", "k")
    await admin.answer_wait(run_id, "/0", told, "ann", "seen on the account")
    await worker.settle()
    found = await world.run()
    assert (found["state"], found["result"]) == ("done", told or b"null")
    assert [(c.action, c.before, c.after) for c in world.audited] == [("answer", "waiting", "scheduled")]
    with pytest.raises(NoOpenCall):
        await admin.answer_wait(run_id, "/0", told, "ann", "again")
    await world.pay("k")
    assert [u.event for u in await admin.unclaimed()] == ["p-1"]


async def test_an_answer_that_an_event_overtakes_is_refused(world, event, admin):
    async def fulfil(_):
        return await await_step("Paid", "k")

    world.code(fulfil)
    worker, run_id = await stuck_run(world, event)

    def pay(_):
        world.store.db.execute("UPDATE levada_wait SET state='closed', event='p-1', value='\"paid\"'")

    world.store.before_commit = pay
    with pytest.raises(NoOpenCall):
        await admin.answer_wait(run_id, "/0", b'"by cheque"', "ann", "seen")
    world.store.before_commit = lambda unit: None
    await worker.settle()
    assert (await world.run())["result"] == b'"paid"'


async def test_a_sleep_ends_when_a_person_says_so(world, event, admin):
    async def fulfil(_):
        await run.sleep(600)
        return 1

    world.code(fulfil)
    worker, run_id = await stuck_run(world, event)
    await admin.answer_wait(run_id, "/0", None, "ann", "the customer called")
    await worker.settle()
    assert (await world.run())["state"] == "done"


@pytest.mark.parametrize("action", ["resume", "compensate", "skip", "answer"])
async def test_a_worker_that_claims_the_run_just_now_keeps_it(world, admin, retrying, action):
    _, first, _, _ = await retrying()
    run_id = first["id"]
    before = list(map(tuple, world.store.db.execute("SELECT * FROM levada_journal")))

    def claim(_):
        world.store.db.execute("UPDATE levada_run SET worker='w', state='running' WHERE id=?", [run_id])

    world.store.before_commit = claim
    with pytest.raises(WrongState, match="is running"):
        step = ("/1", b"7") if action == "answer" else ()
        await getattr(admin, action)(run_id, *step, "ann", "why")
    assert list(map(tuple, world.store.db.execute("SELECT * FROM levada_journal"))) == before
    row = world.store.db.execute("SELECT * FROM levada_run WHERE id=?", [run_id]).fetchone()
    assert (row["worker"], row["state"]) == ("w", "running")


async def test_trying_now_repeats_nothing_that_a_dead_worker_left_unknown(world, call, event, admin):
    async def fulfil(_):
        await call("mail")

    called = asyncio.Event()

    async def hangs():
        called.set()
        await asyncio.Event().wait()

    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE})
    world.legacy.faults["mail"] = lambda attempt: hangs()
    await world.happen(event("e-1"))
    dead = world.worker(lease=1.0)
    await dead.turn()
    await called.wait()
    await dead.kill()
    world.legacy.faults.clear()
    run_id = (await world.run())["id"]
    world.advance(2)
    await world.store.commit(Unit([Statement("runs.workers_expire"), Statement("runs.orphans")]))
    assert (await world.run())["state"] == "scheduled"
    await admin.resume(run_id, "ann")
    await world.worker().settle()
    assert (await world.run())["problem"] == "LV1505"
    assert world.legacy.done == []


async def test_the_runs_of_a_key(world, admin, event, retrying):
    worker, first, second, _ = await retrying()
    await world.happen(event("e-3", key="o-2", data=b'{"n":3}'))
    await worker.settle()
    assert [row.event for row in await admin.list(key="o-1")] == ["e-2", "e-1"]
    assert [row.event for row in await admin.list(key="o-1", limit=1)] == ["e-2"]
    assert [row.event for row in await admin.list(key="o-2")] == ["e-3"]
    await admin.skip(first["id"], "ann", "by hand")
    (skipped,) = await admin.list(State.DONE, key="o-1")
    assert (skipped.id, skipped.again) == (first["id"], None)
    assert (await admin.list(State.SCHEDULED, key="o-1"))[0].id == second["id"]
    assert await admin.list(key="o") == []


async def test_list_and_counts(world, call, event, admin):
    async def fulfil(_):
        await await_step("Paid", "k", timeout=10)

    world.code(fulfil)
    _, run_id = await stuck_run(world, event)
    (listed,) = await admin.list()
    assert (listed.id, listed.state) == (run_id, "waiting")
    assert await admin.list(state="done") == []
    assert await admin.counts() == {"sales/OrderToCash/fulfil/1": {"waiting": 1}}
    (wait,) = (await admin.show(run_id)).waits
    assert (wait.type, wait.key) == ("Paid", "k")


async def test_a_durable_operation_starts_once_a_key(world, call):
    async def place(order):
        return await call("hold", n=order["n"])

    code = world.code(place)
    worker = world.worker()
    first = await start(world.store, code, caller="app", key="k", data=b'{"n":1}', initiator="ann")
    again = await start(world.store, code, caller="app", key="k", data=b'{"n":1}', initiator="ann")
    other = await start(world.store, code, caller="partner", key="k", data=b'{"n":1}', initiator="bob")
    assert (first.new, again.new, other.new) == (True, False, True)
    assert first.run == again.run != other.run
    with pytest.raises(Exception, match="LV1513"):
        await start(world.store, code, caller="app", key="k", data=b'{"n":2}', initiator="ann")
    await worker.settle()
    done = await start(world.store, code, caller="app", key="k", data=b'{"n":1}', initiator="ann")
    assert (done.state, done.result) == ("done", b"1")
    assert world.legacy.done == ["hold", "hold"]


@pytest.mark.parametrize("where", ["handler", "wrapped", "undo"])
async def test_a_refusal_that_made_it_stuck_is_asked_anew_after_resume(
    world, call, event, admin, outcomes, where
):
    async def fulfil(_):
        await call("hold")
        if where == "undo":
            raise run.Compensate("no")
        try:
            await call("ship")
        except outcomes.declined as refused:
            if where == "wrapped":
                raise RuntimeError("cannot ship") from refused
            raise

    async def release(result):
        await call("ship")

    world.code(fulfil, undos={"hold": release})
    world.legacy.faults["ship"] = lambda attempt: outcomes.refused(b"forbidden", declared=where == "undo")
    worker, run_id = await stuck_run(world, event)
    await admin.resume(run_id, "ann")
    await worker.settle()
    assert (await world.run())["state"] == "stuck"
    world.legacy.faults.clear()
    await admin.resume(run_id, "ann")
    await worker.settle()
    assert (await world.run())["state"] == ("compensated" if where == "undo" else "done")
    assert world.legacy.done == ["hold", "ship"]


async def test_what_was_not_done_is_made_and_no_other_call_is_repeated(world, call, event, admin):
    async def fulfil(_):
        await run.gather(call("mail"), call("print"))

    world.code(fulfil, operations=dict.fromkeys(("mail", "print"), Effect.AT_LEAST_ONCE))
    lost = {"mail": iter([True]), "print": iter([True])}

    def broken(name):
        return lambda attempt: Unknown("lost") if next(lost[name], False) else None

    for name in lost:
        world.legacy.faults[name] = broken(name)
    worker, run_id = await stuck_run(world, event)
    shown = await admin.show(run_id)
    steps = {s.operation: s.id for b in shown.root.branches for s in b.steps}
    for step in steps.values():
        assert f'levada runs answer {run_id} {step} --not-done --why "..."' in shown.commands
        assert f'levada runs answer {run_id} {step} RESULT --why "..."' in shown.commands
    with pytest.raises(WhyMissing):
        await admin.not_done(run_id, steps["mail"], "ann", " ")
    await admin.not_done(run_id, steps["mail"], "ann", "the log has nothing")
    await worker.settle()
    assert world.legacy.done == []
    assert (await world.run())["state"] == "stuck"  # the other is still unknown, and not repeated
    with pytest.raises(NoOpenCall, match=rf"lacks no known outcome at step {steps['mail']}; it does at"):
        await admin.not_done(run_id, steps["mail"], "ann", "why")
    await admin.answer(run_id, steps["print"], b"7", "ann", "it lies in the tray")
    await worker.settle()
    world.advance(60)
    await worker.settle()
    assert (await world.run())["state"] == "done"
    assert world.legacy.done == ["mail"]
    assert [c.action for c in world.audited] == ["answer", "answer"]


async def test_what_was_not_done_is_left_out_of_a_run_that_is_undone(world, call, event, admin):
    async def fulfil(_):
        await call("hold")
        await call("mail")

    async def release(result):
        await call("release")

    world.code(fulfil, operations={"mail": Effect.AT_LEAST_ONCE}, undos={"hold": release, "mail": release})
    world.legacy.faults["mail"] = lambda attempt: Unknown("lost")
    worker, run_id = await stuck_run(world, event)
    await admin.compensate(run_id, "ann", "the customer called")
    await worker.settle()
    assert (await world.run())["state"] == "stuck"  # whether there is a mail to undo is not known
    calls = len(world.legacy.calls)
    await admin.not_done(run_id, "/1", "ann", "the log has nothing")
    await worker.settle()
    assert (await world.run())["state"] == "compensated"
    assert world.legacy.done == ["hold", "release"]
    assert len(world.legacy.calls) == calls + 1
