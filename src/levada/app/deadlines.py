"""Cancels what runs beyond its deadline, with one timer for all: one for each costs more than a call's own work."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

__all__ = ["Deadlines"]

_SWEEP = 0.05
"""Seconds between looks for tasks whose deadline has passed: they are cancelled that much late at most."""


class Deadlines:
    """The tasks under way on one event loop, each with the time by which it has to be done.

    A task is watched for one thing at a time. Whoever watches it has to ask :meth:`late` or
    :meth:`expired` when it is cancelled, and to :meth:`unwatch` it in any case.
    """

    def __init__(self) -> None:
        self._until: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, task: asyncio.Task[Any], deadline: float) -> None:
        """Cancel the task when the deadline (on the monotonic clock) passes, until :meth:`unwatch`."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)
        self._until[task] = deadline

    def unwatch(self, task: asyncio.Task[Any]) -> None:
        """What the task was watched for is done. Calling it twice is fine."""
        self._until.pop(task, None)
        self._overdue.discard(task)

    def late(self) -> bool:
        """Whether the task that runs was cancelled by its deadline; its cancellation is taken back then."""
        task = asyncio.current_task()
        return task is not None and self.expired(task) is not None

    def expired(self, task: asyncio.Task[Any]) -> int | None:
        """None, or how many other cancellations are left of a task that its deadline cancelled; that one is taken back."""
        return task.uncancel() if task in self._overdue else None

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        now = monotonic()
        for task, deadline in list(self._until.items()):
            if deadline < now and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        # With nothing under way the timer rests.
        self._timer = asyncio.get_running_loop().call_later(_SWEEP, self._sweep) if self._until else None
