"""What operators see of runs and do to them, as data; the command line shows it.

Each change is one unit and conditional: it never touches a run that a worker has in memory, also one claimed just now.
Who did it and why is handed to ``audit``, whose statements commit with the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

from msgspec import Struct

from levada.process._calls import AGAIN, UNDO
from levada.process._errors import NoOpenCall, RunNotFound, WhyMissing, WrongState
from levada.process._journal import REFUSALS, Entry, EntryKind
from levada.process._rows import CHANNEL, append_entry, entries, leave_lane, touch_lane
from levada.process._shown import RunShown, WaitShown, open_calls, shown, unanswered, waited_for
from levada.process._states import State
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["Admin", "Audit", "Change", "OpenCall", "RunListed", "Unclaimed"]


class RunListed(Struct, frozen=True):
    """One run in a list. ``again``: when a step that failed is tried again. Times are microseconds UTC."""

    id: str
    code: str
    state: str
    type: str
    event: str | None
    subscription: str | None
    key: str | None
    due: int
    problem: str | None
    reason: str | None
    worker: str | None
    created: int
    changed: int
    again: int | None = None


class Unclaimed(Struct, frozen=True):
    """An event that was taken in for waits and that no run has taken."""

    position: int
    type: str
    key: str
    event: str
    at: int
    taken_in: int


class OpenCall(Struct, frozen=True):
    """A call of a run that has no answer. ``unknown``: the run's calls of which some attempt may have done it."""

    row: Row
    call: Entry
    undoing: bool
    unknown: Sequence[str]

    @property
    def left_out(self) -> bool:
        """Whether it is not made if it was not done: the run is being undone, and it is no undo itself."""
        return self.undoing and not self.call.step.startswith("~")


class Change(Struct, frozen=True):
    """What is being done to a run, for the audit."""

    action: str
    run: str
    who: str
    why: str
    before: str
    after: str


Audit: TypeAlias = Callable[[Change], Sequence[Statement]]
"""Gives the statements that record a change; they commit with it."""


class Admin:
    """Lists runs, shows them, and lets go on those that are stuck, wait, or wait for their next attempt."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    async def list(
        self,
        state: State | None = None,
        limit: int = 100,
        before: int | None = None,
        key: str | None = None,
    ) -> list[RunListed]:
        """Runs of a state and of a key, or all; newest first, made at ``before`` or earlier."""
        until = before if before is not None else await self._store.now()
        asked: dict[str, Any] = {"state": state, "before": until, "n": limit}
        name = "runs.list" if key is None else "runs.of_key"
        rows = await self._store.read(name, asked if key is None else {**asked, "key": key})
        return [RunListed(**row) for row in rows]

    async def counts(self) -> dict[str, dict[str, int]]:
        """How many runs there are, by handler version and state."""
        counts: dict[str, dict[str, int]] = {}
        for row in await self._store.read("runs.counts"):
            counts.setdefault(row["code"], {})[row["state"]] = row["runs"]
        return counts

    async def show(self, run: str, journal: Sequence[Row] | None = None) -> RunShown:
        """One run with all that is known: its steps as a tree, what it waits for, the commands that resolve it.

        ``journal``: its rows as they may be shown; by default as they are kept.
        """
        row = await self._row(run)
        if journal is None:
            journal = await self._store.read("runs.journal", {"run": run})
        waits = await self._store.read("runs.waits_shown", {"run": run})
        return shown(row, entries(journal), waits, await self._ahead(row))

    async def _ahead(self, row: Row) -> str | None:
        """The run that this one's key is kept by, if it queues for it."""
        if not row["queued"] or row["ready"] or row["lane"] is None:
            return None
        first = await self._store.read("runs.first_of_lane", {"lane": row["lane"]})
        return first[0]["id"] if first else None

    async def unclaimed(self, before: int | None = None, limit: int = 100) -> list[Unclaimed]:
        """Events that nobody took, oldest first, taken in at ``before`` or earlier."""
        until = before if before is not None else await self._store.now()
        rows = await self._store.read("runs.unclaimed", {"before": until, "n": limit})
        return [Unclaimed(**row) for row in rows]

    async def resume(self, run: str, who: str, why: str = "") -> None:
        """Let a stuck run try again, from where it stands, or one that waits for its next attempt, to undo as well, try now.

        Of a stuck run an at_least_once call with an unknown outcome is made again: look in the system first.

        Raises:
            RunNotFound: There is no such run.
            WrongState: It is neither, or a worker has it just now.
        """
        row = await self._row(run)
        journal = entries(await self._store.read("runs.journal", {"run": run}))
        undoing = any(entry.kind is EntryKind.COMPENSATE for entry in journal)
        state = State.COMPENSATING if undoing else State.SCHEDULED
        # Nobody has looked whether what a dead worker left unknown was done: that stays as it is.
        kind = "" if row["state"] == State.STUCK else UNDO
        mark = append_entry(run, Entry(0, EntryKind.RESUMED, "", "run.resumed", b"", why.encode(), kind))
        marks = [mark] if journal else []  # else it was not even begun
        await self._change(row, "resume", _RETRIED, who, why, state, [*marks, *_enqueue(row, state)])

    async def answer(self, run: str, step: str, value: bytes, who: str, why: str) -> None:
        """Give a run the result of a call that an operator knows, and let it go on.

        The call may be of unknown outcome, wait for its next attempt, or have been refused so that the run is stuck.

        Args:
            run: A run that is stuck or waits for its next attempt.
            step: The call's step id.
            value: The encoded result.
            who: Who says so.
            why: How it is known; obligatory.

        Raises:
            RunNotFound: There is no such run.
            NoOpenCall: It has no such call.
            WrongState: It is neither, or a worker has it just now.
            WhyMissing: No reason is given.
        """
        _say_why(why, "answer")
        opened = await self.open_call(run, step)
        call = opened.call
        marks = [Entry(0, EntryKind.KNOWN, step, call.operation, call.arguments, value, "answered")]
        if call.kind in REFUSALS:  # it counts no more once it was let be asked anew
            marks.insert(0, Entry(0, EntryKind.RESUMED, "", "run.resumed", b"", why.encode(), UNDO))
        await self._answered(opened, marks, who, why)

    async def not_done(self, run: str, step: str, who: str, why: str) -> None:
        """Tell a run that a call of unknown outcome was certainly not done, and let it go on: it is made then.

        Where the run is being undone, it is not made, and there is nothing of it to undo.

        Args:
            run: A run that is stuck or waits for its next attempt.
            step: The call's step id.
            who: Who says so.
            why: How it is known; obligatory.

        Raises:
            RunNotFound: There is no such run.
            NoOpenCall: It has no such call.
            WrongState: It is neither, or a worker has it just now.
            WhyMissing: No reason is given.
        """
        _say_why(why, "answer")
        opened = await self.open_call(run, step)
        call = opened.call
        kind, value, type_ = EntryKind.ATTEMPT, f"not done: {why}".encode(), AGAIN
        if opened.left_out:
            kind, value, type_ = EntryKind.FAILED, b"", "not done"
        elif step not in opened.unknown:
            raise NoOpenCall(run=run, step=step, missing="known outcome", open=_listed(opened.unknown))
        entry = Entry(0, kind, step, call.operation, call.arguments, value, type_)
        await self._answered(opened, [entry], who, why)

    async def open_call(self, run: str, step: str) -> OpenCall:
        """A run, and what its journal has last of a call of it that has no answer.

        Raises:
            RunNotFound: There is no such run.
            NoOpenCall: It has no such call.
        """
        row = await self._row(run)
        journal = entries(await self._store.read("runs.journal", {"run": run}))
        calls = unanswered(journal)
        if step not in calls:
            raise await self._no_open(run, step)
        undoing = any(e.kind is EntryKind.COMPENSATE for e in journal)
        return OpenCall(row, calls[step], undoing, list(open_calls(journal)))

    async def _answered(self, opened: OpenCall, marks: Sequence[Entry], who: str, why: str) -> None:
        row = opened.row
        state = State.COMPENSATING if opened.undoing else State.SCHEDULED
        # No mark that lets other calls of unknown outcome be made again, too.
        statements = [*(append_entry(row["id"], entry) for entry in marks), *_enqueue(row, state)]
        await self._change(row, "answer", _RETRIED, who, why, state, statements)

    async def open_wait(self, run: str, step: str) -> tuple[Row, WaitShown]:
        """A run, and what it waits for at a step: an event, a time, or both.

        Raises:
            RunNotFound: There is no such run.
            NoOpenCall: It waits for nothing there.
        """
        row = await self._row(run)
        waits = waited_for(await self._store.read("runs.waits_shown", {"run": run}))
        if step not in waits:
            raise await self._no_open(run, step)
        return row, waits[step]

    async def answer_wait(self, run: str, step: str, value: bytes | None, who: str, why: str) -> None:
        """Close a wait of a run as its event, or its time, would; also while a worker has the run.

        Args:
            run: The run.
            step: The step of its wait or sleep.
            value: The encoded event; None: its time is up.
            who: Who says so.
            why: How it is known; obligatory.

        Raises:
            RunNotFound: There is no such run.
            NoOpenCall: It waits for nothing there, or no longer.
            WhyMissing: No reason is given.
        """
        _say_why(why, "answer")
        row, _ = await self.open_wait(run, step)
        event = None if value is None else f"answered-{uuid4().hex}"
        close = {"run": run, "step": step, "event": event, "value": value}
        statements = [Statement("runs.wait_answer", close, 1)]
        suspended = not row["queued"] and row["state"] in (State.WAITING, State.COMPENSATING)
        if suspended:
            statements += [*touch_lane(row["lane"]), Statement("runs.wake", {"run": run})]
        after = State.SCHEDULED if suspended and row["state"] == State.WAITING else row["state"]
        change = Change("answer", run, who, why, row["state"], after)
        if not (await self._store.commit(Unit([*statements, *self._audit(change)], (CHANNEL,)))).committed:
            raise await self._no_open(run, step)

    async def _no_open(self, run: str, step: str) -> NoOpenCall:
        journal = entries(await self._store.read("runs.journal", {"run": run}))
        waits = waited_for(await self._store.read("runs.waits_shown", {"run": run}))
        return NoOpenCall(run=run, step=step, missing="answer", open=_listed([*unanswered(journal), *waits]))

    async def skip(self, run: str, who: str, why: str) -> None:
        """Give a run up as it is, that is stuck or waits for its next attempt. What it has done stays done; its key is open again.

        Raises:
            WhyMissing: No reason is given.
            WrongState: It is neither, or a worker has it just now.
        """
        row = await self._row(run)
        _say_why(why, "skip")
        state = State.DONE
        text = {"from": row["state"], "state": state, "reason": f"skipped: {why}"}
        give_up = Statement("runs.skip", {"run": run, **text}, 1)
        withdraw = Statement("runs.waits_withdraw", {"run": run})
        leave = leave_lane(row["lane"], give_up)
        await self._change(row, "skip", _IDLE, who, why, state, [withdraw, *leave])

    async def compensate(self, run: str, who: str, why: str) -> None:
        """Undo what a run has done that is stuck, waits, or waits for its next attempt; newest first.

        Raises:
            WhyMissing: No reason is given.
            WrongState: It has ended, is being undone, or a worker has it.
        """
        row = await self._row(run)
        _say_why(why, "compensate")
        marks = [
            Statement("runs.waits_withdraw", {"run": run}),
            append_entry(run, Entry(0, EntryKind.COMPENSATE, "", "run.compensate", b"", why.encode())),
            append_entry(run, Entry(0, EntryKind.RESUMED, "", "run.resumed", b"", why.encode(), UNDO)),
        ]
        state = State.COMPENSATING
        idle = (*_IDLE, State.WAITING)
        await self._change(row, "compensate", idle, who, why, state, [*marks, *_enqueue(row, state)])

    async def _row(self, run: str) -> Row:
        rows = await self._store.read("runs.one", {"run": run})
        if not rows:
            raise RunNotFound(run=run)
        return rows[0]

    async def _change(
        self,
        row: Row,
        action: str,
        needed: tuple[State, ...],
        who: str,
        why: str,
        after: State,
        statements: Sequence[Statement],
    ) -> None:
        wrong = {"run": row["id"], "action": action, "needed": " or ".join(needed)}
        if row["state"] not in needed:
            raise WrongState(state=row["state"], **wrong)
        change = Change(action, row["id"], who, why, row["state"], after)
        outcome = await self._store.commit(Unit([*statements, *self._audit(change)], (CHANNEL,)))
        if not outcome.committed:
            raise WrongState(state=(await self._row(row["id"]))["state"], **wrong)


_IDLE = (State.STUCK, State.SCHEDULED)
_RETRIED = (*_IDLE, State.COMPENSATING)
"""States in which no worker has a run; each change asks again whether one has claimed it meanwhile."""


def _listed(steps: Sequence[str]) -> str:
    return ", ".join(steps) or "none"


def _say_why(why: str, action: str) -> None:
    if not why.strip():
        raise WhyMissing(action=action)


def _enqueue(row: Row, state: State) -> list[Statement]:
    params: dict[str, Any] = {"run": row["id"], "state": state, "from": row["state"]}
    return [*touch_lane(row["lane"]), Statement("runs.enqueue", params, 1)]
