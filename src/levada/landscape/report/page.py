"""The HTML page: everything within one file, every name escaped by the template engine."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import Any

from levada.landscape._blueprint_highs import LandscapeExtra
from levada.landscape.report.assessment import Assessment
from levada.landscape.report.pictures import cluster_map, gantt, matrix

__all__ = ["as_html", "verdict"]

MOST_ROWS = 2000
"""Rows of a table in the page; the JSON has all, and the page says so."""

GLOSSARY = (
    ("System", "something that holds data or does work: an application, a database, a partner, a channel"),
    ("Flow", "one consumer uses one provider for one object in one way"),
    ("Evidence", "who says that a flow is there: declared by a person, configured in a file, observed in traffic"),
    ("Propagation cost", "share of all systems that a change of one may reach, on average"),
    ("Core", "the largest group of systems that all depend on each other"),
    ("Integration tax", "hours a month that flows cost: upkeep, errors, incidents"),
    ("Imputed", "not given by anybody: taken from a default by the kind of flow"),
    ("System API", "one contract in front of one system, with its adapter"),
    ("Process API", "what several consumers would otherwise put together from several systems, each for itself"),
    ("Experience API", "one API for a channel or a partner"),
    ("Topic", "the events of one type, published once for all who subscribe"),
    ("Ledger", "for every flow: what replaces it, or why it stays"),
    ("Retired", "never seen by an observer who sees others there: to be confirmed, then removed"),
)  # fmt: skip


def verdict(a: Assessment) -> list[str]:
    """What the board should know, in sentences; nothing is said of what is unknown but that."""
    s, cost = a.structure, a.blueprint.cost
    counts = Counter(e.decision for e in a.blueprint.ledger)
    out = [f"{s.systems:,} systems are wired by {len(a.network.flows):,} flows over {s.pairs:,} pairs."]
    if s.propagation_cost is not None:
        out.append(f"A change of one system may reach {s.propagation_cost:.0%} of them on average.")
    if s.core:
        out.append(f"{len(s.core)} of them depend on each other in a circle: none can change alone.")
    if a.tax.hours_month:
        share = a.tax.imputed_share or 0.0
        told = "all of it imputed, none measured" if share > 0.999 else f"{share:.0%} of it imputed"
        out.append(f"The flows cost about {a.tax.hours_month:,.0f} hours a month, {told}.")
    if a.blueprint.built:
        sure = "proven the least" if cost.gap < 1e-6 else f"within {cost.gap:.1%} of the least"
        out.append(
            f"{len(a.blueprint.apis)} APIs and {len(a.blueprint.topics)} topics pay: they replace {counts['replaced']:,} "
            f"flows and save {cost.as_is - cost.to_be:,.0f} hours in {a.costs['horizon']:g} months ({sure})."
        )
    else:
        out.append("No API or topic pays here at these costs: leave the flows as they are.")
    out.append(
        f"{counts['kept']:,} flows stay direct, each with its reason; {counts['retired']:,} can be retired."
    )
    return out


def as_html(assessment: Assessment) -> str:
    """The whole report as one page.

    Raises:
        LandscapeExtra: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment
        from markupsafe import Markup
    except ImportError as exc:
        raise LandscapeExtra(what="The report", package="jinja2") from exc
    a = assessment
    folder = files("levada.landscape.report")
    engine = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    engine.filters["figure"] = _figure
    template = engine.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    hours: dict[str | None, float] = {r.name: r.hours_month for r in a.tax.systems}

    def own(name: str) -> Markup:
        return Markup(folder.joinpath(name).read_text(encoding="utf-8"))  # noqa: S704 - the package's own file

    values: dict[str, Any] = {
        "a": a,
        "verdict": verdict(a),
        "most": MOST_ROWS,
        "glossary": GLOSSARY,
        "style": own("page.css"),
        "script": own("page.js"),
        # The pictures escape every name themselves.
        "map": Markup(cluster_map(a.network, hours)),  # noqa: S704
        "matrix": Markup(matrix(a.network, a.structure)),  # noqa: S704
        "gantt": Markup(gantt(a.plan)),  # noqa: S704
        "decisions": Counter(e.decision for e in a.blueprint.ledger),
        "dearest": max(hours.values(), default=1.0) or 1.0,
        "findings": Counter((f.severity, f.kind) for f in a.network.findings).most_common(),
        "names": {i: n.name or i for i, n in a.network.nodes.items()},
    }
    return template.render(values)


def _figure(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:,.1f}"
