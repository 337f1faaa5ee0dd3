"""Each system alone: one command, one line of JSON, ended by SIGTERM with nothing left."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["erp", "erp2", "billing", "warehouse", "payments"])
async def test_starts_tells_its_address_and_ends(open_dir, name):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.order_to_cash.legacy", name, "--port", "0", "--dir", str(open_dir),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            ready = json.loads(await process.stdout.readline())
    finally:
        process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    for url in [ready["address"], ready["control"], *([ready["direct"]] if "direct" in ready else [])]:
        parts = urlsplit(url)
        with pytest.raises(OSError):
            await asyncio.open_connection(parts.hostname, parts.port)
