"""What a blueprint leaves alone, each for its reason; and what a layer costs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from levada.landscape.blueprint import Blueprint, blueprint
from levada.landscape.blueprint_candidates import pose
from levada.landscape.blueprint_costs import load_costs
from levada.network.graph import Flow, Network, Node


def many(provider: str, count: int = 9, **more: Any) -> list[Flow]:
    return [Flow(consumer=f"c{i}", provider=provider, **more) for i in range(count)]


def made(flows: list[Flow], *nodes: Node, **changed: float) -> Blueprint:
    known = {n.id for n in nodes}
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)} - known)
    costs = load_costs()
    for name, value in changed.items():
        costs = costs.with_value(name, value)
    return blueprint(Network.of([*nodes, *(Node(id=e) for e in ends)], flows), costs)


def because(found: Blueprint) -> set[str]:
    return {e.because for e in found.ledger}


def test_events_on_a_broker_stay() -> None:
    found = made(many("erp", object="order", mode="async", protocol="kafka"))
    assert (found.built, because(found)) == ((), {"event already"})


def test_messages_without_a_broker_become_a_topic_and_never_a_system_api() -> None:
    found = made(many("erp", object="order", mode="async", protocol="http", hours_month=9.0))
    assert [b.layer for b in found.built] == ["topic"]
    assert made(many("erp", mode="async", hours_month=9.0)).built == ()


def test_storage_with_one_user_stays_and_foreign_readers_do_not() -> None:
    own = Flow(consumer="orders", provider="orders-db", mode="db", hours_month=90.0)
    assert because(made([own], Node(id="orders-db", kind="db"))) == {"own storage"}
    found = made([own, *many("orders-db", object="order", mode="db")], Node(id="orders-db", kind="db"))
    assert {e.flow: e.because for e in found.ledger}[own.id] == "own storage"
    assert {e.decision for e in found.ledger if e.flow != own.id} == {"replaced"}


def test_a_server_of_several_databases_is_the_storage_of_each() -> None:
    flows = [
        Flow(consumer="catalog-api", provider="sqldata", object="CatalogDb", mode="db"),
        Flow(consumer="ordering-api", provider="sqldata", object="OrderingDb", mode="db"),
    ]
    assert because(made(flows, Node(id="sqldata", kind="db"))) == {"own storage"}


def test_a_database_of_one_user_on_a_server_of_several_is_its_own() -> None:
    server = Node(id="pg", kind="db")
    flows = [
        Flow(consumer=f"c{i}", provider="pg", object=f"shop_{i}", mode="db", attributes={"database": f"shop_{i}"}, hours_month=9.0)
        for i in range(9)
    ]  # fmt: skip
    found = made(flows, server)
    assert because(found) == {"own storage"}
    assert found.ledger[0].reason == "shop_0 in pg is a database with a single user, c0: it stays behind it"
    tables = [structs.replace(f, attributes={}) for f in flows]
    assert because(made(tables, server)) == {"pays"}


def test_the_name_of_a_database_is_no_event() -> None:
    flows = many("pg", object="ledger", mode="db", attributes={"database": "ledger"}, hours_month=9.0)
    assert {b.layer for b in made(flows, Node(id="pg", kind="db")).built} <= {"system"}


@pytest.mark.parametrize(
    ("user", "part", "why"),
    [
        ("identity-api", "IdentityDb", "own storage"),
        ("keycloak", "keycloak", "own storage"),
        ("identity-api", "OrderingDb", "infrastructure"),
    ],
)
def test_the_sign_ons_own_database_is_its_storage(user: str, part: str, why: str) -> None:
    flows = [
        Flow(consumer=user, provider="sqldata", object=part, mode="db"),
        Flow(consumer="ordering-api", provider="sqldata", object="OrderingDb", mode="db"),
    ]
    ledger = {e.flow: e for e in made(flows, Node(id="sqldata", kind="db")).ledger}
    assert ledger[flows[0].id].because == why
    assert ("OpenID" in ledger[flows[0].id].reason) == (why == "infrastructure")


def test_of_storage_that_nobody_owns_one_user_is_taken_for_its_owner() -> None:
    db = Node(id="astronomy-db", kind="db")
    two = many("astronomy-db", 2, object="astronomy_db", mode="db")
    assert made(two, db).built == ()
    assert made(two).built != ()  # two readers of the tables of an application pay


def test_a_single_foreign_user_is_not_the_owner() -> None:
    flow = Flow(consumer="reports", provider="ledger-db", mode="db")
    nodes = (Node(id="reports", domain="data"), Node(id="ledger-db", kind="db", domain="finance"))
    assert because(made([flow], *nodes)) == {"does not pay"}


@pytest.mark.parametrize("more", [{"contract": "orders.openapi.yaml"}, {"protocol": "grpc"}])
def test_calls_under_a_contract_get_no_api_that_passes_through(more: dict[str, Any]) -> None:
    found = made(many("erp", mode="sync", **more))
    assert (found.built, because(found)) == ((), {"contract already"})


def test_who_goes_around_a_contract_moves_to_it_at_no_cost_of_building() -> None:
    told = Node(id="erp", attributes={"contract": "erp.openapi.yaml"})
    found = made([Flow(consumer="a", provider="erp", mode="db")], told)
    (api,) = found.apis
    assert api.contract == "erp.openapi.yaml"
    assert api.effort == pytest.approx(load_costs()["wire_system"])


def test_a_description_of_the_same_name_is_the_contract() -> None:
    found = made(many("returns-service", mode="sync"), Node(id="api/returns", name="Returns API", kind="api"))
    assert because(found) == {"contract already"}


def test_a_vendor_needs_an_adapter_and_no_one_here_publishes_its_contract() -> None:
    few = many("crm", 4, mode="sync")
    assert made(few).built
    assert made(few, Node(id="crm", kind="saas")).built == ()


def test_a_composed_api_pays_for_each_of_its_connections() -> None:
    flows = [
        Flow(consumer=f"c{i}", provider=f"p{n}", object=f"o{n}", mode="sync")
        for i in range(3)
        for n in range(3)
    ]
    assert [b.layer for b in made(flows).built] == ["process"]
    costs = load_costs()
    (box,) = made(flows).built
    links = 3 * costs["wire_system"]
    assert box.effort == pytest.approx(costs["process_build"] + links + 9 * costs["wire_composed"])
    assert made(flows, wire_system=400.0).built == ()


def test_calls_of_unknown_objects_make_no_process_and_one_channel_no_experience() -> None:
    flows = [Flow(consumer=f"c{i}", provider=f"p{n}", mode="sync") for i in range(3) for n in range(3)]
    assert {b.layer for b in made(flows).built} <= {"system"}
    one = [
        Flow(consumer="shop", provider=f"p{n}", object="o", mode="sync", hours_month=9.0) for n in range(9)
    ]
    assert made(one, Node(id="shop", kind="channel")).built == ()


@pytest.mark.parametrize(("hops", "layers"), [(0.0, set()), (1.0, {"process"}), (2.0, {"process", "system"})])
def test_hops_are_a_limit(hops: float, layers: set[str]) -> None:
    flows = [
        Flow(consumer=f"c{i}", provider=f"p{n}", object=f"o{n}", mode="sync", hours_month=9.0)
        for i in range(9)
        for n in range(2)
    ]
    flows += [Flow(consumer=f"x{i}", provider=f"p{n}", mode="db") for i in range(2) for n in range(2)]
    found = made(flows, max_hops=hops, system_adapter=0.0, system_contract=0.0)
    through = {b.layer for b in found.built if b.needs or b.layer == "process"}
    for box in found.built:
        assert len(box.needs) == 0 or hops >= 2
    assert through <= layers
    assert bool(found.apis) == (hops >= 1)


def test_restricted_data_is_not_composed_and_not_spread() -> None:
    flows = [
        Flow(
            consumer=f"c{i}",
            provider=f"p{n}",
            object="o",
            mode="sync",
            hours_month=9.0,
            classification="restricted",
        )
        for i in range(4)
        for n in range(4)
    ]
    assert {b.layer for b in made(flows).built} == {"system"}


def test_capacity_splits_what_one_api_cannot_carry() -> None:
    flows = many("erp", mode="sync", volume_day=100.0)
    assert len(made(flows).apis[0].flows) == 9
    assert len(made(flows, api_capacity=650.0).apis[0].flows) == 6


def test_infrastructure_costs_nothing_in_the_reckoning() -> None:
    assert made(many("erp", object="health")).cost.as_is == 0.0


def test_a_name_without_a_mark_makes_nobody_an_owner() -> None:
    """An alias as people write it, ``Old CRM``, is no answer to a question that nobody asked."""
    flows = [Flow(consumer=c, provider="d", object="order", mode="db") for c in ("a", "b", "old")]
    nodes = [Node(id="old", name="Old", aliases=("Old CRM",)), *(Node(id=i, name=i.upper()) for i in "ab")]
    made = blueprint(Network.of([*nodes, Node(id="d", name="D", kind="db")], flows))
    assert "own storage" not in {e.because for e in made.ledger}


def test_a_composed_api_pays_for_the_adapter_of_a_system_that_nobody_calls_yet() -> None:
    flows = [Flow(consumer=f"c{n}", provider=p, object=p, mode="unknown") for n in range(9) for p in "pq"]
    posed = pose(
        Network.of([Node(id=e) for e in (*(f"c{n}" for n in range(9)), "p", "q")], flows), load_costs()
    )
    of = {n: posed.parts[n] for n in range(len(posed.parts))}
    over = [c for n, c in enumerate(posed.candidates) if of[n].kind == "connection" and len(c.needs) == 2]
    assert over
    assert all("adapter" in {of[n].kind for n in c.needs} for c in over)
