"""Every change of the admin leaves its row; what is done to the rows afterwards is found."""

import sqlite3
from contextlib import closing

import pytest

from levada._errors import LevadaError
from levada.deployment.admin import Admin
from levada.store import open_store
from levada.store.control import Audit, AuditBroken
from levada.store.protocol import Statement, Unit

TOPIC, SUB = "shop.Placed.v1", "shop/Orders/v1/fulfil"


async def run(store, name, state="stuck"):
    values = dict.fromkeys(("event", "subscription", "topic", "part", "pos", "key", "lane", "since"))
    values |= {"run": name, "keyed": name, "code": "shop/Orders.v1/fulfil/1", "type": "", "generation": 0}
    values |= {"across": 0, "input": b"{}", "initiator": "t", "traceparent": ""}
    stick = {"run": name, "worker": "w", "problem": "LV1508", "reason": "broken"}
    begin = {"worker": "w", "epoch": 1, "lease": 60_000_000, "host": "h"}
    await store.commit(Unit([Statement("runs.worker_begin", begin), Statement("runs.add", values, 1)]))
    claim = {"worker": "w", "codes": '["shop/Orders.v1/fulfil/1"]', "n": 1}
    outcome = await store.commit(Unit([Statement("runs.claim", claim, 1), Statement("runs.stick", stick, 1)]))
    assert outcome.committed


async def park(store, name):
    values = {
        "id": name,
        "subscription": SUB,
        "generation": 1,
        "again": 0,
        "event_id": f"e-{name}",
        "key": None,
    }
    values |= {"topic": TOPIC, "part": 0, "pos": 0, "state": "parked", "reason": "schema", "detail": "x"}
    values |= {"attempts": 1, "delay": 0, "appended": 0, "head": b"{}", "data": b"{}", "format": 1}
    await store.commit(Unit([Statement("parked.add", values, 1)]))


CHANGES = {
    "runs.resume": ({"run": "r-1"}, {"before": "stuck", "after": "scheduled"}),
    "runs.skip": ({"run": "r-1"}, {"before": "stuck", "after": "done"}),
    "runs.compensate": ({"run": "r-1"}, {"before": "stuck", "after": "compensating"}),
    "events.resume": ({"id": "p-1"}, None),
    "events.skip": ({"id": "p-1"}, None),
    "events.pause": ({"name": SUB}, None),
    "events.continue": ({"name": SUB}, None),
    "events.replay": ({"name": SUB, "again": True}, None),
}
OBLIGATORY = {"runs.skip", "runs.compensate", "events.skip", "events.pause", "events.replay"}


@pytest.fixture
async def admin(tmp_path):
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    admin = Admin(store)
    admin.path = tmp_path / "levada.db"
    await admin.log.create(TOPIC)
    await admin.events.subscriptions.declare(SUB, [TOPIC])
    await run(store, "r-1")
    await park(store, "p-1")
    yield admin
    await store.close()


async def test_every_change_is_tried_here_or_on_its_own(admin):
    others = {
        "runs.answer",
        "subjects.forget",
        "subjects.export",
        "subjects.rewrap",
        "requests.refuse",
        "db.backup",
        "db.purge",
    }
    assert {*admin._changes, *admin._others} <= {*CHANGES, *others}


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_leaves_who_what_why_before_and_after(admin, action):
    arguments, states = CHANGES[action]
    await admin.do(action, {**arguments, "why": "a test"}, who="anna")
    (row,) = await admin.do("audit.list", {}, who="t")
    target = next(iter(arguments.values()))
    assert (row["who"], row["action"], row["target"], row["why"]) == ("anna", action, target, "a test")
    assert row["before"] is not None
    if states is not None:
        assert (row["before"], row["after"]) == (states["before"], states["after"])
    assert await admin.do("audit.verify", {}, who="t") == 1


def rows_of(path):
    with closing(sqlite3.connect(path)) as db:
        return [line for line in db.iterdump() if "'now'" not in line]


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_that_is_only_tried_leaves_nothing_and_can_be_made_after_it(admin, action):
    asked = {**CHANGES[action][0], "why": "a test"}
    before = rows_of(admin.path)
    tried = [await admin.do(action, asked, who="anna", dry_run=True) for _ in range(2)]
    assert rows_of(admin.path) == before
    done = await admin.do(action, asked, who="anna")
    assert tried == [done, done]


@pytest.mark.parametrize("action", CHANGES)
async def test_what_cannot_be_done_cannot_be_tried(admin, action):
    arguments = CHANGES[action][0]
    wrong = {name: "nothing" if name in ("run", "id", "name") else value for name, value in arguments.items()}
    told = []
    for dry_run in (True, False):
        with pytest.raises(LevadaError) as refused:
            await admin.do(action, {**wrong, "why": "a test"}, who="anna", dry_run=dry_run)
        told.append((refused.value.code, str(refused.value)))
    assert told[0] == told[1]


@pytest.mark.parametrize("action", sorted(OBLIGATORY))
@pytest.mark.parametrize("why", [None, "", "  "])
async def test_what_loses_or_repeats_something_needs_a_reason_and_does_nothing_without(admin, action, why):
    given = {} if why is None else {"why": why}
    with pytest.raises(LevadaError):
        await admin.do(action, {**CHANGES[action][0], **given}, who="anna")
    assert await admin.do("audit.list", {}, who="t") == []
    assert (await admin.store.read("runs.one", {"run": "r-1"}))[0]["state"] == "stuck"
    assert len(await admin.store.read("parked.get", {"id": "p-1"})) == 1


async def test_a_backup_is_audited(admin, tmp_path):
    await admin.do("db.backup", {"file": str(tmp_path / "b.db"), "why": "monday"}, who="anna")
    (row,) = await admin.do("audit.list", {}, who="t")
    assert (row["action"], row["target"], row["why"]) == ("db.backup", str(tmp_path / "b.db"), "monday")


DAMAGE = {
    "a word altered": ("UPDATE levada_audit SET who = 'mallory' WHERE seq = 3", 3),
    "what was before altered": ("UPDATE levada_audit SET before = '{}' WHERE seq = 2", 2),
    "the first row gone": ("DELETE FROM levada_audit WHERE seq = 1", 1),
    "the first rows gone": ("DELETE FROM levada_audit WHERE seq < 4", 1),
    "one from the middle gone": ("DELETE FROM levada_audit WHERE seq = 3", 3),
    "the last row cut off": ("DELETE FROM levada_audit WHERE seq = 5", 5),
    "the last rows cut off": ("DELETE FROM levada_audit WHERE seq > 2", 3),
    "all of it gone": ("DELETE FROM levada_audit", 1),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_was_done_to_the_rows_is_found_with_the_place(admin, damage):
    audit = Audit(admin.store)
    for n in range(5):
        await audit.add(who="anna", action="test", target=str(n), before={"n": n})
    assert await audit.verify() == 5
    sql, place = DAMAGE[damage]
    with closing(sqlite3.connect(admin.path)) as db, db:
        assert db.execute(sql).rowcount >= 1
    with pytest.raises(AuditBroken, match=f"row {place}:"):
        await audit.verify()


async def test_a_mark_kept_elsewhere_finds_a_chain_that_was_made_anew(admin):
    audit = Audit(admin.store)
    for n in range(3):
        kept = await audit.add(who="anna", action="test", target=str(n))
    assert await audit.verify(kept.mark) == 3
    with closing(sqlite3.connect(admin.path)) as db, db:
        db.execute("DELETE FROM levada_audit")
        db.execute("DELETE FROM levada_meta WHERE name = 'audit_head'")
    for n in range(4):
        await audit.add(who="mallory", action="test", target=str(n))
    assert await audit.verify() == 4
    with pytest.raises(AuditBroken, match="row 3: it is another row"):
        await audit.verify(kept.mark)
