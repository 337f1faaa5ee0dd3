"""Whose claim on a file counts as abandoned, whatever is done to the clock."""

import asyncio
import time
from pathlib import Path

import pytest

from levada.connect.files import Drop, DropSettings
from levada.connect.files._abandoned import Claims
from levada.connect.files._claim import claim_name


@pytest.fixture
def clocks(monkeypatch):
    """The wall clock and the one that nobody sets, to turn."""
    now = {"wall": 1_700_000_000.0, "steady": 500.0}
    monkeypatch.setattr(time, "time", lambda: now["wall"])
    monkeypatch.setattr(time, "monotonic", lambda: now["steady"])

    def pass_(seconds: float, step: float = 0.0) -> None:
        now["wall"] += seconds + step
        now["steady"] += seconds

    return pass_


def names(claims: Claims, *there: str) -> list[str]:
    return [name for _, name in claims.abandoned(there)]


def test_what_is_older_than_the_lease_is_abandoned_even_to_one_that_looks_for_the_first_time(clocks):
    claim = claim_name("a.csv")
    clocks(299)
    assert names(Claims(300), claim) == []
    clocks(2)
    assert names(Claims(300), claim, "no claim") == ["a.csv"]


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_step_makes_none_abandoned_that_is_renewed_and_each_that_is_not_in_the_end(clocks, step):
    claims = Claims(300)
    dead, alive = claim_name("dead.csv"), claim_name("alive.csv")
    assert names(claims, dead, alive) == []
    clocks(10, step)
    found: list[list[str]] = []
    for _ in range(40):
        found.append(names(claims, dead, alive))
        if len(found) % 10 == 0:
            alive = claim_name("alive.csv")
        clocks(10)
    assert all(abandoned in ([], ["dead.csv"]) for abandoned in found)
    assert found[0] == []
    assert found[-1] == ["dead.csv"]


def test_a_name_that_comes_again_is_seen_anew(clocks):
    claims, claim = Claims(300), claim_name("a.csv")
    clocks(0, -3600)
    assert names(claims, claim) == []
    clocks(200)
    assert names(claims) == []
    clocks(200)
    assert names(claims, claim) == []


async def test_a_clock_that_is_set_takes_no_file_from_a_worker_that_lives(tmp_path: Path, monkeypatch):
    (tmp_path / "x.csv").write_bytes(b"x")
    settings = DropSettings(url=f"folder:{tmp_path}", ready="renamed", lease=0.6, poll=0.01)
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    mine, other = Drop(settings, name="mine"), Drop(settings, name="other")
    async with mine, other, await anext(mine.pick_up()):
        for n in range(60):  # more than two leases
            ahead[0] = {20: 3600.0, 40: -3600.0}.get(n, ahead[0])
            assert [f.name async for f in other.pick_up(once=True)] == []
            await asyncio.sleep(0.025)
    assert [p.name for p in (tmp_path / "done").iterdir()] == ["x.csv"]
