"""What a run may do besides calling, publishing and waiting: the steps of `levada.run`.

Each of these is a step: its result is in the journal before anything that follows from it
is done, and after a crash the same result comes from there.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, overload
from uuid import UUID

from levada.process._steps import Kind, ask, fork

__all__ = ["Compensate", "gather", "now", "race", "random", "sleep", "uuid"]

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")


class Compensate(Exception):
    """Raise it to undo what this run has done, newest first. The message is the reason."""


async def sleep(duration: timedelta | float) -> None:
    """Sleep for a time, in seconds or as a timedelta; minutes or months, across any restart.

    The run leaves memory and gives its key up meanwhile.
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    await ask("run.sleep", Kind.SLEEP, "run.sleep", {"seconds": seconds}, seconds)


async def now() -> datetime:
    """The time of the store, in UTC."""
    micros: int = await ask("run.now", Kind.NOW, "run.now", {})
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)


async def uuid() -> UUID:
    """A new UUID (version 7: in order of time)."""
    return UUID(await ask("run.uuid", Kind.UUID, "run.uuid", {}))


async def random() -> float:
    """A random number, 0 <= x < 1; not for secrets, since the journal keeps it."""
    return float(await ask("run.random", Kind.RANDOM, "run.random", {}))


@overload
async def gather(a: Awaitable[T1], b: Awaitable[T2], /) -> tuple[T1, T2]: ...
@overload
async def gather(a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /) -> tuple[T1, T2, T3]: ...
@overload
async def gather(*branches: Awaitable[T]) -> tuple[T, ...]: ...
async def gather(*branches: Awaitable[Any]) -> tuple[Any, ...]:
    """Do several things side by side; returns all results, in the order given.

    The first problem ends the others (a call already made is still brought to a known
    outcome) and is raised here.
    """
    return tuple(await fork("run.gather", branches, race=False))


async def race(*branches: Awaitable[T]) -> tuple[int, T]:
    """Do several things side by side until one has ended.

    Returns:
        The position of the one that ended first, and its result. The others are given up:
        their waits are withdrawn, a call already made is still brought to a known outcome.

    Raises:
        ValueError: There is nothing to race.
    """
    if not branches:
        raise ValueError("run.race needs at least one branch")
    return await fork("run.race", branches, race=True)
