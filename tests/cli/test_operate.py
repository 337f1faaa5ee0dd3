"""The operating verbs on a store of their own, without a running deployment and with one."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.started import levada

APP = '''
from levada import Event, ExperienceAPI, OrderKey, Personal, ProcessAPI, Publishes, http


class Joined(Event, version="1.0", domain="club"):
    member: OrderKey[str]
    email: Personal[str, "member"]


class Club(ProcessAPI, domain="club", version="1.0"):
    """Club."""

    joined: Publishes[Joined]

    @http.post("/members/{member}", status=202)
    async def join(self, member: str, email: str) -> str:
        """Join."""
        await self.joined(Joined(member=member, email=email))
        return member


class Front(ExperienceAPI, domain="club", version="1.0"):
    """What is offered outside."""

    @http.get("/rules")
    async def rules(self) -> str:
        """The rules."""
        return "none"
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "club.py").write_text(APP)
    (tmp_path / "levada.toml").write_text(
        '[app]\nmodules = ["club"]\n[server]\nport = 0\n[plans.gold]\nrate = "60/min"\n'
    )
    return tmp_path


@pytest.fixture
def running(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "levada", "run", "--json"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    process.stdout.close()


def test_empty_states_say_what_to_do(folder):
    assert "levada keys create" in levada(folder, "keys", "list").stdout
    assert levada(folder, "keys", "list", "--consumer", "acme").stdout == "acme has no keys.\n"
    assert "Nothing is parked" in levada(folder, "events", "parked").stdout
    assert json.loads(levada(folder, "runs", "list", "--json").stdout) == []


def test_a_key_is_made_shown_once_revoked_and_audited(folder):
    made = json.loads(
        levada(
            folder,
            "keys",
            "create",
            "--consumer",
            "acme",
            "--product",
            "club/Front/v1",
            "--plan",
            "gold",
            "--as",
            "anna",
            "--json",
        ).stdout
    )
    assert made["key"].startswith("lv_")
    assert made["key"] not in levada(folder, "keys", "list", "--json").stdout
    assert levada(folder, "keys", "revoke", made["id"], "--why", "lost", "--dry-run").returncode == 0
    assert json.loads(levada(folder, "keys", "list", "--json").stdout)[0]["revoked"] is None
    assert levada(folder, "keys", "revoke", made["id"], "--why", "lost").returncode == 0
    rows = json.loads(levada(folder, "audit", "list", "--json").stdout)
    assert [(r["who"] == "anna", r["action"], r["why"]) for r in rows] == [
        (True, "keys.create", None),
        (False, "keys.revoke", "lost"),
    ]
    assert made["key"] not in json.dumps(rows)


@pytest.mark.parametrize("tried", [(), ("--dry-run",)])
def test_a_key_for_what_is_not_offered_is_refused_and_says_what_is(folder, tried):
    for product in ("club/Club/v1", "club/Fornt/v1", "club/Front/v2"):
        told = levada(
            folder, "keys", "create", "--consumer", "a", "--product", product, "--plan", "gold", *tried
        )
        assert told.returncode == 1
        assert product in told.stderr
        assert "club/Front/v1" in told.stderr
    assert json.loads(levada(folder, "keys", "list", "--json").stdout) == []


def test_a_dry_run_of_a_first_key_makes_neither_store_nor_secret(folder):
    before = sorted(folder.rglob("*"))
    done = levada(
        folder,
        "keys",
        "create",
        "--consumer",
        "a",
        "--product",
        "club/Front/v1",
        "--plan",
        "gold",
        "--dry-run",
    )
    assert done.returncode == 0, done.stderr
    assert [p for p in sorted(folder.rglob("*")) if "__pycache__" not in str(p)] == before


def test_an_altered_audit_row_is_found(folder):
    for consumer in ("a", "b"):
        levada(
            folder, "keys", "create", "--consumer", consumer, "--product", "club/Front/v1", "--plan", "gold"
        )
    assert json.loads(levada(folder, "audit", "verify", "--json").stdout) == {"rows": 2, "whole": True}
    with closing(sqlite3.connect(folder / "levada.db")) as db, db:
        assert db.execute("UPDATE levada_audit SET who = 'mallory' WHERE seq = 1").rowcount == 1
    told = levada(folder, "audit", "verify")
    assert told.returncode == 1
    assert "LV1308" in told.stderr
    assert "row 1" in told.stderr


def test_a_change_that_is_refused_leaves_no_trace_of_having_happened(folder):
    told = levada(folder, "events", "pause", "nobody", "--why", "x")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert json.loads(levada(folder, "audit", "list", "--json").stdout) == []


def test_skip_needs_a_reason(folder):
    assert levada(folder, "runs", "skip", "r-1").returncode == 2


def test_personal_data_is_masked_in_a_running_deployment_and_revealing_is_audited(folder, running):
    import urllib.request

    asked = urllib.request.Request(
        f"{running['url']}/club/club/v1/members/m-1",
        b'{"email": "m@example.org"}',
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 202
    (topic,) = json.loads(levada(folder, "events", "tail", "--json").stdout)
    (event,) = json.loads(levada(folder, "events", "tail", topic, "--json").stdout)
    assert event["data"] == {"member": "m-1", "email": "•••"}
    shown = levada(folder, "events", "tail", topic, "--reveal", "--why", "asked by m-1", "--json").stdout
    assert json.loads(shown)[0]["data"]["email"] == "m@example.org"
    (row,) = json.loads(levada(folder, "audit", "list", "--json").stdout)
    assert (row["action"], row["why"]) == ("events.tail --reveal", "asked by m-1")


def join(running, member, email):
    import urllib.request

    asked = urllib.request.Request(
        f"{running['url']}/club/club/v1/members/{member}",
        json.dumps({"email": email}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 202


def test_a_subject_is_exported_and_forgotten_and_its_master_secret_lies_beside_the_store(folder, running):
    join(running, "m-1", "m@example.org")
    master = folder / "levada.db.master"
    assert master.stat().st_mode & 0o777 == 0o600
    found = json.loads(levada(folder, "subjects", "export", "m-1", "--why", "asked by m-1").stdout)
    assert [e["data"] for e in found["events"]] == [{"member": "m-1", "email": "m@example.org"}]
    assert levada(folder, "subjects", "forget", "m-1").returncode == 2
    told = levada(folder, "subjects", "forget", "m-2", "--why", "asked")
    assert (told.returncode, "LV1218" in told.stderr, "Traceback" in told.stderr) == (2, True, False)
    assert (
        "Would forget m-1"
        in levada(folder, "subjects", "forget", "m-1", "--why", "asked", "--dry-run").stdout
    )
    assert levada(folder, "subjects", "forget", "m-1", "--why", "asked").returncode == 0
    (event,) = json.loads(
        levada(folder, "events", "tail", "club.Joined.v1", "--reveal", "--why", "look", "--json").stdout
    )
    assert event["data"] == {"member": "m-1", "email": "[forgotten]"}
    rows = json.loads(levada(folder, "audit", "list", "--json").stdout)
    assert [(r["action"], r["why"]) for r in rows] == [
        ("subjects.export", "asked by m-1"),
        ("subjects.forget", "asked"),
        ("events.tail --reveal", "look"),
    ]


def test_outside_development_personal_data_needs_a_stated_secret(folder):
    with (folder / "levada.toml").open("a") as out:
        out.write("[personal]\n")
    (folder / "levada.production.toml").write_text("")
    told = levada(folder, "run", "--env", "production")
    assert told.returncode == 2
    assert "LV1211" in told.stderr
    assert "[personal] master" in told.stderr
    assert not (folder / "levada.db.master").exists()


def test_the_admin_socket_is_for_its_user_alone(folder, running):
    assert Path(running["admin"]).stat().st_mode & 0o777 == 0o600


def test_the_schema_is_shown_and_brought_up_to_date(folder):
    assert levada(folder, "db", "status").returncode != 0
    assert levada(folder, "db", "migrate").returncode == 0
    assert levada(folder, "db", "status").returncode == 0


def test_a_list_that_is_wider_than_the_terminal_folds_no_cell(folder):
    import os
    import pty

    for consumer in ("acme", "a-consumer-with-a-long-name"):
        levada(
            folder, "keys", "create", "--consumer", consumer, "--product", "club/Front/v1", "--plan", "gold"
        )
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "levada", "keys", "list"],
        cwd=folder, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    assert running.wait(20) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    for whole in ("a-consumer-with-a-long-name", "club/Front/v1", "live"):
        assert whole in text
    assert max(map(len, text.splitlines())) <= 60


def _read(descriptor):
    import os

    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side has ended
        return b""
