"""The tax counts what is given, marks what is imputed, and never makes unknown 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from levada.landscape.analysis_tax import tax
from levada.landscape.blueprint_costs import CostsError, load_costs
from levada.network.graph import Flow, Network, Node


def test_tax_by_system_owner_and_domain() -> None:
    costs = load_costs()
    net = Network.of(
        [Node(id="a"), Node(id="erp", owner="finance"), Node(id="crm")],
        [
            Flow(consumer="a", provider="erp", hours_month=10.0, incidents_90d=3.0, volume_day=50.0),
            Flow(consumer="a", provider="crm", mode="sync"),
            Flow(consumer="crm", provider="erp", object="health"),
        ],
    )
    found = tax(net, costs)
    erp, crm = found.systems
    assert (erp.name, erp.flows, erp.imputed, erp.volume_day) == ("erp", 1, 0.0, 50.0)
    assert erp.hours_month == pytest.approx(10 + costs["incident_hours"])
    assert (crm.imputed, crm.volume_day, crm.errors_day) == (costs["direct_sync"], None, None)
    assert [r.name for r in found.owners] == ["finance", None]
    assert tax(Network(), costs).imputed_share is None


def test_own_costs_take_the_place_of_defaults(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("horizon = 12\n[system_contract]\nvalue = 5\nsource = 'us'\n")
    costs = load_costs(own)
    assert (costs["horizon"], costs["system_contract"]) == (12, 5)
    assert costs.parameters["system_contract"].source == "us"
    assert all(p.unit and p.source for p in costs.parameters.values())
    for wrong in ("nothing = 1", "horizon = 'x'", "horizon = -1", "=", "horizon = nan"):
        own.write_text(wrong)
        with pytest.raises(CostsError):
            load_costs(own)
