"""SIGKILL while events are appended, relayed and dispatched: afterwards all is there once."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from levada.store import open_store

WORKER = """
import asyncio, sqlite3, sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from levada.events import Dispatcher, Envelope, Log, Relay, Subscriptions
from levada.events.outbox import append
from levada.store import Statement, open_store

home, first = sys.argv[1], int(sys.argv[2])

class Tx:
    dialect = "sqlite"
    def __init__(self, db): self.db = db
    async def execute(self, sql, *args): return self.db.execute(sql, args).rowcount
    async def fetch(self, sql, *args):
        rows = self.db.execute(sql, args)
        return [dict(zip([c[0] for c in rows.description], row)) for row in rows]

class System:
    @asynccontextmanager
    async def begin(self):
        db = sqlite3.connect(home + "/erp.db", isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            yield Tx(db)
            db.execute("COMMIT")
        finally:
            db.close()

class Sink:
    async def take(self, delivery):
        name = "note." + delivery.event.id
        return [Statement("log.topic_create", {"topic": name, "partitions": 1, "retention": None}, 1)]

async def main():
    log = await Log.open(await open_store("sqlite:" + home + "/levada.db"))
    await Subscriptions(log).declare("billing", ["shop.OrderPlaced.v1"])
    relay = Relay("erp", System(), log, batch=20, lease=0)
    dispatcher = Dispatcher(log, {"billing": Sink()}, batch=20, lease=0)
    async def write():
        for i in range(first, first + 100_000):
            async with System().begin() as tx:
                await tx.execute("INSERT INTO orders VALUES (?)", f"e-{i}")
                event = Envelope(id=f"e-{i}", source="/shop", type="shop.OrderPlaced", version="1.0",
                                 time=datetime.now(UTC), key=f"o-{i % 7}", data=b"{}")
                await append(tx, [event])
            relay.wake()
            print(i, flush=True)
            await asyncio.sleep(0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run())
        tasks.create_task(dispatcher.run())
        if first >= 0:
            tasks.create_task(write())
        while True:
            await asyncio.sleep(0.05)
            if first < 0 and await relay.until_idle() == 0 and not await log.store.read(
                "subscription.pending", {"subscription": "billing"}
            ):
                relay.stop(), dispatcher.stop()
                return

asyncio.run(main())
"""


def test_killed_again_and_again_nothing_is_lost_and_nothing_twice(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "erp.db", isolation_level=None)
    db.execute("CREATE TABLE orders (id text PRIMARY KEY)")
    from levada.events.outbox import ddl

    for sql in ddl("sqlite"):
        db.execute(sql)
    chance = random.Random(7)
    for turn in range(6):
        worker = run(tmp_path, turn * 1_000_000)
        assert worker.stdout is not None
        for _ in range(chance.randint(5, 150)):
            assert worker.stdout.readline()
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
    last = run(tmp_path, -1)
    assert last.wait(60) == 0
    orders = {row[0] for row in db.execute("SELECT id FROM orders")}
    assert len(orders) > 30
    asyncio.run(compare(tmp_path, orders))


def run(home: Path, first: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home), str(first)], stdout=subprocess.PIPE, env=environment
    )


async def compare(home: Path, orders: set[str]) -> None:
    """The effects, each a row that can exist once, are those of the orders; so is the log."""
    store = await open_store(f"sqlite:{home / 'levada.db'}")
    try:
        topics = {row["topic"]: row for row in await store.read("log.topics")}
        assert topics["shop.OrderPlaced.v1"]["ever"] == len(orders)
        assert not await store.read("parked.counts")
    finally:
        await store.close()
    db = sqlite3.connect(home / "levada.db")
    notes = {
        row[0].removeprefix("note.")
        for row in db.execute("SELECT topic FROM levada_topic WHERE topic LIKE 'note.%'")
    }
    assert notes == orders
