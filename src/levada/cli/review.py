"""``levada review FILE``: look at suggested merges, and accept or refuse them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

__all__ = ["review"]


def review(
    file: Path,
    *,
    accept: tuple[str, ...] = (),
    refuse: tuple[str, ...] = (),
    accept_above: float | None = None,
    by: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show suggested merges of systems, and decide on them.

    Decisions are kept in the file and applied by the next ``levada map`` that is given it.

    Args:
        file: The review file that ``levada map --review FILE`` wrote.
        accept: Ids to drop whose merge is accepted.
        refuse: Ids to drop whose merge is refused.
        accept_above: Accept all open merges at least this sure (0 to 1).
        by: Who decides; kept with the decision.
        json: Print as JSON.
    """
    import sys

    import msgspec
    from msgspec import structs
    from rich.console import Console
    from rich.table import Table

    from levada.landscape.reconcile import ReviewError, Suggestion, load_review, save_review

    if not file.exists():
        raise ReviewError(
            path=file, line="-", problem="there is no such file; levada map DIR --review FILE makes it"
        )
    rows = load_review(file)
    unknown = (set(accept) | set(refuse)) - {r.drop for r in rows}
    if unknown:
        raise ReviewError(path=file, line="-", problem=f"no merge drops {', '.join(sorted(unknown))}")

    def decided(row: Suggestion) -> Suggestion:
        if row.drop in refuse:
            return structs.replace(row, decision="refuse", by=by)
        sure = accept_above is not None and row.decision == "open" and row.confidence >= accept_above
        return structs.replace(row, decision="accept", by=by) if row.drop in accept or sure else row

    after = [decided(r) for r in rows]
    if after != rows:
        save_review(file, after)
    if json:
        sys.stdout.write(msgspec.json.encode(after).decode() + "\n")
        return 0
    table = Table(
        "Keep", "Drop", "Because", "Sure", "Decision", box=None, pad_edge=False, header_style="bold"
    )
    colour = {"accept": "green", "refuse": "red", "open": "yellow"}
    for row in after:
        table.add_row(
            row.keep,
            row.drop,
            row.reason,
            f"{row.confidence:.0%}",
            f"[{colour[row.decision]}]{row.decision}[/]",
        )
    Console().print(table)
    return 0
