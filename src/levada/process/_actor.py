"""One claimed run in memory: it performs, journals, waits, and leaves.

A turn takes what has happened since the last one, gives it to the core answer by answer,
and commits in one unit what was answered, what is intended next and what became of the
run. Only after the commit is anything of it performed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextvars import Context
from typing import Any, Protocol

from msgspec.structs import replace

from levada._errors import LevadaError
from levada.app.context import in_run
from levada.process._calls import AGAIN, FAILED, LASTING, UNKNOWN, Call, Calls
from levada.process._core import Broken, Core, Ended, Raised, Returned
from levada.process._errors import (
    HandlerFailed,
    NotAwaited,
    RepeatFails,
    RetriesExhausted,
    RunChanged,
    UndoFailed,
    UnknownOutcome,
)
from levada.process._ids import event_id, new_uuid
from levada.process._journal import Entry, EntryKind, replay, standing
from levada.process._performing import perform
from levada.process._plain import Plain
from levada.process._protocol import (
    Effect,
    Handler,
    Known,
    Performed,
    Performer,
    Publisher,
    Refused,
    Seal,
    Unknown,
)
from levada.process._rows import CHANNEL, RunRow, add_entry, entries, guard, leave_lane, register
from levada.process._states import State
from levada.process._steps import Kind, Step
from levada.process._told import place_of, told
from levada.process._undos import Undos
from levada.process.run import Compensate
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["Actor", "Host", "Lost"]


class Lost(Exception):
    """The run is no longer this worker's: nothing it does counts any more."""


class Host(Protocol):
    """What an actor needs of its worker."""

    store: Store
    performer: Performer
    publisher: Publisher
    id: str
    epoch: int
    restored: int
    fences: int
    draining: bool

    def warn(self, run: RunRow, what: str) -> None:
        """Tell whoever watches."""
        ...

    def stuck(self, run: RunRow, problem: LevadaError, reason: str, place: str) -> None:
        """Tell whoever watches that a run is stuck; ``reason`` without what is personal, ``place`` in the user's code."""
        ...


class Actor:
    """Drives one run until it leaves memory.

    Args:
        host: Its worker.
        row: The run, claimed by this worker.
        handler: Its code.
        fresh: It was never claimed before, so that it has no journal yet.
        seal: Keeps what it knows of persons closed; None: it knows of nobody.
    """

    def __init__(
        self, host: Host, row: RunRow, handler: Handler, *, fresh: bool, seal: Seal | None = None
    ) -> None:
        self._host = host
        self._fresh = fresh
        self._row = row
        self._handler = handler
        self._inbox: asyncio.Queue[tuple[str, Performed | Entry]] = asyncio.Queue()
        older = row.since < host.restored
        asked = bool(host.restored) and row.since < host.restored + _KEYS
        self._calls = Calls(handler, host.restored if older else 0, asked=asked)
        self._waits: set[str] = set()
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._core: Core | None = None
        self._undos = Undos(handler)
        self._seal = seal or Plain()
        self._sealing = seal is not None
        self._prepared: set[str] = set()
        self._given = row.given
        self._problem: LevadaError | None = None
        self._place = ""
        self._seq = 0
        self._now = 0
        self._unit: list[Statement] = []
        self._notify: tuple[str, ...] = ()
        self._left = False
        self._warned = False

    @property
    def run(self) -> RunRow:
        """The run."""
        return self._row

    def closed(self, step: str, event: str | None, value: bytes | None) -> None:
        """A wait of this run was closed by its time or by an event."""
        self._inbox.put_nowait((step, Entry(0, EntryKind.KNOWN, step, "", b"", value or b"", event=event)))

    def said(self, text: str) -> str:
        """A text about this run, without what is personal in it."""
        return self._seal.said(text)

    def nudge(self) -> None:
        """Look again whether to go on: the worker is stopping."""
        self._inbox.put_nowait(("", Unknown("")))

    async def live(self) -> None:
        """Drive the run until it leaves memory.

        Raises:
            Lost: Another worker has it, or may have it.
            StoreError: A unit did not commit, or it is not known whether it did. Load it anew.
        """
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    await self._load()
                    while not self._left:
                        await self._turn(group)
                finally:
                    for task in self._flying.values():
                        task.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if self._core is not None:
                self._core.close()

    # -- coming into memory

    async def _load(self) -> None:
        row, store, fresh = self._row, self._host.store, self._fresh and self._row.state == State.RUNNING
        if self._sealing:
            self._given = replace(self._given, data=await self._seal.input(row.input))
        journal = [] if fresh else await self._opened(await store.read("runs.journal", {"run": row.id}))
        self._now = await store.now()
        if journal:
            self._seq = journal[-1].seq + 1
        journal = standing(journal)
        self._calls.recover(journal, self._waits)
        self._undos.recover(journal)
        if self._undos.begun:
            self._undo_next(journal)
        else:
            self._core = Core(self._handler.start(self._given), context=_of_run())
            replay(self._core, journal, self._answer)
        if not fresh:
            for wait in await store.read("runs.waits_of_run", {"run": row.id}):
                self.closed(wait["step"], wait["event"], wait["value"])

    async def _opened(self, rows: Sequence[Row]) -> list[Entry]:
        """The journal in clear: what is compared with the code, and what the code is given."""
        found = entries(rows)
        if not self._sealing:
            return found
        opened: list[Entry] = []
        for entry in found:
            clear = replace(
                entry,
                arguments=await self._seal.open(entry.arguments),
                value=await self._seal.open(entry.value),
            )
            if clear.kind is EntryKind.KNOWN and not clear.operation.startswith(("await ", "publish ")):
                await self._seal.learn(clear.operation, clear.value)
            opened.append(clear)
        return opened

    def _answer(self, core: Core, entry: Entry, step: Step) -> list[Step]:
        """Give an entry's answer to the core, in life and in replay alike."""
        try:
            if entry.kind is EntryKind.REFUSED:
                return core.refuse(step.id, self._handler.problem(step, entry.value))
            if entry.kind is EntryKind.FAILED:
                return core.give(step.id, error=self._handler.problem(step, entry.value))
            value = self._value(step, entry)
        except (ValueError, TypeError, LookupError, LevadaError) as error:
            core.ended = Broken(
                HandlerFailed(error=f"{type(error).__name__} while decoding {step.operation}: {error}")
            )
            return []
        return core.give(step.id, value)

    def _value(self, step: Step, entry: Entry) -> Any:
        if step.kind is Kind.CALL:
            return self._handler.result(step, entry.value)
        if step.kind is Kind.WAIT:
            return None if entry.event is None else self._handler.result(step, entry.value)
        if step.kind is Kind.SLEEP:
            return None
        text = entry.value.decode()
        return int(text) if step.kind is Kind.NOW else float(text) if step.kind is Kind.RANDOM else text

    # -- a turn

    async def _turn(self, group: asyncio.TaskGroup) -> None:
        """Take what has happened, commit what follows, perform it."""
        self._now = await self._host.store.now()
        self._unit = [guard(self._row.id, self._host.id, self._host.epoch)]
        while not self._inbox.empty():
            step_id, what = self._inbox.get_nowait()
            self._take(step_id, await self._clear(step_id, what) if self._sealing else what)
        self._advance()
        while self._sealing and await self._prepare():
            self._advance()
        launch = self._due_calls()
        self._intend(launch)
        notify = self._notify + (() if launch or self._flying else self._leave())
        self._notify = ()
        if len(self._unit) > 1 or self._left:
            outcome = await self._host.store.commit(Unit(self._unit, notify))
            if not outcome.committed:
                raise Lost
        if self._left and self._problem is not None:
            self._host.stuck(self._row, self._problem, self._reason(self._problem), self._place)
        for call in launch:
            if call.step.payload is None:  # its code is not in memory: the run is being undone
                call.step = replace(call.step, payload=self._handler.payload(call.step))
            self._flying[call.step.id] = group.create_task(self._attempt(call))
        if not self._left:
            self._take_later(await self._inbox.get())

    async def _clear(self, step_id: str, what: Performed | Entry) -> Performed | Entry:
        """What has happened, in clear; of whom it tells is known from here on."""
        core = self._core
        if isinstance(what, Entry):
            step = core.outstanding.get(step_id) if core is not None else None
            if what.event is None or step is None:
                return what
            return replace(
                what, value=await self._seal.event(step.operation.removeprefix("await "), what.value)
            )
        call = self._calls.get(step_id)
        if isinstance(what, Known) and call is not None:
            await self._seal.learn(call.step.operation, what.value)
        return what

    async def _prepare(self) -> bool:
        """Learn of whom new steps tell, before they are written down. False: there are none."""
        core = self._core
        new = [] if core is None else [s for i, s in core.outstanding.items() if i not in self._prepared]
        await self._seal.prepare(new)
        self._prepared.update(step.id for step in new)
        return bool(new)

    def _take_later(self, first: tuple[str, Performed | Entry]) -> None:
        waiting = [first]
        while not self._inbox.empty():
            waiting.append(self._inbox.get_nowait())
        for item in waiting:
            self._inbox.put_nowait(item)

    def _take(self, step_id: str, what: Performed | Entry) -> None:
        if isinstance(what, Entry):
            self._take_closed(step_id, what)
            return
        self._flying.pop(step_id, None)
        call = self._calls.get(step_id)
        if call is None:
            return
        if isinstance(what, Known):
            self._answered(call, EntryKind.KNOWN, what.value, what.type)
        elif isinstance(what, Refused) and not what.again:
            self._answered(
                call, EntryKind.REFUSED if what.declared else EntryKind.FAILED, what.problem, what.type
            )
        else:
            self._failed(call, _kind(call, what), what.reason)

    def _take_closed(self, step_id: str, what: Entry) -> None:
        core = self._core
        step = core.outstanding.get(step_id) if core is not None else None
        if step is None or core is None:
            return
        self._unit.append(Statement("runs.wait_journaled", {"run": self._row.id, "step": step_id}, 1))
        self._waits.discard(step_id)
        entry = self._write(EntryKind.KNOWN, step, what.value, event=what.event)
        self._answer(core, entry, step)

    def _answered(self, call: Call, kind: EntryKind, value: bytes, value_type: str) -> None:
        step = call.step
        del self._calls[step.id]
        entry = self._write(kind, step, value, value_type, attempt=call.failed + 1)
        if kind is EntryKind.KNOWN:
            self._undos.succeeded(entry)
        if self._core is not None and step.id in self._core.outstanding:
            self._answer(self._core, entry, step)

    def _failed(self, call: Call, kind: str, reason: str) -> None:
        call.tried(kind, reason, self._now)
        self._write(EntryKind.ATTEMPT, call.step, reason.encode(), kind, attempt=call.failed)

    def _write(
        self,
        kind: EntryKind,
        step: Step,
        value: bytes = b"",
        value_type: str = "",
        *,
        event: str | None = None,
        attempt: int = 0,
    ) -> Entry:
        entry = Entry(
            self._seq, kind, step.id, step.operation, step.arguments, value, value_type, event, attempt
        )
        self._seq += 1
        self._unit.append(add_entry(self._row.id, self._closed_entry(entry) if self._sealing else entry))
        return entry

    def _closed_entry(self, entry: Entry) -> Entry:
        close = self._seal.close
        return replace(entry, arguments=close(entry.arguments), value=close(entry.value))

    # -- what follows

    def _advance(self) -> None:
        """Bring the run to where only calls, waits and sleeps can bring it further."""
        while self._problem is None and self._further():
            pass
        self._open_calls()
        self._check_calls()

    def _further(self) -> bool:
        """Do one thing that needs nobody else. False: there is none."""
        self._inline()
        self._withdraw()
        core = self._core
        if core is None:
            return self._undo_next(())
        if core.ended is None:
            return False
        return self._undo_ended(core) if self._undos.begun else self._main_ended(core.ended)

    def _main_ended(self, ended: Ended) -> bool:
        """Whether the handler's end begins compensation."""
        if isinstance(ended, Broken):
            self._problem = ended.error
            self._place = str(ended.error.values.get("place", ""))
        elif isinstance(ended, Raised):
            if ended.declared or isinstance(ended.error, Compensate):
                self._begin_undo(ended.error)
                return True
            self._void(ended)
            self._place = place_of(ended.error)
            self._problem = HandlerFailed(error=told(ended.error))
        return False

    def _begin_undo(self, reason: BaseException) -> None:
        text = str(reason) if isinstance(reason, Compensate) else f"{type(reason).__name__}: {reason}"
        text = self._seal.said(text)
        self._open_calls()
        self._write(EntryKind.COMPENSATE, Step("", Kind.CALL, "run.compensate", b""), text.encode())
        run = self._row.id
        self._unit.append(Statement("runs.undo", {"run": run, "worker": self._host.id, "reason": text}, 1))
        self._unit.append(Statement("runs.waits_withdraw", {"run": run}))
        self._waits.clear()
        self._calls.drop_unbegun(self._flying)
        self._undos.begun = True
        if self._core is not None:
            self._core.close()
        self._core = None

    def _undo_next(self, journal: Sequence[Entry]) -> bool:
        """Begin, or take up again, the newest undo that remains. False: none remains, or calls are not known."""
        if any(not step_id.startswith("~") for step_id in self._calls):
            return False
        work = self._undos.next()
        if work is None or self._undos.target is None:
            return False
        path = f"~{self._undos.target.id}"
        self._core = Core(work, path, context=_of_run())
        replay(self._core, [e for e in journal if e.step.startswith((f"{path}/", f"{path}."))], self._answer)
        return True

    def _undo_ended(self, core: Core) -> bool:
        """Whether the next undo can begin."""
        ended, target = core.ended, self._undos.target
        if isinstance(ended, Returned):
            if any(step.kind is Kind.CALL for step in core.outstanding.values()):
                return False
            self._write(EntryKind.UNDONE, self._undos.finished())
            core.close()
            self._core = None
        elif isinstance(ended, Raised | Broken) and target is not None:
            self._void(ended)
            self._place = place_of(ended.error)
            self._problem = UndoFailed(
                operation=target.operation,
                step=target.id,
                reason=told(ended.error),
                remaining=self._undos.remaining(),
            )
        return True

    def _void(self, ended: Raised | Broken) -> None:
        """Note whose refusal this was: resumed, the run asks it anew instead of failing again."""
        if isinstance(ended, Raised) and ended.step is not None:
            self._write(EntryKind.VOID, Step(ended.step, Kind.CALL, "run.void", b""))

    def _inline(self) -> None:
        """Answer what needs nobody else: it commits with this unit."""
        core = self._core
        while core is not None and core.ended is None:
            step = next((s for s in core.outstanding.values() if self._is_inline(s)), None)
            if step is None:
                break
            self._answer(core, self._write(EntryKind.KNOWN, step, self._inline_value(step)), step)
        if core is not None and core.long and not self._warned:
            self._warned = True
            self._host.warn(self._row, "more than 1,000 steps; over 10,000 it is stuck")

    def _is_inline(self, step: Step) -> bool:
        """A publish waits until the keys of its subjects are there."""
        if self._sealing and step.kind is Kind.PUBLISH and step.id not in self._prepared:
            return False
        return step.kind in _INLINE

    def _inline_value(self, step: Step) -> bytes:
        if step.kind is Kind.NOW:
            return str(self._now).encode()
        if step.kind is Kind.UUID:
            return new_uuid(self._now).encode()
        if step.kind is Kind.RANDOM:
            return repr(random.random()).encode()
        identity = event_id(self._row.keyed, step.id)
        self._notify = tuple(self._host.publisher.notify)
        self._unit.extend(self._host.publisher.statements(step, identity, self._given, self._now))
        return identity.encode()

    def _withdraw(self) -> None:
        if self._core is None:
            return
        for step_id in self._core.withdrawn():
            if step_id in self._waits:
                self._waits.discard(step_id)
                self._unit.append(Statement("runs.wait_withdraw", {"run": self._row.id, "step": step_id}))

    def _open_calls(self) -> None:
        if self._core is not None:
            for step in self._core.outstanding.values():
                if step.kind is Kind.CALL:
                    self._calls.open(step)

    def _check_calls(self) -> None:
        """A call that may not or will not be tried again makes the run stuck."""
        for call in self._calls.values():
            if self._problem is not None or call.step.id in self._flying:
                continue
            named: dict[str, Any] = {"operation": call.step.operation, "step": call.step.id}
            if call.blocked:
                if not call.intended:
                    # In doubt since a backup was restored: what an operator resumes has to be in the journal.
                    self._write(EntryKind.INTENT, call.step, value_type=Kind.CALL)
                    call.intended = True
                reason = call.reason or "the worker died while it was called"
                self._problem = UnknownOutcome(reason=reason, **named)
            elif call.hopeless:
                self._problem = RepeatFails(attempts=call.hopeless, reason=call.reason, **named)
            elif call.failed >= call.operation.retry.attempts:
                self._problem = RetriesExhausted(attempts=call.failed, reason=call.reason, **named)

    def _due_calls(self) -> list[Call]:
        if self._problem is not None or self._host.draining:
            return []
        return [c for c in self._calls.values() if c.step.id not in self._flying and c.due <= self._now]

    def _intend(self, launch: Sequence[Call]) -> None:
        """Journal what is about to be done, before it is."""
        for call in launch:
            if call.needs_intent:
                self._write(EntryKind.INTENT, call.step, value_type=Kind.CALL)
                call.intended = True
        if self._core is None or self._problem is not None or self._core.ended is not None:
            return
        for step in self._core.outstanding.values():
            if step.kind in (Kind.WAIT, Kind.SLEEP) and step.id not in self._waits:
                if step.kind is Kind.WAIT and step.payload[0] not in self._handler.awaits:
                    self._problem = NotAwaited(code=self._row.code, type=step.payload[0], step=step.id)
                    return
                self._waits.add(step.id)
                self._write(EntryKind.INTENT, step, value_type=step.kind)
                self._unit.extend(register(self._row.id, step))

    # -- leaving memory

    def _leave(self) -> tuple[str, ...]:
        """Say how the run leaves memory, now that nothing of it is being performed."""
        self._left = True
        mine: dict[str, Any] = {"run": self._row.id, "worker": self._host.id}
        if self._problem is not None:
            text = {"problem": self._problem.code, "reason": self._reason(self._problem)}
            self._out(Statement("runs.stick", mine | text, 1))
        elif self._calls:
            first = min(self._calls.values(), key=lambda call: call.due)
            again = {"due": max(self._now, first.due), "reason": self._told(first)}
            self._unit.append(Statement("runs.release", mine | again, 1))
            return ()
        elif self._core is None:
            self._out(Statement("runs.finish", mine | {"state": State.COMPENSATED, "result": None}, 1))
        elif isinstance(self._core.ended, Returned):
            result = self._seal.close(self._handler.encode(self._core.ended.value))
            self._out(Statement("runs.finish", mine | {"state": State.DONE, "result": result}, 1))
        else:
            self._out(Statement("runs.suspend", mine, 1))
            return (CHANNEL,)
        return () if self._row.lane is None else (CHANNEL,)

    def _told(self, call: Call) -> str | None:
        """Why a call is to be tried again, as it is kept in clear."""
        if not call.failed:
            return None
        step = call.step
        return self._seal.said(f"{step.operation} (step {step.id}), attempt {call.failed}: {call.reason}")

    def _reason(self, problem: LevadaError) -> str:
        """Why the run is stuck, as it is kept in clear."""
        if self._seal.private and isinstance(problem, RunChanged):
            both = {side: str(problem.values[side]).partition(" ")[0] for side in ("journal", "code")}
            problem = RunChanged(step=problem.values["step"], **both)
        return self._seal.said(problem.message)

    def _out(self, leave: Statement) -> None:
        self._unit.extend(leave_lane(self._row.lane, leave))

    async def _attempt(self, call: Call) -> None:
        outcome = await perform(self._host.performer, self._row, call, self._now, self._host.fences)
        self._inbox.put_nowait((call.step.id, outcome))


def _of_run() -> Context:
    """A context for the run's code: it is to know whose it is, and nothing else of ours."""
    made = Context()
    made.run(in_run.set, in_run.get())
    return made


def _kind(call: Call, what: Refused | Unknown) -> str:
    """Which kind of attempt without an answer it was, as the journal names it."""
    if isinstance(what, Refused):
        return AGAIN
    if call.operation.effect is Effect.AT_LEAST_ONCE:
        return UNKNOWN
    return LASTING if what.lasting else FAILED if what.failed else UNKNOWN


_KEYS = 86_400_000_000
"""Microseconds that callers' keys are kept, and calls so repeated."""
_INLINE = frozenset((Kind.NOW, Kind.UUID, Kind.RANDOM, Kind.PUBLISH))
