"""``levada blueprint DIR…``: the APIs and topics that pay, and what stays direct."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from levada._whole import write_whole
from levada.cli._shown import write_json
from levada.landscape.words import many

if TYPE_CHECKING:
    from rich.console import Console

    from levada.landscape.blueprint import Blueprint
    from levada.landscape.blueprint_costs import Costs
    from levada.landscape.blueprint_view import Flip
    from levada.landscape.naming import Names
    from levada.network.graph import Network

__all__ = ["blueprint"]


def blueprint(
    *sources: str | Path,
    json: Annotated[bool, Parameter(negative="")] = False,
    costs: Path | None = None,
    parameters: Annotated[bool, Parameter(negative="")] = False,
    sensitivity: Annotated[bool, Parameter(negative="")] = False,
    ledger: Annotated[bool, Parameter(negative="")] = False,
    contracts: Path | None = None,
    seconds: float = 60.0,
    kafka_settings: str | None = None,
) -> int:
    """Choose the APIs and topics that pay, and say of every flow what becomes of it.

    Args:
        sources: Folders with exports, configurations, logs, spreadsheets; clusters as
            kafka://HOST:PORT[,HOST:PORT].
        json: Print the blueprint as JSON (cost, apis, topics, ledger).
        costs: File with your own cost parameters (TOML); those left out keep their default.
        parameters: List the cost parameters with unit and source.
        sensitivity: Say which decisions flip when one parameter is 50 % lower or higher.
        ledger: Show what becomes of every flow, and why.
        contracts: Write skeletons of the contracts, as Levada classes (.py).
        seconds: Time to search; the gap tells what is not proven then.
        kafka_settings: How to sign in to the clusters: a file of client properties as Kafka's own tools take it
            with --command-config, as file:PATH or env:NAME. A value in it may be such a reference too.

    Examples:
        levada blueprint exports/
        levada blueprint exports/ --costs costs.toml --sensitivity --contracts contracts.py
    """
    from rich.console import Console

    from levada.cli._usage import CommandLineWrong
    from levada.landscape.blueprint_costs import load_costs

    console = Console(stderr=json)
    if not seconds > 0:
        raise CommandLineWrong(
            problem="The seconds to search have to be more than 0.", command="levada blueprint"
        )
    held = load_costs(costs)
    if parameters:
        _parameters(held, console, json=json)
        return 0
    if not sources:
        problem = "Name the folders to map: `levada blueprint DIR…`."
        raise CommandLineWrong(problem=problem, command="levada blueprint")
    from levada.cli._sources import read_network, sources_of
    from levada.landscape.blueprint import blueprint as make
    from levada.landscape.blueprint_view import as_json
    from levada.landscape.blueprint_view import sensitivity as flips_of
    from levada.landscape.naming import Names

    given = sources_of(sources, kafka_settings)
    with console.status("Reading") as status:
        network, code = read_network(given, console)
        status.update("Choosing")
        made = make(network, held, seconds=seconds)
        flips = flips_of(network, held, made) if sensitivity else None
    if contracts is not None:
        from levada.landscape.blueprint_contracts import skeletons

        write_whole(contracts, skeletons(made))
        console.print(f"Written to [bold]{contracts}[/]")
    if json:
        write_json(as_json(made, flips))
    else:
        names = Names(network)
        _show(made, names, flips, held["horizon"], console)
        if ledger:
            _ledger(network, made, names, console)
    return code


def _parameters(costs: Costs, console: Console, *, json: bool) -> None:
    from rich.table import Table

    if json:
        write_json(
            [
                {"parameter": n, "value": p.value, "unit": p.unit, "source": p.source}
                for n, p in costs.parameters.items()
            ]
        )
        return
    table = Table("Parameter", "Value", "Unit", "Source", box=None, pad_edge=False, header_style="bold")
    for name, p in costs.parameters.items():
        table.add_row(name, f"{p.value:g}", p.unit, p.source)
    console.print(table)


def _show(made: Blueprint, names: Names, flips: list[Flip] | None, months: float, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    counts = Counter(e.decision for e in made.ledger)
    cost = made.cost
    console.print(
        f"\n[bold]{len(made.apis)}[/] API{'' if len(made.apis) == 1 else 's'}, "
        f"[bold]{len(made.topics)}[/] topic{'' if len(made.topics) == 1 else 's'}   "
        f"{many(counts['replaced'], 'flow')} replaced, {counts['kept']:,} kept, {counts['retired']:,} retired"
    )
    console.print(
        f"{cost.as_is:,.0f} hours in {months:g} months as it is, [bold]{cost.to_be:,.0f}[/] to be "
        f"({'proven the least' if cost.gap < 1e-6 else f'within {cost.gap:.1%} of the least'}); "
        "see levada blueprint --parameters\n",
        soft_wrap=True,
    )
    kept = Counter(e.because for e in made.ledger if e.decision == "kept")
    if kept:
        reasons = ", ".join(f"{n:,} {why}" for why, n in kept.most_common())
        console.print(f"Kept: {reasons}\n", soft_wrap=True)
    if not made.built:
        console.print(
            "No API and no topic pays here; the reasons: [bold]levada blueprint DIR --ledger[/]",
            soft_wrap=True,
        )
        return
    table = Table("API or topic", "Flows", "Consumers", "Why", box=None, pad_edge=False, header_style="dim")
    for box in sorted(made.built, key=lambda b: -b.saves):
        table.add_row(
            escape(names.box(box)), str(len(box.flows)), str(len(box.consumers)), escape(box.reason)
        )
    console.print(table)
    titles = {b.id: names.box(b) for b in made.built}
    for flip in flips or ():
        console.print(
            f"{flip.parameter} x{flip.factor:g}: [bold]{escape(titles.get(flip.box, flip.box))}[/] {flip.becomes}"
        )


def _ledger(network: Network, made: Blueprint, names: Names, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Flow", "Decision", "Over", "Because", box=None, pad_edge=False, header_style="dim")
    titles = {b.id: names.box(b) for b in made.built}
    for entry in made.ledger:
        table.add_row(
            escape(names.flow(network.flows[entry.flow])),
            entry.decision,
            escape(titles.get(entry.via or "", "")),
            escape(entry.reason),
        )
    console.print(table)
