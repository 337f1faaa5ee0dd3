"""``levada review FILE``: look at suggested merges, and accept or refuse them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from levada._errors import LevadaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levada.landscape.review import Suggestion

__all__ = ["MergeAmbiguous", "MergeContradicted", "MergeMissing", "ReviewMissing", "review"]

INDENT = 17
"""Columns before what is told of a merge, below its names."""


class ReviewMissing(LevadaError, code="LV1826"):
    """There is no review {path}. `levada map DIR… --review {path}` writes it."""


class MergeMissing(LevadaError, code="LV1827"):
    """No merge in {path} drops {drop}; nothing was decided.{near} `levada review {path}` shows those that there are."""


class MergeContradicted(LevadaError, code="LV1828"):
    """{drop} cannot be accepted and refused at once; nothing was decided. Name it once."""


class MergeAmbiguous(LevadaError, code="LV1831"):
    """{drop} is dropped by several merges in {path}; nothing was decided. Name one of them: {merges}."""


def review(
    file: Path,
    /,
    *,
    accept: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    refuse: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    accept_above: float | None = None,
    by: str | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show suggested merges of systems, and decide on them.

    Decisions are kept in the file and applied by every ``levada map`` that is given it. A merge
    that was accepted before is split by refusing it.

    Args:
        file: The review file that ``levada map --review FILE`` wrote.
        accept: A system that is merged: the id that is dropped; where several merges drop it,
            KEEP=DROP or the merge's number. May be given several times.
        refuse: A system that is not merged: the id that would be dropped, in every merge of it, or
            KEEP=DROP, or the merge's number. May be given several times.
        accept_above: Accept all open merges at least this sure (0 to 1).
        by: Who decides; kept with the decision.
        dry_run: Show what would be decided, and write nothing.
        json: Print as JSON.

    Examples:
        levada review review.yaml
        levada review review.yaml --accept app:crm-old --refuse host:10.0.0.7 --by anna
    """
    from msgspec import structs

    from levada.cli._shown import write_json
    from levada.landscape.review import load_review, save_review

    if not file.exists():
        raise ReviewMissing(path=file)
    rows = load_review(file)
    found = {name: _named(name, rows) for name in (*accept, *refuse)}
    unknown = {name for name, numbers in found.items() if not numbers}
    if unknown:
        raise MergeMissing(path=file, drop=", ".join(sorted(unknown)), near=_near(unknown, rows))
    accepted = {_only(name, found[name], rows, file) for name in accept}
    refused = {number for name in refuse for number in found[name]}
    if accepted & refused:
        raise MergeContradicted(drop=", ".join(sorted({rows[n].drop for n in accepted & refused})))

    def decided(number: int, row: Suggestion) -> Suggestion:
        if number in refused:
            return structs.replace(row, decision="refuse", by=by)
        sure = accept_above is not None and row.decision == "open" and row.confidence >= accept_above
        return structs.replace(row, decision="accept", by=by) if number in accepted or sure else row

    after = [decided(n, r) for n, r in enumerate(rows)]
    if after != rows and not dry_run:
        save_review(file, after)
    if json:
        write_json(after, line=True)
    else:
        _show(after, file, changed=sum(a != b for a, b in zip(after, rows, strict=True)), dry_run=dry_run)
    return 0


def _named(name: str, rows: Sequence[Suggestion]) -> list[int]:
    """Where the merges stand that a person means: by the id that is dropped, KEEP=DROP, or the number shown."""
    found = [n for n, r in enumerate(rows) if r.drop == name]
    found = found or [n for n, r in enumerate(rows) if f"{r.keep}={r.drop}" == name]
    if not found and name.isascii() and name.isdecimal() and 0 < int(name) <= len(rows):
        return [int(name) - 1]
    return found


def _only(name: str, found: list[int], rows: Sequence[Suggestion], file: Path) -> int:
    """The one merge to accept: a system goes into one other."""
    left = [n for n in found if rows[n].decision != "refuse"] or found
    if len(left) > 1:
        merges = ", ".join(f"{rows[n].keep}={rows[n].drop} ({n + 1})" for n in left)
        raise MergeAmbiguous(drop=name, path=file, merges=merges)
    return left[0]


def _near(unknown: set[str], rows: Sequence[Suggestion]) -> str:
    from difflib import get_close_matches

    near = [m for name in sorted(unknown) for m in get_close_matches(name, {r.drop for r in rows}, 1)]
    return f" Is {', '.join(near)} meant?" if near else ""


def _show(rows: Sequence[Suggestion], file: Path, *, changed: int, dry_run: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from levada.cli._shown import console as console_of

    console = console_of()
    colour = {"accept": "green", "refuse": "red", "open": "yellow"}
    for number, row in enumerate(rows, 1):
        head = Text.assemble(
            f"{number:>3} ", (f"{row.decision:<7}", colour[row.decision]), f"{row.confidence:>4.0%}  drop ", (row.drop, "bold"),
            ", keep ", (row.keep, "bold"), f"  (by {row.by})" if row.by else "",
        )  # fmt: skip
        console.print(head, soft_wrap=True)
        told = Text("\n".join(filter(None, (row.reason or row.rule, row.note))))
        console.print(Padding(told, (0, 0, 0, INDENT), expand=False))
        for place in row.evidence:
            console.print(Text(" " * INDENT + place, style="dim"), soft_wrap=True)
    counts = Counter(r.decision for r in rows)
    console.print(f"{counts['accept']} accepted, {counts['refuse']} refused, {counts['open']} open")
    if changed and dry_run:
        console.print(f"{changed} would change; nothing was written.")
    elif changed:
        console.print(f"Applied by the next: levada map DIR --review {file}", soft_wrap=True)
