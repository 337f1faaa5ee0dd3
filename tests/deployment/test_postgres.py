"""A whole deployment on PostgreSQL: workers and the server itself are killed, and nothing that was accepted is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing, suppress

import pytest

STEPS = ("hold", "reserve", "ship")


def place(url: str, order: str) -> int:
    """The status of an attempt to place an order; 0 where there was no answer."""
    asked = urllib.request.Request(
        f"{url}/shop/orders/v1/orders/{order}",
        json.dumps({"email": f"{order}@example.org"}).encode(),
        {"content-type": "application/json", "idempotency-key": order},
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return int(json.loads(refused.read())["status"])  # a problem, or this fails
    except OSError:
        return 0


def booked(deployment) -> Counter[tuple[str, str]]:
    try:
        with closing(sqlite3.connect(deployment.folder / "ledger.db")) as db:
            return Counter(db.execute("SELECT order_id, what FROM entry").fetchall())
    except sqlite3.OperationalError:
        return Counter()


@pytest.fixture
def on_postgres(deployment, postgres):
    deployment.dsn = postgres.database()
    with (deployment.folder / "levada.toml").open("a") as out:
        out.write('[store]\nurl = "env:STORE"\n[personal]\nmaster = "file:personal.key"\n')
    (deployment.folder / "personal.key").write_text("0123456789abcdef" * 4)
    os.environ["STORE"] = deployment.dsn
    yield deployment
    deployment.end()
    del os.environ["STORE"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_workers_and_the_server_are_killed_and_what_was_accepted_ends_once(on_postgres, postgres):
    if not postgres.owned:
        pytest.skip("a server of the user's own is not killed")
    deployment = on_postgres
    ready = deployment.start("--workers", "2")
    assert "url" in ready, (ready, (deployment.folder / "log.txt").read_text())
    accepted = []
    for n in range(60):
        if n == 15:
            os.kill(deployment.children()[0], signal.SIGKILL)
        if n == 30:
            postgres.kill()
        if n == 40:
            postgres.start()
        # The client does as it should: the same key until it has an answer.
        order = f"o-{n}"
        status = place(ready["url"], order)
        if 30 <= n < 40:
            assert status in (0, 500, 503, 504), status
            continue
        deployment.until(lambda order=order: place(ready["url"], order) == 202, 60)
        accepted.append(order)
    assert len(accepted) == 50
    wanted = {(order, what): 1 for order in accepted for what in STEPS}
    deployment.until(lambda: wanted.items() <= booked(deployment).items(), 90)
    assert set(booked(deployment).values()) == {1}
    # A run ends in a commit of its own, after its last step; one taken over ends once it is read again.
    deployment.until(lambda: deployment.states().keys() == {"done"}, 30)


def test_a_server_that_is_not_there_is_said_without_its_password(on_postgres):
    os.environ["STORE"] = "postgresql://levada:hunter2@127.0.0.1:1/nowhere"
    for verb in (
        ("run", "--port", "0"),
        ("db", "status"),
        ("runs", "list"),
        ("events", "parked"),
        ("doctor",),
    ):
        told = on_postgres.levada(*verb)
        assert told.returncode in (1, 2, 3), (verb, told.stdout, told.stderr)
        said = told.stdout + told.stderr
        assert "LV13" in said
        assert "hunter2" not in said
        assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_all_processes_are_killed_and_new_ones_take_over_within_the_lease(on_postgres, workers):
    deployment = on_postgres
    ready = deployment.start("--workers", workers)
    assert place(ready["url"], "o-1") == 202
    deployment.until(lambda: booked(deployment)["o-1", "ship"])
    children = deployment.children()
    for pid in (deployment.process.pid, *children):
        os.kill(pid, signal.SIGKILL)
    deployment.process.wait()
    ready = deployment.start("--workers", workers)
    assert place(ready["url"], "o-2") == 202
    # What the dead held lapses after [server] lease, one second here; nothing else may be waited for.
    deployment.until(lambda: booked(deployment)["o-2", "ship"], 12)


def cut_off(url: str, order: str) -> None:
    """Place an order that the stop may cut, with whatever answer."""
    with suppress(ValueError):
        place(url, order)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("trouble", ["killed", "halted"])
def test_a_stop_ends_in_time_though_the_server_does_not_answer(on_postgres, postgres, trouble, workers):
    """Runs under way, a heartbeat due, requests in flight: all of them wait for it."""
    if not postgres.owned:
        pytest.skip("a server of the user's own is not killed")
    deployment = on_postgres
    toml = (deployment.folder / "levada.toml").read_text().replace("lease = 1.0", "lease = 1.0\ndrain = 3")
    (deployment.folder / "levada.toml").write_text(toml)
    (deployment.folder / "nothing-is-shipped").touch()
    ready = deployment.start("--workers", workers)
    for n in range(5):
        assert place(ready["url"], f"o-{n}") == 202
    deployment.until(lambda: len(booked(deployment)) >= 10)
    break_, mend = (postgres.kill, postgres.start) if trouble == "killed" else (postgres.halt, postgres.go_on)
    break_()
    asking = [threading.Thread(target=cut_off, args=(ready["url"], f"p-{n}")) for n in range(4)]
    for thread in asking:
        thread.start()
    (deployment.folder / "nothing-is-shipped").unlink()
    time.sleep(1.0)
    began = time.monotonic()
    deployment.process.send_signal(signal.SIGTERM)
    try:
        code = deployment.process.wait(40)
        took = time.monotonic() - began
    finally:
        mend()
    assert code == 0
    for thread in asking:
        thread.join()
    assert took < 20, (deployment.folder / "log.txt").read_text()
    ready = deployment.start("--workers", workers)
    wanted = {(f"o-{n}", what): 1 for n in range(5) for what in STEPS}
    deployment.until(lambda: wanted.items() <= booked(deployment).items(), 30)
    assert set(booked(deployment).values()) == {1}
