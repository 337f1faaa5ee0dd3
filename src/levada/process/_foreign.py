"""What stands in for the event loop while a run's code is running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["ForeignLoop"]


class ForeignLoop:
    """A loop that refuses everything.

    asyncio looks its loop up before it does anything, takes a method of it or looks for
    the current task under its hash: each of them raises the error that names ours.
    """

    __slots__ = ("_refuse",)

    def __init__(self, refuse: Callable[[str], Exception]) -> None:
        self._refuse = refuse

    def __getattr__(self, name: str) -> Any:
        raise self._refuse(f"asyncio (loop.{name})")

    def __hash__(self) -> int:
        return self._no_task()

    def __eq__(self, other: object) -> bool:
        return self is other

    def _no_task(self) -> NoReturn:
        raise self._refuse("asyncio (timeout, TaskGroup or current_task)")
