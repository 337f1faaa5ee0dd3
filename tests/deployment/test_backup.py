"""A restored backup is behind the systems: what was done after it is not done again."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, closing
from time import monotonic

import pytest
from tests import started

import levada
from levada import (
    Awaits,
    Event,
    OrderKey,
    ProcessAPI,
    Publishes,
    SystemAPI,
    effect,
    handles,
    http,
    resource,
)
from levada.app import App, Caller, Context, Settings
from levada.app.context import _current
from levada.connect import open_resource
from levada.connect.sql import Database
from levada.deployment import StoreRuntime
from levada.deployment.admin import Admin
from levada.deployment.backup import BackupElsewhere, BackupUnusable, backup, restore
from levada.deployment.runtime import RuntimeSettings
from levada.process.worker import Settings as WorkerSettings
from levada.store import StoreError, open_store
from levada.store.errors import StoreLocked

BOOK = "INSERT INTO booked VALUES (?, ?, ?)"


class Erp(SystemAPI, domain="shop", version="1.0"):
    """A legacy system that can do four things, each recognising repeats in its own way, or not at all."""

    db: Database = resource("erp")

    async def start(self) -> None:
        async with self.db.begin() as tx:
            await tx.execute("CREATE TABLE IF NOT EXISTS booked (what TEXT, key TEXT, order_id TEXT)")

    @http.post("/tabled/{order}", final=True)
    @effect.table
    async def tabled(self, order: str) -> str:
        async with self.db.begin() as tx:
            await tx.execute(BOOK, "tabled", "", order)
        return order

    @http.post("/keyed/{order}", final=True)
    @effect.passes_key
    async def keyed(self, order: str) -> str:
        async with self.db.begin() as tx:
            if not await tx.fetch("SELECT 1 FROM booked WHERE key = ?", levada.current().key):
                await tx.execute(BOOK, "keyed", levada.current().key, order)
        return order

    async def find(self, key: str) -> str | None:
        async with self.db.connection() as connection:
            return await connection.fetchval("SELECT order_id FROM booked WHERE key = ?", key)

    @http.post("/looked/{order}", final=True)
    @effect.lookup(find)
    async def looked(self, order: str) -> str:
        async with self.db.begin() as tx:
            await tx.execute(BOOK, "looked", levada.current().key, order)
        return order

    @http.post("/blind/{order}", final=True)
    @effect.at_least_once("it knows no keys")
    async def blind(self, order: str) -> str:
        async with self.db.begin() as tx:
            await tx.execute(BOOK, "blind", "", order)
        return order


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]


class Paid(Event, version="1.0", domain="shop"):
    order: OrderKey[str]


class Counter_(SystemAPI, domain="shop", version="1.0", name="Counter"):
    """Takes orders in the system's own database, with an outbox."""

    db: Database = resource("erp")
    placed: Publishes[Placed]

    @http.post("/orders/{order}", final=True)
    @effect.table
    async def take(self, order: str) -> str:
        async with self.db.begin() as tx:
            await self.placed(Placed(order=order), tx)
        return order


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    erp: Erp
    placed: Publishes[Placed]
    paid: Publishes[Paid]
    payment: Awaits[Paid]

    @http.post("/orders/{order}", status=202)
    async def place(self, order: str) -> str:
        await self.placed(Placed(order=order))
        return order

    @http.post("/payments/{order}", status=202)
    async def pay(self, order: str) -> str:
        await self.paid(Paid(order=order))
        return order

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        await self.erp.tabled(placed.order)
        await self.payment(key=placed.order)
        await self.erp.keyed(placed.order)
        await self.erp.looked(placed.order)
        await self.erp.tabled(placed.order)
        await self.erp.blind(placed.order)


ONCE = {"tabled": 2, "keyed": 1, "looked": 1, "blind": 1}


@asynccontextmanager
async def served(folder):
    store = await open_store(f"sqlite:{folder / 'levada.db'}")
    erp = open_resource("erp", {"url": f"sqlite:{folder / 'erp.db'}"})
    app = App(Orders, Erp, Counter_, resources={"erp": erp}, settings=Settings(environment="test"))
    settings = RuntimeSettings(poll=0.02, worker=WorkerSettings(lease=1.0, poll=0.02))
    StoreRuntime(app, store, settings)
    token = _current.set(Context(caller=Caller(subject="t", scopes=frozenset({"*"}))))
    try:
        async with app:
            yield app, store, Admin(store)
    finally:
        _current.reset(token)
        await store.close()


async def take(app, order):
    token = _current.set(Context(caller=Caller(subject="t", scopes=frozenset({"*"})), key=f"k-{order}"))
    try:
        await app[Counter_].take(order)
    finally:
        _current.reset(token)


async def reach(store, states):
    async def now():
        rows = await store.read("runs.counts")
        found = Counter()
        for row in rows:
            found[row["state"]] += row["runs"]
        return dict(found)

    end = monotonic() + 20
    while (found := await now()) != states:
        assert monotonic() < end, found
        await asyncio.sleep(0.02)


def booked(folder):
    with closing(sqlite3.connect(folder / "erp.db")) as db:
        rows = db.execute("SELECT order_id, what, count(*) FROM booked GROUP BY 1, 2").fetchall()
    found: dict[str, dict[str, int]] = {}
    for order, what, n in rows:
        found.setdefault(order, {})[what] = n
    return found


async def test_what_was_done_after_the_backup_is_done_once_and_what_cannot_be_known_waits_for_a_person(
    tmp_path,
):
    async with served(tmp_path) as (app, store, admin):
        await take(app, "o-1")
        await reach(store, {"waiting": 1})
        await admin.do("db.backup", {"file": str(tmp_path / "b.db")}, who="anna")
        # After the backup: the run goes on to its end, and another order comes and goes.
        await app[Orders].pay("o-1")
        await reach(store, {"done": 1})
        await take(app, "o-2")
        await app[Orders].pay("o-2")
        await reach(store, {"done": 2})
    assert booked(tmp_path) == {"o-1": ONCE, "o-2": ONCE}

    found = await restore(tmp_path / "levada.db", tmp_path / "b.db", who="anna", why="disk lost")
    assert (found.epoch, [r["state"] for r in found.runs]) == (1, ["waiting"])

    async with served(tmp_path) as (app, store, admin):
        # o-2 comes again from the system's own outbox; both payments are asked for again by who made them.
        await app[Orders].pay("o-1")
        await app[Orders].pay("o-2")
        await reach(store, {"stuck": 2})
        assert booked(tmp_path) == {"o-1": ONCE, "o-2": ONCE}
        stuck = await admin.do("runs.list", {}, who="t")
        assert all("restored from a backup" in run["reason"] for run in stuck)
        assert all(run["problem"] == "LV1505" for run in stuck)
        # A person has looked, and lets one be done again: at least once is what it was declared.
        await admin.do("runs.skip", {"run": stuck[0]["id"], "why": "it was done"}, who="anna")
        await admin.do("runs.resume", {"run": stuck[1]["id"]}, who="anna")
        await reach(store, {"done": 2})
        assert sorted(n["blind"] for n in booked(tmp_path).values()) == [1, 2]
        # What begins in the new epoch is in no doubt.
        await take(app, "o-3")
        await app[Orders].pay("o-3")
        await reach(store, {"done": 3})
        assert booked(tmp_path)["o-3"] == ONCE
        audit = await admin.do("audit.list", {}, who="t")
        (row,) = [r for r in audit if r["action"] == "db.restore"]
        assert (row["who"], row["why"], row["before"]) == ("anna", "disk lost", {"epoch": 0})
        assert await admin.do("audit.verify", {}, who="t") == len(audit)


async def place(app, order):
    token = _current.set(Context(caller=Caller(subject="t", scopes=frozenset({"*"})), key=f"k-{order}"))
    try:
        await app[Orders].place(order)
    finally:
        _current.reset(token)


async def test_what_a_caller_repeats_after_a_restoring_is_looked_up_before_it_is_made(tmp_path):
    async with served(tmp_path) as (_, store, _admin):
        await backup(store, tmp_path / "b.db")
    for n in (1, 2):
        async with served(tmp_path) as (app, store, _admin):
            await place(app, "o-1")
            await reach(store, {"waiting": 1})
            await app[Orders].pay("o-1")
            await reach(store, {"done": 1})
        # Nothing tells this run from a new one: only what can be asked, and what has its key, is done once.
        assert booked(tmp_path)["o-1"] == {**ONCE, "blind": n}
        if n == 1:
            await restore(tmp_path / "levada.db", tmp_path / "b.db", who="anna", why="disk lost")


async def test_without_a_new_epoch_what_cannot_be_known_would_be_done_twice(tmp_path):
    """The rule is what keeps it: a file that is merely copied back does harm."""
    async with served(tmp_path) as (app, store, _):
        await take(app, "o-1")
        await reach(store, {"waiting": 1})
        await backup(store, tmp_path / "b.db")
        await app[Orders].pay("o-1")
        await reach(store, {"done": 1})
    for name in ("levada.db", "levada.db-wal", "levada.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "b.db").rename(tmp_path / "levada.db")
    async with served(tmp_path) as (app, store, _):
        await app[Orders].pay("o-1")
        await reach(store, {"done": 1})
    assert booked(tmp_path)["o-1"]["blind"] == 2


async def test_a_deployment_that_runs_holds_the_restoring_back(tmp_path):
    async with served(tmp_path) as (_, store, _):
        await backup(store, tmp_path / "b.db")
        assert (tmp_path / "b.db").stat().st_mode & 0o777 == 0o600
        with pytest.raises(StoreLocked):
            await restore(tmp_path / "levada.db", tmp_path / "b.db", who="anna", why="x")
        with pytest.raises(BackupUnusable, match="such a file"):
            await backup(store, tmp_path / "b.db")


async def test_what_is_no_whole_backup_is_refused_and_the_store_stays(tmp_path):
    async with served(tmp_path) as (app, store, _):
        await take(app, "o-1")
        await reach(store, {"waiting": 1})
        await backup(store, tmp_path / "b.db")
    whole = (tmp_path / "b.db").read_bytes()
    cut = tmp_path / "cut.db"
    cut.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.db").write_text("no database")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (a)")
    for name in ("cut.db", "text.db", "other.db", "none.db"):
        with pytest.raises((BackupUnusable, StoreError)):
            await restore(tmp_path / "levada.db", tmp_path / name, who="anna", why="x")
    async with served(tmp_path) as (_, store, _):
        await reach(store, {"waiting": 1})


async def test_who_was_forgotten_after_the_backup_is_forgotten_in_it_too(tmp_path):
    path = tmp_path / "levada.db"
    from levada.deployment.personal import Masters, Vault
    from levada.store.protocol import Statement, Unit

    store = await open_store(f"sqlite:{path}")
    vault = Vault(store, Masters(lambda: b"m" * 32))
    key = await vault.key("customer", "c-1")
    await backup(store, tmp_path / "b.db")
    gone = Statement("subject.forget", {"id": key.id, "blank": bytes(60)}, 1)
    assert (await store.commit(Unit([gone]))).committed
    await store.close()
    found = await restore(path, tmp_path / "b.db", who="anna", why="x")
    assert found.forgotten == 1
    store = await open_store(f"sqlite:{path}")
    try:
        (row,) = await store.read("subject.get", {"id": key.id})
        assert (row["forgotten"] is not None, bytes(row["wrapped"])) == (True, bytes(60))
    finally:
        await store.close()


async def test_postgresql_is_backed_up_with_its_own_tools_and_then_marked(database, tmp_path):
    store = await open_store(database)
    try:
        with pytest.raises(BackupElsewhere, match="pg_dump"):
            await backup(store, tmp_path / "b.db")
    finally:
        await store.close()
    (tmp_path / "levada.toml").write_text(f'[store]\nurl = "{database}"\n')
    told = started.levada(tmp_path, "db", "restored", "--why", "disk lost", "--json")
    told.check_returncode()
    assert json.loads(told.stdout)["epoch"] == 1


async def test_a_second_restoring_keeps_what_the_first_put_aside_and_has_a_later_epoch(tmp_path):
    path = tmp_path / "levada.db"
    store = await open_store(f"sqlite:{path}")
    await backup(store, tmp_path / "b.db")
    await Admin(store).audit.add(who="anna", action="the original", target="")
    await store.close()
    first = await restore(path, tmp_path / "b.db", who="anna", why="x")
    second = await restore(path, tmp_path / "b.db", who="anna", why="y")
    assert (first.epoch, second.epoch) == (1, 2)
    # The store in place may be lost: then what was put aside tells.
    path.unlink()
    third = await restore(path, tmp_path / "b.db", who="anna", why="z")
    assert third.epoch == 3
    with closing(sqlite3.connect(first.aside)) as db:
        assert db.execute("SELECT action FROM levada_audit").fetchall() == [("the original",)]


async def test_fences_after_a_restoring_are_higher_than_all_before_though_the_epochs_number_is_not(tmp_path):
    from levada.deployment.backup import open_epoch
    from levada.process.worker import Worker

    found = []
    for n in range(2):  # the same dump, restored twice by the database's own tools
        store = await open_store(f"sqlite:{tmp_path / f'{n}.db'}")
        try:
            opened = await open_epoch(store, who="anna", why="x", source="tools")
            worker = Worker(store, [], None, None)
            await worker._begin()
            found.append((opened.epoch, worker.fences))
        finally:
            await store.close()
    assert found[0][0] == found[1][0] == 1
    assert found[0][1] < found[1][1]
