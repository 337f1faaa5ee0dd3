"""``levada requests``: what waits for a second person in production."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from levada.cli._operate import At, Common, ask, change, emit, table, when

__all__ = ["app"]

app = App(name="levada requests", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="list")
def list_(*, state: str = "asked", common: Common = At) -> int:
    """List requests. Exit code 3: some are open.

    Args:
        state: Those that are asked, approved or refused.
        common: Options of every operating verb.
    """
    rows: list[dict[str, Any]] = ask(common, "requests.list", state=state)
    emit(
        common,
        rows,
        lambda: table(
            ("Id", "Asked", "By", "Action", "Of", "Why", "Decided by"),
            [
                (r["id"], when(r["asked"]), r["who"], r["action"], r["arguments"], r["why"], r["decider"])
                for r in rows
            ],
            empty="Nothing waits for a second person.",
        ),
    )
    return 3 if rows and state == "asked" else 0


@app.command
def approve(id: str, /, *, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Do what another person has asked for.

    Args:
        id: The request's id.
        why: A word of your own; the audit has it beside the reason that was given.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    return change(common, f"approve the request {id}", "requests.approve", dry_run=dry_run, id=id, why=why)


@app.command
def refuse(id: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Decide that it is not done.

    Args:
        id: The request's id.
        why: Why; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    return change(common, f"refuse the request {id}", "requests.refuse", dry_run=dry_run, id=id, why=why)
