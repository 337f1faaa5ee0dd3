"""What of a plan is really done: an old connection is gone only if somebody watched long enough.

A silent edge counts only with an observer that covered at least 99 % of the window, and with
its credential revoked: a dead observer or a month-end batch must not look like success.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada._errors import LevadaError
from levada.network.graph import Flow, Network

__all__ = ["Checked", "Observer", "PlanFileError", "check", "read_observers", "read_revoked"]

Verdict: TypeAlias = Literal["gone", "still used", "not proven"]


class PlanFileError(LevadaError, code="LV1913"):
    """{path} cannot be used: {problem}. A plan is made with: levada plan DIR --json > plan.json"""


class Observer(Struct, frozen=True):
    """Who watched the calls to a provider, from when to when, and what share of the time it was alive."""

    provider: str
    since: date
    until: date
    coverage: float


class Checked(Struct, frozen=True):
    """One old connection of the plan, and every reason why it is not gone."""

    flow: str
    item: str
    verdict: Verdict
    reasons: tuple[str, ...]


def check(
    plan: dict[str, Any],
    observed: Network,
    observers: Iterable[Observer],
    revoked: Iterable[str],
    today: date,
) -> list[Checked]:
    """Every flow of the plan's retire items against what is observed now.

    ``revoked`` names flows (their ids) or consumers whose credentials are revoked.

    Raises:
        PlanFileError: the plan is not of the form of ``levada plan --json``.
    """
    by_provider: dict[str, list[Observer]] = {}
    for o in observers:
        by_provider.setdefault(o.provider, []).append(o)
    gone = set(revoked)
    seen: dict[tuple[str, str], list[Flow]] = {}
    for flow in observed.flows.values():
        if any(e.status == "observed" for e in flow.evidence):
            seen.setdefault((flow.consumer, flow.provider), []).append(flow)
    try:
        items = [(i["id"], i["exit"], i["ledger"]) for i in plan["items"] if i["kind"] == "retire"]
    except (KeyError, TypeError) as exc:
        raise PlanFileError(path="plan", problem=f"it has no {exc}") from exc
    out: list[Checked] = []
    for item, exit_, flows in items:
        days, needed = int(exit_["days"]), float(exit_["coverage"])
        edges = {e["flow"]: (e["consumer"], e["provider"]) for e in exit_.get("edges", ())}
        for flow_id in flows:
            consumer, provider = edges.get(flow_id) or ends(flow_id)
            use = _last_use(flow_id, seen.get((consumer, provider), ()), today, days)
            why = [
                *([use] if use else []),
                *_unwatched(provider, by_provider.get(provider, []), days, needed, today),
            ]
            if flow_id not in gone and consumer not in gone:
                why.append("its credential is not known to be revoked")
            verdict: Verdict = "still used" if use else "not proven" if why else "gone"
            out.append(Checked(flow_id, item, verdict, tuple(why)))
    return out


def ends(flow_id: str) -> tuple[str, str]:
    """Consumer and provider of a flow's id, for a plan that does not name them."""
    consumer, _, rest = flow_id.partition(" > ")
    head = rest.rpartition(" (")[0]
    return consumer, head.partition(" [")[0]


def _last_use(flow_id: str, flows: Iterable[Flow], today: date, days: int) -> str | None:
    """Why the edge counts as used; another object or way of the same pair counts unless both are known."""
    for flow in flows:
        other = flow.id != flow_id and flow.object and "[" in flow_id and f"[{flow.object}]" not in flow_id
        if other:
            continue
        for evidence in flow.evidence:
            if evidence.status != "observed":
                continue
            when = _day(evidence.seen)
            if when is None:
                return f"it is observed in {evidence.source}, which has no time"
            if (today - when).days < days:
                return f"it was seen on {when.isoformat()} ({evidence.source})"
    return None


def _unwatched(provider: str, held: list[Observer], days: int, needed: float, today: date) -> list[str]:
    if not held:
        return [f"nobody is known to observe {provider}"]
    best = max(held, key=lambda o: (o.until, -o.since.toordinal()))
    out: list[str] = []
    watched = min((today - best.since).days, days)
    if watched < days:
        out.append(f"observed for {max(0, watched)} of {days} days")
    if (today - best.until).days > 1:
        out.append(f"the observer of {provider} is silent since {best.until.isoformat()}")
    if best.coverage < needed:
        out.append(f"the observer was alive for {best.coverage:.1%}, {needed:.0%} are needed")
    return out


def _day(text: str | None) -> date | None:
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None


def read_observers(path: Path) -> list[Observer]:
    """Observers from a CSV file: provider, since, until (days), coverage (0 to 1).

    Raises:
        PlanFileError: a column is missing or a value is of another form.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [
                Observer(r["provider"], date.fromisoformat(r["since"]), date.fromisoformat(r["until"]), float(r["coverage"]))
                for r in csv.DictReader(file)
            ]  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise PlanFileError(path=path, problem=exc) from exc


def read_revoked(path: Path) -> list[str]:
    """Ids of flows or consumers, one a line."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as exc:
        raise PlanFileError(path=path, problem=exc) from exc
