"""Real processes: killed, stopped, and what they say when they cannot begin."""

import asyncio
import errno
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from levada.deployment.serve_app import StartFailed
from levada.deployment.supervise import Supervisor

ORDERS = 30


def place(url, n):
    for i in range(n):
        body = json.dumps({"email": f"o{i}@example.org"}).encode()
        asked = urllib.request.Request(
            f"{url}/shop/orders/v1/orders/o-{i}",
            body,
            {"content-type": "application/json", "idempotency-key": f"o-{i}"},
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert answer.status == 202


def entries(deployment):
    try:
        with closing(sqlite3.connect(deployment.folder / "ledger.db")) as db:
            return db.execute("SELECT order_id, what FROM entry").fetchall()
    except sqlite3.OperationalError:
        return []


def each_once(deployment):
    counted = Counter(entries(deployment))
    assert counted == {(f"o-{i}", w): 1 for i in range(ORDERS) for w in ("hold", "reserve", "ship")}


def nothing_personal(deployment):
    """No address stands in clear in the store's files, whatever died while it was written."""
    files = [path for path in deployment.folder.glob("levada.db*") if path.is_file()]
    assert len(files) >= 2
    assert not [path.name for path in files if b"@example.org" in path.read_bytes()]


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_runs_end_with_each_effect_once(deployment):
    ready = deployment.start("--workers", "2")
    gate = deployment.folder / "nothing-is-shipped"
    gate.touch()
    place(ready["url"], ORDERS)
    deployment.until(lambda: len(entries(deployment)) > ORDERS // 2)
    first = deployment.children()
    assert len(first) == 2
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    gate.unlink()  # not before: whoever is quick would have nothing left to lose
    deployment.until(lambda: deployment.states() == {"done": ORDERS}, 40)
    each_once(deployment)
    nothing_personal(deployment)
    second = deployment.children()
    assert len(second) == 2
    assert not set(first) & set(second)


@pytest.mark.slow
def test_children_end_with_a_killed_parent_and_a_restart_recovers(deployment):
    ready = deployment.start("--workers", "2")
    place(ready["url"], ORDERS)
    children = deployment.children()
    deployment.process.kill()
    deployment.process.wait()
    deployment.until(lambda: not any(deployment.alive(pid) for pid in children), 15)
    nothing_personal(deployment)
    deployment.start()
    deployment.until(lambda: deployment.states() == {"done": ORDERS}, 40)
    each_once(deployment)
    nothing_personal(deployment)


STARTS_SLOWLY = """class SqliteLedger(Ledger):
    async def start(self) -> None:
        if sys.argv[0].endswith("worker.py"):
            open(f"begun-{os.getpid()}", "x").close()
            await asyncio.sleep(60)

"""


def never_ready(deployment, *arguments):
    with pytest.raises(AssertionError):
        deployment.start(*arguments)


def test_a_start_that_is_broken_off_leaves_no_worker(deployment):
    module = deployment.folder / "shopapp.py"
    slow = module.read_text().replace("class SqliteLedger(Ledger):\n", STARTS_SLOWLY)
    module.write_text(f"import sys\n{slow}")
    starting = threading.Thread(target=never_ready, args=(deployment, "--workers", "2"))
    starting.start()
    deployment.until(lambda: len(list(deployment.folder.glob("begun-*"))) == 2)
    workers = deployment.children()
    assert len(workers) == 2
    deployment.process.send_signal(signal.SIGTERM)
    assert deployment.process.wait(10) == 0
    assert not any(deployment.alive(pid) for pid in workers)
    starting.join()
    assert "Traceback" not in (deployment.folder / "log.txt").read_text()


def test_a_worker_ends_whose_parent_dies_before_it_has_heard_that_it_serves(deployment):
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening, theirs:
        numbers = (theirs.fileno(), listening.fileno())
        worker = subprocess.Popen(
            [sys.executable, "-m", "levada.deployment.worker", str(numbers[0])], pass_fds=numbers, cwd=deployment.folder
        )  # fmt: skip
        store = f"sqlite:{deployment.folder / 'levada.db'}"
        toml = str(deployment.folder / "levada.toml")
        order = {"file": toml, "environment": None, "store": store, "listen": numbers[1], "json": True}
    with ours:
        ours.sendall(json.dumps(order).encode() + b"\n")
        deployment.until(lambda: select.select([ours], [], [], 0)[0])
    try:
        worker.wait(10)
    finally:
        worker.kill()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_cuts_no_request_in_flight(deployment, workers):
    ready = deployment.start("--workers", workers)
    answers = []

    def ask():
        with urllib.request.urlopen(f"{ready['url']}/shop/orders/v1/wait/1000", timeout=20) as answer:
            answers.append(answer.read())

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    port = int(ready["url"].rpartition(":")[2])
    deployment.until(lambda: established(port) >= 8)
    deployment.process.send_signal(signal.SIGTERM)
    for thread in asking:
        thread.join(20)
    assert answers == [b'"done"'] * 8
    assert deployment.process.wait(20) == 0


def established(port):
    with Path("/proc/net/tcp").open() as table:
        return sum(
            1
            for line in table
            if f":{port:04X} " in line.split(maxsplit=3)[1] + " " and line.split()[3] == "01"
        )


def test_a_second_owner_is_told_who_has_the_store(deployment):
    deployment.start()
    second = deployment.levada("run")
    assert second.returncode == 1
    assert "LV1303" in second.stderr
    assert str(deployment.process.pid) in second.stderr
    assert "Traceback" not in second.stderr


def test_a_store_of_a_newer_program_is_refused(deployment):
    assert deployment.levada("db", "migrate").returncode == 0
    with closing(sqlite3.connect(deployment.folder / "levada.db")) as db, db:
        (table,) = db.execute("SELECT name FROM sqlite_master WHERE name LIKE '%migration%'").fetchone()
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        values = {"number": 9999, "name": "later", "at": 1, "applied": 1}
        db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})",
            [values.get(c, 9999) for c in columns],
        )
    told = deployment.levada("run")
    assert told.returncode == 1
    assert "LV1304" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[server]\nprot = 1\n", "prot"),
        ('[app]\nmodules = ["nowhere"]\n', "nowhere"),
        ('[app]\nmodules = ["broken"]\n', "broken.py"),
        ('[app]\nmodules = ["syntax"]\n', "syntax.py"),
        ("[app\n", "TOML"),
        ('[app]\nmodules = ["unbound"]\n', "Ledger"),
        ('[app]\nmodules = ["shopapp", "twice"]\n', "Ledger"),
        ('[app]\nmodules = ["shopapp"]\n[store]\nurl = "sqlite:shopapp.py"\n', "LV13"),
    ],
)
def test_what_is_wrong_is_said_without_a_stack_trace(deployment, toml, said):
    (deployment.folder / "broken.py").write_text("1 / 0\n")
    (deployment.folder / "syntax.py").write_text("def x(:\n")
    (deployment.folder / "unbound.py").write_text(
        "from shopapp import Ledger\nfrom levada import ProcessAPI, http\n"
        "class Alone(ProcessAPI, domain='shop', version='1.0'):\n    'Alone.'\n    ledger: Ledger\n"
        "    @http.get('/x')\n    async def x(self) -> str:\n        'X.'\n        return ''\n"
    )
    (deployment.folder / "twice.py").write_text(
        "from shopapp import SqliteLedger\nfrom levada import effect\n"
        "class Other(SqliteLedger):\n    @effect.passes_key\n"
        "    async def book(self, order: str, what: str) -> str:\n        return what\n"
    )
    (deployment.folder / "levada.toml").write_text(toml)
    told = deployment.levada("run", "--port", "0")
    assert told.returncode in (1, 2), told.stdout
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stderr.startswith("LV")


async def test_a_worker_that_cannot_be_started_is_said_and_not_waited_for(monkeypatch):
    async def refuse(*_, **__):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        supervisor = Supervisor(lambda _: None, [listening], drain=1.0)
        async with asyncio.timeout(10):
            with pytest.raises(StartFailed, match="could not be started: Resource temporarily unavailable"):
                await supervisor.start()
