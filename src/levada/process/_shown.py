"""A run as a person sees it: the tree of its steps, and what resolves it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from levada.app.context import parse_traceparent
from levada.process._calls import AGAIN
from levada.process._journal import ANSWERS, Entry, EntryKind
from levada.process._states import State
from levada.process._steps import Kind
from levada.store.protocol import Row

__all__ = [
    "BranchShown",
    "RunShown",
    "StepShown",
    "WaitShown",
    "open_calls",
    "shown",
    "unanswered",
    "waited_for",
]


class StepShown(Struct, frozen=True):
    """One step. ``state``: known, refused, failed, trying, waiting, withdrawn or undone. Times are microseconds UTC."""

    id: str
    operation: str
    arguments: bytes
    state: str
    value: bytes
    type: str
    attempts: int
    said: str
    at: int


class BranchShown(Struct, frozen=True):
    """A branch: its steps in their order, and the branches that it made."""

    path: str
    steps: Sequence[StepShown]
    branches: Sequence[BranchShown]


class WaitShown(Struct, frozen=True):
    """What a run waits for: an event of a type and key, a time, or both."""

    step: str
    type: str | None
    key: str | None
    due: int | None


class RunShown(Struct, frozen=True):
    """All that is known of a run.

    ``trace``: that of its calls, in logs. ``again``: when a step that failed is tried again. ``behind``: the run
    of the same key that has to go on first. ``commands``: what an operator can do about it.
    """

    id: str
    code: str
    state: str
    event: str | None
    subscription: str | None
    key: str | None
    problem: str | None
    reason: str | None
    initiator: str
    trace: str | None
    worker: str | None
    due: int
    created: int
    changed: int
    root: BranchShown
    undos: Sequence[BranchShown]
    waits: Sequence[WaitShown]
    again: int | None
    behind: str | None
    commands: Sequence[str]


def shown(row: Row, journal: Sequence[Entry], waits: Sequence[Row], behind: str | None = None) -> RunShown:
    """From a run's rows."""
    open_waits = waited_for(waits)
    withdrawn = {w["step"] for w in waits if w["state"] == "withdrawn"}
    branches = _branches(_steps(journal, withdrawn).values())
    root = branches.pop("", None) or BranchShown("", (), ())
    failed = any(entry.kind is EntryKind.ATTEMPT for entry in journal)
    same = {name: row[name] for name in _SAME}
    return RunShown(
        root=root,
        undos=[branch for path, branch in branches.items() if path.startswith("~")],
        waits=list(open_waits.values()),
        behind=behind,
        again=row["due"] if failed and row["ready"] and row["worker"] is None else None,
        commands=_commands(row, journal, open_waits),
        trace=_trace(row["traceparent"]),
        **same,
    )


def _trace(traceparent: str) -> str | None:
    parsed = parse_traceparent(traceparent)
    return None if parsed is None else f"{parsed[0]:032x}"


_SAME = (
    *("id", "code", "state", "event", "subscription", "key", "problem", "reason"),
    *("initiator", "worker", "due", "created", "changed"),
)

_STATES = {
    EntryKind.KNOWN: "known",
    EntryKind.REFUSED: "refused",
    EntryKind.FAILED: "failed",
    EntryKind.ATTEMPT: "trying",
}


def _steps(journal: Iterable[Entry], withdrawn: set[str]) -> dict[str, StepShown]:
    steps: dict[str, StepShown] = {}
    for entry in journal:
        if not entry.step or entry.kind is EntryKind.VOID:
            continue
        if entry.kind is EntryKind.UNDONE:
            steps[entry.step] = replace(steps[entry.step], state="undone")
            continue
        steps[entry.step] = _step(entry, withdrawn)
    return steps


def _step(entry: Entry, withdrawn: set[str]) -> StepShown:
    state = _STATES.get(entry.kind, "waiting" if entry.type in (Kind.WAIT, Kind.SLEEP) else "trying")
    if state == "waiting" and entry.step in withdrawn:
        state = "withdrawn"
    tried = entry.kind is EntryKind.ATTEMPT
    return StepShown(
        entry.step,
        entry.operation,
        entry.arguments,
        state,
        b"" if tried else entry.value,
        "" if tried or entry.kind is EntryKind.INTENT else entry.type,
        entry.attempt,
        entry.value.decode(errors="replace") if tried else "",
        entry.at,
    )


def _branches(steps: Iterable[StepShown]) -> dict[str, BranchShown]:
    """Top branches by path: the handler's is ``""``, an undo's begins with ``~``; undos in the order they were begun."""
    found: dict[str, list[StepShown]] = {"": []}
    for step in steps:
        found.setdefault(step.id.rpartition("/")[0], []).append(step)
    tops = dict.fromkeys(_top(path) for path in found)  # the handler's is there first
    return {top: _branch(top, found) for top in tops}


def _top(path: str) -> str:
    if not path.startswith("~"):
        return ""
    step, slash, rest = path.rpartition("/")  # ~<path>/<ordinal>, then its own branches
    return f"{step}{slash}{rest.partition('.')[0]}"


def _branch(path: str, found: dict[str, list[StepShown]]) -> BranchShown:
    head = f"{path}." if path else ""
    below = {
        head + other.removeprefix(head).partition(".")[0]
        for other in found
        if other and other != path and other.startswith(head) and (path or not other.startswith("~"))
    }
    steps = sorted(found.get(path, ()), key=lambda step: int(step.id.rpartition("/")[2]))
    return BranchShown(path, steps, [_branch(child, found) for child in sorted(below, key=_number)])


def _number(path: str) -> int:
    return int(path.rpartition(".")[2])


def _commands(row: Row, journal: Sequence[Entry], waits: Iterable[str]) -> list[str]:
    run, state = row["id"], row["state"]
    if state not in _IDLE or row["worker"] is not None:
        return []
    undoing = any(entry.kind is EntryKind.COMPENSATE for entry in journal)
    again = state == State.STUCK or (state in _RETRIED and row["ready"] and journal)
    return [
        *([f"levada runs resume {run}"] if again else []),
        *_answers(run, journal, waits),
        *([] if undoing else [f'levada runs compensate {run} --why "..."']),
        *([f'levada runs skip {run} --why "..."'] if state in (State.STUCK, State.SCHEDULED) else []),
    ]


_RETRIED = (State.SCHEDULED, State.COMPENSATING)
_IDLE = (State.STUCK, State.WAITING, *_RETRIED)


def _answers(run: str, journal: Sequence[Entry], waits: Iterable[str]) -> list[str]:
    unknown = open_calls(journal)
    said = {step: ["RESULT", *(["--not-done"] if step in unknown else [])] for step in unanswered(journal)}
    said |= {step: ["RESULT"] for step in waits}
    return [
        f'levada runs answer {run} {shlex.quote(step)} {how} --why "..."'
        for step, ways in said.items()
        for how in ways
    ]


def waited_for(waits: Iterable[Row]) -> dict[str, WaitShown]:
    """What a run still waits for, of its rows, by step id."""
    return {
        w["step"]: WaitShown(w["step"], w["type"], w["key"], w["due"]) for w in waits if w["state"] == "open"
    }


def unanswered(journal: Sequence[Entry]) -> dict[str, Entry]:
    """The calls that were begun and have no answer, by step id. One whose refusal made the run stuck is asked anew, too."""
    calls: dict[str, Entry] = {}
    refused: dict[str, Entry] = {}
    for entry in journal:
        if entry.kind is EntryKind.VOID:
            calls[entry.step] = refused[entry.step]
        elif entry.kind in ANSWERS:
            calls.pop(entry.step, None)
            refused[entry.step] = entry
        elif entry.kind is EntryKind.ATTEMPT or (entry.kind is EntryKind.INTENT and entry.type == Kind.CALL):
            calls[entry.step] = entry
    return calls


def open_calls(journal: Sequence[Entry]) -> dict[str, Entry]:
    """The intents of the calls of which nobody knows whether they were done, by step id."""
    intents: dict[str, Entry] = {}
    calls: dict[str, Entry] = {}
    for entry in journal:
        if entry.kind is EntryKind.INTENT and entry.type == Kind.CALL:
            calls[entry.step] = intents[entry.step] = entry
        elif entry.kind is EntryKind.ATTEMPT and entry.type != AGAIN and entry.step in intents:
            calls[entry.step] = intents[entry.step]
        elif entry.kind in _STATES:  # known, refused, or certainly not done
            calls.pop(entry.step, None)
    return calls
