"""What Levada makes of the folder that the landscape left: map, tax, pilot, plan, as a user calls them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

__all__ = ["Assessed", "assess"]

START = "2010-12-13"
"""The Monday after the ten days."""


class Assessed(Struct, frozen=True):
    """The JSON of each verb."""

    map: dict[str, Any]
    blueprint: dict[str, Any]
    plan: dict[str, Any]


async def assess(landscape: Path, report: Path | None = None) -> Assessed:
    """Run ``levada map``, ``blueprint``, ``plan``, and ``report`` where a path for it is given, as processes of their own."""
    maps, blueprint, plan = await asyncio.gather(
        _levada("map", landscape, "--json"),
        _levada("blueprint", landscape, "--json"),
        _levada("plan", landscape, "--json", "--start", START),
    )
    if report is not None:
        await _levada("report", landscape, "--out", report)
    return Assessed(json.loads(maps), json.loads(blueprint), json.loads(plan))


async def _levada(*arguments: object) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from levada.cli.main import main; main()", *(str(a) for a in arguments),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, trouble = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"levada {arguments[0]} failed: {trouble.decode(errors='replace')[-800:]}")
    return said
