"""The plan, its exports, and what counts as done."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from levada.landscape.blueprint import blueprint
from levada.landscape.blueprint_costs import load_costs
from levada.landscape.pilot import pilots
from levada.landscape.plan import Plan, Team, make_plan, watch_days
from levada.landscape.plan_check import Observer, PlanFileError, check
from levada.landscape.plan_view import as_csv, as_ics, as_json
from levada.network.graph import Evidence, Flow, Network, Node

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/plan.schema.json"
START = date(2026, 3, 2)


def network(providers: int = 2, consumers: int = 8, **more: Any) -> Network:
    flows = [
        Flow(consumer=f"c{i}", provider=f"p{n}", object="order", mode="db", **more)
        for n in range(providers)
        for i in range(consumers)
    ]
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)})
    return Network.of([Node(id=e, owner=f"team {e}" if e == "p0" else None) for e in ends], flows)


def planned(net: Network, **more: Any) -> Plan:
    return make_plan(net, blueprint(net), START, **more)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(2, 12), st.integers(1, 3), st.integers(30, 200))
def test_precedence_days_and_one_item_a_flow(providers: int, consumers: int, teams: int, days: int) -> None:
    net = network(providers, consumers)
    made = blueprint(net)
    plan = make_plan(net, made, START, days=days, team=Team(teams))
    at = {i.id: i for i in plan.items}
    assert len(at) == len(plan.items)
    for item in plan.items:
        assert START <= item.start <= item.end <= START + timedelta(days=days - 1)
        assert all(at[a].end < item.start for a in item.after)
        assert item.exit["text"]
    retired = [f for i in plan.items if i.kind == "retire" for f in i.ledger]
    assert len(retired) == len(set(retired))
    within = {b.id for b in made.built} - set(plan.later)
    assert set(retired) == {e.flow for e in made.ledger if e.via in within}
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(as_json(plan))


def test_an_unknown_owner_stays_unknown_and_a_known_one_is_named() -> None:
    owners = {i.id: i.owner for i in planned(network()).items if i.kind == "build"}
    assert sorted(owners.values(), key=str) == [None, "team p0"]
    assert as_json(planned(network()))["items"][0]["before"]["volume_day"] is None


def test_the_watch_is_twice_the_longest_period() -> None:
    assert watch_days([Flow(consumer="a", provider="b")]) == 35
    assert watch_days([Flow(consumer="a", provider="b", attributes={"period_s": 31 * 86400})]) == 62
    assert watch_days([Flow(consumer="a", provider="b", attributes={"period_s": 60})]) == 7


def test_exports_are_complete_and_safe() -> None:
    plan = planned(network())
    rows = list(csv.DictReader(io.StringIO(as_csv(plan))))
    assert [r["Issue Id"] for r in rows] == [i.id for i in plan.items]
    ics = as_ics(plan)
    assert ics.count("BEGIN:VEVENT") == len(plan.items)
    assert all(len(line.encode()) <= 75 for line in ics.split("\r\n"))


def test_the_pilot_is_the_worst_pain_for_its_effort() -> None:
    net = network(2, 8)
    worse = [
        Flow(consumer=f"x{i}", provider="p9", object="price", mode="db", hours_month=30.0) for i in range(8)
    ]
    for flow in worse:
        net.add_flow(flow)
    ranked = pilots(net, blueprint(net), load_costs())
    assert "p9" in ranked[0].box
    assert ranked[0].pareto
    assert (ranked[0].imputed, ranked[0].volume_day) == (0.0, None)


def verdicts(
    plan: Plan, seen: Network, observers: list[Observer], revoked: list[str], today: date
) -> dict[str, str]:
    return {c.flow: c.verdict for c in check(as_json(plan), seen, observers, revoked, today)}


def test_gone_needs_silence_an_observer_and_a_revoked_credential() -> None:
    plan = planned(network(1, 8))
    today = START + timedelta(days=80)
    flow = "c0 > p0 [order] (db)"
    good = Observer("p0", today - timedelta(days=40), today, 0.995)

    def one(observer: Observer | None, revoked: list[str], when: str | None = "") -> str:
        seen = Network()
        if when != "":
            proof = (Evidence("access.log", 1, seen=when, status="observed"),)
            seen.add_flow(Flow(consumer="c0", provider="p0", mode="sync", evidence=proof))
        return verdicts(plan, seen, [observer] if observer else [], revoked, today)[flow]

    assert one(good, ["c0"]) == "gone"
    assert one(good, [flow]) == "gone"
    assert one(good, []) == "not proven"
    assert one(None, ["c0"]) == "not proven"
    assert one(Observer("p0", today - timedelta(days=20), today, 1.0), ["c0"]) == "not proven"
    assert one(Observer("p0", good.since, today - timedelta(days=9), 1.0), ["c0"]) == "not proven"
    assert one(Observer("p0", good.since, today, 0.98), ["c0"]) == "not proven"
    assert one(good, ["c0"], (today - timedelta(days=3)).isoformat()) == "still used"
    assert one(good, ["c0"], None) == "still used"
    assert one(good, ["c0"], (today - timedelta(days=39)).isoformat()) == "gone"


def test_ids_with_marks_of_their_own_are_checked_as_they_are() -> None:
    flows = [Flow(consumer=f"c{i} > [x] (", provider="p [y] (z)", object="o", mode="db") for i in range(9)]
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)})
    plan = planned(Network.of([Node(id=e) for e in ends], flows))
    today = START + timedelta(days=80)
    watched = Observer("p [y] (z)", today - timedelta(days=40), today, 1.0)
    assert set(verdicts(plan, Network(), [watched], [f.consumer for f in flows], today).values()) == {"gone"}


def test_another_form_is_told() -> None:
    with pytest.raises(PlanFileError):
        check({"no": "plan"}, Network(), [], [], START)
