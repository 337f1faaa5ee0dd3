"""The 90-day plan: work packages with precedence, owner, and an exit that can be observed.

Each API or topic goes contract -> build -> shadow -> cut over -> retire. Work takes hours of
a team; shadowing and the watch before retiring take days and no hands. What does not fit into
the days stands under ``later``; a watch that ends after them stands under
``beyond``, with its date: the plan promises nothing that cannot be seen by its last day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built
from levada.landscape.blueprint_costs import Costs, load_costs
from levada.landscape.naming import Names
from levada.landscape.periods import DAY, periods
from levada.landscape.pilot import Ranked, pilots
from levada.landscape.plan_days import next_working
from levada.landscape.plan_teams import Desk, Team
from levada.landscape.words import many
from levada.network.graph import Flow, Network, Node

__all__ = ["Item", "Plan", "Team", "make_plan", "next_monday", "watch_days"]

ItemKind: TypeAlias = Literal["contract", "build", "shadow", "cutover", "retire"]
SHADOW_DAYS = 7
UNKNOWN_WATCH_DAYS = 35
"""An edge of unknown period may be a month-end batch: at the most five weeks lie between two of them, so one is seen."""
LEAST_WATCH_DAYS = 7
COVERAGE = 0.99


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
    target: dict[str, float | None]
    """What the same measures should be after, by the cost parameters; None where before is unknown."""


class Plan(Struct, frozen=True, kw_only=True):
    """The plan, its pilot, and what does not fit into its days."""

    start: date
    days: int
    items: tuple[Item, ...]
    """Those that end within the days, in order of their start."""
    beyond: tuple[Item, ...]
    """Watches that end after the days: what they retire is not proven gone by the last of them."""
    critical: tuple[str, ...]
    """Ids of the items that set the end of the plan's work, first to last: each waits for the one before."""
    pilot: str | None
    ranking: tuple[Ranked, ...]
    later: tuple[str, ...]
    """APIs and topics whose flows cannot be moved within the days."""
    systems: tuple[str, ...] = ()
    """Every name that a system of the map goes by: who is none of them is somebody new."""


def watch_days(flows: Iterable[Flow]) -> int:
    """How long an edge has to be silent: twice its longest period; at least 35 days where one is unknown."""
    longest = 0.0
    for period in (p for flow in flows for p in periods(flow)):
        longest = max(longest, UNKNOWN_WATCH_DAYS if period is None else 2 * period / DAY)
    return max(LEAST_WATCH_DAYS, math.ceil(longest))


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
    desk = Desk(team, start, last)
    planner = _Planner(network, costs, desk)
    items: list[Item] = planner.unused(made)
    placed: dict[str, Item] = {}
    later: list[str] = []
    for box in _in_order(ranking, boxes):
        chain = None
        if not any(n in later for n in box.needs):
            chain = planner.chain(box, [placed[n] for n in box.needs])
        if chain is None:
            later.append(box.id)
            continue
        items += chain
        placed[box.id] = next(i for i in chain if i.kind == "build")
    first = next((r.box for r in ranking if r.box in placed), None)
    items.sort(key=lambda i: (i.start, i.end, i.id))
    return Plan(
        start=start,
        days=days,
        items=tuple(i for i in items if i.end <= last),
        beyond=tuple(i for i in items if i.end > last),
        critical=_critical(items, team.off),
        pilot=first,
        ranking=tuple(ranking),
        later=tuple(later),
        systems=tuple(sorted({n for node in network.nodes.values() for n in names_of(node)})),
    )


def _critical(items: Sequence[Item], off: Set[date]) -> tuple[str, ...]:
    """Back from the work that ends last: over what it waits for, or over the work that held its team."""
    work = [i for i in items if i.hours is not None]
    at = {i.id: i for i in items}
    path: list[Item] = []
    here = max(work, key=lambda i: (i.end, i.id), default=None)
    while here is not None:
        path.append(here)
        waits = [at[a] for a in here.after if a in at]
        begin = here.start
        one = timedelta(days=1)
        held = [
            w for w in work if w.end < begin and next_working(w.end + one, off) >= next_working(begin, off)
        ]
        here = max(waits or held, key=lambda i: (i.end, i.id), default=None)
    return tuple(i.id for i in reversed(path))


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


class _Planner:
    """Makes the items of each API or topic."""

    def __init__(self, network: Network, costs: Costs, desk: Desk) -> None:
        self.network, self.costs, self.desk = network, costs, desk
        self.pairs = network.pairs()
        self.names = Names(network)

    def chain(self, box: Built, needs: Sequence[Item]) -> list[Item] | None:
        """Contract, build, shadow, cut over, retire; None if its flows cannot be moved within the days."""
        flows = [self.network.flows[f] for f in box.flows]
        out: list[Item] = []
        with self.desk.trial() as trial:
            for kind, title, work, wait, exit_ in self._steps(box, flows):
                after = (*(i.id for i in out[-1:]), *(n.id for n in needs if kind == "build"))
                ends = [*(i.end for i in out[-1:]), *(n.end for n in needs if kind == "build")]
                free = max(ends) + timedelta(days=1) if ends else self.desk.start
                slot = self.desk.work(free, work) if work is not None else self.desk.watch(free, wait)
                if slot is None or (kind != "retire" and slot[1] > self.desk.last):
                    return None
                out.append(self._item(box, flows, kind, title, after, slot, exit_, work))
            trial.keep()
        return out

    def _item(
        self,
        box: Built,
        flows: Sequence[Flow],
        kind: ItemKind,
        title: str,
        after: tuple[str, ...],
        slot: tuple[date, date],
        exit_: dict[str, Any],
        work: float | None,
    ) -> Item:
        before = _measures(flows)
        return Item(
            id=f"{kind}:{box.id}",
            kind=kind,
            title=title,
            owner=box.owner,
            after=after,
            start=slot[0],
            end=slot[1],
            exit=exit_,
            ledger=box.flows if kind in ("shadow", "cutover", "retire") else (),
            hours=work,
            risk=_risk(box, flows),
            before=before,
            target=self._target(box, flows, before),
        )

    def _target(
        self, box: Built, flows: Sequence[Flow], before: dict[str, float | None]
    ) -> dict[str, float | None]:
        kept = self.costs[f"kept_{box.layer if box.layer in ('system', 'topic') else 'composed'}"]
        errors, known = before["errors_day"], sum(f.hours_month is not None for f in flows)
        return {
            "volume_day": before["volume_day"],
            "errors_day": None if errors is None else errors * self.costs["error_share"],
            "hours_month": None if before["hours_month"] is None else kept * known,
        }

    def _steps(
        self, box: Built, flows: Sequence[Flow]
    ) -> Iterable[tuple[ItemKind, str, float | None, int, dict[str, Any]]]:
        hours, count, title = box.effort, len(flows), f"the {self.names.box(box)}"
        users = "subscriber" if box.layer == "topic" else "consumer"
        agreed = f"{title} is published, and {many(len(box.consumers), users)} agreed to it"
        passed = f"{title} passes its contract's tests against {', '.join(self.names.systems(box.providers))}"
        yield (
            "contract",
            f"Agree the contract of {title}",
            0.2 * hours,
            0,
            {"kind": "published", "text": agreed},
        )
        yield "build", f"Build {title}", 0.5 * hours, 0, {"kind": "tested", "text": passed}
        if not flows:
            return
        same = f"99.9 % of answers are the same for {SHADOW_DAYS} days"
        old = many(count, "old connection")
        yield "shadow", f"Compare {title} with {old}", None, SHADOW_DAYS, {
            "kind": "same-answers", "share": 0.999, "days": SHADOW_DAYS, "text": same,
        }  # fmt: skip
        moved = f"{many(count, 'flow')} observed over {title}"
        yield (
            "cutover",
            f"Move {many(count, 'flow')} to {title}",
            0.3 * hours,
            0,
            {"kind": "moved", "text": moved},
        )
        yield "retire", f"Remove what {title} replaces", None, watch_days(flows), self._silence(flows)

    def unused(self, made: Blueprint) -> list[Item]:
        """Flows that nobody saw: watched from the first day."""
        out: list[Item] = []
        for n, entry in enumerate((e for e in made.ledger if e.decision == "retired"), 1):
            flow = self.network.flows[entry.flow]
            begin, end = self.desk.watch(self.desk.start, watch_days([flow]))
            before = _measures([flow])
            out.append(
                Item(
                    id=f"retire:unused-{n}", kind="retire", title=f"Remove {self.names.flow(flow)}",
                    owner=self.network.nodes[flow.provider].owner, after=(), start=begin, end=end,
                    exit=self._silence([flow]), ledger=(entry.flow,), hours=None,
                    risk="a rare run that nobody has seen yet", before=before, target=dict.fromkeys(before, 0.0),
                )
            )  # fmt: skip
        return out

    def _silence(self, flows: Sequence[Flow]) -> dict[str, Any]:
        first, watch = flows[0], watch_days(flows)
        more = f" (and {len(flows) - 1} more)" if len(flows) > 1 else ""
        return {
            "kind": "silent",
            "days": watch,
            "coverage": COVERAGE,
            "credential": "revoked",
            "edges": [self._edge(f) for f in flows],
            "text": f"no call from {self.names.system(first.consumer)} to {self.names.system(first.provider)}{more} for {watch} days, "
            f"by an observer that covered {COVERAGE:.0%} of them, and the credential is revoked",
        }

    def _edge(self, flow: Flow) -> dict[str, Any]:
        """The edge and every name that its ends go by: under another name it is the same caller."""
        beside = self.pairs[flow.consumer, flow.provider]
        return {
            "flow": flow.id,
            "consumer": flow.consumer,
            "provider": flow.provider,
            "object": flow.object,
            "others": sorted({f.object for f in beside if f.object and f.object != flow.object}),
            "mode": flow.mode,
            "protocol": flow.protocol,
            "days": watch_days([flow]),
            "credentials": credentials_of(flow),
            "names": {
                "consumer": sorted({*names_of(self.network.nodes[flow.consumer]), *credentials_of(flow)}),
                "provider": names_of(self.network.nodes[flow.provider]),
            },
        }


def names_of(node: Node) -> list[str]:
    """All that a system goes by: id, name, former ids, hosts, client ids; not what others may share."""
    shared = ("setting:", "package:")
    held = {node.id, node.name, *(a for a in node.aliases if not a.startswith(shared))}
    return sorted({h.removeprefix("id:") for h in held} - {""})


def credentials_of(flow: Flow) -> list[str]:
    """What the caller shows: a client id or a credential's name, as ``client:…``."""
    held = (flow.attributes.get(k) for k in ("client", "client_id", "credential"))
    return sorted({f"client:{v}" for v in held if v})


def _measures(flows: Sequence[Flow]) -> dict[str, float | None]:
    return {
        "volume_day": _known(f.volume_day for f in flows),
        "errors_day": _known(f.errors_day for f in flows),
        "hours_month": _known(f.hours_month for f in flows),
    }


def _known(values: Iterable[float | None]) -> float | None:
    held = [v for v in values if v is not None]
    return sum(held) if held else None


def _risk(box: Built, flows: Sequence[Flow]) -> str:
    if box.owner is None:
        return "nobody is known to own it: name an owner first"
    if any(f.mode == "db" for f in flows):
        return "tables are read that nobody promised: compare values, not rows"
    if any(f.mode == "unknown" for f in flows):
        return "of some flows it is not known how they work"
    return "consumers move later than planned: agree the date with the contract"
