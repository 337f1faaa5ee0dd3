import asyncio
import contextlib
import gc
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levada.process import _states, run
from levada.process._canonical import canonical
from levada.process._core import Broken, Core, Raised, Returned
from levada.process._errors import ForeignAwait, NotInRun, RunChanged, StepsExhausted
from levada.process._journal import Entry, EntryKind, replay
from levada.process._steps import Kind, Suspended, call_step, current_core


class Refused(Exception):
    pass


def call(name, **arguments):
    return call_step(name, arguments)


def ids(steps):
    return [step.id for step in steps]


def known(core, steps_by_id, step, value):
    entry = Entry(0, EntryKind.KNOWN, step.id, step.operation, step.arguments, canonical(value))
    return entry, core.give(step.id, value)


def test_steps_are_numbered_by_branch_and_ordinal_when_made():
    async def handler():
        await call("a")
        await run.gather(two("b"), two("c"))
        await call("d")

    async def two(name):
        await call(name)
        await call(name)

    core = Core(handler())
    assert ids(core.start()) == ["/0"]
    assert ids(core.give("/0")) == ["0/0", "1/0"]
    assert ids(core.give("1/0")) == ["1/1"]
    assert ids(core.give("0/0")) == ["0/1"]
    assert ids(core.give("0/1")) == []
    assert ids(core.give("1/1")) == ["/1"]
    core.give("/1")
    assert core.ended == Returned(None)


def test_equal_calls_in_a_gather_keep_their_own_results():
    async def handler():
        return await run.gather(*(call("reserve", line="same") for _ in range(3)))

    core = Core(handler())
    core.start()
    for step, value in (("2/0", "third"), ("0/0", "first"), ("1/0", "second")):
        core.give(step, value)
    assert core.ended == Returned(("first", "second", "third"))


def test_race_is_decided_by_the_order_of_answers_and_losers_reach_nothing():
    undone = []

    async def loser():
        try:
            await run.sleep(60)
        finally:
            undone.append("finally")
            await call("live")
            undone.append("never")

    async def handler():
        return await run.race(loser(), call("fast"))

    core = Core(handler())
    assert ids(core.start()) == ["0/0", "1/0"]
    assert core.give("1/0", 7) == []
    assert core.ended == Returned((1, 7))
    assert undone == ["finally"]
    assert core.withdrawn() == ["0/0"]
    assert core.outstanding == {}


def test_a_call_that_lost_a_race_stays_outstanding_until_known():
    async def handler():
        return await run.race(call("slow"), call("fast"))

    core = Core(handler())
    core.start()
    core.give("1/0", 1)
    assert list(core.outstanding) == ["0/0"]
    assert core.give("0/0", 2) == []
    assert core.ended == Returned((1, 1))


def test_the_first_problem_of_a_gather_is_raised_as_itself():
    async def handler():
        await run.gather(call("a"), call("b"))

    core = Core(handler())
    core.start()
    problem = Refused()
    core.refuse("1/0", problem)
    assert core.ended == Raised(problem, declared=True, step="1/0")


def test_a_problem_of_the_handler_is_not_declared():
    async def handler():
        raise KeyError("x")

    core = Core(handler())
    core.start()
    assert isinstance(core.ended, Raised)
    assert not core.ended.declared


@pytest.mark.parametrize(
    "foreign",
    [
        lambda: asyncio.sleep(0),
        lambda: asyncio.sleep(1),
        lambda: asyncio.wait_for(call("x"), 1),
        lambda: asyncio.to_thread(print),
        lambda: asyncio.Event().wait(),
        lambda: _timeout(),
        lambda: _group(),
        lambda: _task(),
        lambda: _gather(),
        lambda: _loop(),
        lambda: _completed(),
        lambda: _future(),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_foreign_awaits_are_refused_with_an_error_that_names_ours(foreign):
    async def handler():
        with contextlib.suppress(Exception):  # a handler that swallows it does not get through either
            await foreign()
        await call("after")

    core = Core(handler())
    assert core.start() == []
    assert isinstance(core.ended, Broken)
    assert isinstance(core.ended.error, ForeignAwait)
    assert "levada.run" in str(core.ended.error)
    core.close()
    assert asyncio.get_running_loop() is not None
    gc.collect()  # what was never awaited is told here, where it is expected, and not in a later test


async def _timeout():
    async with asyncio.timeout(1):
        await call("x")


async def _group():
    async with asyncio.TaskGroup() as group:
        group.create_task(call("x"))


async def _task():
    await asyncio.create_task(call("x"))


async def _gather():
    await asyncio.gather(call("x"), call("y"))


async def _loop():
    asyncio.get_running_loop().call_later(1, print)


async def _completed():
    for next_one in asyncio.as_completed([call("x")]):
        await next_one


async def _future():
    await _FOREIGN


class _Foreign:
    def __await__(self):
        yield object()


_FOREIGN = _Foreign()


def test_suspension_runs_finally_without_reaching_anything():
    seen = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            seen.append("generator")
            await call("live")
            seen.append("never")

    async def handler():
        try:
            async for _ in numbers():
                await call("first")
        except Exception:  # what a handler may well do
            seen.append("never")
        finally:
            seen.append("handler")
            with pytest.raises(Suspended):
                await call("live")
            await call("live again")
            seen.append("never")

    core = Core(handler())
    core.start()
    core.close()
    assert sorted(seen) == ["generator", "handler"]
    assert current_core() is None


def test_steps_outside_a_run_say_so():
    with pytest.raises(NotInRun, match=r"run\.now"):
        run.now().send(None)


def test_a_thousand_steps_warn_and_ten_thousand_are_the_end():
    async def handler():
        while True:
            await call("again")

    core = Core(handler())
    steps = core.start()
    while steps:
        steps = core.give(steps[0].id)
        assert core.long == (core.made > 1_000)
    assert core.made == 10_001
    assert isinstance(core.ended, Broken)
    assert isinstance(core.ended.error, StepsExhausted)


def replayed(handler, entries):
    core = Core(handler())
    replay(core, entries, lambda c, e, _s: c.give(e.step, msgspec.json.decode(e.value)))
    return core


def charge(amount, then="b"):
    async def handler():
        first = await call("charge", amount=amount)
        await call(then, first=first)

    return handler


def test_replay_refuses_an_edited_amount_before_anything_runs_live():
    core = Core(charge("10")())
    (step,) = core.start()
    entry, _ = known(core, {}, step, 1)
    after = replayed(charge("11"), [entry])
    assert isinstance(after.ended, Broken)
    assert isinstance(after.ended.error, RunChanged)
    assert '"10"' in after.ended.error.message
    assert '"11"' in after.ended.error.message


def test_replay_refuses_an_edited_step_whose_intent_alone_is_journaled():
    core = Core(charge("10")())
    (step,) = core.start()
    entry, (second,) = known(core, {}, step, 1)
    intent = Entry(1, EntryKind.INTENT, second.id, second.operation, second.arguments)
    assert replayed(charge("10"), [entry, intent]).ended is None
    assert isinstance(replayed(charge("10", then="c"), [entry, intent]).ended, Broken)


class Line(msgspec.Struct, frozen=True):
    sku: str
    price: Decimal = Decimal(0)
    tags: frozenset[str] = frozenset()


def test_arguments_are_compared_as_values():
    assert canonical({"a": Decimal("1.0"), "b": 2}) == canonical({"b": 2, "a": Decimal("1.00")})
    assert canonical(Line("x")) == canonical(Line("x", Decimal(0), frozenset())) == canonical({"sku": "x"})
    assert canonical({"c", "a", "b"}) == canonical(frozenset("bca"))
    assert canonical(Line("x", Decimal("2.50"))) == b'{"price":"2.5","sku":"x"}'
    assert canonical({"a": True}) != canonical({"a": 1})
    assert canonical(timedelta(days=1)) == canonical(timedelta(hours=24))


def test_the_picture_of_the_states_is_what_the_code_does():
    assert _states.__doc__ is not None
    assert _states.picture() in _states.__doc__


# A program is a tree: what a branch does one after another.
programs = st.recursive(
    st.sampled_from([Kind.CALL, Kind.SLEEP, Kind.NOW]),
    lambda inner: st.tuples(
        st.sampled_from(["gather", "race", "try"]),
        st.lists(st.lists(inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=12,
)


async def interpret(program, seen):
    for item in program:
        if item is Kind.CALL:
            seen.append(await call("op", n=len(seen)))
        elif item is Kind.SLEEP:
            await run.sleep(1)
        elif item is Kind.NOW:
            seen.append((await run.now()).isoformat())
        elif item[0] == "try":
            try:
                for branch in item[1]:
                    await interpret(branch, seen)
            except Refused as refused:
                seen.append(refused.args)
        else:
            how = run.gather if item[0] == "gather" else run.race
            seen.append(await how(*(interpret(branch, seen) for branch in item[1])))
    return len(seen)


def answer(core, entry, _step):
    if entry.kind is EntryKind.REFUSED:
        return core.refuse(entry.step, Refused(entry.step))
    return core.give(entry.step, msgspec.json.decode(entry.value))


def intent(step):
    return Entry(-1, EntryKind.INTENT, step.id, step.operation, step.arguments)


def state(core, seen):
    ended = core.ended
    if isinstance(ended, Raised):
        ended = (type(ended.error), ended.error.args, ended.declared)
    return list(core.outstanding.items()), repr(ended), core.made, [repr(x) for x in seen]


@settings(max_examples=300, deadline=None)
@given(st.lists(programs, max_size=4), st.data())
def test_replay_of_any_prefix_equals_life(program, data):
    life_seen = []
    life = Core(interpret(program, life_seen))
    journal = [intent(step) for step in life.start()]
    count = 0
    while life.outstanding and count < 40:
        step = data.draw(st.sampled_from(list(life.outstanding.values())))
        refused = step.kind is Kind.CALL and data.draw(st.booleans())
        entry = Entry(
            count,
            EntryKind.REFUSED if refused else EntryKind.KNOWN,
            step.id,
            step.operation,
            step.arguments,
            canonical(count),
        )
        journal.append(entry)
        journal.extend(intent(new) for new in answer(life, entry, step))
        count += 1
        if data.draw(st.integers(0, 3)) == 0:
            again_seen = []
            again = Core(interpret(program, again_seen))
            replay(again, journal, answer)
            assert state(again, again_seen) == state(life, life_seen)
            again.close()
    again_seen = []
    again = Core(interpret(program, again_seen))
    replay(again, journal, answer)
    assert state(again, again_seen) == state(life, life_seen)
    life.close()
    again.close()
