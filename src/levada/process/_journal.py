"""The journal of a run: its entries, and how a run is brought back from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from levada.process._core import Broken, Core
from levada.process._errors import RunChanged
from levada.process._steps import Step

__all__ = ["ANSWERS", "FORMAT", "REFUSALS", "Entry", "EntryKind", "replay", "standing"]

FORMAT = 1
"""The version of the journal's rows that this code writes; it reads this and all former ones."""


class EntryKind(StrEnum):
    """What an entry records."""

    INTENT = "intent"  # about to be done; journaled before anything unsafe is called
    ATTEMPT = "attempt"  # tried, and neither known nor finally refused
    KNOWN = "known"  # the result
    REFUSED = "refused"  # a problem that the operation declares
    FAILED = "failed"  # any other definite refusal
    COMPENSATE = "compensate"  # from here on the run is undone
    UNDONE = "undone"  # the undo of a step has ended
    VOID = "void"  # the refusal of a step made the run stuck: once resumed, it is asked anew
    RESUMED = "resumed"  # an operator let a stuck run try again


REFUSALS = (EntryKind.REFUSED, EntryKind.FAILED)
ANSWERS = frozenset((EntryKind.KNOWN, EntryKind.REFUSED, EntryKind.FAILED))


class Entry(Struct, frozen=True):
    """One row. The order of ``seq`` is the order of completions."""

    seq: int
    kind: EntryKind
    step: str
    operation: str
    arguments: bytes = b""
    value: bytes = b""
    type: str = ""
    event: str | None = None
    attempt: int = 0
    at: int = 0


def replay(core: Core, entries: Sequence[Entry], answer: Callable[[Core, Entry, Step], list[Step]]) -> None:
    """Bring a core to where its journal ends. Nothing is performed.

    Afterwards `core.outstanding` holds what may now be done live, or `core.ended` tells that the
    code no longer does what the journal says.

    Args:
        core: One that was not begun.
        entries: The journal of this core's steps, in order.
        answer: Gives an entry's result to the core: decodes it, and tells refusals from results.
    """
    core.start()
    intents: list[Entry] = []
    for entry in entries:
        if entry.kind is EntryKind.INTENT:
            intents.append(entry)
        elif entry.kind in ANSWERS:
            step = core.outstanding.get(entry.step)
            if _differs(core, entry, step) or step is None:
                return
            answer(core, entry, step)
            if isinstance(core.ended, Broken):
                return
    answered = {entry.step for entry in entries if entry.kind in ANSWERS}
    for entry in intents:
        if entry.step in answered:
            continue
        if _differs(core, entry, core.outstanding.get(entry.step) or core.given_up.get(entry.step)):
            return


def standing(journal: Sequence[Entry]) -> list[Entry]:
    """A journal without the refusals that made its run stuck and that an operator let be asked anew."""
    resumed = max((e.seq for e in journal if e.kind is EntryKind.RESUMED), default=-1)
    void = {e.step: e.seq for e in journal if e.kind is EntryKind.VOID and e.seq < resumed}
    return [e for e in journal if not (e.kind in REFUSALS and e.seq < void.get(e.step, -1))]


def _differs(core: Core, entry: Entry, step: Step | None) -> bool:
    if step is not None and step.operation == entry.operation and step.arguments == entry.arguments:
        return False
    code = "nothing" if step is None else _shown(step.operation, step.arguments)
    core.ended = Broken(
        RunChanged(step=entry.step, journal=_shown(entry.operation, entry.arguments), code=code)
    )
    return True


def _shown(operation: str, arguments: bytes) -> str:
    return f"{operation} {arguments.decode(errors='replace')}"
