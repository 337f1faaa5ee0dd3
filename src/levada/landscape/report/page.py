"""The HTML page: everything within one file, every name escaped by the template engine."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any

from levada.landscape._blueprint_highs import LandscapeExtra
from levada.landscape.naming import Names
from levada.landscape.report.assessment import Assessment
from levada.landscape.report.before_after import after, before
from levada.landscape.report.clusters import cluster_map
from levada.landscape.report.details import details, numbers
from levada.landscape.report.gantt import gantt
from levada.landscape.report.layers import layers
from levada.landscape.report.matrix import MOST_NAMES, matrix
from levada.landscape.report.verdict import recommendations, verdict
from levada.landscape.words import many

__all__ = ["as_html"]

ARCHITECTURES = {
    "core-periphery": "Core-periphery: one group of systems that depend on each other stands out, and the place of the others is measured by it.",
    "multi-core": "Multi-core: several groups of systems depend on each other and none stands out; places are measured by the median.",
    "hierarchical": "Hierarchical: no group of systems that depend on each other is large enough for a core; places are measured by the median.",
}

MOST_ROWS = 2000
"""Rows of a table in the page; the JSON has all, and the page says so."""

GLOSSARY = (
    ("System", "something that holds data or does work: an application, a database, a partner, a channel"),
    ("Flow", "one consumer uses one provider for one object in one way"),
    ("Evidence", "who says that a flow is there: declared by a person, configured in a file, observed in traffic"),
    ("Propagation cost", "share of all systems that a change of one may reach, on average"),
    ("Core", "a group of systems that all depend on each other and that stands out: at least 4 % of all, and half as large again as the next such group"),
    ("Place", "where a system stands. Central: many systems are reached and many reach it; shared: many reach it; control: it reaches many; peripheral: neither. Many is as many as the core's, without a core as the median"),
    ("Integration tax", "hours a month that flows cost: upkeep, errors, incidents"),
    ("Imputed", "not given by anybody: taken from a default by the kind of flow"),
    ("System API", "one contract in front of one system, with its adapter"),
    ("Process API", "what several consumers would otherwise put together from several systems, each for itself"),
    ("Experience API", "one API for a channel or a partner"),
    ("Topic", "the events of one type, published once for all who subscribe"),
    ("Ledger", "for every flow: what replaces it, or why it stays"),
    ("Pilot", "what is built first: the most hours taken away for its effort, within the days of the plan"),
    ("Shadow", "the new way answers beside the old one, and the answers are compared, before anybody depends on it"),
    ("Observer", "a log, a gateway or a trace that would have seen a call of the old connection"),
    ("Retired", "never seen by an observer who sees others there: to be confirmed, then removed"),
)  # fmt: skip


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
    called = Names(a.network)
    titles = {b.id: called.box(b) for b in a.blueprint.built}

    def flow(i: str) -> str:
        return called.flow(a.network.flows[i])

    engine = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Any] = engine.filters
    filters |= {"figure": _figure, "many": many, "flow": flow}
    template = engine.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    hours: dict[str | None, float] = {r.name: r.hours_month for r in a.tax.systems}

    index = numbers(a)
    mapped = cluster_map(a.network, hours, index)

    def own(name: str) -> Markup:
        return Markup(folder.joinpath(name).read_text(encoding="utf-8"))  # noqa: S704 - the package's own file

    values: dict[str, Any] = {
        "a": a,
        "verdict": verdict(a),
        "recommendations": recommendations(a),
        "titles": titles,
        "details": Markup(_embedded(details(a))),  # noqa: S704 - nothing in it can end the script
        "most": MOST_ROWS,
        "named_rows": MOST_NAMES,
        "glossary": GLOSSARY,
        "architecture": ARCHITECTURES[a.structure.architecture],
        "style": own("page.css"),
        "script": own("page.js"),
        # The pictures escape every name themselves.
        "map": mapped,
        "map_picture": Markup(mapped.picture),  # noqa: S704
        "layers": Markup(layers(a.network, a.blueprint, index)),  # noqa: S704
        "layered": {b.layer for b in a.blueprint.built},
        "before": Markup(before(a.network)),  # noqa: S704
        "after": Markup(after(a.network, a.blueprint)),  # noqa: S704
        "matrix": Markup(matrix(a.network, a.structure)),  # noqa: S704
        "gantt": Markup(gantt(a.plan, titles)),  # noqa: S704
        "decisions": Counter(e.decision for e in a.blueprint.ledger),
        "kept": Counter(e.because for e in a.blueprint.ledger if e.decision == "kept").most_common(),
        "dearest": max(hours.values(), default=1.0) or 1.0,
        "findings": Counter((f.severity, f.kind) for f in a.network.findings).most_common(),
        "names": {i: called.system(i) for i in a.network.nodes},
    }
    return template.render(values)


def _figure(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:,.1f}"


def _embedded(value: object) -> str:
    """JSON that is safe inside a script element, whatever names are in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
