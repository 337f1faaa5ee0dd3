"""A blueprint as JSON (``blueprint.schema.json``), and which decisions hang on which parameter."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built, blueprint
from levada.landscape.blueprint_costs import Costs
from levada.network.graph import Network

__all__ = ["Flip", "as_json", "sensitivity"]


class Flip(Struct, frozen=True):
    """A decision that changes when one parameter does."""

    parameter: str
    factor: float
    box: str
    becomes: str
    """``built`` or ``left out``."""


def sensitivity(network: Network, costs: Costs, made: Blueprint, *, seconds: float = 5.0) -> list[Flip]:
    """The APIs and topics that come or go when one parameter is 50 % lower or higher.

    Decides the whole blueprint twice for each parameter; those that are 0 have nothing to change.
    """
    now = {b.id for b in made.built}
    out: list[Flip] = []
    for name, parameter in costs.parameters.items():
        for factor in (0.5, 1.5) if parameter.value else ():
            then = {b.id for b in blueprint(network, costs.scaled(name, factor), seconds=seconds).built}
            out += [Flip(name, factor, i, "left out") for i in sorted(now - then)]
            out += [Flip(name, factor, i, "built") for i in sorted(then - now)]
    return out


def as_json(made: Blueprint, flips: list[Flip] | None = None) -> dict[str, Any]:
    """The shape of ``levada blueprint --json``; members may be added, none is renamed."""
    out: dict[str, Any] = {
        "cost": {
            "as_is": made.cost.as_is,
            "to_be": made.cost.to_be,
            "bound": made.cost.bound,
            "gap": made.cost.gap,
        },
        "apis": [_box(b) for b in made.apis],
        "topics": [_box(b) for b in made.topics],
        "ledger": [
            {"flow": e.flow, "decision": e.decision, "via": e.via, "because": e.because, "reason": e.reason}
            for e in made.ledger
        ],
    }
    if flips is not None:
        out["sensitivity"] = [
            {"parameter": f.parameter, "factor": f.factor, "id": f.box, "becomes": f.becomes} for f in flips
        ]
    return out


def _box(box: Built) -> dict[str, Any]:
    return {
        "id": box.id,
        "layer": box.layer,
        "providers": list(box.providers),
        "consumers": list(box.consumers),
        "objects": list(box.objects),
        "owner": box.owner,
        "domain": box.domain,
        "needs": list(box.needs),
        "flows": list(box.flows),
        "saves": box.saves,
        "effort": box.effort,
        "contract": box.contract,
        "reason": box.reason,
    }
