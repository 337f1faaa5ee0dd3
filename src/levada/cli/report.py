"""``levada report DIR…``: one self-contained page for the board, Markdown or JSON."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from levada._whole import write_whole
from levada.cli._shown import json_text, write_json

if TYPE_CHECKING:
    from levada.landscape.report import Assessment
    from levada.network.graph import Network

__all__ = ["report"]


def report(
    *sources: str | Path,
    out: Path = Path("landscape.html"),
    title: str | None = None,
    start: datetime.date | None = None,
    holidays: Path | None = None,
    costs: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    kafka_settings: str | None = None,
) -> int:
    """Write the report: verdict, map, matrix, tax, blueprint, ledger, pilot, plan, evidence.

    Args:
        sources: Folders with exports, configurations, logs, spreadsheets; clusters as
            kafka://HOST:PORT[,HOST:PORT].
        out: Where to: .html (one file, no server), .md, or .json (map, blueprint and plan).
        title: Title of the report (default: the name of the first folder or cluster).
        start: First day of the plan (default: next Monday).
        holidays: Days off beside weekends, for the plan: an ICS calendar, or CSV with the columns date and until.
        costs: File with your own cost parameters (TOML).
        json: Say as JSON what was written.
        kafka_settings: How to sign in to the clusters: a file of client properties as Kafka's own tools take it
            with --command-config, as file:PATH or env:NAME. A value in it may be such a reference too.

    Examples:
        levada report exports/ --out report.html --title "Acme 2027"
        levada report exports/ --out report.md --costs costs.toml
    """
    from rich.console import Console

    from levada.cli._sources import read_network, sources_of
    from levada.cli._usage import CommandLineWrong
    from levada.landscape.blueprint_costs import load_costs
    from levada.landscape.plan import Team, next_monday
    from levada.landscape.plan_days import read_days_off
    from levada.landscape.report import assess

    console = Console(stderr=json)
    if not sources:
        raise CommandLineWrong(
            problem="Name the folders to map: `levada report DIR…`.", command="levada report"
        )
    if out.suffix not in (".html", ".md", ".json"):
        problem = "A report is written to a file that ends with .html, .md or .json."
        raise CommandLineWrong(problem=problem, command="levada report")
    given = sources_of(sources, kafka_settings)
    off: frozenset[datetime.date] = read_days_off(holidays) if holidays else frozenset()
    with console.status("Reading") as status:
        network, code = read_network(given, console)
        status.update("Assessing")
        name = (
            title
            or f"Landscape of {(given.folders[0].resolve().name if given.folders else given.clusters[0].source)}"
        )
        first = start or next_monday()
        found = assess(network, first, title=name, costs=load_costs(costs), team=Team(off=off))
        text = _text(found, network, out.suffix)
    write_whole(out, text)
    if json:
        write_json({"written": str(out), "characters": len(text)}, line=True)
        return code
    console.print(f"Written to [bold]{out}[/] ({len(text) // 1024:,} KiB)")
    return code


def _text(found: Assessment, network: Network, suffix: str) -> str:
    """The report in the form that the end of a file's name says."""
    from levada.landscape.report import as_html, as_markdown

    if suffix == ".html":
        return as_html(found)
    if suffix == ".md":
        return as_markdown(found)
    from levada.landscape.blueprint_view import as_json as blueprint_json
    from levada.landscape.plan_view import as_json as plan_json
    from levada.network.view import as_map

    parts = {
        "map": as_map(network),
        "blueprint": blueprint_json(found.blueprint),
        "plan": plan_json(found.plan),
    }
    return json_text(parts)
