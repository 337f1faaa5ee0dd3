"""The embedded store when something goes wrong: death, two owners, a full disk, a clock that steps."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from levada.store import Statement, StoreError, Unit, VirtualClock, open_store
from levada.store._sqlite_file import filesystem
from levada.store.clock import SteadyClock
from levada.store.errors import StoreLocked, StoreNewer, StoreUnusable
from levada.store.sqlite import SqliteStore

OWNER = Path(__file__).with_name("owner.py")


def put(name, value="1"):
    return Unit([Statement("meta.set", {"name": name, "value": value}, 1)])


async def value(store, name):
    rows = await store.read("meta.get", {"name": name})
    return rows[0]["value"] if rows else None


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_killed_in_the_middle_of_commits_nothing_acknowledged_is_lost(tmp_path, acknowledged):
    path = tmp_path / "levada.db"
    owner = subprocess.Popen([sys.executable, OWNER, "commit", path], stdout=subprocess.PIPE, text=True)
    said = []
    for line in owner.stdout:
        said.append(line.strip())
        if len(said) == acknowledged:
            owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert len(said) >= acknowledged

    store = await open_store(f"sqlite:{path}")
    await store.close()
    db = sqlite3.connect(path)
    names = {row[0] for row in db.execute("SELECT name FROM levada_meta")}
    db.close()
    assert [s for s in said if f"a-{s}" not in names or f"b-{s}" not in names] == []
    assert {n[2:] for n in names if n.startswith("a-")} == {n[2:] for n in names if n.startswith("b-")}


async def test_a_second_owner_is_told_who_has_it(tmp_path, closing):
    await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        await open_store(f"sqlite:{tmp_path / 'levada.db'}")


async def test_another_process_is_told_as_well_until_the_owner_dies(tmp_path, closing):
    path = tmp_path / "levada.db"
    owner = subprocess.Popen([sys.executable, OWNER, "serve", path], stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "serving\n"
    with pytest.raises(StoreLocked, match=str(owner.pid)):
        await open_store(f"sqlite:{path}")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    store = await closing(open_store(f"sqlite:{path}"))
    assert (await store.commit(put("a"))).committed


async def test_closing_gives_the_file_to_the_next(tmp_path):
    for n in range(3):
        store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")
        assert (await store.commit(put(str(n)))).committed
        await store.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(mounted.stderr)
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_told_and_nothing_is_half_done(small_disk):
    store = await open_store(f"sqlite:{small_disk / 'levada.db'}")
    filler = small_disk / "filler"
    filler.write_bytes(b"")
    with filler.open("ab") as file:
        while shutil.disk_usage(small_disk).free > 200_000:
            file.write(bytes(50_000))
            file.flush()
    kept, failed = [], []
    for n in range(8):
        pair = Unit([Statement("meta.set", {"name": f"{s}{n}", "value": "x" * 40_000}, 1) for s in "ab"])
        outcomes = await asyncio.gather(
            store.commit(pair), store.commit(put(f"small {n}")), return_exceptions=True
        )
        (failed if isinstance(outcomes[0], StoreError) else kept).append(n)
        assert all(isinstance(o, StoreError) or o.committed for o in outcomes)
        told = [str(o) for o in outcomes if isinstance(o, StoreError)]
        assert all("full" in text for text in told)
    assert kept
    assert failed
    for n in range(8):
        pair = [await value(store, f"{s}{n}") for s in "ab"]
        assert [p is not None for p in pair] == [n in kept] * 2

    filler.unlink()
    assert (await store.commit(put("again", "x" * 40_000))).committed
    await store.close()
    db = sqlite3.connect(small_disk / "levada.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


async def test_no_room_at_all_is_told_when_opening(small_disk):
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(StoreUnusable):
        await open_store(f"sqlite:{small_disk / 'levada.db'}")
    (small_disk / "filler").unlink()
    store = await open_store(f"sqlite:{small_disk / 'levada.db'}")
    await store.close()


async def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "levada.db"
    await (await open_store(f"sqlite:{path}")).close()
    db = sqlite3.connect(path)
    db.execute("INSERT INTO levada_migration VALUES (9001, 'later', 0)")
    db.commit()
    db.close()
    with pytest.raises(StoreNewer, match="9001"):
        await open_store(f"sqlite:{path}")
    db = sqlite3.connect(path)
    db.execute("DELETE FROM levada_migration WHERE number = 9001")
    db.commit()
    db.close()
    await (await open_store(f"sqlite:{path}")).close()


async def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "levada.db").write_text("a letter to the board" * 100)
    with pytest.raises(StoreUnusable, match="not a database"):
        await open_store(f"sqlite:{tmp_path / 'levada.db'}")
    assert (tmp_path / "levada.db").read_text().startswith("a letter")


@pytest.fixture
def read_only():
    """Makes a file read-only, for root as well."""
    mounted = []

    def make(path):
        path.chmod(0o444)
        if os.geteuid() == 0:
            for how in (["--bind", path, path], ["-o", "remount,bind,ro", path]):
                done = subprocess.run(["mount", *how], capture_output=True, text=True)
                if done.returncode:
                    pytest.skip(
                        f"root may write everything, and nothing can be mounted: {done.stderr.strip()}"
                    )
            mounted.append(path)

    yield make
    for path in mounted:
        subprocess.run(["umount", path], check=True)


async def test_a_store_that_may_not_be_written_is_refused_when_opened(tmp_path, read_only):
    path = tmp_path / "levada.db"
    await (await open_store(f"sqlite:{path}")).close()
    read_only(path)
    with pytest.raises(StoreUnusable, match="readonly"):
        await open_store(f"sqlite:{path}")


async def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable):
        await open_store(f"sqlite:{tmp_path / 'file' / 'levada.db'}")


async def test_a_failed_opening_leaves_no_lock(tmp_path, closing):
    path = tmp_path / "levada.db"
    path.write_text("a letter to the board" * 100)
    with pytest.raises(StoreUnusable):
        await open_store(f"sqlite:{path}")
    path.unlink()
    await closing(open_store(f"sqlite:{path}"))


async def test_another_program_that_locks_the_file_is_waited_for(tmp_path, closing):
    path = tmp_path / "levada.db"
    store = await closing(open_store(f"sqlite:{path}"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.commit(put("a")))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    other.execute("ROLLBACK")
    other.close()
    assert (await waiting).committed


async def test_time_goes_on_where_it_was_when_the_clock_steps_back(tmp_path):
    clock = VirtualClock()
    path = f"sqlite:{tmp_path / 'levada.db'}"
    store = await open_store(path, clock=clock)
    first = (await store.commit(Unit([Statement("store.time"), *put("a").statements]))).rows[0][0]["now"]
    clock.advance(-3_600_000_000)
    second = (await store.commit(Unit([Statement("store.time"), *put("b").statements]))).rows[0][0]["now"]
    assert second > first
    assert await store.now() >= second
    await store.close()
    store = await open_store(path, clock=clock)
    third = (await store.commit(Unit([Statement("store.time")]))).rows[0][0]["now"]
    assert third > second
    await store.close()


async def test_time_does_not_go_back_over_a_crash_either(tmp_path):
    clock = VirtualClock()
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}", clock=clock)
    outcome = await store.commit(Unit([Statement("store.time"), *put("a").statements]))
    # What a crash leaves: the files as they are now.
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"levada.db{suffix}", copy / f"levada.db{suffix}")
    await store.close()
    clock.advance(-3_600_000_000)
    again = await open_store(f"sqlite:{copy / 'levada.db'}", clock=clock)
    assert await again.now() >= outcome.rows[0][0]["now"]
    await again.close()


def test_the_steady_clock_does_not_follow_a_step_back(monkeypatch):
    wall, monotonic = [10_000_000_000_000], [5_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic[0])
    clock = SteadyClock()
    start = clock.now()
    wall[0] -= 3_600_000_000_000
    monotonic[0] += 1_000_000
    assert clock.now() == start + 875  # an eighth slower
    wall[0] += 7_200_000_000_000
    assert clock.now() == wall[0] // 1000


async def test_after_a_step_back_and_a_restart_time_goes_on_and_does_not_stand(tmp_path, monkeypatch):
    path = f"sqlite:{tmp_path / 'levada.db'}"
    store = await open_store(path)
    before = (await store.commit(Unit([Statement("store.time"), *put("a").statements]))).rows[0][0]["now"]
    await store.close()
    wall, monotonic = [time.time_ns() - 3_600_000_000_000], [time.monotonic_ns()]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic[0])
    store = await open_store(path)
    assert before <= await store.now() < before + 1_000_000
    for passed in (wall, monotonic):
        passed[0] += 80_000_000_000
    assert 69_000_000 < await store.now() - before < 71_000_000
    for passed in (wall, monotonic):  # the wall clock is there again after eight hours
        passed[0] += 30_000_000_000_000
    assert await store.now() == wall[0] // 1000
    await store.close()


async def test_what_was_chosen_for_durability_is_what_the_file_has(tmp_path, closing):
    full = await closing(open_store(f"sqlite:{tmp_path / 'full.db'}"))
    less = await closing(open_store(f"sqlite:{tmp_path / 'less.db'}?synchronous=NORMAL"))
    assert (full.synchronous, less.synchronous) == ("FULL", "NORMAL")
    assert full._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert less._writer.execute("PRAGMA synchronous").fetchone()[0] == 1
    assert full._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


@pytest.mark.parametrize(
    "url", ["sqlite:", "sqlite:a.db?synchronous=off", "sqlite:a.db?x=1", "mysql://h/d", "a.db", "unix:"]
)
async def test_a_url_that_means_nothing_is_refused(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUnusable):
        await open_store(url)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/srv/data/a", "nfs4"), ("/srv/other", "ext4"), ("/srv/data b", "fuse.sshfs"), ("/srv/data2", "ext4")],
)
def test_a_disk_of_another_machine_is_recognised(folder, kind):
    mounts = "dev / ext4 rw 0 0\nhost:/x /srv/data nfs4 rw 0 0\nhost: /srv/data\\040b fuse.sshfs rw 0 0\n"
    assert filesystem(Path(folder), mounts) == kind


async def test_a_disk_of_another_machine_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("levada.store._sqlite_file.filesystem", lambda folder: "nfs4")
    with pytest.raises(StoreUnusable, match="nfs4"):
        await SqliteStore(str(tmp_path / "levada.db")).open()


async def test_an_error_at_the_commit_reaches_its_own_unit_alone(tmp_path):
    """A deferred constraint breaks when the whole group commits, so the group is halved."""
    from levada.store._queries import Query

    store = SqliteStore(str(tmp_path / "levada.db"))
    child = "INSERT INTO child VALUES (:n, :parent)"
    store._queries = {**store._queries, "t.child": Query("t.child", child, "", ())}
    await store.open()
    await asyncio.to_thread(
        store._writer.executescript,
        "CREATE TABLE parent (n integer PRIMARY KEY); INSERT INTO parent VALUES (1);"
        "CREATE TABLE child (n integer, parent integer REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
    )
    units = [Unit([Statement("t.child", {"n": n, "parent": 2 if n % 9 == 4 else 1})]) for n in range(64)]
    outcomes = await asyncio.gather(*(store.commit(u) for u in units), return_exceptions=True)
    assert [n for n, o in enumerate(outcomes) if isinstance(o, StoreError)] == list(range(4, 64, 9))
    kept = [row[0] for row in store._writer.execute("SELECT n FROM child ORDER BY n")]
    assert kept == [n for n in range(64) if n % 9 != 4]
    await store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_nobody_waits_for_a_writer_that_has_ended(tmp_path, monkeypatch):
    store = await open_store(f"sqlite:{tmp_path / 'levada.db'}")

    def fails(self, units, now):
        raise MemoryError

    monkeypatch.setattr("levada.store._sqlite_group.Groups.transact", fails)
    outcomes = await asyncio.gather(*(store.commit(put(str(n))) for n in range(600)), return_exceptions=True)
    assert all(isinstance(o, StoreError) for o in outcomes)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="ended"):
        await asyncio.wait_for(store.commit(put("later")), 5)
    await store.close()
