"""The core of a run: the handler's coroutine, driven by hand.

No clock, no loop, no store. `start` and `give` drain the run and return the steps that
it asks for next; whoever drives it performs them and gives the answers back, one at a
time, in an order of its own choosing that it writes down. The same order gives the same
run: that is replay.

Each child of a `gather` or `race` is a branch with a number of its own; a step's id is
the branch's path and its ordinal in the branch, ``"/0"``, ``"0.2/1"``.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError
from asyncio import _get_running_loop as _running  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  no public way to hide it
from asyncio import _set_running_loop as _hide  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  the same
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, cast

from msgspec import Struct

from levada._errors import LevadaError
from levada.process._errors import AwaitMissing, ForeignAwait, StepsExhausted
from levada.process._foreign import ForeignLoop
from levada.process._forgotten import watch
from levada.process._steps import Fork, Kind, Request, Step, Suspended, _current

__all__ = ["Broken", "Core", "Ended", "Raised", "Returned"]

_WARN_AT = 1_000
_STOP_AT = 10_000
_THROWS = 64
"""How often a branch that catches `Suspended` is told again before it is left alone."""


class Returned(Struct, frozen=True):
    """The handler returned."""

    value: Any


class Raised(Struct, frozen=True):
    """The handler raised. ``declared``: the problem came, as it is, from a call that declares it.

    ``step``: the call whose refusal it is, or comes from.
    """

    error: BaseException
    declared: bool
    step: str | None = None


class Broken(Struct, frozen=True):
    """The run cannot be continued by this code."""

    error: LevadaError


Ended = Returned | Raised | Broken


class _Branch:
    __slots__ = (
        "alive",
        "children",
        "context",
        "coroutine",
        "join",
        "ordinal",
        "parent",
        "path",
        "slot",
        "step",
    )

    def __init__(self, path: str, work: Coroutine[Any, Any, Any], context: Context) -> None:
        self.path = path
        self.coroutine = work
        self.context = context
        self.ordinal = 0
        self.children = 0
        self.alive = True
        self.step: str | None = None
        self.join: _Join | None = None
        self.parent: _Join | None = None
        self.slot = 0


class _Join:
    """Where branches come together again."""

    __slots__ = ("branches", "left", "owner", "race", "results")

    def __init__(self, owner: _Branch, branches: list[_Branch], *, race: bool) -> None:
        self.owner = owner
        self.branches = branches
        self.race = race
        self.left = len(branches)
        self.results: list[Any] = [None] * len(branches)


class Core:
    """One run in memory.

    Args:
        work: The handler's coroutine, not yet begun.
        path: The path of its root branch: empty for a handler, ``~`` and a step's id for its undo.
        context: The context variables that the code begins with; by default none.

    Attributes:
        outstanding: The steps asked for and not yet answered, by id, in the order they were made.
            Also those whose branch lost a race: a call once made has to become known.
        given_up: Waits and sleeps whose branch lost a race, by id.
        ended: How it ended, or None. Calls may then still be outstanding.
        made: How many steps were made.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, Any],
        path: str = "",
        *,
        context: Context | None = None,
    ) -> None:
        self.outstanding: dict[str, Step] = {}
        self.ended: Ended | None = None
        self.made = 0
        self.given_up: dict[str, Step] = {}
        self._withdrawn: list[str] = []
        context = Context() if context is None else context
        context.run(_current.set, self)
        self._root = _Branch(path, work, context)
        self._ready: deque[tuple[_Branch, Any, BaseException | None]] = deque()
        self._asking: dict[str, _Branch] = {}
        self._new: dict[str, Step] = {}
        self._problems: dict[int, tuple[str, BaseException, bool]] = {}
        self._generators: list[AsyncGenerator[Any, Any]] = []
        self._loop = ForeignLoop(self._foreign)
        self._closed = False

    @property
    def long(self) -> bool:
        """Whether it has made so many steps that somebody should be told."""
        return self.made > _WARN_AT

    def start(self) -> list[Step]:
        """Begin; returns the first steps."""
        self._ready.append((self._root, None, None))
        return self._drain()

    def give(self, step: str, value: Any = None, error: BaseException | None = None) -> list[Step]:
        """Answer a step; returns the steps made thereupon.

        Args:
            step: The id of an outstanding step.
            value: Its result.
            error: A problem instead: raised where the step is awaited. One that may start
                compensation is told by `refuse`.

        Raises:
            KeyError: No such step is outstanding.
        """
        del self.outstanding[step]
        if error is not None:
            self._problems.setdefault(id(error), (step, error, False))
        branch = self._asking.pop(step, None)
        if branch is None:
            return []
        branch.step = None
        if not branch.alive or self.ended is not None:
            return []
        self._ready.append((branch, value, error))
        return self._drain()

    def refuse(self, step: str, problem: BaseException) -> list[Step]:
        """Answer a step with a problem that its operation declares."""
        self._problems[id(problem)] = (step, problem, True)
        return self.give(step, error=problem)

    def withdrawn(self) -> list[str]:
        """Waits and sleeps that nobody waits for any more, since the last time this was asked."""
        gone, self._withdrawn = self._withdrawn, []
        return gone

    def close(self) -> None:
        """Let the run leave memory. What stands in ``finally`` runs, and reaches nothing."""
        if self._closed:
            return
        self._closed = True
        self._ready.clear()
        with self._entered():
            self._drop(self._root)
            for generator in self._generators:
                self._throw(generator.aclose(), self._root.context)
        self._generators.clear()

    def _drain(self) -> list[Step]:
        with self._entered():
            while self._ready and self.ended is None:
                branch, value, error = self._ready.popleft()
                if branch.alive:
                    self._advance(branch, value, error)
        new, self._new = self._new, {}
        return list(new.values())

    @contextmanager
    def _entered(self) -> Generator[None]:
        """User code sees no loop, and its async generators are ours to close."""
        loop, hooks = _running(), sys.get_asyncgen_hooks()
        _hide(cast("Any", self._loop))
        sys.set_asyncgen_hooks(self._generators.append, None)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _hide(loop)

    def _advance(self, branch: _Branch, value: Any, error: BaseException | None) -> None:
        try:
            work = branch.coroutine
            asked: object = (
                branch.context.run(work.send, value)
                if error is None
                else branch.context.run(work.throw, error)
            )
        except StopIteration as stop:
            self._finish(branch, stop.value, None)
        except (Exception, CancelledError) as failure:  # whatever it raises is how it ended
            self._finish(branch, None, failure)
        else:
            self._asked(branch, asked)

    def _asked(self, branch: _Branch, asked: object) -> None:
        if self.ended is not None:
            return
        if type(asked) is Request:
            self._make(branch, asked)
        elif type(asked) is Fork:
            self._fork(branch, asked)
        else:
            self._foreign(
                f"a {type(asked).__module__}.{type(asked).__qualname__}"
                if asked
                else "nothing (a bare yield)"
            )

    def _make(self, branch: _Branch, request: Request) -> None:
        self.made += 1
        if self.made > _STOP_AT:
            self._break(StepsExhausted(count=_STOP_AT))
            return
        step = Step(
            f"{branch.path}/{branch.ordinal}",
            request.kind,
            request.operation,
            request.arguments,
            request.payload,
        )
        branch.ordinal += 1
        branch.step = step.id
        self.outstanding[step.id] = step
        self._asking[step.id] = branch
        self._new[step.id] = step

    def _fork(self, owner: _Branch, asked: Fork) -> None:
        if not asked.branches:
            self._ready.append((owner, [], None))
            return
        branches: list[_Branch] = []
        for work in asked.branches:
            number = str(owner.children)
            owner.children += 1
            path = f"{owner.path}.{number}" if owner.path else number
            branches.append(_Branch(path, work, owner.context.copy()))
        owner.join = join = _Join(owner, branches, race=asked.race)
        for slot, branch in enumerate(branches):
            branch.parent, branch.slot = join, slot
            self._ready.append((branch, None, None))

    def _finish(self, branch: _Branch, value: Any, error: BaseException | None) -> None:
        branch.alive = False
        if self.ended is not None:
            return
        join = branch.parent
        if join is None:
            self.ended = Returned(value) if error is None else self._raised(error)
            return
        join.results[branch.slot] = value
        join.left -= 1
        if error is None and join.left and not join.race:
            return
        for other in join.branches:
            self._drop(other)
        join.owner.join = None
        self._ready.append((join.owner, (branch.slot, value) if join.race else join.results, error))

    def _raised(self, error: BaseException) -> Raised:
        found = self._problems.get(id(error))
        if found is not None:
            return Raised(error, declared=found[2], step=found[0])
        cause: BaseException | None = error
        while cause is not None and id(cause) not in self._problems:
            cause = cause.__cause__ or cause.__context__
        return Raised(error, declared=False, step=None if cause is None else self._problems[id(cause)][0])

    def _drop(self, branch: _Branch) -> None:
        """End a branch without an answer."""
        if not branch.alive:
            return
        branch.alive = False
        if branch.join is not None:
            for child in branch.join.branches:
                self._drop(child)
        if branch.step is not None:
            del self._asking[branch.step]
            if not self._closed and self.outstanding[branch.step].kind in (Kind.WAIT, Kind.SLEEP):
                step = self.outstanding.pop(branch.step)
                if self._new.pop(branch.step, None) is None:
                    self._withdrawn.append(branch.step)
                    self.given_up[branch.step] = step
            elif not self._closed and self._new.pop(branch.step, None) is not None:
                del self.outstanding[
                    branch.step
                ]  # nobody has seen it yet; any other call has to become known
        self._throw(branch.coroutine, branch.context)

    @staticmethod
    def _throw(work: Any, context: Context) -> None:
        for _ in range(_THROWS):
            try:
                context.run(work.throw, Suspended())
            except (Exception, Suspended, StopIteration, CancelledError):  # outcomes are ignored
                return

    def _foreign(self, what: str) -> ForeignAwait:
        error = ForeignAwait(what=what)
        if not self._closed:
            self._break(error)
        return error

    def _break(self, error: LevadaError) -> None:
        if self.ended is None:
            self.ended = Broken(error)

    def forgot(self, missing: AwaitMissing) -> None:
        """The code has just made a coroutine and dropped it: what it stands for would never be done."""
        if not self._closed:
            self._break(missing)


def _forgot(missing: AwaitMissing) -> bool:
    core = _current.get()
    if core is None:
        return False
    core.forgot(missing)
    return True


watch(_forgot)
