"""The store through its owner's socket, when the owner dies, restarts, or is asked nonsense."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.writers import writing

from levada.store import Statement, StoreError, StoreUnknown, Unit, open_shared, open_store
from levada.store.errors import QueryUnknown, StoreUnusable
from levada.store.socket import SocketStore, StoreServer

OWNER = Path(__file__).with_name("owner.py")


def put(name):
    return Unit([Statement("meta.set", {"name": name, "value": "1"}, 1)])


@pytest.fixture
def owner(tmp_path):
    """Starts owners; the last one is killed at the end."""
    running = []

    def start():
        process = subprocess.Popen(
            [sys.executable, OWNER, "serve", tmp_path / "levada.db"], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout.readline() == "serving\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def count(name):
    """Done twice, it shows."""
    place = {"minute": 1, "environment": "", "consumer": "", "client": "", "operation": ""}
    return Unit([Statement("call.add_part", {**place, "kind": "", "name": name, "n": 1}, 1)])


@pytest.mark.parametrize("deaths", range(3))
async def test_through_the_death_of_the_owner_each_commit_happens_once_if_at_all(
    owner, tmp_path, closing, deaths
):
    first = owner()
    store = await closing(SocketStore(str(tmp_path / "s"), patience=20).open())
    async with writing(store, count, tasks=64) as writers:
        await writers.more(100)
        first.send_signal(signal.SIGKILL)
        first.wait()
        await asyncio.to_thread(owner)
        await writers.more(100)
    # Each task had one commit under way at most.
    assert len(writers.unknown) <= 64
    found = {row["name"]: row["n"] for row in await store.read("call.read_parts", {"since": 0, "until": 9})}
    assert set(found.values()) == {1}
    acknowledged = set(writers.acknowledged)
    assert acknowledged <= set(found) <= acknowledged | set(writers.unknown)


async def test_a_commit_whose_answer_is_lost_is_unknown_and_not_repeated(tmp_path, closing):
    real = await closing(open_store("sqlite::memory:"))

    class HangsUp:
        """Commits, and is gone before it has said so."""

        def __getattr__(self, name):
            return getattr(real, name)

        async def commit(self, unit):
            outcome = await real.commit(unit)
            for peer in server._peers:
                peer._writer.transport.abort()
            return outcome

    server = StoreServer(HangsUp(), str(tmp_path / "s"))
    await server.start()
    store = await closing(open_store(f"unix:{tmp_path / 's'}"))
    with pytest.raises(StoreUnknown):
        await store.commit(count("once"))
    (row,) = await store.read("call.read_parts", {"since": 0, "until": 9})
    assert row["n"] == 1
    await server.stop()


async def test_reading_waits_for_the_owner_to_come_back(owner, tmp_path, closing):
    first = owner()
    store = await closing(SocketStore(str(tmp_path / "s"), patience=20).open())
    await store.commit(put("a"))
    first.kill()
    first.wait()
    reading = asyncio.ensure_future(store.read("meta.get", {"name": "a"}))
    await asyncio.to_thread(owner)
    assert await reading == [{"value": "1"}]


async def test_an_owner_that_stays_away_is_told_within_patience(owner, tmp_path, closing):
    first = owner()
    store = await closing(SocketStore(str(tmp_path / "s"), patience=0.2).open())
    first.kill()
    first.wait()
    with pytest.raises(StoreError):
        await store.read("meta.get", {"name": "a"})
    with pytest.raises(StoreError) as caught:
        await store.commit(put("a"))
    assert not isinstance(caught.value, StoreUnknown), "it was never sent"


async def test_listeners_are_woken_by_a_restart_and_hear_the_new_owner(owner, tmp_path, closing):
    first = owner()
    store = await closing(SocketStore(str(tmp_path / "s"), patience=20).open())
    async with store.listen("a") as wakes:
        first.kill()
        first.wait()
        await asyncio.to_thread(owner)
        assert await asyncio.wait_for(anext(wakes), 20) == "a"
        other = await closing(open_store(f"unix:{tmp_path / 's'}"))
        await other.commit(Unit(put("x").statements, ["a"]))
        assert await asyncio.wait_for(anext(wakes), 20) == "a"


@pytest.fixture
async def served(tmp_path, closing):
    store = await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
    server = StoreServer(store, str(tmp_path / "s"))
    await server.start()
    yield server
    await server.stop()


async def test_only_the_same_user_may_open_it(served, tmp_path):
    mode = (tmp_path / "s").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_errors_keep_their_kind(served, tmp_path, closing):
    store = await closing(open_store(f"unix:{tmp_path / 's'}"))
    with pytest.raises(QueryUnknown, match="LV1306"):
        await store.read("no.such")


async def test_a_stopping_owner_answers_what_was_asked(served, tmp_path, closing):
    store = await closing(SocketStore(str(tmp_path / "s"), patience=0.2).open())
    waiting = [asyncio.ensure_future(store.commit(put(f"n {n}"))) for n in range(50)]
    await waiting[0]
    await served.stop()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(o, StoreUnknown) or o.committed for o in outcomes)
    assert not (tmp_path / "s").exists()


async def test_who_speaks_nonsense_is_hung_up_on_and_harms_nobody(served, tmp_path, closing):
    store = await closing(open_store(f"unix:{tmp_path / 's'}"))
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x01\xc1", b"\xff" * 64, b"\x00\x00\x00\x00"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(nonsense)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert (await store.commit(put("a"))).committed


async def test_a_question_that_is_not_understood_is_answered(served, tmp_path, closing):
    store = await closing(open_store(f"unix:{tmp_path / 's'}"))
    for kind, payload in (("commit", "no unit"), ("read", 7), ("dance", None)):
        with pytest.raises(StoreError, match="not understood"):
            await store._ask(kind, payload, again=False)


async def test_who_stops_listening_leaves_nothing_behind(served, tmp_path, closing):
    store = await closing(open_store(f"unix:{tmp_path / 's'}"))
    for _ in range(5):
        async with store.listen("a"):
            pass
    await store.now()
    (peer,) = served._peers
    assert peer._listening == {}


async def test_a_path_too_long_for_a_socket_is_told(tmp_path, closing):
    store = await closing(open_store("sqlite::memory:"))
    with pytest.raises(StoreUnusable, match="shorter"):
        await StoreServer(store, str(tmp_path / ("x" * 200))).start()


async def test_what_a_dead_owner_left_is_replaced(tmp_path, closing):
    store = await closing(open_store("sqlite::memory:"))
    first = StoreServer(store, str(tmp_path / "s"))
    await first.start()
    os.link(tmp_path / "s", tmp_path / "left")
    await first.stop()
    (tmp_path / "left").rename(tmp_path / "s")
    second = StoreServer(store, str(tmp_path / "s"))
    await second.start()
    other = await closing(open_store(f"unix:{tmp_path / 's'}"))
    assert (await other.commit(put("a"))).committed
    await second.stop()


async def test_the_first_owns_and_serves_and_the_others_go_through_it(tmp_path, closing):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    first, second, third = [await closing(open_shared(url)) for _ in range(3)]
    assert isinstance(second, SocketStore)
    assert (await second.commit(put("a"))).committed
    assert await third.read("meta.get", {"name": "a"}) == await first.read("meta.get", {"name": "a"}) != []
    await second.close()
    await third.close()
    await first.close()
    assert not (tmp_path / "levada.db.sock").exists()
    again = await closing(open_shared(url))
    assert not isinstance(again, SocketStore)


async def test_closing_an_owner_answers_the_others_first(tmp_path, closing):
    url = f"sqlite:{tmp_path / 'levada.db'}"
    owner = await closing(open_shared(url))
    other = await closing(open_shared(url))
    waiting = [asyncio.ensure_future(other.commit(put(f"n {n}"))) for n in range(50)]
    await waiting[0]
    await owner.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    again = await closing(open_store(url))
    for n, outcome in enumerate(outcomes):
        if not isinstance(outcome, StoreUnknown):
            assert outcome.committed
            assert await again.read("meta.get", {"name": f"n {n}"})
