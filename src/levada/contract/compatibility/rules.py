"""What may change within a major, and what may not.

A request goes from consumers, who have the old contract, to the provider, who has the
new one; an answer and a problem go the other way. An event lives in logs, outboxes and
journals, is written by old and new code side by side and read by both: it is compared
in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from levada.contract.compatibility.compare import Difference, differences
from levada.contract.compatibility.published import (
    PublishedContract,
    PublishedEvent,
    PublishedOperation,
)
from levada.contract.compatibility.sample import NONE
from levada.contract.compatibility.wire import Object, Ref, Types, Wire

__all__ = [
    "Finding",
    "Level",
    "Writer",
    "breaks",
    "compare_contracts",
    "compare_events",
    "compare_stored_operations",
    "compare_wires",
]

Level: TypeAlias = Literal["breaks", "note"]
Writer: TypeAlias = Literal["old", "new"]


class Finding(Struct, frozen=True, omit_defaults=True):
    """One change: where, what is the matter, and the edit with which it would pass.

    ``level``: ``breaks`` somebody, or a ``note`` that nobody is broken by. ``example``: a value, as
    JSON, that one side writes and the other refuses.
    """

    level: Level
    place: str
    reason: str
    mend: str
    example: str | None = None

    def __str__(self) -> str:
        example = f" Example: {self.example}" if self.example else ""
        return f"{self.place}: {self.reason} {self.mend}{example}"


def breaks(findings: Iterable[Finding]) -> list[Finding]:
    """Those that break somebody."""
    return [f for f in findings if f.level == "breaks"]


def compare_events(old: PublishedEvent, new: PublishedEvent, name: str) -> list[Finding]:
    """What a change of an event breaks."""
    found = list(compare_wires(old.data, old.types, new.data, new.types, name, "old"))
    found += compare_wires(new.data, new.types, old.data, old.types, name, "new")
    if old.key != new.key:
        was, now = (k or "no key" for k in (old.key, new.key))
        found.append(
            Finding(
                "breaks",
                name,
                f"events were ordered by {was} and are now by {now}: what waits for the old key is never woken, and old and new events lose their order.",
                "Keep the order key, or make a new major.",
            )
        )
    for member in sorted(set(old.personal) - set(new.personal)):
        found.append(
            Finding(
                "note",
                f"{name}.{member}",
                "it was personal data and is not any more: from now on it is stored and shown in clear.",
                "Keep Personal[…] unless that is meant.",
            )
        )
    return found + list(_defaults(old.data, old.types, new.data, new.types, name))


def compare_contracts(old: PublishedContract, new: PublishedContract, name: str) -> list[Finding]:
    """What a change of a contract breaks."""
    found: list[Finding] = []
    if old.layer != new.layer:
        found.append(
            Finding(
                "breaks",
                name,
                f"it was a {old.layer} API and is a {new.layer} API: who may call it has changed.",
                "Keep the layer, or give the API another name.",
            )
        )
    for operation, was in old.operations.items():
        now = new.operations.get(operation)
        place = f"{name}.{operation}"
        if now is None:
            mend = "Keep it until the sunset of this major; leave it out of the next one."
            found.append(Finding("breaks", place, "the operation is gone.", mend))
        else:
            found += _operation(was, now, place, old.types, new.types)
    return found


def compare_wires(
    written: Wire, writes: Types, read: Wire, reads: Types, name: str, writer: Writer
) -> Iterator[Finding]:
    """What the reader refuses of what the writer writes, said to a person.

    Args:
        written: What is written, with its ``writes``.
        writes: The types it refers to.
        read: What is read, with its ``reads``.
        reads: The types it refers to.
        name: What the place begins with.
        writer: Who writes: the old code (then the new reads) or the new.
    """
    for found in differences(written, writes, read, reads):
        reason, mend = _said(found, writer)
        example = None if found.written is NONE else msgspec.json.encode(found.written).decode()
        yield Finding("breaks", name + found.path.removeprefix("$"), reason, mend, example)


def _said(found: Difference, writer: Writer) -> tuple[str, str]:
    old = writer == "old"
    who = "the new code" if old else "code that is not yet replaced"
    beside = "Leave it as it was and add a member with a default beside it, or make a new major."
    match found.code:
        case "missing" if old:
            return (
                f"what was written before has no {found.name}, and the new code needs it.",
                f"Give it a default: {found.name}: … = ….",
            )
        case "missing":
            return (
                f"{found.name} is gone, and {who} needs it.",
                f"Keep {found.name}, or make a new major.",
            )
        case "left_out" if old:
            return (
                f"{found.name} could be left out and cannot any more.",
                f"Keep its default: {found.name}: … = ….",
            )
        case "left_out":
            return (
                f"{found.name} may now be left out, and {who} needs it.",
                f"Keep {found.name} without a default, or make a new major.",
            )
        case "closed" if old:
            return (
                f"{found.name} is gone, and the new code refuses what it does not know (forbid_unknown_fields).",
                f"Keep {found.name} with a default, or take forbid_unknown_fields away.",
            )
        case "closed":
            return (
                f"{found.name} is new, and {who} refuses what it does not know (forbid_unknown_fields).",
                "Make a new major: those who forbid unknown members can be given none.",
            )
        case "null":
            said = (
                "it could be null and cannot any more."
                if old
                else f"it may now be null, and {who} takes no null."
            )
            mend = "Keep … | None." if old else "Keep it from being null, or make a new major."
            return said, mend
        case "value" if found.name:
            said = (
                f"the value {found.name} was allowed and is refused now."
                if old
                else f"the value {found.name} is new, and {who} refuses it."
            )
            mend = (
                "Keep the value."
                if old
                else "Add the value in a new major, or take plain text from the start."
            )
            return said, mend
        case "value" | "length":
            said = (
                f"it was {found.writes} and is now {found.reads}."
                if old
                else f"it is now {found.writes}, and {who} takes {found.reads} alone."
            )
            mend = (
                "Do not narrow what is read within a major."
                if old
                else "Do not widen what is written within a major."
            )
            return said, mend
        case _:
            was, now = (found.writes, found.reads) if old else (found.reads, found.writes)
            return f"it was {was} and is now {now}, which {who} cannot read.", beside


def _operation(
    old: PublishedOperation, new: PublishedOperation, place: str, olds: Types, news: Types
) -> Iterator[Finding]:
    if (old.method, old.path) != (new.method, new.path):
        yield Finding(
            "breaks",
            place,
            f"it was {old.method} {old.path} and is {new.method} {new.path}.",
            "Keep method and path, or add an operation.",
        )
    if (old.shape, old.status) != (new.shape, new.status):
        yield Finding(
            "breaks",
            place,
            f"it answered {old.status} with a {old.shape} and now {new.status} with a {new.shape}.",
            "Keep what it answers, or add an operation.",
        )
    if more := sorted(set(new.scopes) - set(old.scopes)):
        yield Finding(
            "breaks",
            place,
            f"it now needs the scope {', '.join(more)}: consumers without it get a 403.",
            "Ask for it in a new major.",
        )
    if old.undo and not new.undo:
        yield Finding(
            "breaks",
            place,
            "what undoes it is gone: runs that have called it could not be compensated.",
            "Keep the method marked @undoes.",
        )
    yield from _parameters(old, new, place, olds, news)
    if old.result is not None and new.result is not None and old.shape == new.shape:
        yield from compare_wires(new.result, news, old.result, olds, f"{place} answer", "new")
    yield from _problems(old, new, place, olds, news)


def _parameters(
    old: PublishedOperation, new: PublishedOperation, place: str, olds: Types, news: Types
) -> Iterator[Finding]:
    before, after = ({p.name: p for p in o.parameters} for o in (old, new))
    for name, was in before.items():
        at = f"{place}({name})"
        now = after.get(name)
        if now is None and was.place == "query":
            yield Finding(
                "note", at, "the parameter is gone; what consumers send is ignored.", "Tell them so."
            )
        elif now is None:
            if was.place != "path":
                yield Finding(
                    "breaks", at, "the argument is gone, and consumers send it.", "Keep it, with a default."
                )
        elif now.place != was.place:
            yield Finding(
                "breaks",
                at,
                f"it travelled in the {was.place} and does now in the {now.place}.",
                "Keep the order and number of arguments, or add an operation.",
            )
        else:
            if now.required and not was.required:
                yield Finding("breaks", at, "it could be left out and cannot any more.", "Keep its default.")
            yield from compare_wires(was.type, olds, now.type, news, at, "old")
    for name, now in after.items():
        if name not in before and now.required and now.place != "path":
            yield Finding(
                "breaks",
                f"{place}({name})",
                "the argument is new, and consumers do not send it.",
                f"Give it a default: {name}: … = ….",
            )


def _problems(
    old: PublishedOperation, new: PublishedOperation, place: str, olds: Types, news: Types
) -> Iterator[Finding]:
    for code, now in new.problems.items():
        was = old.problems.get(code)
        at = f"{place} problem {code}"
        if was is None:
            yield Finding(
                "note",
                at,
                "the problem is new: consumers that do not know it see an internal error.",
                "Tell them of it.",
            )
            continue
        if was.status != now.status:
            yield Finding(
                "breaks", at, f"its status was {was.status} and is {now.status}.", "Keep the status."
            )
        yield from compare_wires(now.type, news, was.type, olds, at, "new")


def _defaults(old: Wire, olds: Types, new: Wire, news: Types, name: str) -> Sequence[Finding]:
    """Members of the outermost object whose default means something else now."""
    before, after = (_object(w, t) for w, t in ((old, olds), (new, news)))
    if before is None or after is None:
        return ()
    known = {m.name: m.default for m in before.members if not m.required}
    return [
        Finding(
            "note",
            f"{name}.{m.name}",
            f"left out it meant {known[m.name]} and now means {m.default}.",
            "Keep the default, unless what is kept should change its meaning.",
        )
        for m in after.members
        if not m.required and m.name in known and known[m.name] != m.default
    ]


def _object(wire: Wire, types: Types) -> Object | None:
    found = types[wire.name] if isinstance(wire, Ref) else wire
    return found if isinstance(found, Object) else None


def compare_stored_operations(old: PublishedContract, new: PublishedContract, name: str) -> list[Finding]:
    """What a change of an operation breaks in journals: arguments, results and problems, in both directions."""
    found: list[Finding] = []
    for operation, was in old.operations.items():
        now = new.operations.get(operation)
        if now is None:
            found.append(
                Finding(
                    "breaks",
                    name,
                    "the operation is gone.",
                    "Keep it until the runs that called it have ended.",
                )
            )
            continue
        found += _parameters(was, now, name, old.types, new.types)
        pairs = [(f"{name} answer", was.result, now.result)]
        pairs += [
            (
                f"{name} problem {code}",
                problem.type,
                now.problems[code].type if code in now.problems else None,
            )
            for code, problem in was.problems.items()
        ]
        for place, before, after in pairs:
            if before is not None and after is not None:
                found += compare_wires(before, old.types, after, new.types, place, "old")
                found += compare_wires(after, new.types, before, old.types, place, "new")
            elif before is not None:
                found.append(Finding("breaks", place, "it is gone.", "Keep it until the runs have ended."))
    return found
