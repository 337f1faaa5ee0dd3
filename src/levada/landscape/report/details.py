"""What the page tells of one system when it is pointed at: the data behind the panel."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from levada.landscape.naming import Names
from levada.landscape.report.assessment import Assessment

__all__ = ["details", "numbers"]


def numbers(a: Assessment) -> dict[str, int]:
    """The number of each system in the page."""
    return {i: n for n, i in enumerate(a.network.nodes)}


def details(a: Assessment) -> list[dict[str, Any]]:
    """A row for each system, in the order of :func:`numbers`; unknown is null.

    Members: ``n`` name, ``i`` id, ``k`` kind, ``o`` owner, ``d`` domain, ``h`` hours a month,
    ``r`` systems that a change may reach, ``u`` numbers of what it uses, ``b`` of those that use it,
    ``v`` APIs and topics that its flows go over in the blueprint.
    """
    index = numbers(a)
    uses: dict[str, set[int]] = defaultdict(set)
    used: dict[str, set[int]] = defaultdict(set)
    for consumer, provider in a.network.pairs():
        uses[consumer].add(index[provider])
        used[provider].add(index[consumer])
    via: dict[str, set[str]] = defaultdict(set)
    for entry in a.blueprint.ledger:
        if entry.via and (flow := a.network.flows.get(entry.flow)):
            via[flow.provider].add(entry.via)
            via[flow.consumer].add(entry.via)
    names = Names(a.network)
    titles = {b.id: names.box(b) for b in a.blueprint.built}
    hours = {row.name: row.hours_month for row in a.tax.systems}
    rows: list[dict[str, Any]] = []
    for i, node in a.network.nodes.items():
        place = a.structure.places.get(i)
        rows.append(
            {
                "n": names.system(i),
                "i": i,
                "k": node.kind,
                "o": node.owner,
                "d": node.domain,
                "h": round(hours[i], 1) if i in hours else None,
                "r": place.reached_by if place else None,
                "u": sorted(uses[i]),
                "b": sorted(used[i]),
                "v": sorted(titles.get(v, v) for v in via[i]),
            }
        )
    return rows
