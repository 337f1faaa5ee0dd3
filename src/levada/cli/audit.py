"""``levada audit``: who did what, and whether the chain is whole."""

from __future__ import annotations

from typing import Any

from cyclopts import App

from levada.cli._operate import At, Common, HowMany, ask, emit, table, when

__all__ = ["app"]

app = App(name="levada audit", version_flags=())


@app.command(name="list")
def list_(*, n: HowMany = 50, common: Common = At) -> int:
    """List the last changes."""
    rows: list[dict[str, Any]] = ask(common, "audit.list", n=n)
    emit(
        common,
        rows,
        lambda: table(
            ("No", "At", "Who", "Action", "Target", "Why", "Before", "After"),
            [
                (
                    r["seq"],
                    when(r["at"]),
                    r["who"],
                    r["action"],
                    r["target"],
                    r["why"],
                    r["before"],
                    r["after"],
                )
                for r in rows
            ],
            empty="Nobody has changed anything yet.",
            right=("No",),
        ),
    )
    return 0


@app.command
def verify(*, mark: str | None = None, common: Common = At) -> int:
    """Check that no row was altered, removed or put in. Exit code 1: one was; the message says which.

    Args:
        mark: Number and hash of a row, ``12:9f…``, that was kept elsewhere: it has to be there.
        common: Options of every operating verb.
    """
    rows: int = ask(common, "audit.verify", mark=mark)
    emit(common, {"rows": rows, "whole": True}, lambda: print(f"The audit is whole: {rows} rows."))
    return 0
