"""The plan, its exports, and what counts as done."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
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
from levada.landscape.plan_days import DaysOffError, read_days_off
from levada.landscape.plan_view import as_csv, as_github, as_ics, as_json
from levada.network.graph import Flow, Network, Node

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
@given(st.integers(0, 6), st.integers(2, 12), st.integers(1, 3), st.integers(30, 200), st.integers(20, 120))
def test_precedence_days_capacity_and_one_item_a_flow(
    providers: int, consumers: int, teams: int, days: int, hours: int
) -> None:
    net = network(providers, consumers)
    made = blueprint(net)
    plan = make_plan(net, made, START, days=days, team=Team(teams, float(hours)))
    every = (*plan.items, *plan.beyond)
    at = {i.id: i for i in every}
    last = START + timedelta(days=days - 1)
    assert len(at) == len(every)
    for item in every:
        assert START <= item.start <= item.end
        assert (item.end <= last) == (item in plan.items)
        assert item in plan.items or item.kind == "retire"
        assert all(at[a].end < item.start for a in item.after)
        assert item.exit["text"]
        assert item.start.weekday() < 5 > item.end.weekday()
        if item.hours is not None:
            assert item.hours <= len(working(item.start, item.end)) * hours / 5 + 1e-9
    busy = Counter(d for i in every if i.hours is not None for d in working(i.start, i.end))
    assert max(busy.values(), default=0) <= teams
    retired = [f for i in every if i.kind == "retire" for f in i.ledger]
    assert len(retired) == len(set(retired))
    within = {b.id for b in made.built} - set(plan.later)
    assert set(retired) == {e.flow for e in made.ledger if e.via in within}
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(as_json(plan))


def working(start: date, end: date) -> list[date]:
    days = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [d for d in days if d.weekday() < 5]


def test_the_critical_path_is_a_chain_that_ends_last() -> None:
    plan = planned(network(5, 9), team=Team(1))
    at = {i.id: i for i in (*plan.items, *plan.beyond)}
    path = [at[i] for i in plan.critical]
    assert path[-1].end == max(i.end for i in at.values() if i.hours is not None)
    assert path[0].start == plan.start
    for before, after in pairwise(path):
        assert before.end < after.start
        assert before.id in after.after or (after.start - before.end).days <= 3


def test_what_cannot_be_seen_by_the_last_day_is_not_promised() -> None:
    plan = planned(network(1, 8), days=45)
    assert [i.kind for i in plan.items] == ["contract", "build", "shadow", "cutover"]
    assert [i.kind for i in plan.beyond] == ["retire"]
    known = planned(network(1, 8, attributes={"period_s": 86400}), days=60)
    assert (len(known.items), known.beyond) == (5, ())


def test_before_and_after_are_measured() -> None:
    plan = planned(network(1, 8, hours_month=5.0, errors_day=10.0))
    item = next(i for i in plan.items if i.kind == "cutover")
    assert (item.before["hours_month"], item.before["errors_day"], item.before["volume_day"]) == (
        40.0,
        80.0,
        None,
    )
    assert item.target["volume_day"] is None
    assert 0 < (item.target["hours_month"] or 0) < 40
    assert 0 < (item.target["errors_day"] or 0) < 80


def test_an_unknown_owner_stays_unknown_and_a_known_one_is_named() -> None:
    owners = {i.id: i.owner for i in planned(network()).items if i.kind == "build"}
    assert sorted(owners.values(), key=str) == [None, "team p0"]
    assert as_json(planned(network()))["items"][0]["before"]["volume_day"] is None


@pytest.mark.parametrize(
    ("attributes", "days"),
    [
        ({}, 35),
        ({"period_s": 31 * 86400}, 62),
        ({"period_s": 60}, 7),
        ({"period_s": "often"}, 35),
        ({"schedule": "0 1 * * *"}, 7),
        ({"schedule": "0 1 1 * *"}, 62),
        ({"schedule": "0 1 * * 1-5"}, 7),
        ({"schedule": "0 0 1 1,7 *"}, 368),
        ({"schedule": "0 0 4 1 * ?"}, 62),
        ({"schedule": "0 3 L * *"}, 35),
        ({"schedule": "0 8 1 * ? *"}, 62),
        ({"schedule": "0 3 * * * | 0 4 1 * *"}, 62),
        ({"schedule": "0 3 * * * | sometimes"}, 35),
        ({"schedule": "cron(0 8 1 * ? *)"}, 62),
        ({"schedule": "cron(0 8 ? * MON *)"}, 14),
        ({"schedule": "0 0 4 * * ?"}, 7),
        ({"schedule": "0 0 4 * * *"}, 7),
        ({"schedule": "0 0 4 ? * MON"}, 14),
        ({"schedule": "rate(30 days)"}, 60),
        ({"schedule": "rate(1 day)"}, 7),
        ({"schedule": "0 6 1 1 *"}, 732),
        ({"schedule": "cron(0 6 1 1 ? 2030)"}, 35),
        ({"schedule": "monthly"}, 62),
        ({"schedule": "weekly"}, 14),
        ({"schedule": "yearly"}, 732),
        ({"schedule": "@monthly"}, 62),
        ({"schedule": "*-*-01 06:00"}, 62),
        ({"schedule": "*-*-01 06:00:00 Europe/Berlin"}, 62),
        ({"schedule": "*-01,07-01"}, 368),
        ({"schedule": "Mon..Fri 06:00"}, 7),
        ({"schedule": "Mon *-*-* 06:00"}, 14),
        ({"schedule": "Sunday"}, 14),
        ({"schedule": "06:00"}, 7),
        ({"schedule": "*:0/15"}, 7),
        ({"schedule": "Berlin"}, 35),
        ({"schedule": "Sunset"}, 35),
        ({"schedule": "every 3 months"}, 186),
        ({"schedule": "Quarterly"}, 184),
        ({"schedule": "once a year"}, 732),
        ({"frequency": "täglich"}, 7),
        ({"schedule": "wöchentlich"}, 14),
        ({"schedule": "woechentlich"}, 14),
        ({"schedule": "monatlich"}, 62),
        ({"schedule": "quartalsweise"}, 184),
        ({"schedule": "Jährlich"}, 732),
        ({"schedule": "alle 2 Wochen"}, 28),
        ({"schedule": "einmal im Jahr"}, 732),
        ({"schedule": "daily, not in May"}, 35),
        ({"schedule": "daily, and yearly the inventory"}, 732),
        ({"schedule": "0 6 28-31 * *"}, 62),
        ({"schedule": "0 6 1-7 * *"}, 70),
        ({"schedule": "0 6 * * * (on a condition)"}, 62),
        ({"schedule": "0 6 * * * (on a condition of the month)"}, 732),
        ({"schedule": "sometimes | @monthly"}, 62),
        ({"schedule": "sometimes", "period_s": 60}, 35),
        ({"schedule": "0 0 3 L * ?"}, 62),
        ({"schedule": "cron(0 3 L * ? *)"}, 62),
        ({"schedule": "0 0 3 LW * *"}, 66),
        ({"schedule": "0 0 3 L-2 * ?"}, 62),
        ({"schedule": "0 0 3 1,15W * ?"}, 36),
        ({"schedule": "0 0 3 ? * MON#1"}, 70),
        ({"schedule": "0 0 3 ? * 6L"}, 70),
        ({"schedule": "0 0 3 ? * 2#5"}, 238),
        ({"schedule": "0 0 3 ? 1,7 FRIL"}, 378),
        ({"schedule": "0 0 3 32W * ?"}, 35),
        ({"schedule": "0 0 3 1 * MON"}, 854),
        ({"schedule": "0 3 1 * MON"}, 14),
    ],
)
def test_the_watch_is_twice_the_longest_period(attributes: dict[str, Any], days: int) -> None:
    assert watch_days([Flow(consumer="a", provider="b", attributes=attributes)]) == days


def test_exports_are_complete_and_safe() -> None:
    plan = planned(network())
    every = (*plan.items, *plan.beyond)
    rows = list(csv.DictReader(io.StringIO(as_csv(plan))))
    assert [r["Issue Id"] for r in rows] == [i.id for i in every]
    issues = as_github(plan)
    assert [i["title"] for i in issues] == [i.title for i in every]
    assert all(i["labels"] and "Done when" in i["body"] for i in issues)
    ics = as_ics(plan)
    assert all(len(line.encode()) <= 75 for line in ics.split("\r\n"))
    events = calendar(ics)
    assert [e["SUMMARY"] for e in events] == [i.title for i in every]
    assert [e["DTSTART;VALUE=DATE"] for e in events] == [f"{i.start:%Y%m%d}" for i in every]
    assert [e["DTEND;VALUE=DATE"] for e in events] == [f"{i.end + timedelta(days=1):%Y%m%d}" for i in every]
    assert len({e["UID"] for e in events}) == len(every)
    assert all(e["DTSTAMP"] for e in events)


def calendar(text: str) -> list[dict[str, str]]:
    """RFC 5545: lines unfolded, one VCALENDAR of VEVENTs, values unescaped."""
    assert "\n" not in text.replace("\r\n", "")
    lines = text.replace("\r\n ", "").split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert {"VERSION:2.0"} <= set(lines)
    events: list[dict[str, str]] = []
    for line in lines:
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            events.append({})
        elif events and not line.startswith("END:"):
            events[-1][name] = re.sub(r"\\([\\;,])", r"\1", value.replace("\\n", "\n"))
    assert lines.count("END:VEVENT") == len(events)
    return events


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


ICS = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260403\r
DTEND;VALUE=DATE:20260407\r
SUMMARY:Easter, a name that is \r
 folded\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20200501\r
RRULE:FREQ=YEARLY\r
SUMMARY:May day\r
END:VEVENT\r
END:VCALENDAR\r
"""
CSV = "date;until;name\n2026-04-03;2026-04-06;Easter\n2026-05-01;;May day\n"


@pytest.mark.parametrize("text", [ICS, CSV])
def test_nothing_begins_or_ends_on_a_day_off(tmp_path: Path, text: str) -> None:
    path = tmp_path / "off"
    path.write_bytes(text.encode())
    off = read_days_off(path)
    assert {date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1)} <= off
    assert date(2026, 4, 7) not in off
    plan = planned(network(5, 9), team=Team(2, 90.0, off))
    free = planned(network(5, 9), team=Team(2, 90.0))
    every = (*plan.items, *plan.beyond)
    assert all(d.weekday() < 5 and d not in off for i in every for d in (i.start, i.end))
    assert max(i.end for i in every) >= max(i.end for i in (*free.items, *free.beyond))
    for item in every:
        if item.kind == "retire":  # the window that is watched is not shorter for it
            assert (item.end - item.start).days + 1 >= item.exit["days"]
        if item.hours is not None:
            assert item.hours <= len([d for d in working(item.start, item.end) if d not in off]) * 18 + 1e-9
    first = planned(network(5, 9), team=Team(2, 90.0, frozenset({plan.start})))
    assert min(i.start for i in first.items) > plan.start


@pytest.mark.parametrize(
    "text",
    [
        "", "date\n", "date\n6.5.2027\n", "date,until\n2027-05-06,2027-05-01\n", "date,until\n2027-01-01,2099-01-01\n", "day\n2027-05-06\n",
        ICS.replace("20260403", "20260403T060000Z"), ICS.replace("YEARLY", "WEEKLY"), ICS.replace("YEARLY", "YEARLY;BYDAY=-1MO"),
    ],
)  # fmt: skip
def test_days_off_that_cannot_be_read_are_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "off.ics"
    path.write_text(text)
    with pytest.raises(DaysOffError, match=r"off\.ics"):
        read_days_off(path)
