"""What the tests of the legacy systems share."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from examples.order_to_cash.orders import Invoice, read

SLICE = Path(__file__).parents[3] / "examples/order_to_cash/data/online-retail-slice.csv.gz"


@pytest.fixture(scope="session")
def invoices() -> list[Invoice]:
    return read(SLICE)


@pytest.fixture
def until():
    async def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def open_dir():
    """A directory that PostgreSQL's own user can reach, which tmp_path is not when root runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
