"""Audit, facts, answers by key, call records, plans, access and keys, on each database."""

import asyncio

import pytest

from levada.store import Statement, StoreUnknown, Unit, VirtualClock, open_store
from levada.store.control import (
    Access,
    Audit,
    AuditBroken,
    CallCounts,
    Calls,
    Facts,
    Idempotency,
    Keys,
    Plan,
    Plans,
)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request, closing, clock, tmp_path):
    if request.param == "sqlite":
        return await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}", clock=clock))
    return await closing(open_store(request.getfixturevalue("database")))


async def altered(store, sql):
    """Somebody goes past the store."""
    if store.dialect == "postgresql":
        await store._writer.raw.execute(sql)
    else:
        await asyncio.to_thread(store._writer.execute, sql)


# -- audit ------------------------------------------------------------------------------


async def filled(store, n=6):
    audit = Audit(store)
    for i in range(n):
        await audit.add(who="ann", action="skip", target=f"run {i}", why="é", before={"n": i}, after=None)
    return audit


async def test_the_audit_tells_who_when_why_before_and_after(store):
    audit = await filled(store)
    assert await audit.verify() == 6
    rows = [row async for row in audit.rows()]
    assert [r.seq for r in rows] == [1, 2, 3, 4, 5, 6]
    assert (rows[2].who, rows[2].why, rows[2].before, rows[2].after) == ("ann", "é", b'{"n":2}', None)


@pytest.mark.parametrize(
    "change",
    [
        "who = 'bob'", "why = NULL", "at = at + 1", "before = NULL", "after = before", "target = 'run 9'",
        "action = 'resume'", "hash = prev", "prev = hash",
    ],
)  # fmt: skip
async def test_an_altered_audit_row_is_found(store, change):
    audit = await filled(store)
    await altered(store, f"UPDATE levada_audit SET {change} WHERE seq = 3")
    with pytest.raises(AuditBroken, match="row 3"):
        await audit.verify()


async def test_a_removed_audit_row_is_found(store):
    audit = await filled(store)
    await altered(store, "DELETE FROM levada_audit WHERE seq = 3")
    with pytest.raises(AuditBroken, match="row 3"):
        await audit.verify()


async def test_a_removed_row_behind_which_the_others_moved_up_is_found(store):
    audit = await filled(store)
    await altered(store, "DELETE FROM levada_audit WHERE seq = 6")
    await altered(store, "DELETE FROM levada_audit WHERE seq = 3")
    for seq in (4, 5):
        await altered(store, f"UPDATE levada_audit SET seq = {seq - 1} WHERE seq = {seq}")
    with pytest.raises(AuditBroken, match="row 3"):
        await audit.verify()


async def test_an_inserted_audit_row_is_found(store):
    audit = await filled(store)
    for seq in (6, 5, 4):
        await altered(store, f"UPDATE levada_audit SET seq = {seq + 1} WHERE seq = {seq}")
    columns = "at, who, action, target, why, before, after, prev, hash"
    await altered(
        store,
        f"INSERT INTO levada_audit (seq, {columns}) SELECT 4, {columns} FROM levada_audit WHERE seq = 3",
    )
    with pytest.raises(AuditBroken, match="row 4"):
        await audit.verify()


async def test_many_at_once_make_one_chain(store):
    audit = Audit(store)
    await asyncio.gather(*(audit.add(who=str(n), action="a", target="t") for n in range(20)))
    assert await audit.verify() == 20
    assert {row.who async for row in audit.rows()} == {str(n) for n in range(20)}


async def test_a_change_and_its_audit_row_come_together_or_not_at_all(store):
    audit = Audit(store)
    change = Statement("meta.set", {"name": "limit", "value": "7"}, 1)
    row, outcome = await audit.commit(Unit([change]), who="ann", action="set", target="limit", after=7)
    assert outcome.committed
    assert len(outcome.rows) == 1
    assert row is not None
    refused = Statement("meta.get", {"name": "nothing"}, 1)
    row, outcome = await audit.commit(Unit([change, refused]), who="ann", action="set", target="limit")
    assert (row, outcome.refused) == (None, 1)
    assert await audit.verify() == 1


# -- facts ------------------------------------------------------------------------------


async def test_facts_are_kept_in_order_and_once(store):
    facts = Facts(store, "test")
    await facts.add("deployed", api="sales/Customers/v2", ref="abc", once="deployed abc")
    await facts.add("deployed", api="sales/Customers/v2", ref="abc", once="deployed abc")
    await facts.add("incident", api="sales/Customers/v2", status="declared", source="ann")
    found = await facts.read()
    assert [(f.kind, f.status, f.source, f.environment) for f in found] == [
        ("deployed", "measured", "levada", "test"), ("incident", "declared", "ann", "test"),
    ]  # fmt: skip
    assert [f.kind for f in await facts.read("incident")] == ["incident"]
    assert await facts.read(since=found[1].at + 1) == []


# -- answers by key ---------------------------------------------------------------------

PLACE = {"caller": "app", "operation": "sales/Orders/v1.place", "key": "k"}


async def test_a_repeat_gets_the_first_answer(store):
    records = Idempotency(store)
    first = await records.begin(**PLACE, digest=b"d")
    assert first.state == "taken"
    assert (await records.begin(**PLACE, digest=b"d")).state == "in_flight"
    assert (await records.begin(**PLACE, digest=b"other")).state == "mismatch"
    assert (await store.commit(Unit(records.done(**PLACE, token=first.token, response=b"201")))).committed
    repeated = await records.begin(**PLACE, digest=b"d")
    assert (repeated.state, repeated.response) == ("done", b"201")
    assert (await records.begin(**PLACE, digest=b"other")).state == "mismatch"
    assert (await records.begin(**{**PLACE, "caller": "other"}, digest=b"other")).state == "taken"


async def test_one_of_many_at_once_takes_a_key(store):
    records = [Idempotency(store) for _ in range(4)]
    taken = await asyncio.gather(*(r.begin(**PLACE, digest=b"d") for r in records for _ in range(8)))
    assert sorted(t.state for t in taken) == ["in_flight"] * 31 + ["taken"]


async def test_a_call_that_left_nothing_gives_its_key_back(store):
    records = Idempotency(store)
    taken = await records.begin(**PLACE, digest=b"d")
    await records.release(**PLACE, token="of somebody else")
    assert (await records.begin(**PLACE, digest=b"d")).state == "in_flight"
    await records.release(**PLACE, token=taken.token)
    assert (await records.begin(**PLACE, digest=b"another")).state == "taken"


async def test_a_holder_that_died_loses_the_key_and_its_late_answer_is_refused(store):
    dead, living = Idempotency(store, lease=0), Idempotency(store)
    lost = await dead.begin(**PLACE, digest=b"d")
    await asyncio.sleep(0.002)
    assert (await living.begin(**PLACE, digest=b"other")).state == "mismatch"
    assert (await living.begin(**PLACE, digest=b"d")).state == "taken"
    late = [
        Statement("meta.set", {"name": "late", "value": "1"}),
        *dead.done(**PLACE, token=lost.token, response=b"late"),
    ]
    assert not (await store.commit(Unit(late))).committed
    assert await store.read("meta.get", {"name": "late"}) == []


async def test_answers_are_forgotten_in_time_and_not_before(store):
    kept, over = Idempotency(store), Idempotency(store, keep=-1)
    taken = await kept.begin(**PLACE, digest=b"d")
    await store.commit(Unit(kept.done(**PLACE, token=taken.token, response=b"kept")))
    other = {**PLACE, "key": "other"}
    taken = await over.begin(**other, digest=b"d")
    await store.commit(Unit(over.done(**other, token=taken.token, response=b"over")))
    await kept.clean()
    assert (await kept.begin(**PLACE, digest=b"d")).state == "done"
    assert await store.read("idempotency.get", other) == []


# -- call records -----------------------------------------------------------------------


def counts(minute=1, operation="sales/Orders/v1.place", **values):
    named = {"environment": "test", "consumer": "app", "client": "web"}
    return CallCounts(minute=minute, operation=operation, **named, **values)


async def test_counts_of_processes_and_batches_add_up(store):
    one, two = Calls(store), Calls(store)
    for calls in (one, two, one):
        await calls.add(
            [
                counts(ok=2, declared=1, microseconds=30, latency=(0, 1, 0, 2), problems={"sold-out": 1}),
                counts(2, ok=1),
            ]
        )
    found = await one.read(1, 3)
    assert found == [
        counts(ok=6, declared=3, microseconds=90, latency=(0, 3, 0, 6), problems={"sold-out": 3}), counts(2, ok=3),
    ]  # fmt: skip
    assert await one.read(2, 3) == [counts(2, ok=3)]


async def test_a_batch_of_unknown_outcome_counts_once(store):
    class Loses:
        """Commits, and does not hear of it."""

        def __init__(self, does):
            self.does = does
            self.lost = 1

        def __getattr__(self, name):
            return getattr(store, name)

        async def commit(self, unit):
            if self.lost:
                self.lost -= 1
                if self.does:
                    await store.commit(unit)
                raise StoreUnknown(reason="The connection went away.")
            return await store.commit(unit)

    for n, does in enumerate((True, False)):
        calls = Calls(Loses(does))
        with pytest.raises(StoreUnknown):
            await calls.add([counts(n, ok=1)])
        await calls.add([counts(n, ok=10)])
        assert await calls.read(n, n + 1) == [counts(n, ok=11)]


async def test_many_processes_add_to_the_same_rows_at_once(store):
    processes = [Calls(store) for _ in range(8)]
    rows = [counts(operation=f"o {n}", ok=1, latency=(1,)) for n in range(10)]
    await asyncio.gather(
        *(p.add(rows if n % 2 else rows[::-1]) for n, p in enumerate(processes) for _ in range(5))
    )
    assert {c.ok for c in await processes[0].read(0, 9)} == {40}


async def test_old_minutes_are_forgotten(store):
    calls = Calls(store)
    await calls.add([counts(1, ok=1, latency=(1,)), counts(2, ok=1, latency=(1,))])
    await calls.clean(2)
    assert [c.minute for c in await calls.read(0, 9)] == [2]
    assert await store.read("call.read_parts", {"since": 0, "until": 2}) == []


# -- plans, access, keys ----------------------------------------------------------------


async def test_plans_are_kept_and_changed(store):
    plans = Plans(store)
    await plans.put(Plan(product="sales", plan="gold", rate=100, per=60, needs="approval", body={"price": 7}))
    await plans.put(Plan(product="sales", plan="bronze", quota=1000))
    await plans.put(Plan(product="sales", plan="gold", rate=200, per=60))
    assert await plans.list() == [
        Plan(product="sales", plan="bronze", quota=1000), Plan(product="sales", plan="gold", rate=200, per=60),
    ]  # fmt: skip


ASK = {"consumer": "app", "product": "sales", "plan": "gold", "environment": "test", "who": "ann"}


async def test_access_is_asked_for_once_and_decided_once(store):
    access = Access(store)
    row = await access.ask(**ASK)
    assert row is not None
    assert row.state == "asked"
    assert await access.ask(**ASK) is None
    decided = await asyncio.gather(
        *(access.decide(row.id, state, seen="asked", who="bob") for state in ("granted", "refused"))
    )
    assert sorted(decided) == [False, True]
    (now,) = await access.list(consumer="app")
    assert now.who == "bob"
    assert now.decided is not None


async def test_who_was_refused_may_ask_again(store):
    access = Access(store)
    first = await access.ask(**ASK)
    await access.decide(first.id, "refused", seen="asked", who="bob", why="no contract")
    second = await access.ask(**ASK, granted=True)
    assert second.state == "granted"
    assert await access.get(first.id) is None


KEY = {"consumer": "app", "product": "sales", "plan": "gold", "environment": "test", "secret": b"\x00sealed"}


async def test_a_key_lives_until_it_is_revoked(store):
    keys = Keys(store)
    made = await keys.add(id="k1", **KEY)
    assert made == await keys.get("k1")
    assert await keys.add(id="k1", **KEY) is None
    assert [k.id for k in await keys.live("test")] == ["k1"]
    assert await keys.live("production") == []
    assert await keys.revoke("k1")
    assert not await keys.revoke("k1")
    assert await keys.live("test") == []
    assert [k.id for k in await keys.list("app")] == ["k1"]


async def test_a_key_ends_at_its_time_and_only_ever_earlier(store):
    keys = Keys(store)
    now = await store.now()
    await keys.add(id="old", **KEY, expires=now - 1)
    await keys.add(id="new", **KEY, expires=now + 10**9)
    assert [k.id for k in await keys.live("test")] == ["new"]
    assert not await keys.expire("new", now + 2 * 10**9)
    assert await keys.expire("new", now - 1)
    assert await keys.live("test") == []


async def test_a_changed_key_wakes_the_gateway(store):
    keys = Keys(store)
    async with store.listen("keys") as wakes:
        await keys.add(id="k", **KEY)
        assert await asyncio.wait_for(anext(wakes), 10) == "keys"


async def test_a_secret_is_not_shown(store):
    made = await Keys(store).add(id="k1", **KEY)
    assert "sealed" not in repr(made)
