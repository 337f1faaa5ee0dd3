"""Everything that a report tells, computed once from a network."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from levada.landscape.analysis import Structure, structure
from levada.landscape.analysis_tax import Tax, tax
from levada.landscape.analysis_trouble import (
    Brittle,
    Contradiction,
    Duplicate,
    brittle,
    contradictions,
    duplicates,
)
from levada.landscape.blueprint import Blueprint, blueprint
from levada.landscape.blueprint_costs import Costs, load_costs
from levada.landscape.plan import Plan, Team, make_plan
from levada.landscape.questions import Question, questions
from levada.network.graph import Network

__all__ = ["Assessment", "assess"]


class Assessment(Struct, frozen=True, kw_only=True):
    """A landscape, what is wrong with it, what to build, and when."""

    title: str
    network: Network
    structure: Structure
    tax: Tax
    brittle: tuple[Brittle, ...]
    contradictions: tuple[Contradiction, ...]
    duplicates: tuple[Duplicate, ...]
    costs: Costs
    blueprint: Blueprint
    plan: Plan
    questions: tuple[Question, ...]
    """Whose answers would change the blueprint most."""

    def coverage(self) -> list[tuple[str, int, int]]:
        """What is known: label, of how many, of all."""
        flows, nodes = self.network.flows.values(), self.network.nodes.values()
        rows: list[tuple[str, int, int]] = [
            (f"flow is {s}", sum(f.status == s for f in flows), len(flows))
            for s in ("observed", "configured", "declared")
        ]
        for label, name in (
            ("object", "object"), ("volume", "volume_day"), ("errors", "errors_day"), ("hours", "hours_month"),
            ("incidents", "incidents_90d"), ("classification", "classification"),
        ):  # fmt: skip
            rows.append((f"{label} of a flow", sum(getattr(f, name) is not None for f in flows), len(flows)))
        rows.append(("mode of a flow", sum(f.mode != "unknown" for f in flows), len(flows)))
        rows.append(("owner of a system", sum(n.owner is not None for n in nodes), len(nodes)))
        rows.append(("domain of a system", sum(n.domain is not None for n in nodes), len(nodes)))
        return rows


def assess(
    network: Network, start: date, *, title: str = "Integration landscape", costs: Costs | None = None,
    team: Team | None = None,
) -> Assessment:  # fmt: skip
    """Measure, choose and plan; deterministic for the same network, costs, start and team."""
    costs = costs or load_costs()
    known = structure(network)
    made = blueprint(network, costs)
    return Assessment(
        title=title,
        network=network,
        structure=known,
        tax=tax(network, costs),
        brittle=tuple(brittle(network, known)),
        contradictions=tuple(contradictions(network)),
        duplicates=tuple(duplicates(network)),
        costs=costs,
        blueprint=made,
        plan=make_plan(network, made, start, costs=costs, team=team),
        questions=tuple(questions(network, costs=costs)),
    )
