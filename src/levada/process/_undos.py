"""What a run has done and how far it is undone: newest first (durability, rule 4)."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from levada.process._journal import Entry, EntryKind
from levada.process._protocol import Effect, Handler
from levada.process._steps import Kind, Step

__all__ = ["Undos"]

_OWN = ("run.", "await ", "publish ")


class Undos:
    """The calls of a run that have succeeded.

    Attributes:
        begun: Whether the run is being undone.
        target: The call that is being undone.
    """

    def __init__(self, handler: Handler) -> None:
        self.begun = False
        self.target: Step | None = None
        self._handler = handler
        self._done: list[tuple[Step, bytes]] = []
        self._undone: set[str] = set()

    def recover(self, journal: Iterable[Entry]) -> None:
        """Read what a journal says."""
        for entry in journal:
            if entry.kind is EntryKind.COMPENSATE:
                self.begun = True
            elif entry.kind is EntryKind.UNDONE:
                self._undone.add(entry.step)
            elif entry.kind is EntryKind.KNOWN:
                self.succeeded(entry)

    def succeeded(self, entry: Entry) -> None:
        """A step has its result; calls of an undo itself are not undone in turn."""
        if not entry.step.startswith("~") and not entry.operation.startswith(_OWN):
            self._done.append((Step(entry.step, Kind.CALL, entry.operation, entry.arguments), entry.value))

    def next(self) -> Coroutine[Any, Any, Any] | None:
        """The undo of the newest call that remains, which becomes the target; None: none remains."""
        for step, value in reversed(self._done):
            if self._remains(step) and (work := self._handler.undo(step, value)) is not None:
                self.target = step
                return work
        self.target = None
        return None

    def finished(self) -> Step:
        """The target is undone; returns it."""
        assert self.target is not None
        target, self.target = self.target, None
        self._undone.add(target.id)
        return target

    def remaining(self) -> str:
        """What is still to be undone, newest first, for people."""
        return ", ".join(
            f"{step.operation} ({step.id})"
            for step, _ in reversed(self._done)
            if self._remains(step) and self._handler.operation(step.operation).undoable
        )

    def _remains(self, step: Step) -> bool:
        return (
            step.id not in self._undone and self._handler.operation(step.operation).effect is not Effect.SAFE
        )
