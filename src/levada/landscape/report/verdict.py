"""What a board should know and decide, in sentences; nothing is said of what is unknown but that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from levada.landscape.blueprint import Built
from levada.landscape.blueprint_scope import Because
from levada.landscape.naming import Names
from levada.landscape.report.assessment import Assessment
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["recommendations", "title_of", "verdict"]


def verdict(a: Assessment) -> list[str]:
    """How things stand."""
    s, cost = a.structure, a.blueprint.cost
    counts = Counter(e.decision for e in a.blueprint.ledger)
    wired = f"{many(s.systems, 'system')} {'is' if s.systems == 1 else 'are'} wired by"
    out = [f"{wired} {many(len(a.network.flows), 'flow')} over {many(s.pairs, 'pair')}."]
    if s.propagation_cost is not None:
        out.append(f"A change of one system may reach {s.propagation_cost:.0%} of them on average.")
    if s.cycles:
        others = len(s.cycles) - 1
        more = f"; so {'does' if others == 1 else 'do'} {many(others, 'other group')}" if others else ""
        out.append(
            f"{len(s.cycles[0])} of them depend on each other in a circle: none can change alone{more}."
        )
    if a.tax.hours_month:
        share = a.tax.imputed_share or 0.0
        told = (
            "all of it imputed from defaults, none told by a source"
            if share > 0.999
            else f"{share:.0%} of it imputed from defaults"
        )
        out.append(f"The flows cost about {a.tax.hours_month:,.0f} hours a month, {told}.")
    if a.blueprint.built:
        sure = (
            "it is proven that no other choice saves more"
            if cost.gap < 1e-6
            else f"no other choice saves more than {cost.to_be - cost.bound:,.0f} hours beyond that"
        )
        kinds = [many(len(b), k) for b, k in ((a.blueprint.apis, "API"), (a.blueprint.topics, "topic")) if b]
        pay, save = (
            ("pays: it replaces", "saves") if len(a.blueprint.built) == 1 else ("pay: they replace", "save")
        )
        out.append(
            f"{' and '.join(kinds)} {pay} {many(counts['replaced'], 'flow')} and {save} {cost.as_is - cost.to_be:,.0f} hours "
            f"in {a.costs['horizon']:g} months, building included; {sure}."
        )
    else:
        out.append("No API or topic pays here at these costs: leave the flows as they are.")
    retired = f"; {counts['retired']:,} can be retired" if counts["retired"] else ""
    if counts["kept"] or retired:
        stay = "stays" if counts["kept"] == 1 else "stay"
        out.append(f"{many(counts['kept'], 'flow')} {stay} direct, each with its reason{retired}.")
    return out


def recommendations(a: Assessment) -> list[tuple[str, str]]:
    """What to decide now: a headline and a sentence each, the most important first."""
    boxes = {b.id: b for b in a.blueprint.built}
    out: list[tuple[str, str]] = []
    pilot = boxes.get(a.plan.pilot or "")
    rank = next((r for r in a.plan.ranking if pilot is not None and r.box == pilot.id), None)
    if pilot is not None and rank is not None:
        out.append(
            (
                f"Begin with the {title_of(a.network, pilot)}",
                f"It replaces {many(len(pilot.flows), 'connection')} that cost {rank.pain:,.0f} hours a month now, for about "
                f"{rank.effort:,.0f} hours of work; were every figure up to 50 % off, it would stay among the first three in {rank.stability * 100:.0f} of 100 cases.",
            )
        )
    planned = {i.id.partition(":")[2] for i in a.plan.items if i.kind == "build"}
    if planned:
        gone = {f for i in (*a.plan.items, *a.plan.beyond) if i.kind == "retire" for f in i.ledger}
        more = f"; {many(len(a.plan.later), 'follows', 'follow')} later" if a.plan.later else ""
        out.append(
            (
                f"Fund {a.plan.days} days",
                f"About {sum(b.effort for b in a.blueprint.built if b.id in planned):,.0f} hours of work: "
                f"{many(len(planned), 'API or topic', 'APIs and topics')} of {len(boxes):,} {'runs' if len(planned) == 1 else 'run'} by day {a.plan.days} and "
                f"{many(len(gone), 'old connection is', 'old connections are')} watched until {'it is' if len(gone) == 1 else 'they are'} gone{more}.",
            )
        )
    orphans = sorted(
        {title_of(a.network, b) for b in a.blueprint.built if b.owner is None and b.id in planned}
    )
    if orphans:
        out.append(
            (
                f"Name {'an owner' if len(orphans) == 1 else 'owners'}",
                f"Nobody is known to own what stands behind the {_listed(orphans)}: a contract without an owner is no promise.",
            )
        )
    secrets = sum(f.kind == "secret" for f in a.network.findings)
    if secrets:
        out.append(
            (
                f"Rotate {many(secrets, 'secret')}",
                "They lie in plain sight in the files that were read. The map keeps none of them; the findings tell file and line.",
            )
        )
    kept: Counter[Because] = Counter(e.because for e in a.blueprint.ledger if e.decision == "kept")
    if kept:
        why = ", ".join(f"{count:,} {_KEPT[because]}" for because, count in kept.most_common())
        out.append(
            (
                f"Leave {many(kept.total(), 'connection')} alone",
                f"{why}. The ledger has the reason for each.",
            )
        )
    return out


_KEPT: Mapping[Because, str] = {
    "pays": "that pay",
    "never observed": "never observed",
    "does not pay": "where an API would not pay",
    "one consumer": "with one consumer alone",
    "event already": "that are events already",
    "infrastructure": "to infrastructure",
    "own storage": "to a system's own storage",
    "contract already": "that have a contract already",
    "not allowed": "that limits forbid to change",
}


def title_of(network: Network, box: Built) -> str:
    """What people call an API or topic: ``System API of ERP``."""
    return Names(network).box(box)


def _listed(names: list[str]) -> str:
    shown = names[:4] + ([f"{len(names) - 4} more"] if len(names) > 4 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
