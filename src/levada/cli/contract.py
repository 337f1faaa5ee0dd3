"""``levada contract``: what is published, and whether a change of it can be read by those who have the old one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from levada._whole import write_whole
from levada.cli._shown import write_json

if TYPE_CHECKING:
    from levada.contract.compatibility import Baseline, Finding
    from levada.deployment.configuration import Configuration

__all__ = ["app"]

app = App(name="levada contract", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command
def diff(
    old: Path | None = None,
    new: Path | None = None,
    /,
    *,
    write: _Flag = False,
    dry_run: _Flag = False,
    config: Path = Path("levada.toml"),
    env: str | None = None,
    json: _Flag = False,
) -> int:
    """Compare what the app publishes with what was published before. Exit code 3: a change breaks somebody.

    A request is compared from old consumers to the new code, an answer the other way, an event in both
    directions, with every form that was published within the major. Nothing is started and no secret is read.

    Args:
        old: The file of what was published; by default levada.contracts.json beside the configuration.
        new: Compare this file with it instead of the app.
        write: Add what is published now to the file; refused where a change breaks somebody.
        dry_run: With --write: tell what would be written, and write nothing.
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        json: Print as JSON.
    """
    from levada.contract.compatibility import FILE, Baseline, breaks, extended
    from levada.contract.compatibility import diff as compare
    from levada.deployment.configuration import load_configuration

    configuration = None if new is not None and old is not None else load_configuration(config, env)
    path = old or Path(configuration.folder if configuration else ".") / FILE
    present = Baseline.read(new) if new is not None else _present(configuration)
    former = Baseline() if write and not path.exists() else Baseline.read(path)
    found = compare(former, present)
    broken = breaks(found)
    text = extended(former, present).text()
    changed = write and not broken and (not path.exists() or path.read_bytes() != text)
    if changed and not dry_run:
        write_whole(path, text)
    _tell(found, present, path, written=changed, dry_run=dry_run, json=json)
    return 3 if broken else 0


def _present(configuration: Configuration | None) -> Baseline:
    from levada.catalog.published import published

    assert configuration is not None
    return published(configuration)


def _tell(
    found: list[Finding], present: Baseline, path: Path, *, written: bool, dry_run: bool, json: bool
) -> None:

    if json:
        broken = any(f.level == "breaks" for f in found)
        data = {
            "compatible": not broken,
            "findings": found,
            "file": str(path),
            "written": written and not dry_run,
        }
        write_json(data)
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for finding in found:
        style = "[bold red]breaks[/]" if finding.level == "breaks" else "[yellow]note[/]  "
        console.print(f"{style} ", end="")
        console.print(f"{finding.place}: {finding.reason}", markup=False)
        console.print(f"       {finding.mend}", markup=False)
        if finding.example:
            console.print(f"       For example {finding.example}", markup=False, style="dim")
    if not any(f.level == "breaks" for f in found):
        count = f"{len(present.contracts)} contracts and {len(present.events)} events"
        console.print(f"[green]Compatible[/]: {count}.")
    if written:
        console.print(f"{'Would write' if dry_run else 'Written'}: {path}", markup=False)
