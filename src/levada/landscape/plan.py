"""The 90-day plan: work packages with precedence, owner, and an exit that can be observed.

Each API or topic goes contract -> build -> shadow -> cut over -> retire. Work takes hours of
a team; shadowing and the watch before retiring take days and no hands. What does not fit into
the days stands under ``later``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built
from levada.landscape.blueprint_costs import Costs, load_costs
from levada.landscape.pilot import Ranked, pilots
from levada.network.graph import Flow, Network

__all__ = ["Item", "Plan", "Team", "make_plan", "next_monday", "watch_days"]

ItemKind: TypeAlias = Literal["contract", "build", "shadow", "cutover", "retire"]
SHADOW_DAYS = 7
UNKNOWN_WATCH_DAYS = 35
COVERAGE = 0.99


class Team(Struct, frozen=True):
    """Who works: how many teams side by side, hours a week each."""

    teams: int = 2
    hours_week: float = 90.0


class Item(Struct, frozen=True, kw_only=True):
    """One work package; ``end`` is its last day."""

    id: str
    kind: ItemKind
    title: str
    owner: str | None
    after: tuple[str, ...]
    start: date
    end: date
    exit: dict[str, Any]
    ledger: tuple[str, ...]
    hours: float | None
    """Work; None where it is waiting."""
    risk: str
    before: dict[str, float | None]
    """What is measured before and again after; None is unknown."""


class Plan(Struct, frozen=True, kw_only=True):
    """The plan, its pilot, and the APIs and topics that did not fit."""

    start: date
    days: int
    items: tuple[Item, ...]
    pilot: str | None
    ranking: tuple[Ranked, ...]
    later: tuple[str, ...]


def watch_days(flows: Iterable[Flow]) -> int:
    """How long an edge has to be silent: twice its longest period, 35 days where a period is unknown."""
    longest = 0.0
    for flow in flows:
        period = flow.attributes.get("period_s")
        try:
            longest = max(longest, 2 * float(str(period)) / 86400)
        except ValueError:
            longest = max(longest, UNKNOWN_WATCH_DAYS)
    return max(7, math.ceil(longest))


def make_plan(
    network: Network,
    made: Blueprint,
    start: date,
    *,
    costs: Costs | None = None,
    days: int = 90,
    team: Team | None = None,
) -> Plan:
    """The plan from ``start``: the pilot first, then by pain per effort, as far as days and teams go."""
    costs, team = costs or load_costs(), team or Team()
    ranking = pilots(network, made, costs)
    boxes = {b.id: b for b in made.built}
    last = start + timedelta(days=days - 1)
    lanes = [start] * team.teams
    items: list[Item] = _retired(network, made, start)
    placed: dict[str, Item] = {}
    later: list[str] = []
    for box in _in_order(ranking, boxes):
        lane = min(range(team.teams), key=lambda n: (lanes[n], n))
        if any(n in later for n in box.needs):
            later.append(box.id)
            continue
        chain = _chain(network, box, box.effort, lanes[lane], team, [placed[n] for n in box.needs])
        if max(i.end for i in chain) > last:
            later.append(box.id)
            continue
        items += chain
        placed[box.id] = next(i for i in chain if i.kind == "build")
        lanes[lane] = max(i.end for i in chain if i.hours is not None) + timedelta(days=1)
    first = next((r.box for r in ranking if r.box in placed), None)
    items.sort(key=lambda i: (i.start, i.end, i.id))
    return Plan(
        start=start, days=days, items=tuple(items), pilot=first, ranking=tuple(ranking), later=tuple(later)
    )


def next_monday() -> date:
    """The first Monday after today."""
    today = date.today()  # noqa: DTZ011 - the day where the person is
    return today + timedelta(days=7 - today.weekday())


def _in_order(ranking: list[Ranked], boxes: dict[str, Built]) -> list[Built]:
    """By rank, what is needed before what needs it; what only stands behind others comes with them."""
    out: dict[str, Built] = {}
    for name in (*(r.box for r in ranking), *sorted(boxes)):
        for n in (*boxes[name].needs, name):
            out.setdefault(n, boxes[n])
    return list(out.values())


def _chain(
    network: Network, box: Built, hours: float, free: date, team: Team, needs: list[Item]
) -> list[Item]:
    flows = [network.flows[f] for f in box.flows]
    per_day = team.hours_week / 5
    before = {
        "volume_day": _known(f.volume_day for f in flows),
        "errors_day": _known(f.errors_day for f in flows),
        "hours_month": _known(f.hours_month for f in flows),
    }
    risk = _risk(box, flows)
    out: list[Item] = []

    def add(
        kind: ItemKind, title: str, work: float | None, wait: int, exit_: dict[str, Any], own: tuple[str, ...]
    ) -> None:
        begin = out[-1].end + timedelta(days=1) if out else free
        after = (out[-1].id,) if out else ()
        if kind == "build" and needs:
            begin = max([begin, *(n.end + timedelta(days=1) for n in needs)])
            after = (*after, *(n.id for n in needs))
        begin, end = (
            _work(begin, work / per_day) if work is not None else (begin, begin + timedelta(days=wait - 1))
        )
        out.append(
            Item(
                id=f"{kind}:{box.id}", kind=kind, title=title, owner=box.owner, after=after, start=begin, end=end,
                exit=exit_, ledger=own, hours=work, risk=risk, before=before,
            )
        )  # fmt: skip

    made = "subscribers" if box.layer == "topic" else "consumers"
    add("contract", f"Agree the contract of {box.id}", 0.2 * hours, 0,
        {"kind": "published", "text": f"{box.id} is published, and {len(box.consumers)} {made} have agreed to it"}, ())  # fmt: skip
    add("build", f"Build {box.id}", 0.5 * hours, 0,
        {"kind": "tested", "text": f"{box.id} passes its contract's tests against {', '.join(box.providers)}"}, ())  # fmt: skip
    if not flows:
        return out
    add("shadow", f"Compare {box.id} with {len(flows)} old connections", None, SHADOW_DAYS,
        {"kind": "same-answers", "share": 0.999, "days": SHADOW_DAYS,
         "text": f"99.9 % of answers are the same for {SHADOW_DAYS} days"}, box.flows)  # fmt: skip
    add("cutover", f"Move {len(flows)} flows to {box.id}", 0.3 * hours, 0,
        {"kind": "moved", "text": f"{len(flows)} flows are observed over {box.id}"}, box.flows)  # fmt: skip
    watch = watch_days(flows)
    add("retire", f"Remove what {box.id} replaces", None, watch, _silence(flows, watch), box.flows)
    return out


def _silence(flows: list[Flow], watch: int) -> dict[str, Any]:
    first = flows[0]
    more = f" (and {len(flows) - 1} more)" if len(flows) > 1 else ""
    return {
        "kind": "silent",
        "days": watch,
        "coverage": COVERAGE,
        "credential": "revoked",
        "edges": [{"flow": f.id, "consumer": f.consumer, "provider": f.provider} for f in flows],
        "text": f"no call from {first.consumer} to {first.provider}{more} for {watch} days, "
        f"by an observer that covered {COVERAGE:.0%} of them, and the credential is revoked",
    }


def _retired(network: Network, made: Blueprint, start: date) -> list[Item]:
    out: list[Item] = []
    for n, entry in enumerate((e for e in made.ledger if e.decision == "retired"), 1):
        flow = network.flows[entry.flow]
        watch = watch_days([flow])
        none: dict[str, float | None] = {"volume_day": flow.volume_day, "errors_day": flow.errors_day}
        out.append(
            Item(
                id=f"retire:unused-{n}", kind="retire", title=f"Remove {entry.flow}",
                owner=network.nodes[flow.provider].owner, after=(), start=start,
                end=start + timedelta(days=watch - 1), exit=_silence([flow], watch), ledger=(entry.flow,),
                hours=None, risk="a rare run that nobody has seen yet", before=none,
            )
        )  # fmt: skip
    return out


def _work(begin: date, days: float) -> tuple[date, date]:
    """First and last day of this many working days, Monday to Friday."""
    while begin.weekday() > 4:
        begin += timedelta(days=1)
    end = begin
    for _ in range(max(0, math.ceil(days) - 1)):
        end += timedelta(days=3 if end.weekday() == 4 else 1)
    return begin, end


def _known(values: Iterable[float | None]) -> float | None:
    held = [v for v in values if v is not None]
    return sum(held) if held else None


def _risk(box: Built, flows: list[Flow]) -> str:
    if box.owner is None:
        return "nobody is known to own it: name an owner first"
    if any(f.mode == "db" for f in flows):
        return "tables are read that nobody promised: compare values, not rows"
    if any(f.mode == "unknown" for f in flows):
        return "of some flows it is not known how they work"
    return "consumers move later than planned: agree the date with the contract"
