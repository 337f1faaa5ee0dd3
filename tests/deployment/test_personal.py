"""Personal data at rest: nowhere in clear, opened for handlers, forgotten for good."""

import asyncio
import base64
import json
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from enum import Enum
from time import monotonic
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from tests.deployment.personal_shop import (
    MAIL,
    NAME,
    PAYER,
    SECRETS,
    STREET,
    Closed,
    Moved,
    Movers,
    NewOrder,
    Orders,
    Paid,
    Placed,
    Post,
    recalled,
    seen,
    sent,
)

from levada import FORGOTTEN, Event, Personal, ProcessAPI, Publishes, http, testing, upcaster
from levada.app import App, Caller, Context, Settings
from levada.app.context import _current
from levada.connect import open_resource
from levada.contract import event_type
from levada.contract.standard import InternalError
from levada.deployment import StoreRuntime
from levada.deployment._sinks import _unfit
from levada.deployment.admin import Admin
from levada.deployment.admin_masks import MASK, Masks
from levada.deployment.personal import Masters, Vault
from levada.deployment.personal._events import open_event, prepare_event, seal_event, seal_prepared
from levada.deployment.personal._vault import BLANK
from levada.deployment.personal.errors import (
    MasterMissing,
    MasterUnknown,
    PersonalUnprotected,
    SealedWrongly,
    SubjectBusy,
    SubjectMissing,
    SubjectUnknown,
)
from levada.deployment.runtime import RuntimeSettings
from levada.process.worker import Settings as WorkerSettings
from levada.store import open_store
from levada.store.protocol import Statement, Unit

ORDER = NewOrder("o-1", "c-1", NAME, MAIL)
OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture(autouse=True)
def _clean():
    for kept in (sent, recalled, seen):
        kept.clear()


def in_clear(image: bytes) -> list[str]:
    """Which of the secrets stand in some bytes, as text, as JSON, as base64 or as hexadecimal digits."""
    found = []
    for secret in SECRETS:
        escaped = json.dumps(secret)[1:-1].encode()
        text = secret.encode()
        coded = [base64.b64encode(b"x" * shift + text)[4:-4] for shift in range(3)]
        if any(form in image for form in (text, escaped, text.hex().encode(), *coded)):
            found.append(secret)
    return found


def image_of(net) -> bytes:
    return net.store._writer.serialize()


# -- nowhere in clear --------------------------------------------------------------------


async def test_nothing_personal_is_in_clear_wherever_the_worker_dies():
    images = []

    async def scenario(net):
        sent.clear()
        await net[Orders].place(ORDER)
        await net.settle()
        await net[Orders].pay("o-1", "p-9", PAYER)
        assert await net.runs() == {"done": 1}
        (closed,) = await net.published(Closed)
        assert closed.name == NAME
        assert {NAME, STREET, PAYER} == set(sent)
        images.append(image_of(net))

    crashes = await testing.at_every_crash(lambda: [Orders, Post], scenario)
    assert crashes >= 10
    assert [in_clear(image) for image in images] == [[]] * len(images)


async def test_what_is_undone_is_opened_for_the_undo_and_its_reason_is_masked():
    async with testing.network(Orders, Post) as net:
        await net[Orders].place(ORDER)
        await net.advance(timedelta(hours=23))
        await net.restart()
        await net.advance(timedelta(hours=2))
        assert await net.runs() == {"compensated": 1}
        assert [NAME in text or STREET in text for text in recalled] == [True, True]
        (row,) = await net.store.read("runs.list", {"state": None, "before": 1 << 60, "n": 9})
        assert row["reason"] == "••• at ••• did not pay"
        assert in_clear(image_of(net)) == []


async def test_an_event_that_a_person_tells_a_run_is_sealed():
    async with testing.network(Orders, Post) as net:
        admin = Admin(net.store)
        admin.know(net.app, net._runtime.personal)
        await net[Orders].place(ORDER)
        await net.settle()
        (row,) = await admin.do("runs.list", {}, who="anna")
        shown = await admin.do("runs.show", {"run": row["id"]}, who="anna")
        (wait,) = shown["waits"]
        paid = json.dumps({"order": "o-1", "payer_id": "p-9", "payer": PAYER})
        said = {"run": row["id"], "step": wait["step"], "value": paid, "why": "by cheque"}
        await admin.do("runs.answer", said, who="anna")
        assert in_clear(image_of(net)) == []
        await net.settle()
        assert await net.runs() == {"done": 1}
        assert PAYER in sent
        assert in_clear(image_of(net)) == []


async def test_a_durable_operation_and_a_kept_answer_are_sealed_and_answer_the_same_again():
    async with testing.network(Orders, Post) as net:
        context = Context(
            deadline=monotonic() + 30, caller=Caller(subject="t", scopes=frozenset({"*"})), key="k-1"
        )
        token = _current.set(context)
        try:
            for _ in range(2):
                assert await net[Orders].durably(ORDER) == f"Dear {NAME}: {MAIL}"
                assert await net[Orders].place(ORDER) == ORDER
        finally:
            _current.reset(token)
        assert sent.count(NAME) >= 1
        assert in_clear(image_of(net)) == []


def test_the_test_of_clear_text_can_fail():
    for form in (MAIL.encode(), base64.b64encode(f'{{"a":"{MAIL}"}}'.encode()), MAIL.encode().hex().encode()):
        assert in_clear(b"..." + form + b"...") == [MAIL]


# -- on a file, and on PostgreSQL --------------------------------------------------------


@asynccontextmanager
async def served(url, *parts, secret=OLD, former=(), resources=None, work=True):
    store = await open_store(url)
    app = App(*parts, resources=resources, settings=Settings(environment="test"))
    settings = RuntimeSettings(work=work, poll=0.02, worker=WorkerSettings(lease=1.0, poll=0.02))
    masters = Masters(lambda: secret, [lambda one=one: one for one in former])
    runtime = StoreRuntime(app, store, settings, masters=masters)
    token = _current.set(Context(caller=Caller(subject="t", scopes=frozenset({"*"}))))
    admin = Admin(store)
    admin.know(app, runtime.personal)
    try:
        async with app:
            yield app, store, admin
    finally:
        _current.reset(token)
        await store.close()


async def until(condition, seconds=20.0):
    end = monotonic() + seconds
    while not await condition():
        assert monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)


async def states(store):
    return {row["state"]: row["runs"] for row in await store.read("runs.counts")}


def raw(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


async def test_a_file_its_write_ahead_log_and_a_systems_own_outbox_hold_nothing_in_clear(tmp_path):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    movers = open_resource("movers", {"url": f"sqlite:{tmp_path / 'movers.db'}"})
    async with served(url, Orders, Post, Movers, resources={"movers": movers}) as (app, store, admin):
        await app[Orders].place(ORDER)
        token = _current.set(Context(caller=Caller(subject="t", scopes=frozenset({"*"})), key="m-1"))
        await app[Movers].move("c-1", STREET)
        _current.reset(token)
        await app[Orders].pay("o-1", "p-9", PAYER)

        async def done():
            return await states(store) == {"done": 1}

        await until(done)

        async def relayed():
            return bool(await admin.do("events.tail", {"topic": "shop.Moved.v1"}, who="t"))

        await until(relayed)
        with closing(sqlite3.connect(tmp_path / "movers.db")) as db:
            assert db.execute("SELECT count(*) FROM levada_outbox").fetchone() == (1,)
        assert (tmp_path / "levada.db-wal").stat().st_size > 0
        assert in_clear(raw(tmp_path)) == []
        (moved,) = await admin.do("events.tail", {"topic": "shop.Moved.v1", "reveal": True}, who="t")
        assert moved["data"] == {"customer": "c-1", "street": STREET}
    assert in_clear(raw(tmp_path)) == []


async def test_postgresql_holds_nothing_in_clear(database):
    import asyncpg

    async with served(database, Orders, Post) as (app, store, admin):
        await app[Orders].place(ORDER)
        await app[Orders].pay("o-1", "p-9", PAYER)

        async def done():
            return await states(store) == {"done": 1}

        await until(done)
        db = await asyncpg.connect(database)
        try:
            names = [
                r[0] for r in await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ]
            rows = [r[0] for name in names for r in await db.fetch(f"SELECT t::text FROM {name} t")]
        finally:
            await db.close()
        assert "levada_journal" in names
        assert len(rows) > 20
        assert in_clear("\n".join(rows).encode()) == []
        found = await admin.do("subjects.export", {"subject": "customer=c-1", "why": "asked"}, who="anna")
        assert {e["data"]["name"] for e in found["events"]} == {NAME}
        await admin.do("subjects.forget", {"subject": "customer=c-1", "why": "asked"}, who="anna")
        tail = await admin.do("events.tail", {"topic": "shop.Placed.v1", "reveal": True}, who="t")
        assert tail[0]["data"]["name"] == FORGOTTEN


# -- keys --------------------------------------------------------------------------------


class Dies(BaseException):
    pass


async def test_death_between_the_keys_creation_and_the_events_commit_leaves_a_key_and_no_event(tmp_path):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    async with served(url, Orders, Post, work=False) as (app, store, _):
        commit = store.commit

        async def dying(unit):
            outcome = await commit(unit)
            if unit.statements[0].query == "subject.add":
                raise Dies
            return outcome

        store.commit = dying
        with pytest.raises(Dies):
            await app[Orders].place(ORDER)
        store.commit = commit
    async with served(url, Orders, Post) as (app, store, _):
        (before,) = await store.read("subject.of", {"subject": "c-1"})
        assert await store.read("subject.events", {"id": before["id"]}) == []
        await app[Orders].place(ORDER)
        (after,) = await store.read("subject.of", {"subject": "c-1"})
        assert after == before
        assert len(await store.read("subject.events", {"id": before["id"]})) == 1


async def test_many_at_once_make_one_key(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post, work=False) as (app, store, _):
        orders = [NewOrder(f"o-{n}", "c-1", NAME, MAIL) for n in range(20)]
        await asyncio.gather(*(app[Orders].place(order) for order in orders))
        assert len(await store.read("subject.of", {"subject": "c-1"})) == 1


async def test_another_master_secret_is_refused_until_the_former_is_named_and_then_not_needed(tmp_path):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    async with served(url, Orders, Post) as (app, _, _):
        await app[Orders].place(ORDER)
    with pytest.raises(MasterUnknown, match="1 keys"):
        async with served(url, Orders, Post, secret=NEW):
            pass
    async with served(url, Orders, Post, secret=NEW, former=[OLD]) as (_, _, admin):
        assert await admin.do("subjects.rewrap", {}, who="anna") == {"keys": 1}
        assert await admin.do("subjects.rewrap", {}, who="anna") == {"keys": 0}
    async with served(url, Orders, Post, secret=NEW) as (_, _, admin):
        (event,) = await admin.do("events.tail", {"topic": "shop.Placed.v1", "reveal": True}, who="t")
        assert event["data"]["name"] == NAME


async def test_a_sealed_field_put_into_another_persons_event_does_not_open(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post, work=False) as (app, store, admin):
        await app[Orders].place(ORDER)
        await app[Orders].place(NewOrder("o-2", "c-2", "Mallory", "m@example.org"))
        rows = [r for row in await store.read("subject.of", {"subject": "c-1"})
                for r in await store.read("subject.events", {"id": row["id"]})]  # fmt: skip
        stolen = json.loads(rows[0]["data"])["name"]
        forged = json.dumps({"order": "o-3", "customer": "c-2", "name": stolen}).encode()
        with pytest.raises(SealedWrongly):
            await admin._subjects.clear_event("shop.Placed", forged)


async def test_personal_data_of_nobody_is_refused():
    async with testing.network(Orders, Post) as net:
        with pytest.raises(InternalError) as refused:
            await net[Orders].place(NewOrder("o-1", "", NAME, MAIL))
        assert isinstance(refused.value.__cause__, SubjectMissing)
        assert await net.published(Placed) == []


def test_without_a_master_secret_an_app_with_personal_data_is_refused_with_the_mend():
    with pytest.raises(PersonalUnprotected, match=r"shop\.Closed.*\[personal\] master"):
        StoreRuntime(App(Orders, Post, settings=Settings(environment="test")), None)
    with pytest.raises(MasterMissing, match="32 characters"):
        Masters(lambda: b"short")


# -- forgetting --------------------------------------------------------------------------


async def test_a_forgotten_subject_is_gone_after_a_restart_and_a_replay_and_nobody_crashes(tmp_path):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    async with served(url, Orders, Post) as (app, store, admin):
        await app[Orders].place(ORDER)
        await app[Orders].pay("o-1", "p-9", PAYER)

        async def done():
            return await states(store) == {"done": 1}

        await until(done)
        (key,) = await store.read("subject.of", {"subject": "c-1"})
        assert bytes(key["wrapped"]) in raw(tmp_path)
        await admin.do("subjects.forget", {"subject": "c-1", "why": "art. 17"}, who="anna")
        assert bytes(key["wrapped"]) not in raw(tmp_path)
        audit = await admin.do("audit.list", {}, who="t")
        assert (audit[-1]["action"], audit[-1]["target"], audit[-1]["why"]) == (
            "subjects.forget",
            "c-1",
            "art. 17",
        )
        assert audit[-1]["before"] == {"subject": "customer=c-1", "keys": [key["id"]]}
    seen.clear()
    mails = len(sent)
    async with served(url, Orders, Post) as (_, store, admin):
        tail = await admin.do("events.tail", {"topic": "shop.Placed.v1", "reveal": True}, who="t")
        assert tail[0]["data"] == {"order": "o-1", "customer": "c-1", "name": FORGOTTEN}
        await admin.do("events.replay", {"name": "shop/Orders/v1/fulfil", "why": "test"}, who="t")

        async def again():
            return await states(store) == {"done": 2}

        await until(again)
        assert set(seen) == {FORGOTTEN}
        assert len(sent) == mails
        for run in await admin.do("runs.list", {}, who="t"):
            shown = await admin.do("runs.show", {"run": run["id"], "reveal": True}, who="t")
            assert in_clear(json.dumps(shown, ensure_ascii=False).encode()) == []
        # Another person's data is untouched, and whoever comes back has a new key.
        (paid,) = await admin.do("events.tail", {"topic": "shop.Paid.v1", "reveal": True}, who="t")
        assert paid["data"]["payer"] == PAYER
        with pytest.raises(SubjectUnknown):
            await admin.do("subjects.forget", {"subject": "c-1", "why": "again"}, who="anna")


async def test_who_comes_back_after_being_forgotten_has_another_key(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post, work=False) as (app, store, admin):
        await app[Orders].place(ORDER)
        # The subscription may have made a run of it by now.
        asked = {"subject": "c-1", "why": "asked", "despite_runs": True}
        await admin.do("subjects.forget", asked, who="anna")
        await app[Orders].place(NewOrder("o-2", "c-1", NAME, MAIL))
        assert [r["forgotten"] is None for r in await store.read("subject.of", {"subject": "c-1"})] == [
            False,
            True,
        ]
        tail = await admin.do("events.tail", {"topic": "shop.Placed.v1", "reveal": True}, who="t")
        assert {e["event_id"]: e["data"]["name"] for e in tail}.keys() == {e["event_id"] for e in tail}
        assert sorted(e["data"]["name"] for e in tail) == sorted([FORGOTTEN, NAME])


async def test_open_runs_hold_their_subject_back_and_are_stuck_if_it_is_forgotten_all_the_same(tmp_path):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    async with served(url, Orders, Post) as (app, store, admin):
        await app[Orders].place(ORDER)

        async def waiting():
            return await states(store) == {"waiting": 1}

        await until(waiting)
        with pytest.raises(SubjectBusy, match="1 open runs"):
            await admin.do("subjects.forget", {"subject": "c-1", "why": "asked"}, who="anna")
        done = await admin.do(
            "subjects.forget", {"subject": "c-1", "why": "asked", "despite_runs": True}, who="anna"
        )
        assert len(done["runs"]) == 1
        await app[Orders].pay("o-1", "p-9", PAYER)

        async def stuck():
            return await states(store) == {"stuck": 1}

        await until(stuck)
        (run,) = await admin.do("runs.list", {}, who="t")
        assert "forgotten" in run["reason"]
        assert in_clear(raw(tmp_path)) == []


async def test_one_name_of_two_kinds_has_to_be_told_apart(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post, work=False) as (app, _, admin):
        await app[Orders].place(NewOrder("o-1", "7", NAME, MAIL))
        await app[Orders].pay("o-1", "7", PAYER)
        with pytest.raises(SubjectUnknown, match="customer=7, payer_id=7"):
            await admin.do("subjects.forget", {"subject": "7", "why": "asked"}, who="anna")
        await admin.do("subjects.forget", {"subject": "payer_id=7", "why": "asked"}, who="anna")
        (placed,) = await admin.do("events.tail", {"topic": "shop.Placed.v1", "reveal": True}, who="t")
        assert placed["data"]["name"] == NAME


async def test_an_export_has_all_events_and_steps_of_the_subject_and_of_nobody_else(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post) as (app, store, admin):
        await app[Orders].place(ORDER)
        await app[Orders].place(NewOrder("o-2", "c-2", "Mallory", "m@example.org"))

        async def waiting():
            return await states(store) == {"waiting": 2}

        await until(waiting)
        found = await admin.do("subjects.export", {"subject": "c-1", "why": "asked by her"}, who="anna")
        assert [e["data"] for e in found["events"]] == [
            {"order": "o-1", "customer": "c-1", "name": NAME, "mail": MAIL}
        ]
        assert [
            step["arguments"]["to"] for step in found["runs"][0]["steps"] if "to" in (step["arguments"] or {})
        ]
        assert "Mallory" not in json.dumps(found)
        (row,) = await admin.do("audit.list", {}, who="t")
        assert (row["who"], row["action"], row["why"]) == ("anna", "subjects.export", "asked by her")


async def test_operators_see_steps_with_what_is_personal_masked(tmp_path):
    async with served(f"sqlite:{tmp_path / 'levada.db'}", Orders, Post) as (app, store, admin):
        await app[Orders].place(ORDER)
        await app[Orders].pay("o-1", "p-9", PAYER)

        async def done():
            return await states(store) == {"done": 1}

        await until(done)
        (run,) = await admin.do("runs.list", {}, who="t")
        shown = json.dumps(await admin.do("runs.show", {"run": run["id"]}, who="t"), ensure_ascii=False)
        assert in_clear(shown.encode()) == []
        assert "Dear •••" in shown
        clear = json.dumps(
            await admin.do("runs.show", {"run": run["id"], "reveal": True}, who="t"), ensure_ascii=False
        )
        assert set(in_clear(clear.encode())) == set(SECRETS)


def test_the_events_of_the_shop_say_what_is_left_of_them():
    from levada.contract.event import event_type

    assert event_type(Placed).forgotten == {"name": b'"[forgotten]"', "mail": None}
    assert event_type(Paid).personal == {"payer": "payer_id"}
    assert event_type(Moved).forgotten == {"street": b'"[forgotten]"'}


async def test_an_event_whose_keys_were_dropped_between_two_steps_is_sealed_all_the_same(tmp_path):
    """Forgetting one subject drops all keys from memory, while a run is about to publish of another."""
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    try:
        vault, kind = Vault(store, Masters(lambda: OLD)), event_type(Closed)
        event = Closed(order="o-1", customer="c-1", name=NAME)
        held = await prepare_event(vault, kind, event)
        vault.drop()
        data, ids = seal_prepared(vault, kind, event)
        assert ids == held[0].id
        assert in_clear(data) == []
        assert json.loads((await open_event(vault, kind, data)).data)["name"] == NAME
    finally:
        await store.close()


async def test_a_living_key_is_not_lost_with_a_forgotten_one_of_its_subject(tmp_path, monkeypatch):
    monkeypatch.setattr("levada.deployment.personal._vault._KEPT", 2)
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    try:
        vault = Vault(store, Masters(lambda: OLD))
        old = await vault.key("customer", "c-1")
        assert (
            await store.commit(Unit([Statement("subject.forget", {"id": old.id, "blank": BLANK}, 1)]))
        ).committed
        vault.drop()
        await vault.by_id(old.id)
        new = await vault.key("customer", "c-1")
        await vault.key("customer", "c-2")
        assert vault.known("customer", "c-1") == new
    finally:
        await store.close()


def test_why_an_event_is_parked_does_not_quote_a_personal_field():
    class Sort(Enum):
        A = "a"

    class Sorted(Event, version="1.0", domain="shop"):
        customer: str
        sort: Personal[Sort, "customer"] = Sort.A  # noqa: F821 - names a field
        other: Sort = Sort.A

    kind = event_type(Sorted)
    for field, quoted in (("sort", False), ("other", True)):
        with pytest.raises(msgspec.ValidationError, match=NAME) as failed:
            kind.decode(json.dumps({"customer": "c", field: NAME}).encode())
        assert (NAME in _unfit(kind, failed.value)) == quoted
        assert field in _unfit(kind, failed.value)


async def test_a_personal_field_with_another_name_in_json_is_sealed_opened_and_masked(tmp_path):
    class Renamed(Event, version="1.0", domain="shop"):
        member: str = msgspec.field(name="memberId")
        name: Personal[str, "member"] = msgspec.field(name="fullName")

    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    try:
        vault, kind = Vault(store, Masters(lambda: OLD)), event_type(Renamed)
        data, ids = await seal_event(vault, kind, Renamed(member="c-1", name=NAME))
        assert ids
        assert in_clear(data) == []
        clear = (await open_event(vault, kind, data)).data
        assert json.loads(clear) == {"memberId": "c-1", "fullName": NAME}
        key = await vault.key("member", "c-1")
        await store.commit(Unit([Statement("subject.forget", {"id": key.id, "blank": BLANK}, 1)]))
        vault.drop()
        assert json.loads((await open_event(vault, kind, data)).data)["fullName"] == FORGOTTEN
    finally:
        await store.close()

    class Publisher(ProcessAPI, domain="shop", version="1.0"):
        renamed: Publishes[Renamed]

    masks = Masks.of(App(Publisher, settings=Settings(environment="test")))
    seen = {"attributes": {"type": "shop.Renamed"}, "data": {"memberId": "c-1", "fullName": NAME}}
    assert masks.event(seen)["data"] == {"memberId": "c-1", "fullName": MASK}


def test_what_an_operation_takes_and_answers_of_persons_is_masked_in_runs_also_if_it_is_no_text():
    class Person(Struct, frozen=True):
        id: str
        salary: Personal[int, "id"]
        pay: Personal[int, "id"] = msgspec.field(name="payGrade", default=0)

    class People(ProcessAPI, domain="hr", version="1.0"):
        @http.post("/people", status=202)
        async def hire(self, boss: str, age: Personal[int, "boss"]) -> list[Person]:  # noqa: F821
            return []

    masks = Masks.of(App(People, settings=Settings(environment="test")))
    step = {"arguments": {"boss": "a", "age": 61}, "value": [{"id": "b", "salary": 12345, "payGrade": 7}]}
    assert masks.run(step) == {
        "arguments": {"boss": "a", "age": MASK},
        "value": [{"id": "b", "salary": MASK, "payGrade": MASK}],
    }


class Renamed1(Event, version="1.0", domain="shop", event_name="Renamed"):
    member: str
    email: Personal[str, "member"]  # noqa: F821 - names a field
    note: str = ""


class Renamed2(Event, version="1.1", domain="shop", event_name="Renamed"):
    member: str
    mail: Personal[str, "member"]  # noqa: F821 - names a field
    note: str = ""

    @upcaster
    def from_email(stored: dict[str, Any]) -> dict[str, Any]:
        if "email" in stored:
            stored["mail"] = stored.pop("email")
        return stored


async def test_an_upcaster_is_given_what_was_sealed_under_an_older_name_in_clear(tmp_path):
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    try:
        vault, old, new = Vault(store, Masters(lambda: OLD)), event_type(Renamed1), event_type(Renamed2)
        data, _ = await seal_event(vault, old, Renamed1(member="c-1", email=MAIL))
        opened = await open_event(vault, new, data)
        assert new.decode(opened.data).mail == MAIL
        assert (list(opened.values), [key.subject for key in opened.keys]) == ([MAIL], ["c-1"])
        # What was moved from another record is refused, and what a customer writes is only text.
        moved = json.dumps({**json.loads(data), "member": "c-2"}).encode()
        with pytest.raises(SealedWrongly):
            await open_event(vault, new, moved)
        text = Renamed2(member="c-1", mail=MAIL, note="lvp1.nobody.aGk=")
        data2, _ = await seal_event(vault, new, text)
        assert new.decode((await open_event(vault, new, data2)).data) == text
        key = await vault.key("member", "c-1")
        await store.commit(Unit([Statement("subject.forget", {"id": key.id, "blank": BLANK}, 1)]))
        vault.drop()
        assert new.decode((await open_event(vault, new, data)).data).mail == FORGOTTEN
    finally:
        await store.close()


def test_what_an_upcaster_says_of_a_personal_value_is_not_kept_in_clear():
    class Split(Event, version="1.0", domain="shop"):
        customer: str
        name: Personal[str, "customer"]  # noqa: F821 - names a field

        @upcaster
        def from_parts(stored: dict[str, Any]) -> dict[str, Any]:
            raise ValueError(f"no surname in {stored['name']}")

    kind = event_type(Split)
    with pytest.raises(msgspec.ValidationError, match=NAME) as failed:
        kind.decode(json.dumps({"customer": "c", "name": NAME}, ensure_ascii=False).encode())
    why = _unfit(kind, failed.value)
    assert NAME not in why
    assert why.endswith("from_parts failed: ValueError")


def test_what_a_class_says_of_a_personal_value_is_not_kept_in_clear():
    class Short(Event, version="1.0", domain="shop"):
        customer: str
        name: Personal[str, "customer"]  # noqa: F821 - names a field

        def __post_init__(self) -> None:
            raise ValueError(f"{self.name} is too long")

    kind = event_type(Short)
    with pytest.raises(msgspec.ValidationError, match=NAME) as failed:
        kind.decode(json.dumps({"customer": "c", "name": NAME}, ensure_ascii=False).encode())
    assert NAME not in _unfit(kind, failed.value)
