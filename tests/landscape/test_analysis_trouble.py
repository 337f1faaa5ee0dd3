"""Impact, contradictions, duplicates, brittle flows."""

from __future__ import annotations

from typing import Any

import pytest

from levada.landscape.analysis_impact import UnknownSystem, blast_radius
from levada.landscape.analysis_trouble import brittle, contradictions, duplicates
from levada.network.graph import Evidence, Flow, Network, Node


def flow(consumer: str, provider: str, status: Any = "configured", **more: Any) -> Flow:
    return Flow(consumer=consumer, provider=provider, evidence=(Evidence("f", 1, status=status),), **more)


def network(*flows: Flow, **owners: str) -> Network:
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)})
    return Network.of([Node(id=e, owner=owners.get(e)) for e in ends], flows)


def test_blast_radius_has_each_system_once_by_distance() -> None:
    net = network(
        flow("a", "erp"), flow("b", "a"), flow("erp", "b"), flow("b", "erp"), flow("c", "b"), a="ann"
    )
    found = blast_radius(net, "erp")
    assert found.rings == (("a", "b"), ("c",))
    assert found.share == 1.0
    assert (found.owners, found.owner_unknown) == (("ann",), 2)


def test_a_field_leaves_out_only_those_known_not_to_take_it() -> None:
    net = network(
        flow("a", "erp", attributes={"fields": ["total <- order.total"]}),
        flow("b", "erp", attributes={"fields": ["order.date"]}),
        flow("c", "erp"),
    )
    assert blast_radius(net, "erp", field="date").rings == (("b", "c"),)


def test_an_unknown_system_is_told() -> None:
    with pytest.raises(UnknownSystem):
        blast_radius(network(flow("a", "b")), "nobody")


def test_silence_without_an_observer_is_no_contradiction() -> None:
    net = network(
        flow("a", "erp"), flow("b", "erp", "observed"), flow("c", "crm"), flow("x", "new", "observed")
    )
    assert [(c.flow, c.kind) for c in contradictions(net)] == [
        ("a > erp (unknown)", "never observed"),
        ("b > erp (unknown)", "not declared"),
    ]


def test_duplicates_are_several_ways_or_several_sources() -> None:
    net = network(
        flow("a", "erp", object="order", mode="sync"),
        flow("a", "erp", object="Order", mode="file"),
        flow("a", "crm", object="order", mode="sync"),
        flow("b", "erp", object="order", mode="sync"),
    )
    assert sorted((d.consumer, d.providers) for d in duplicates(net)) == [
        ("a", ("crm", "erp")),
        ("a", ("erp",)),
    ]


def test_brittle_has_reasons_and_unknown_is_none() -> None:
    bad = flow("a", "db", mode="db", errors_day=5.0, volume_day=100.0)
    net = network(bad, flow("b", "db", mode="db"), flow("c", "erp", mode="sync"))
    found = brittle(net)
    assert [b.flow for b in found] == [bad.id, "b > db (db)"]
    assert any("5.0% of its calls fail" in r for r in found[0].reasons)
