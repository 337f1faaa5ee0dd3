"""The review file: suggested merges, what a person decided on each, and what a person added.

A decision outlives the suggestion: what is accepted is applied at every import, what is refused is
not suggested again, and a merge that was accepted is split by refusing it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from levada._errors import LevadaError
from levada._whole import write_whole
from levada.network._yaml import YamlError, line_of, read_yaml

__all__ = [
    "BY_HAND",
    "REVIEW_NAME",
    "ReviewError",
    "Suggestion",
    "apart",
    "closed",
    "load_review",
    "merges",
    "save_review",
    "write_review",
]

REVIEW_NAME = "levada-review.yaml"
FORMAT = 1
BY_HAND = "by hand"


class ReviewError(LevadaError, code="LV1903"):
    """{path}, line {line}: this is no review of merges: {problem}. Mend the line, or take the file away and map again."""


class Suggestion(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Two ids that may be one system: the one to keep, the one to drop, by which rule, and why.

    A person may add one with ``decision``, ``keep`` and ``drop`` alone.
    """

    keep: str
    drop: str
    rule: str = BY_HAND
    reason: str = ""
    confidence: float = 1.0
    decision: Literal["accept", "refuse", "open"] = "open"
    by: str | None = None
    note: str | None = None
    evidence: tuple[str, ...] = ()
    line: int = 0
    """Where it stands in the file; 0 if in none yet. Not written."""


_FIELDS = tuple(f for f in Suggestion.__struct_fields__ if f != "line")


def merges(decided: Iterable[Suggestion]) -> dict[str, str]:
    """The accepted merges, dropped id to kept id, followed to their end."""
    return closed({s.drop: s.keep for s in decided if s.decision == "accept"})


def apart(decided: Sequence[Suggestion]) -> set[frozenset[str]]:
    """The pairs that a person keeps apart, under the names that they bear once merges are applied."""
    names = merges(decided)
    return {
        frozenset((names.get(s.keep, s.keep), names.get(s.drop, s.drop)))
        for s in decided
        if s.decision == "refuse"
    }


def closed(names: Mapping[str, str]) -> dict[str, str]:
    """Renamings followed to their end; one that leads back to itself is left out."""
    out: dict[str, str] = {}
    for start in names:
        at, seen = start, {start}
        while at in names and names[at] not in seen:
            at = names[at]
            seen.add(at)
        if at != start:
            out[start] = at
    return out


def load_review(path: Path) -> list[Suggestion]:
    """The suggestions of a review file with what a person decided; empty if there is no file.

    Raises:
        ReviewError: Malformed, a word that is no field or decision, or decisions that contradict each other.
    """
    if not path.exists():
        return []
    try:
        documents = list(read_yaml(path.read_text(encoding="utf-8-sig")))
    except YamlError as exc:
        raise ReviewError(path=path, line=exc.line or "?", problem=str(exc)) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ReviewError(path=path, line="?", problem=str(exc)) from exc
    data: Any = documents[0] if documents else None
    if not isinstance(data, dict) or data.get("levada_review") != FORMAT:
        raise ReviewError(path=path, line=1, problem=f"it does not begin with levada_review: {FORMAT}")
    rows: Any = data.get("merges") or []
    if not isinstance(rows, list):
        raise ReviewError(
            path=path, line=line_of(data, "merges") or "?", problem="merges is no list of merges"
        )
    out = [_row(path, row, line_of(rows, number) or 0) for number, row in enumerate(rows)]
    _consistent(path, out)
    return out


def _row(path: Path, row: Any, line: int) -> Suggestion:
    if not isinstance(row, dict):
        raise ReviewError(path=path, line=line, problem="a merge has decision, keep and drop")
    for key in row:
        if key not in _FIELDS:
            near = get_close_matches(key, _FIELDS, 1)
            hint = f"; is {near[0]} meant?" if near else f"; known are {', '.join(_FIELDS)}"
            raise ReviewError(
                path=path, line=line_of(row, key), problem=f"{key!r} is no field of a merge{hint}"
            )
    try:
        found = msgspec.convert(row, Suggestion)
    except msgspec.ValidationError as exc:
        key = str(exc).rpartition("`$.")[2].partition("`")[0].partition("[")[0] if "`$." in str(exc) else ""
        raise ReviewError(
            path=path, line=line_of(row, key) if key in row else line, problem=_said(row, key, exc)
        ) from exc
    if found.keep == found.drop:
        raise ReviewError(path=path, line=line, problem=f"{found.keep} cannot be merged with itself")
    return structs.replace(found, line=line)


def _said(row: Any, key: str, exc: msgspec.ValidationError) -> str:
    if key == "decision":
        return f"{row[key]!r} is no decision; it is accept, refuse or open"
    return str(exc)


def _consistent(path: Path, rows: Sequence[Suggestion]) -> None:
    accepted: dict[str, Suggestion] = {}
    for row in rows:
        if row.decision != "accept":
            continue
        held = accepted.setdefault(row.drop, row)
        if held.keep != row.keep:
            text = f"{row.drop} is merged into {held.keep} (line {held.line}) and into {row.keep}"
            raise ReviewError(path=path, line=row.line, problem=text)
    names = merges(rows)
    for row in accepted.values():
        if (
            names.get(row.drop) is None
            or names.get(row.keep) == row.drop
            or row.keep in _round(accepted, row)
        ):
            text = f"{row.drop} is merged into {row.keep}, and {row.keep} into {row.drop}"
            raise ReviewError(path=path, line=row.line, problem=text)
    for row in rows:
        one, two = names.get(row.keep, row.keep), names.get(row.drop, row.drop)
        if row.decision == "refuse" and one == two:
            text = (
                f"{row.keep} and {row.drop} are kept apart here, and accepted merges make one of them: {one}"
            )
            raise ReviewError(path=path, line=row.line, problem=text)


def _round(accepted: Mapping[str, Suggestion], row: Suggestion) -> set[str]:
    """The ids after which the merges from this row lead back to it; none if they end."""
    seen: set[str] = set()
    at = row.keep
    while at in accepted and at not in seen:
        seen.add(at)
        at = accepted[at].keep
    return seen if row.drop in seen else set()


def write_review(path: Path, suggestions: Iterable[Suggestion]) -> int:
    """Write the review file: what was decided or added by hand stays, new suggestions follow; returns how many are open."""
    kept = [s for s in load_review(path) if s.decision != "open" or s.rule == BY_HAND]
    known = {frozenset((s.keep, s.drop)) for s in kept}
    fresh = [s for s in suggestions if frozenset((s.keep, s.drop)) not in known]
    rows = [*kept, *fresh]
    save_review(path, rows)
    return sum(1 for s in rows if s.decision == "open")


def save_review(path: Path, suggestions: Iterable[Suggestion]) -> None:
    """Write these suggestions as a review file; the former one stands until the new one is whole.

    Raises:
        ReviewError: Decisions contradict each other; nothing is written.
    """
    suggestions = list(suggestions)
    _consistent(path, suggestions)
    lines = [
        "# Names that may be one system. Set decision to accept or refuse, and map again to apply; to split what",
        "# was merged, set its decision to refuse. Merges of your own: decision, keep and drop are enough. What you",
        "# want to say goes into a field note: comments are not kept.",
        f"levada_review: {FORMAT}",
        "merges:",
    ]
    for suggestion in suggestions:
        row: dict[str, Any] = {"decision": suggestion.decision, **msgspec.to_builtins(suggestion)}
        row.pop("line", None)
        for number, (name, value) in enumerate(row.items()):
            start = "  - " if number == 0 else "    "
            lines.append(
                f"{start}{name}: {value if name == 'decision' else json.dumps(value, ensure_ascii=False)}"
            )
    write_whole(path, "\n".join(lines) + "\n")
