"""``levada plan DIR…`` makes the 90-day plan, ``levada plan check`` says what of it is really done."""

from __future__ import annotations

import datetime
import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from levada._whole import write_whole
from levada.cli._shown import json_text, write_json
from levada.landscape.words import many

if TYPE_CHECKING:
    from rich.console import Console

    from levada.landscape.plan import Plan
    from levada.landscape.plan_check import Checked

__all__ = ["plan"]

plan = App(name="levada plan", help_format="markdown", version_flags=())


@plan.default
def make(
    *sources: str | Path,
    json: Annotated[bool, Parameter(negative="")] = False,
    start: datetime.date | None = None,
    days: int = 90,
    teams: int = 2,
    hours_week: float = 90.0,
    holidays: Path | None = None,
    costs: Path | None = None,
    csv: Path | None = None,
    github: Path | None = None,
    ics: Path | None = None,
    kafka_settings: str | None = None,
) -> int:
    """Make the 90-day plan: work packages with precedence, owner and an exit that can be observed.

    Args:
        sources: Folders with exports, configurations, logs, spreadsheets; clusters as
            kafka://HOST:PORT[,HOST:PORT].
        json: Print the plan as JSON (start, days, items).
        start: First day (default: next Monday).
        days: Length of the plan.
        teams: Teams that work side by side.
        hours_week: Hours a week of each team.
        holidays: Days off beside weekends: an ICS calendar of whole-day events, or CSV with the column date, and until
            where it lasts longer. Nothing begins or ends on one.
        costs: File with your own cost parameters (TOML).
        csv: Write the items for Jira's importer (.csv).
        github: Write the items as bodies of GitHub issues (.json).
        ics: Write the items as a calendar.
        kafka_settings: How to sign in to the clusters: a file of client properties as Kafka's own tools take it
            with --command-config, as file:PATH or env:NAME. A value in it may be such a reference too.

    Examples:
        levada plan exports/ --start 2027-01-11 --teams 3
        levada plan exports/ --json > plan.json
    """
    from rich.console import Console

    from levada.cli._sources import read_network, sources_of
    from levada.cli._usage import CommandLineWrong
    from levada.landscape.blueprint import blueprint
    from levada.landscape.blueprint_costs import load_costs
    from levada.landscape.naming import Names
    from levada.landscape.plan import Team, make_plan, next_monday
    from levada.landscape.plan_days import read_days_off
    from levada.landscape.plan_view import as_csv, as_github, as_ics, as_json

    console = Console(stderr=json)
    if not sources:
        raise CommandLineWrong(problem="Name the folders to map: `levada plan DIR…`.", command="levada plan")
    if days < 1 or teams < 1 or hours_week <= 0:
        problem = "Days, teams and hours a week have to be more than 0."
        raise CommandLineWrong(problem=problem, command="levada plan")
    given = sources_of(sources, kafka_settings)
    off: frozenset[datetime.date] = read_days_off(holidays) if holidays else frozenset()
    with console.status("Reading") as status:
        network, code = read_network(given, console)
        status.update("Planning")
        held = load_costs(costs)
        choice = blueprint(network, held)
        made = make_plan(
            network,
            choice,
            start or next_monday(),
            costs=held,
            days=days,
            team=Team(teams, hours_week, off),
        )
    issues = json_text(as_github(made))
    for path, text in ((csv, as_csv(made)), (ics, as_ics(made)), (github, issues)):
        if path is not None:
            write_whole(path, text)
            console.print(f"Written to [bold]{path}[/]")
    if json:
        write_json(as_json(made))
    else:
        names = Names(network)
        _show(made, {b.id: names.box(b) for b in choice.built})
    return code


@plan.command
def check(
    file: Path,
    /,
    *sources: str | Path,
    observers: Path | None = None,
    revoked: Path | None = None,
    today: datetime.date | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    kafka_settings: str | None = None,
) -> int:
    """Say which old connections are really gone; exit code 3 while one is not.

    Args:
        file: The plan, from levada plan --json.
        sources: What is observed now: folders with access logs and traces; clusters as kafka://HOST:PORT.
        observers: CSV of who watched: provider, since, until, coverage (0 to 1; empty: 1), mode (what it can see:
            sync, async, db, file, batch, several of them, or any; empty: sync, as an access log does), silent (yes:
            nobody calls it any more, so that its log is empty). Several rows are taken together; an outage within
            one is taken to lie in the window. A provider named by one
            of its hosts (host:NAME) is watched there alone: then each of its hosts needs a row.
        revoked: Flows, or consumers or credentials by name, that are revoked, one a line; of several
            credentials of one flow all have to be.
        today: The day to check at (default: today, in UTC).
        json: Print the verdicts as JSON.
        kafka_settings: How to sign in to the clusters: file:PATH or env:NAME, as for levada plan.

    Examples:
        levada plan check plan.json logs/ --observers observers.csv --revoked revoked.txt
    """
    from rich.console import Console

    from levada._errors import plainly
    from levada.cli._sources import read_sources, sources_of
    from levada.landscape.plan_check import check as verdicts
    from levada.landscape.plan_check import gaps_of
    from levada.landscape.plan_observers import PlanFileError, read_observers, read_revoked

    try:
        held = json_module.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise PlanFileError(path=file, problem=plainly(exc)) from exc
    if not sources:
        raise PlanFileError(path=file, problem="name the folders with what is observed now")
    console = Console(stderr=json)
    with console.status("Reading"):
        mapped, code = read_sources(sources_of(sources, kafka_settings), console)
    if code:
        return code  # what could not be asked is no silence
    found = verdicts(
        held,
        mapped.network,
        read_observers(observers) if observers else [],
        read_revoked(revoked) if revoked else [],
        today or datetime.datetime.now(datetime.UTC).date(),
        gaps_of(mapped),
    )
    if json:
        write_json(
            [
                {
                    "flow": c.flow,
                    "item": c.item,
                    "verdict": c.verdict,
                    "reasons": list(c.reasons),
                    "refused": list(c.refused),
                }
                for c in found
            ]
        )
    else:
        _verdicts(found, console)
    return 0 if all(c.verdict == "gone" for c in found) else 3


def _verdicts(found: Sequence[Checked], console: Console) -> None:
    from rich.markup import escape

    colour = {"gone": "green", "still used": "red", "not proven": "yellow"}
    for c in found:
        console.print(
            f"[{colour[c.verdict]}]{c.verdict:>10}[/]  {escape(c.flow)}  [dim]{escape('; '.join(c.reasons))}[/]",
            soft_wrap=True,
        )
        for told in c.refused:
            console.print(f"            [yellow]still called[/]  {escape(told)}", soft_wrap=True)
    gone = sum(c.verdict == "gone" for c in found)
    console.print(
        f"\n[bold]{gone}[/] of {many(len(found), 'old connection')} {'is' if gone == 1 else 'are'} gone."
    )


def _show(made: Plan, titles: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(
        f"\n{made.days} days from [bold]{made.start}[/]; pilot: [bold]{escape(titles.get(made.pilot or '', 'none'))}[/]\n"
    )
    if not made.items and not made.beyond:
        console.print(
            "There is nothing to do: no API and no topic pays. The reasons: levada blueprint DIR --ledger",
            soft_wrap=True,
        )
    else:
        table = Table(
            "Start", "End", "What", "Owner", "Done when", box=None, pad_edge=False, header_style="dim"
        )
        for i in (*made.items, *made.beyond):
            owner = escape(i.owner) if i.owner else "[yellow]unknown[/]"
            end = f"[yellow]{i.end}[/]" if i in made.beyond else f"{i.end}"
            table.add_row(f"{i.start}", end, escape(i.title), owner, escape(i.exit["text"]))
        console.print(table)
    if made.critical:
        said = {i.id: i.title for i in (*made.items, *made.beyond)}
        path = [said[i] for i in made.critical]
        console.print(f"\nCritical path: {escape(' -> '.join(path))}", soft_wrap=True)
    if made.beyond:
        flows = sum(len(i.ledger) for i in made.beyond)
        console.print(
            f"\nNot proven gone by day {made.days}: {many(flows, 'old connection')}, whose silence is watched until "
            f"{max(i.end for i in made.beyond)}."
        )
    if made.later:
        console.print(f"\nDoes not fit: {escape(', '.join(titles[i] for i in made.later))}")
