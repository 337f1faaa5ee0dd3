"""Deployments of their own in a temporary folder, run as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.started import levada

SHOP = '''
import asyncio
import os
import sqlite3
from abc import abstractmethod
from contextlib import closing

import levada
from levada import Event, OrderKey, Personal, ProcessAPI, Publishes, SystemAPI, effect, handles, http, run


class Ledger(SystemAPI, domain="shop", version="1.0"):
    """The ledger."""

    @http.post("/entries/{order}/{what}", final=True)
    @abstractmethod
    async def book(self, order: str, what: str) -> str:
        """Book."""


class SqliteLedger(Ledger):
    @effect.passes_key
    async def book(self, order: str, what: str) -> str:
        while what == "ship" and os.path.exists("nothing-is-shipped"):
            await asyncio.sleep(0.02)
        await asyncio.to_thread(booked, levada.current().key, order, what)
        await asyncio.sleep(0.05)
        return what


def booked(key, order, what):
    with closing(sqlite3.connect("ledger.db", timeout=30)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS entry (key PRIMARY KEY, order_id, what)")
        db.execute("INSERT OR IGNORE INTO entry VALUES (?, ?, ?)", (key, order, what))


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    email: Personal[str, "order"]


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    ledger: Ledger
    placed: Publishes[Placed]

    @http.post("/orders/{order}", status=202)
    async def place(self, order: str, email: str) -> str:
        """Place."""
        await self.placed(Placed(order=order, email=email))
        return order

    @http.get("/wait/{ms}")
    async def wait(self, ms: int) -> str:
        """Wait."""
        await asyncio.sleep(ms / 1000)
        return "done"

    @handles(Placed)
    async def fulfil(self, order: Placed) -> None:
        """Fulfil."""
        for what in ("hold", "reserve", "ship"):
            await self.ledger.book(order.order, what)
'''

TOML = """[app]
modules = ["shopapp"]
[server]
port = 0
lease = 1.0
"""


class Deployment:
    """A folder with an app, and the processes that serve it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = None
        (folder / "levada.toml").write_text(TOML)
        (folder / "shopapp.py").write_text(SHOP)

    def levada(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return levada(self.folder, *arguments)

    def states(self) -> Counter[str]:
        """How many runs are in each state, as the verb lists them."""
        rows = json.loads(self.levada("runs", "list", "--json", "--limit", "1000").stdout)
        return Counter(row["state"] for row in rows)

    def start(self, *arguments: str) -> dict:
        """Serve; what it served with before has ended. Returns what it says when it is ready."""
        self.let_go()
        with (self.folder / "log.txt").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "levada", "run", "--json", *arguments],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        line = self.process.stdout.readline()
        assert line, (self.folder / "log.txt").read_text()
        return json.loads(line)

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        if self.process is not None:
            self.process.stdout.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def until(condition, seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come about in time"
        time.sleep(0.02)


@pytest.fixture
def deployment(tmp_path):
    made = Deployment(tmp_path)
    made.until, made.alive = until, alive
    yield made
    made.end()
