"""The blueprint and its ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from levada.cli._usage import CommandLineWrong
from levada.cli.blueprint import blueprint as command
from levada.landscape.blueprint import blueprint
from levada.landscape.blueprint_candidates import pose
from levada.landscape.blueprint_costs import load_costs
from levada.landscape.blueprint_view import as_json, sensitivity
from levada.network.graph import Evidence, Flow, Network, Node

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/blueprint.schema.json"
names = st.sampled_from(["a", "b", "c", "d", "e"])
flows = st.builds(
    Flow,
    consumer=names,
    provider=st.sampled_from(["erp", "crm", "bus"]),
    object=st.none() | st.sampled_from(["order", "invoice", "health"]),
    mode=st.sampled_from(["sync", "async", "batch", "file", "db", "unknown"]),
    volume_day=st.none() | st.floats(0, 1e6),
    hours_month=st.none() | st.floats(0, 40),
)
KINDS: dict[str, Any] = {"a": "channel", "bus": "broker", "b": "partner"}


def network(held: list[Flow]) -> Network:
    ends = sorted({e for f in held for e in (f.consumer, f.provider)})
    return Network.of([Node(id=e, kind=KINDS.get(e)) for e in ends], held)


@settings(max_examples=60, deadline=None)
@given(st.lists(flows, max_size=25))
def test_every_flow_stands_in_the_ledger_exactly_once(held: list[Flow]) -> None:
    net = network(held)
    made = blueprint(net)
    assert [e.flow for e in made.ledger] == sorted(net.flows)
    built = {b.id: b for b in made.built}
    assert len(built) == len(made.built)
    for entry in made.ledger:
        assert (entry.decision == "replaced") == (entry.via is not None) == (entry.because == "pays")
        assert entry.reason
        if entry.via is not None:
            assert entry.flow in built[entry.via].flows
            assert set(built[entry.via].needs) <= built.keys()
    assert made.cost.bound <= made.cost.to_be + 1e-6
    assert made.cost.to_be <= made.cost.as_is + 1e-6
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(as_json(made))


def test_it_pays_for_many_and_not_for_one() -> None:
    many = [Flow(consumer=f"c{i}", provider="erp", object="order", mode="db") for i in range(8)]
    made = blueprint(
        network([*many, *(Flow(consumer=f"c{i}", provider="crm", mode="sync") for i in range(2))])
    )
    assert len(made.built) == 1
    kept = next(e for e in made.ledger if e.flow.startswith("c0 > crm"))
    assert kept.decision == "kept"
    assert "its 2 flows would save" in kept.reason


def test_what_was_never_seen_is_retired_and_monitoring_is_kept() -> None:
    seen = (Evidence("log", 1, status="observed"),)
    said = (Evidence("app.yaml", 3),)
    made = blueprint(
        network(
            [
                Flow(consumer="c", provider="erp", evidence=seen),
                Flow(consumer="d", provider="erp", evidence=said),
                Flow(consumer="e", provider="erp", object="health", evidence=said),
            ]
        )
    )
    assert {e.flow: e.decision for e in made.ledger} == {
        "c > erp (unknown)": "kept",
        "d > erp (unknown)": "retired",
        "e > erp [health] (unknown)": "kept",
    }


def test_a_fresh_or_restricted_flow_goes_over_no_topic() -> None:
    def topics(**more: Any) -> int:
        many = [
            Flow(consumer=f"c{i}", provider="erp", object="price", mode="async", **more) for i in range(9)
        ]
        return len(blueprint(network(many)).topics)

    assert topics() == 1
    assert topics(freshness_s=1.0) == 0
    assert topics(classification="restricted") == 0


def test_sensitivity_names_the_parameter_that_flips() -> None:
    costs = load_costs()
    net = network([Flow(consumer=f"c{i}", provider="erp", mode="sync") for i in range(5)])
    made = blueprint(net, costs)
    flips = sensitivity(net, costs, made)
    assert flips
    for flip in flips:
        again = blueprint(net, costs.scaled(flip.parameter, flip.factor))
        assert (flip.box in {b.id for b in again.built}) == (flip.becomes == "built")


@pytest.mark.parametrize("seconds", [1.0])
def test_the_kept_share_is_told_without_any_flow(seconds: float) -> None:
    made = blueprint(Network(), seconds=seconds)
    assert (made.ledger, made.built, made.cost.as_is) == ((), (), 0.0)


def test_what_writes_into_a_system_is_replaced_by_no_event_of_it() -> None:
    def topics(*writers: int) -> int:
        many = [
            Flow(
                consumer=f"c{i}", provider="erp", object="price", mode="batch",
                attributes={"writes": True} if i in writers else {},
            )
            for i in range(9)
        ]  # fmt: skip
        return sum(len(t.flows) for t in blueprint(network(many)).topics)

    assert topics() == 9
    assert topics(0, 1) == 7
    assert topics(*range(9)) == 0


rich = st.builds(
    Flow,
    consumer=names,
    provider=st.sampled_from(["erp", "crm", "wms"]),
    object=st.none() | st.sampled_from(["order", "invoice"]),
    mode=st.sampled_from(["sync", "sync", "async", "batch", "file", "db", "unknown"]),
    volume_day=st.none() | st.sampled_from([0.0, 10.0, 3e7, 6e7]),
    errors_day=st.none() | st.sampled_from([0.0, 5.0]),
    incidents_90d=st.none() | st.just(2.0),
    hours_month=st.none() | st.sampled_from([0.0, 3.0, 20.0]),
    freshness_s=st.none() | st.sampled_from([1.0, 60.0]),
    classification=st.none() | st.sampled_from(["secret", "public"]),
    process=st.none() | st.just("sale"),
    evidence=st.sampled_from(["configured", "observed"]).map(lambda s: (Evidence("f", 1, status=s),)),  # type: ignore[arg-type]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rich, max_size=20), st.sampled_from([0, 1, 2]), st.sampled_from([1e9, 5e7, 1e6]))
def test_the_ledger_adds_up_and_no_limit_is_passed(held: list[Flow], hops: int, capacity: float) -> None:
    """The saving is what is retired and what each box says of itself; hops, capacity, freshness, classification hold."""
    net = network(held)
    costs = load_costs().with_value("max_hops", hops).with_value("api_capacity", capacity)
    made = blueprint(net, costs)
    posed = pose(net, costs)
    direct = {f.id: d for f, d in zip(posed.flows, posed.direct, strict=True)}
    assert made.cost.as_is == pytest.approx(sum(direct.values()))
    retired = sum(direct[e.flow] for e in made.ledger if e.decision == "retired")
    saved = made.cost.as_is - made.cost.to_be
    assert saved == pytest.approx(retired + sum(b.saves for b in made.built), abs=1e-4)
    boxes = {b.id: b for b in made.built}
    load = dict.fromkeys(boxes, 0.0)
    for box in made.built:
        assert set(box.flows) == {e.flow for e in made.ledger if e.via == box.id}
        assert len(box.needs) == 0 or hops == 2
        for flow in (net.flows[f] for f in box.flows):
            for over in (box, *(boxes[n] for n in box.needs)):
                if flow.provider in over.providers:
                    load[over.id] += flow.volume_day or 0.0
            assert box.layer != "topic" or flow.freshness_s != 1.0
            assert box.layer == "system" or flow.classification != "secret"
    assert not made.apis or hops
    assert all(load[b.id] <= capacity * (1 + 1e-6) for b in made.apis)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_time_to_search_is_more_than_none(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(CommandLineWrong, match="more than 0"):
        command(tmp_path, seconds=seconds)
