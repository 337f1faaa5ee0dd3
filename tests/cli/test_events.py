"""What ``levada events`` says of events that were given again, on a deployment that runs."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime

import pytest
from tests.started import levada

APP = '''
from levada import Event, OrderKey, ProcessAPI, Publishes, handles, http


class Joined(Event, version="1.0", domain="club"):
    member: OrderKey[str]


class Welcomed(Event, version="1.0", domain="club"):
    member: OrderKey[str]


class Club(ProcessAPI, domain="club", version="1.0"):
    """Club."""

    joined: Publishes[Joined]
    welcomed: Publishes[Welcomed]

    @http.post("/members", status=202)
    async def join(self, member: str) -> str:
        """Join."""
        await self.joined(Joined(member=member))
        return member

    @handles(Joined)
    async def welcome(self, joined: Joined) -> None:
        await self.welcomed(Welcomed(member=joined.member))
'''
WELCOME = "club/Club/v1/welcome"


@pytest.fixture
def running(tmp_path):
    (tmp_path / "club.py").write_text(APP)
    (tmp_path / "levada.toml").write_text('[app]\nmodules = ["club"]\n[server]\nport = 0\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "levada", "run", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    request = urllib.request.Request(
        f"{url}/club/club/v1/members", b'{"member": "ada"}', {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=20).close()
    yield tmp_path
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    process.stdout.close()


def published(folder, count: int) -> list[dict]:
    """The events of the handler, once there are so many."""
    until = time.monotonic() + 30
    while True:
        found = json.loads(levada(folder, "events", "tail", "club.Welcomed.v1", "--json").stdout or "[]")
        if len(found) >= count:
            return found
        assert time.monotonic() < until, found


def test_what_there_is_of_a_key(running):
    published(running, 1)
    for key, count in (("ada", 1), ("bob", 0)):
        for verb in (("runs", "list"), ("events", "tail", "club.Joined.v1"), ("events", "parked")):
            found = json.loads(levada(running, *verb, "--key", key, "--json").stdout)
            assert [row["key"] for row in found] == [key] * (0 if verb[1] == "parked" else count)
    assert "No runs of the key bob yet." in levada(running, "runs", "list", "--key", "bob").stdout
    assert "No events in club.Joined.v1 of the key bob yet." in levada(
        running, "events", "tail", "club.Joined.v1", "--key", "bob"
    ).stdout  # fmt: skip
    told = levada(running, "events", "tail", "--key", "ada")
    assert (told.returncode, "levada events tail TOPIC --key ada" in told.stderr) == (2, True)


def test_a_replay_says_how_many_events_and_what_stands_twice_then(running):
    (first,) = published(running, 1)
    replay = ("events", "replay", WELCOME, "--why", "w")
    assert ": 1 event. Nothing was changed." in levada(running, *replay, "--dry-run").stdout
    future = levada(running, *replay, "--since", "2999-01-01").stdout
    assert "from 2999-01-01: no event; the log has none from then on" in future
    assert "published again" not in levada(running, "events", "tail", "club.Welcomed.v1").stdout
    assert levada(running, *replay).stdout.rstrip().endswith("from the beginning: 1 event.")
    again = published(running, 2)
    assert {e["event_id"] for e in again} == {first["event_id"]}
    assert "was published again, by a replay" in levada(running, "events", "tail", "club.Welcomed.v1").stdout


def test_when_an_event_was_taken_is_a_time(running):
    published(running, 1)
    (joined,) = json.loads(levada(running, "events", "tail", "club.Joined.v1", "--json").stdout)
    (found,) = json.loads(levada(running, "events", "explain", joined["event_id"], "--json").stdout)
    assert found["state"] == "taken"
    generation, _, at = found["why"][0].partition(" at ")
    assert generation == "generation 1"
    assert datetime.fromisoformat(at).tzinfo is not None
