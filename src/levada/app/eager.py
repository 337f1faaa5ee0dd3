"""Runs a coroutine at once up to its first wait; only one that waits is given a task.

Most requests never wait, and a task for each costs more than the request's own work.
What the code behind notices is the same as in a task: ``asyncio.current_task()`` is
one task from the first line to the last, time-outs, task groups and cancellation
work on it, and context variables are the request's own.
"""

from __future__ import annotations

import asyncio
import types
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

__all__ = ["Eager"]

_DONE = object()


class Eager:
    """Runs coroutines on one event loop; used from callbacks of that loop, never from within a task."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spare = _Carrier(loop)

    def run(self, coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None] | None:
        """Run a coroutine, which returns nothing and raises nothing.

        Returns:
            None where it has ended; else the task that goes on with it.
        """
        spare = self._spare
        if not spare.waiting or spare.gate.done():
            # A task that has not begun could be cancelled before it knows what it carries.
            if spare.gate.done():
                self._spare = _Carrier(self._loop)
            return self._loop.create_task(coroutine, context=context)
        task = spare.task
        # Whoever keeps the task (a registry of jobs, a session for each task) must not meet it in the next
        # request: a task that somebody has come to know is not used again.
        known = getrefcount(task), getweakrefcount(task)
        _enter_task(self._loop, task)
        try:
            # next() with a default: the end of a coroutine that returns nothing costs no exception.
            waits_for = context.run(next, coroutine.__await__(), _DONE)
        finally:
            _leave_task(self._loop, task)
        if waits_for is not _DONE:
            spare.carry(coroutine, context, waits_for)
            self._spare = _Carrier(self._loop)
            return task
        if (getrefcount(task), getweakrefcount(task)) != known or task.cancelling():
            spare.end()
            self._spare = _Carrier(self._loop)
        return None


class _Carrier:
    """A task that waits until it is given a coroutine to go on with, carries it to its end, and ends with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.gate: asyncio.Future[None] = loop.create_future()
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._run: Callable[..., Any] = Context().run
        self._waits_for: Any = None
        self.waiting = False
        self.task: asyncio.Task[None] = loop.create_task(self._go_on(), name="levada request")  # type: ignore[arg-type]

    def carry(self, coroutine: Coroutine[Any, Any, None], context: Context, waits_for: Any) -> None:
        """Go on with a coroutine that has begun, in its context, and that waits for something."""
        self._coroutine, self._run, self._waits_for = coroutine, context.run, waits_for
        self.end()

    def end(self) -> None:
        """Wait no longer."""
        if not self.gate.done():
            self.gate.set_result(None)

    @types.coroutine
    def _go_on(self) -> Generator[Any, Any, None]:
        self.waiting = True
        error: asyncio.CancelledError | None = None
        try:
            yield from self.gate
        except asyncio.CancelledError as cancelled:
            error = cancelled
        if self._coroutine is None:
            return
        run, send, throw = self._run, self._coroutine.send, self._coroutine.throw
        waits_for = self._waits_for
        try:
            # As Task.cancel() does: what is waited for is cancelled, and tells it; else the coroutine is told.
            if error is not None and not (hasattr(waits_for, "cancel") and waits_for.cancel()):
                waits_for = run(throw, error)
            while True:
                try:
                    yield waits_for
                except BaseException as raised:
                    waits_for = run(throw, raised)
                else:
                    waits_for = run(send, None)
        except StopIteration:
            return
