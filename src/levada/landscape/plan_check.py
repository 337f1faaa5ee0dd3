"""What of a plan is really done: an old connection is gone only if somebody watched long enough.

A silent edge counts only with observers that together covered at least 99 % of its window, and
with its credential revoked. A dead observer, an outage hidden in a long good record, a month-end
batch, or the old caller under another name must not look like success.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada.landscape.plan import credentials_of, names_of
from levada.landscape.plan_observers import Observer, PlanFileError, watched
from levada.network.graph import Flow, Network

__all__ = ["Checked", "check"]

Verdict: TypeAlias = Literal["gone", "still used", "not proven"]


class Checked(Struct, frozen=True):
    """One old connection of the plan, and every reason why it is not gone."""

    flow: str
    item: str
    verdict: Verdict
    reasons: tuple[str, ...]


class Edge(Struct, frozen=True, kw_only=True):
    """An old connection as the plan's exit names it."""

    flow: str
    consumer: str
    provider: str
    object: str | None
    days: int
    callers: frozenset[str]
    """Every name and credential of the consumer, case folded."""
    providers: frozenset[str]


def check(
    plan: dict[str, Any],
    observed: Network,
    observers: Iterable[Observer],
    revoked: Iterable[str],
    today: date,
) -> list[Checked]:
    """Every flow of the plan's retire items against what is observed now.

    ``revoked`` names flows (their ids), or consumers or credentials by any of their names.

    Raises:
        PlanFileError: the plan is not of the form of ``levada plan --json``.
    """
    gone = {r.casefold() for r in revoked}
    seen = _Seen(observed)
    watching = list(observers)
    out: list[Checked] = []
    for item, needed, edges in _items(plan):
        for edge in edges:
            use = seen.last_use(edge, today)
            own = [o for o in watching if o.provider.casefold() in edge.providers]
            why = [*([use] if use else []), *_unwatched(edge, own, needed, today)]
            if edge.flow.casefold() not in gone and not edge.callers & gone:
                why.append("its credential is not known to be revoked")
            verdict: Verdict = "still used" if use else "not proven" if why else "gone"
            out.append(Checked(edge.flow, item, verdict, tuple(why)))
    return out


def _items(plan: dict[str, Any]) -> list[tuple[str, float, list[Edge]]]:
    try:
        items = [i for i in (*plan["items"], *plan.get("beyond", ())) if i["kind"] == "retire"]
        return [(i["id"], float(i["exit"]["coverage"]), _edges(i["exit"], i["ledger"])) for i in items]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PlanFileError(path="plan", problem=f"it lacks {exc}") from exc


def _edges(exit_: dict[str, Any], ledger: Sequence[str]) -> list[Edge]:
    told = {e["flow"]: e for e in exit_.get("edges", ())}
    out: list[Edge] = []
    for flow in ledger:
        row: dict[str, Any] = told.get(flow) or _by_id(flow)
        names = row.get("names", {})
        out.append(
            Edge(
                flow=flow,
                consumer=row["consumer"],
                provider=row["provider"],
                object=row.get("object"),
                days=int(row.get("days", exit_["days"])),
                callers=_folded([row["consumer"], *names.get("consumer", ())]),
                providers=_folded([row["provider"], *names.get("provider", ())]),
            )
        )
    return out


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(n.casefold() for n in names)


def _by_id(flow_id: str) -> dict[str, Any]:
    """Ends and object of a flow's id, for a plan that does not name them."""
    consumer, _, rest = flow_id.partition(" > ")
    provider, _, what = rest.rpartition(" (")[0].partition(" [")
    return {"consumer": consumer, "provider": provider, "object": what.removesuffix("]") or None}


class _Seen:
    """What is observed, by every name that its callers go by."""

    def __init__(self, network: Network) -> None:
        self._by_caller: dict[str, list[tuple[Flow, frozenset[str]]]] = defaultdict(list)
        for flow in network.flows.values():
            if any(e.status == "observed" for e in flow.evidence):
                callers = _folded([*names_of(network.nodes[flow.consumer]), *credentials_of(flow)])
                providers = _folded(names_of(network.nodes[flow.provider]))
                for name in callers:
                    self._by_caller[name].append((flow, providers))

    def last_use(self, edge: Edge, today: date) -> str | None:
        """Why the edge counts as used; another object of the same pair counts unless both are known."""
        for name in sorted(edge.callers):
            for flow, providers in self._by_caller.get(name, ()):
                other = flow.object and edge.object and flow.object.casefold() != edge.object.casefold()
                if other or not providers & edge.providers:
                    continue
                if when := _within(flow, edge.days, today):
                    known = _folded([flow.consumer]) <= _folded([edge.consumer])
                    return when if known else f"{when}, as {flow.consumer} (both go by {name})"
        return None


def _within(flow: Flow, days: int, today: date) -> str | None:
    for evidence in flow.evidence:
        if evidence.status != "observed":
            continue
        when = _day(evidence.seen)
        if when is None:
            return f"it is observed in {evidence.source}, which has no time"
        if (today - when).days <= days:
            return f"it was seen on {when.isoformat()} ({evidence.source})"
    return None


def _unwatched(edge: Edge, own: Sequence[Observer], needed: float, today: date) -> list[str]:
    if not own:
        return [f"nobody is known to observe {edge.provider}"]
    proof = watched(own, edge.days, today)
    out: list[str] = []
    if proof.silent_since is not None:
        out.append(f"the observer of {edge.provider} is silent since {proof.silent_since.isoformat()}")
    if proof.share < needed:
        out.append(
            f"of the {edge.days} days before {today.isoformat()} only {proof.share:.1%} are certainly observed, "
            f"{needed:.0%} are needed"
        )
    return out


def _day(text: str | None) -> date | None:
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None
