"""How two statements about one node or one flow become one.

Fields that are unknown in one are taken from the other; where both say something and
differ, the first stands and the difference is a finding. Evidence is only ever added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levada.network.graph import Evidence, Finding, Flow, Node

_NODE_FIELDS = ("kind", "layer", "owner", "domain")
_LISTS = frozenset(("csv", "named-columns"))
"""Importers of what people write down themselves."""
_APART = frozenset((None, "api"))
_COUNTED = ("volume_day", "errors_day")
_FLOW_FIELDS = (
    "volume_day",
    "errors_day",
    "hours_month",
    "incidents_90d",
    "freshness_s",
    "contract",
    "classification",
    "process",
)


def merge_nodes(held: Node, new: Node) -> tuple[Node, list[Finding]]:
    """One node of two with the same id, and the findings where they disagree.

    What a person's list says goes before what was read out of configurations, whichever came first.
    """
    evidence = unite(held.evidence, new.evidence)
    if _listed(new) and not _listed(held):
        held, new = new, held
    if not _listed(held) and "app" in (held.kind, new.kind) and not {held.kind, new.kind} & _APART:
        # What runs a program may be a database, a broker or a gateway: whoever knows that says more.
        kind = new.kind if held.kind == "app" else held.kind
        held, new = structs.replace(held, kind=kind), structs.replace(new, kind=kind)
    changes, conflicts = _fields(held, new, _NODE_FIELDS, held.id)
    # A bare name equal to the id says nothing; a real name replaces it.
    if new.name and (not held.name or held.name == held.id):
        changes["name"] = new.name
    elif new.name and new.name not in (held.name, new.id):
        changes["aliases"] = (*held.aliases, f"name:{new.name}")
    aliases = (*changes.get("aliases", held.aliases), *new.aliases)
    return (
        structs.replace(
            held,
            **{
                **changes,
                "aliases": tuple(dict.fromkeys(aliases)),
                "attributes": _attributes(held.attributes, new.attributes),
                "evidence": evidence,
            },
        ),
        conflicts,
    )


def _listed(node: Node) -> bool:
    return any(e.importer in _LISTS for e in node.evidence)


def merge_flows(held: Flow, new: Flow, *, apart: bool = False) -> tuple[Flow, list[Finding]]:
    """One flow of two with the same id, and the findings where they disagree.

    ``apart``: the two were two until now (their ends are merged), so that calls which one observer counted of
    each are different calls, and add up.
    """
    attributes = _attributes(held.attributes, new.attributes)
    counted: dict[str, float] = {}
    if apart and _one_counted(held, new):
        counted = {
            n: getattr(held, n) + getattr(new, n)
            for n in _COUNTED
            if None not in (getattr(held, n), getattr(new, n))
        }
        new = structs.replace(new, **dict.fromkeys(counted))
        attributes |= {n: held.attributes[n] + new.attributes[n] for n in ("requests", "errors")}
    changes, conflicts = _fields(held, new, _FLOW_FIELDS, held.id)
    return (
        structs.replace(
            held,
            **{
                **changes,
                **counted,
                "attributes": attributes,
                "evidence": unite(held.evidence, new.evidence),
            },
        ),
        conflicts,
    )


def _one_counted(one: Flow, other: Flow) -> bool:
    """Whether one observer counted the calls of both."""
    if not all(
        isinstance(f.attributes.get(n), int | float) for f in (one, other) for n in ("requests", "errors")
    ):
        return False
    seen, too = ({e.importer for e in f.evidence if e.status == "observed"} for f in (one, other))
    return bool(seen & too - {None})


def moved(node: Node, new_id: str) -> Node:
    """The node under another id; the old one stays as an alias."""
    return structs.replace(node, id=new_id, aliases=(*node.aliases, f"id:{node.id}"))


def unite(one: Iterable[Evidence], other: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Both evidences, each once, in the order met."""
    held, more = tuple(one), tuple(other)
    if len(more) == 1:
        # By far the most frequent, and a system may have thousands already.
        return held if more[0] in held else (*held, more[0])
    return tuple(dict.fromkeys((*held, *more)))


def order_evidence(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Evidence in the order of the text formats."""
    return tuple(
        sorted(set(evidence), key=lambda e: (e.source, e.line or 0, e.seen or "", e.status, e.importer or ""))
    )


def finding_key(finding: Finding) -> tuple[Any, ...]:
    """Worst first, then by place."""
    rank = {"error": 0, "warning": 1, "info": 2}[finding.severity]
    return (rank, finding.kind, finding.source or "", finding.line or 0, finding.text)


def changed(one: Node | Flow, other: Node | Flow) -> bool:
    """Do the two say different things, evidence apart?"""
    return structs.replace(one, evidence=()) != structs.replace(other, evidence=())


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _fields(held: Any, new: Any, names: tuple[str, ...], what: str) -> tuple[dict[str, Any], list[Finding]]:
    from levada.network.graph import Finding

    changes: dict[str, Any] = {}
    conflicts: list[Finding] = []
    for name in names:
        mine, theirs = getattr(held, name), getattr(new, name)
        if mine is None and theirs is not None:
            changes[name] = theirs
        elif theirs is not None and mine != theirs:
            place = new.evidence[0] if new.evidence else None
            conflicts.append(
                Finding(
                    kind="conflict",
                    severity="warning",
                    text=f"{what}: {name} is {mine!s} and also {theirs!s}; the first stands",
                    source=place.source if place else None,
                    line=place.line if place else None,
                )
            )
    return changes, conflicts


def _attributes(held: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Both; lists are united, of two schedules both and of two periods the longer, of other values the first stands."""
    out = {**new, **held}
    one, other = held.get("schedule"), new.get("schedule")
    if isinstance(one, str) and isinstance(other, str):
        out["schedule"] = " | ".join(dict.fromkeys((*one.split(" | "), *other.split(" | "))))
    if "period_s" in held and "period_s" in new:
        out["period_s"] = max(held["period_s"], new["period_s"], key=_seconds)
    for name in held.keys() & new.keys():
        if isinstance(held[name], list) and isinstance(new[name], list):
            out[name] = [*held[name], *(v for v in new[name] if v not in held[name])]
    return out
