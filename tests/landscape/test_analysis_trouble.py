"""Impact, contradictions, duplicates, brittle flows."""

from __future__ import annotations

from typing import Any

import pytest

from levada.landscape.analysis_impact import UnknownSystem, blast_radius
from levada.landscape.analysis_trouble import brittle, contradictions, duplicates
from levada.landscape.blueprint import blueprint
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


def test_databases_on_one_server_are_not_one_database() -> None:
    def use(consumer: str, name: str) -> Flow:
        return flow(consumer, "pg", mode="db", object=name, attributes={"database": name})

    assert brittle(network(use("orders", "orders"), use("billing", "billing"))) == []
    assert "2 systems use these tables" in brittle(network(use("a", "x"), use("b", "x")))[0].reasons[0]


@pytest.mark.parametrize(
    ("more", "window", "kinds"),
    [
        ({"mode": "sync", "protocol": "http"}, 864000, ["never observed"]),
        ({"mode": "batch", "protocol": "http"}, 864000, ["never observed"]),
        ({}, 864000, ["never observed"]),
        ({"mode": "db", "protocol": "postgres"}, 864000, []),
        ({"mode": "file"}, 864000, []),
        ({"mode": "async"}, 864000, []),
        ({"mode": "batch"}, 864000, []),
        ({"mode": "unknown", "protocol": "JDBC"}, 864000, []),
        ({"mode": "batch", "protocol": "http", "attributes": {"schedule": "0 3 1 * *"}}, 864000, []),
        (
            {"mode": "batch", "protocol": "http", "attributes": {"schedule": "0 3 1 * *"}},
            8640000,
            ["never observed"],
        ),
        (
            {"mode": "batch", "protocol": "http", "attributes": {"schedule": "0 3 * * *"}},
            86000,
            ["never observed"],
        ),
        ({"mode": "batch", "protocol": "http", "attributes": {"schedule": "0 3 * * *"}}, 3600, []),
    ],
)
def test_who_cannot_see_a_flow_is_no_witness_that_it_is_gone(
    more: dict[str, Any], window: int, kinds: list[str]
) -> None:
    """An access log sees no reader of tables, and none of a day a run of the month's end; nothing is retired for it."""
    log = flow("b", "erp", "observed", mode="sync", protocol="http", attributes={"window_s": window})
    net = network(flow("a", "erp", **more), log)
    assert [c.kind for c in contradictions(net) if c.flow.startswith("a ")] == kinds
    retired = [e.flow for e in blueprint(net).ledger if e.decision == "retired"]
    assert [f[:1] for f in retired] == ["a"] * len(kinds)


@pytest.mark.parametrize(
    ("caller", "seen", "planned", "kinds"),
    [
        ("host:10.0.9.9", "/close", "/close", []),
        ("host:10.0.9.9", "/api/close", "/close", []),
        ("host:fd00::9", "/close", None, []),
        ("host:unknown", None, "/close", []),
        ("host:10.0.9.9", "/invoices", "/close", ["never observed"]),
        ("host:10.0.9.9", "/close", "close", []),
        ("crm", "/close", "/close", ["never observed"]),
        ("host:crm.acme", "/close", "/close", ["never observed"]),
    ],
)
def test_calls_with_nobodys_name_may_be_those_of_a_flow(
    caller: str, seen: str | None, planned: str | None, kinds: list[str]
) -> None:
    """A script with a key shows no user: the log has its address only, and nothing is retired for it."""
    log = flow(
        caller, "erp", "observed", object=seen, mode="sync", protocol="http", attributes={"window_s": 864000}
    )
    named = flow("z", "erp", "observed", object="/z", mode="sync", protocol="http")
    script = flow("close.sh", "erp", object=planned, mode="sync", protocol="http")
    nodes = [
        Node(id=e, evidence=(Evidence("f", 1, status="observed" if e == caller else "configured"),))
        for e in (caller, "z", "erp", "close.sh")
    ]
    net = Network.of(nodes, [log, named, script])
    assert [c.kind for c in contradictions(net) if c.flow == script.id] == kinds
    retired = [e.flow for e in blueprint(net).ledger if e.decision == "retired"]
    assert retired == [script.id] * len(kinds)


def test_who_takes_the_whole_takes_its_parts() -> None:
    net = network(
        flow("a", "erp", attributes={"fields": ["x <- customer"]}),
        flow("b", "erp", attributes={"fields": "Customer.Email"}),
        flow("c", "erp", attributes={"fields": ["customer.name"]}),
        flow("d", "erp", attributes={"fields": ["*"]}),
    )
    assert blast_radius(net, "erp", field="customer.email").rings == (("a", "b", "d"),)
    assert blast_radius(net, "erp", field="email").rings == (("b", "d"),)
    assert blast_radius(net, "erp", field="customer").rings == (("a", "b", "c", "d"),)
