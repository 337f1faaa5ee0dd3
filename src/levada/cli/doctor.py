"""``levada doctor``: is everything here that this machine and this deployment need?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from levada.cli._shown import console as console_of
from levada.cli._shown import show, write_json

if TYPE_CHECKING:
    from levada.cli._check import Check

__all__ = ["doctor"]


def doctor(
    *,
    config: Path = Path("levada.toml"),
    env: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Check this machine and this deployment; say for each finding what to do. Exit code 3: something failed.

    Stuck runs, parked events and open runs whose code is missing are found too, each with the command that
    resolves it. Nothing is changed: no store is made, no schema migrated. Where there is no levada.toml the machine alone is checked.

    Args:
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        json: Print as JSON.
    """
    from levada.cli._checks import deployment, machine

    checks = list(machine())
    stated = config != Path("levada.toml") or env is not None
    if stated or config.exists():
        checks += asyncio.run(deployment(config, env))
    _show(checks, json=json)
    return 3 if any(check.state == "failed" for check in checks) else 0


def _show(checks: Sequence[Check], *, json: bool) -> None:
    if json:
        write_json(checks)
        return
    from rich.table import Table
    from rich.text import Text

    signs = {"ok": ("✓", "green"), "note": ("•", "yellow"), "failed": ("✗", "bold red")}
    console = console_of(highlight=False)
    table = Table.grid(padding=(0, 2))
    for check in checks:
        sign, style = signs[check.state]
        found = Text(check.found)
        if check.mend:
            found.append(f"\n{check.mend}", style="bold" if check.state == "failed" else "dim")
        table.add_row(Text(sign, style=style), check.name, found)
    show(console, table)
    failed = sum(check.state == "failed" for check in checks)
    console.print(f"\n[bold red]{failed} failed[/]" if failed else "\n[green]All that is needed is here.[/]")
