"""A disk that is full, a store that may not be written: what is said, and that nothing accepted is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.deployment.test_postgres import STEPS, booked, place


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 8 MiB for the store; the ledger, which is another system's, lies elsewhere."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("a small disk can be mounted by root alone")
        pytest.skip("a small disk can be mounted by root alone")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=True, timeout=30)
    yield place
    subprocess.run(["umount", "-l", place], check=True, timeout=30)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (65536, 4096, 512):
            try:
                while True:
                    out.write(b"x" * size)
            except OSError:
                continue
    return ballast


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_full_disk_refuses_and_loses_nothing_and_goes_on_once_there_is_room(deployment, small_disk):
    with (deployment.folder / "levada.toml").open("a") as out:
        out.write(f'[store]\nurl = "sqlite:{small_disk}/levada.db"\n')
    ready = deployment.start()
    accepted = [f"o-{n}" for n in range(5) if place(ready["url"], f"o-{n}") == 202]
    assert len(accepted) == 5
    ballast = fill(small_disk)
    refused = 0
    for n in range(5, 400):
        status = place(ready["url"], f"o-{n}")
        assert status in (202, 503, 507), status
        if status == 202:
            accepted.append(f"o-{n}")
        else:
            refused += 1
            if refused == 5:
                break
    assert refused == 5, "the disk was never full"
    ballast.unlink()
    deployment.until(lambda: place(ready["url"], "o-1000") == 202, 40)
    accepted.append("o-1000")
    wanted = {(order, what): 1 for order in accepted for what in STEPS}
    deployment.until(lambda: wanted.items() <= booked(deployment).items(), 60)
    assert set(booked(deployment).values()) == {1}
    deployment.until(lambda: deployment.states().keys() == {"done"}, 30)
    with closing(sqlite3.connect(small_disk / "levada.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_that_is_full_from_the_start_is_said(deployment, small_disk):
    with (deployment.folder / "levada.toml").open("a") as out:
        out.write(f'[store]\nurl = "sqlite:{small_disk}/levada.db"\n')
    fill(small_disk)
    for verb in (("run", "--port", "0"), ("db", "migrate")):
        told = deployment.levada(*verb)
        assert told.returncode == 1
        assert told.stderr.startswith("LV13")
        assert "full" in told.stderr or "space" in told.stderr
        assert "Traceback" not in told.stderr


def test_a_store_that_may_not_be_written_is_said(deployment, small_disk):
    assert deployment.levada("db", "migrate").returncode == 0
    (small_disk / "levada.db").write_bytes((deployment.folder / "levada.db").read_bytes())
    with (deployment.folder / "levada.toml").open("a") as out:
        out.write(f'[store]\nurl = "sqlite:{small_disk}/levada.db"\n')
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True, timeout=30)
    for verb in (("run", "--port", "0"), ("keys", "list"), ("db", "migrate")):
        told = deployment.levada(*verb)
        assert told.returncode == 1, told.stdout
        assert told.stderr.startswith("LV13")
        assert "read" in told.stderr.lower() or "written" in told.stderr.lower()
        assert "Traceback" not in told.stderr


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_store_is_said_and_left_as_it_is(deployment, content: bytes):
    place = deployment.folder / "levada.db"
    place.write_bytes(content)
    told = deployment.levada("keys", "list")
    if not content:
        assert told.returncode == 0  # an empty file is a store that is yet to be made
        return
    assert told.returncode == 1
    assert told.stderr.startswith("LV13")
    assert "Traceback" not in told.stderr
    assert place.read_bytes() == content
