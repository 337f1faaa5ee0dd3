"""What is known of each call of a run that has no answer yet."""

from __future__ import annotations

from collections.abc import Container, Sequence

from levada.process._journal import ANSWERS, Entry, EntryKind
from levada.process._protocol import Effect, Handler, Operation
from levada.process._steps import Kind, Step

__all__ = ["Call", "Calls"]

UNKNOWN = "unknown"
LASTING = "lasting"
"""As unknown, and no repeat will change it. Not written where an unknown outcome already makes the run stuck."""
FAILED = "failed"
"""As unknown, and the provider said that it failed. Written where ``LASTING`` may be."""
AGAIN = "again"
RESTORED = "the store was restored from a backup, and this may have been done after the backup"
UNDO = "undo"
"""The type of a resumption that repeats nothing that may not be repeated: one that comes with compensation, or that
only makes the next attempt earlier."""


class Call:
    """One call on its way to a known outcome.

    ``due``: not before this time, microseconds. ``unknown``: some attempt may have done it.
    ``intended``: its intent is journaled. ``failed``: attempts since it began or was resumed;
    ``lasting``: those of them that no repeat changes. ``same``: those, last and in a row, whose
    provider said ``said``.
    """

    __slots__ = (
        *("due", "failed", "intended", "lasting", "operation"),
        *("reason", "said", "same", "step", "unknown"),
    )

    def __init__(self, step: Step, operation: Operation) -> None:
        self.step = step
        self.operation = operation
        self.failed = 0
        self.lasting = 0
        self.same = 0
        self.said = ""
        self.due = 0
        self.unknown = False
        self.intended = False
        self.reason = ""

    @property
    def needs_intent(self) -> bool:
        """Whether an intent has to be journaled before the next attempt (durability, rule 3)."""
        return not self.intended and self.operation.effect is not Effect.SAFE

    @property
    def blocked(self) -> bool:
        """Unknown, and declared not to be repeated."""
        return self.unknown and self.operation.effect is Effect.AT_LEAST_ONCE

    @property
    def hopeless(self) -> int:
        """After how many attempts it is clear that no more will change anything; 0: it is not."""
        retry = self.operation.retry
        if self.lasting >= retry.lasting:
            return self.lasting
        return self.same if self.same >= retry.same else 0

    def tried(self, kind: str, reason: str, at: int) -> None:
        """One more attempt without an answer."""
        self.failed += 1
        self.reason = reason
        self.due = at + round(self.operation.retry.pause(self.failed) * 1_000_000)
        if kind == LASTING:
            self.lasting += 1
        if kind in (UNKNOWN, LASTING, FAILED):
            self.unknown = True
            self.same = 0 if kind != FAILED else self.same + 1 if reason == self.said else 1
            self.said = reason
        elif self.operation.effect is Effect.AT_LEAST_ONCE:
            # certainly not done: the next attempt is a new one, with an intent of its own
            self.unknown = self.intended = False

    def resumed(self, *, again: bool) -> None:
        """An operator lets it be tried again; ``again``: also if that may do it twice."""
        self.failed = self.lasting = self.same = self.due = 0
        if again and self.operation.effect is Effect.AT_LEAST_ONCE:
            self.unknown = self.intended = False


class Calls(dict[str, Call]):
    """The open calls of a run, by step id.

    ``restored``: when a backup was restored, microseconds UTC, if the run is older than that; else 0.
    ``asked``: the run may repeat one from before the restoring, by its caller's key: what can be looked up is.
    """

    def __init__(self, handler: Handler, restored: int = 0, *, asked: bool = False) -> None:
        super().__init__()
        self._handler = handler
        self._restored = restored
        self._asked = asked

    def open(self, step: Step) -> Call:
        """The record of a step; a new one for a new step."""
        call = self.get(step.id)
        if call is None:
            call = self[step.id] = Call(step, self._handler.operation(step.operation))
            self._doubt(call)
        elif call.step.payload is None:
            call.step = step
        return call

    def _doubt(self, call: Call) -> None:
        """The run, or what it repeats, is older than the restoring of a backup: a call may have been made since."""
        effect = call.operation.effect
        if (self._restored and effect is not Effect.SAFE) or (self._asked and effect is Effect.LOOKUP):
            call.unknown = True
            call.reason = call.reason or RESTORED

    def drop_unbegun(self, flying: Container[str]) -> None:
        """Forget what was certainly not done: the run is being undone, nobody needs it any more."""
        for step_id in [i for i, call in self.items() if not call.intended and i not in flying]:
            del self[step_id]

    def recover(self, journal: Sequence[Entry], waits: set[str]) -> None:
        """Read what a journal says; the ids of waits whose intent it has are added to ``waits``.

        What was said of a call after the restoring of a backup is not in doubt for it.
        """
        sure: set[str] = set()
        for entry in journal:
            if entry.kind is EntryKind.INTENT:
                self._intent(entry, waits)
            elif entry.kind is EntryKind.ATTEMPT:
                step = Step(entry.step, Kind.CALL, entry.operation, entry.arguments)
                self.open(step).tried(entry.type, entry.value.decode(), entry.at)
                if entry.type == AGAIN and entry.at >= self._restored:
                    sure.add(entry.step)
            elif entry.kind is EntryKind.RESUMED:
                for call in self.values():
                    call.resumed(again=entry.type != UNDO)
            elif entry.kind is EntryKind.COMPENSATE:
                self.drop_unbegun(())
            elif entry.kind in ANSWERS:
                self.pop(entry.step, None)
        said = (e for e in journal if e.kind is EntryKind.RESUMED and e.type != UNDO)
        if not any(e.at >= self._restored for e in said):
            for call in self.values():
                if call.step.id not in sure:
                    self._doubt(call)

    def _intent(self, entry: Entry, waits: set[str]) -> None:
        if entry.type in (Kind.WAIT, Kind.SLEEP):
            waits.add(entry.step)
            return
        call = self.open(Step(entry.step, Kind.CALL, entry.operation, entry.arguments))
        call.intended = call.unknown = True
