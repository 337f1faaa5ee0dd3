"""The integration tax: hours a month that flows cost, by system, owner and domain.

What is given (hours, errors, incidents) is told apart from what is imputed from the cost
parameters.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from levada.landscape.blueprint_costs import Costs, flow_hours
from levada.landscape.infrastructure import infrastructure
from levada.network.graph import Network, Node

__all__ = ["Tax", "TaxRow", "tax"]


class TaxRow(Struct, frozen=True):
    """What the flows of one system, owner or domain cost; each flow is counted at its provider."""

    name: str | None
    """None: those whose owner or domain is unknown."""
    flows: int
    hours_month: float
    """Given and imputed together."""
    imputed: float
    """Hours a month of it that nobody gave: a default by mode."""
    volume_day: float | None
    """Calls a day of the flows whose volume is known; None if no flow's is."""
    errors_day: float | None
    """Failed calls a day of the flows where it is known; None if of none."""


class Tax(Struct, frozen=True, kw_only=True):
    """Hours a month, the dearest first. Infrastructure is left out."""

    hours_month: float
    imputed_share: float | None
    """Share of the hours that is imputed; None if there are no hours."""
    systems: tuple[TaxRow, ...]
    owners: tuple[TaxRow, ...]
    domains: tuple[TaxRow, ...]


class _Sum:
    def __init__(self) -> None:
        self.flows, self.hours, self.imputed = 0, 0.0, 0.0
        self.volume: float | None = None
        self.errors: float | None = None


def tax(network: Network, costs: Costs) -> Tax:
    """The tax of all flows that carry business, grouped by their provider."""
    systems = _rows(network, costs, lambda n: n.id)
    total = sum(r.hours_month for r in systems)
    return Tax(
        hours_month=total,
        imputed_share=sum(r.imputed for r in systems) / total if total else None,
        systems=systems,
        owners=_rows(network, costs, lambda n: n.owner),
        domains=_rows(network, costs, lambda n: n.domain),
    )


def _rows(network: Network, costs: Costs, key: Callable[[Node], str | None]) -> tuple[TaxRow, ...]:
    sums: dict[str | None, _Sum] = {}
    plumbing = infrastructure(network)
    for flow in network.flows.values():
        if plumbing(flow):
            continue
        held = sums.setdefault(key(network.nodes[flow.provider]), _Sum())
        upkeep, trouble, imputed = flow_hours(flow, costs)
        held.flows += 1
        held.hours += upkeep + trouble
        held.imputed += upkeep if imputed else 0.0
        held.volume = _plus(held.volume, flow.volume_day)
        held.errors = _plus(held.errors, flow.errors_day)
    rows = [TaxRow(n, s.flows, s.hours, s.imputed, s.volume, s.errors) for n, s in sums.items()]
    return tuple(sorted(rows, key=lambda r: (-r.hours_month, r.name or "")))


def _plus(a: float | None, b: float | None) -> float | None:
    return a if b is None else b if a is None else a + b
