"""Groups of flows that one topic, Process API or Experience API could serve, as formal concepts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from levada.landscape.blueprint_costs import Costs
from levada.landscape.blueprint_scope import Aside, of_database
from levada.network.graph import Flow, Network, Node
from levada.network.names import normal

__all__ = ["Numbered", "channels", "processes", "restricted", "topics"]

Numbered: TypeAlias = tuple[int, Flow]
Key: TypeAlias = tuple[str, str]
"""A provider and one of its objects."""
MOST_PROCESS = 2000
"""Process candidates that are looked at: those that cover most flows."""
RESTRICTED = frozenset({"secret", "restricted", "strictly-confidential", "strictly confidential"})
"""Classifications that are not spread to subscribers and not composed."""


def restricted(flow: Flow) -> bool:
    """Whether the flow's classification keeps it from being spread or composed."""
    return (flow.classification or "").lower() in RESTRICTED


def topics(
    network: Network, flows: Iterable[Numbered], costs: Costs, barred: dict[int, Aside]
) -> dict[Key, list[Numbered]]:
    """One object that goes from one system to several, otherwise than by call.

    A flow that writes into its provider (attribute ``writes``) is left out: what a system tells does not replace what it is told.
    ``barred`` is told which flow a limit keeps from its topic.
    """
    out: dict[Key, list[Numbered]] = defaultdict(list)
    for i, f in flows:
        if not f.object or f.mode not in ("async", "file", "batch", "db") or not _business(network, f):
            continue
        if f.attributes.get("writes") or of_database(f):
            continue  # a database's name is no object that anybody could be told of
        if restricted(f):
            barred[i] = Aside("not allowed", f"it is {f.classification}: it is not spread by a topic")
        elif f.freshness_s is not None and f.freshness_s < costs["topic_lag"]:
            lag = costs["topic_lag"]
            text = f"it must be seen within {f.freshness_s:g} s, a topic takes up to {lag:g} s"
            barred[i] = Aside("not allowed", text)
        else:
            out[f.provider, f.object].append((i, f))
    return {key: held for key, held in out.items() if len({f.consumer for _, f in held}) > 1}


def channels(network: Network, flows: Sequence[Numbered]) -> list[tuple[str, list[Numbered]]]:
    """What several channels take together, and several partners; one alone would get a layer that only passes through."""
    out: list[tuple[str, list[Numbered]]] = []
    for kind in ("channel", "partner"):
        at: dict[str, dict[Key, list[Numbered]]] = defaultdict(lambda: defaultdict(list))
        for i, f in flows:
            if network.nodes[f.consumer].kind == kind:
                at[f.consumer][f.provider, f.object or ""].append((i, f))
        for intent in _intents({c: frozenset(keys) for c, keys in at.items()}):
            users = [c for c in sorted(at) if intent <= at[c].keys()]
            held = [x for c in users for key in sorted(intent) for x in at[c][key]]
            out.append((_named(users), held))
    return out


def processes(network: Network, flows: Sequence[Numbered]) -> list[tuple[str, list[Numbered]]]:
    """Objects that at least two consumers take together from at least two systems.

    Only known objects make a process: to call the same two systems for nobody knows what is
    a coincidence. Flows that name their process make one of their own.
    """
    at: dict[str, dict[Key, list[Numbered]]] = defaultdict(lambda: defaultdict(list))
    said: dict[str, list[Numbered]] = defaultdict(list)
    for i, f in flows:
        if (
            network.nodes[f.consumer].kind in ("channel", "partner")
            or not f.object
            or not _business(network, f)
        ):
            continue
        at[f.consumer][f.provider, f.object].append((i, f))
        if f.process:
            said[f.process].append((i, f))
    out = [(_slug(name), held) for name, held in sorted(said.items()) if _spread(held)]
    for intent in _intents({c: frozenset(keys) for c, keys in at.items() if len({p for p, _ in keys}) > 1}):
        users = [c for c in sorted(at) if intent <= at[c].keys()]
        name = "-".join(dict.fromkeys(_slug(o) for _, o in sorted(intent)))
        out.append((name[:60], [x for c in users for key in sorted(intent) for x in at[c][key]]))
    return out


def _spread(held: Sequence[Numbered]) -> bool:
    return len({f.consumer for _, f in held}) > 1 and len({f.provider for _, f in held}) > 1


def _intents(rows: Mapping[str, frozenset[Key]]) -> list[frozenset[Key]]:
    """Intersections of two rows that span two providers; those that cover most first."""
    users: dict[Key, list[str]] = defaultdict(list)
    for consumer in sorted(rows):
        for key in rows[consumer]:
            users[key].append(consumer)
    support: dict[frozenset[Key], set[str]] = defaultdict(set)
    seen: set[tuple[str, str]] = set()
    for sharing in users.values():
        for n, a in enumerate(sharing[:200]):
            for b in sharing[n + 1 : 200]:
                if (a, b) not in seen:
                    seen.add((a, b))
                    both = rows[a] & rows[b]
                    if len({p for p, _ in both}) > 1:
                        support[both] |= {a, b}
    ranked = sorted(support, key=lambda s: (-len(support[s]) * len(s), sorted(s)))
    return ranked[:MOST_PROCESS]


def _business(network: Network, flow: Flow) -> bool:
    """Whether the object is one of the business: a database's own name is none."""
    node: Node = network.nodes[flow.provider]
    if node.kind != "db":
        return True
    what = normal(flow.object or "")
    return not what.endswith(("db", "database")) and what not in (normal(node.id), normal(node.name))


def _named(users: Sequence[str]) -> str:
    return "-".join(_slug(u) for u in users)[:60]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
