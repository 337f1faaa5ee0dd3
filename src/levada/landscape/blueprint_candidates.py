"""What could be built: APIs and topics read off the landscape as formal concepts.

A concept is a set of consumers and all that they share (R. Wille, "Restructuring lattice
theory", 1982). A provider gives a System API; objects that several consumers take together
from several systems give a Process API; one object that goes from one system to several
gives a topic; what a channel or partner uses gives its Experience API.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.analysis_trouble import is_plumbing
from levada.landscape.blueprint_choice import Candidate, Option, Question
from levada.landscape.blueprint_costs import Costs, flow_hours
from levada.network.graph import Flow, Network

__all__ = ["Box", "Posed", "pose"]

Layer: TypeAlias = Literal["system", "process", "experience", "topic"]
MOST_PROCESS = 2000
"""Process candidates that are looked at: those that cover most flows."""
NEVER_TOPIC = frozenset({"secret", "restricted", "strictly-confidential"})
"""Classifications that are not spread to subscribers."""


class Box(Struct, frozen=True, kw_only=True):
    """One API or topic that could be."""

    id: str
    layer: Layer
    providers: tuple[str, ...]
    objects: tuple[str, ...]
    consumers: tuple[str, ...]


class Posed(Struct, frozen=True, kw_only=True):
    """The question of a blueprint, ready to be decided."""

    flows: tuple[Flow, ...]
    direct: tuple[float, ...]
    excluded: tuple[str | None, ...]
    """Why a flow is not to be decided; None if it is."""
    boxes: tuple[Box, ...]
    candidates: tuple[Candidate, ...]
    questions: tuple[Question, ...]


def pose(network: Network, costs: Costs) -> Posed:
    """All boxes that could be, and for each flow what staying direct and each way over them costs."""
    flows = tuple(f for _, f in sorted(network.flows.items()))
    excluded = tuple(_excluded(network, f) for f in flows)
    open_ = [(i, f) for i, f in enumerate(flows) if excluded[i] is None]
    made: dict[str, Box] = {}
    system: dict[str, int] = {}
    ways: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    for provider, held in _by_provider(open_).items():
        system[provider] = _add(made, "system", [f for _, f in held], _slug(provider))
        for i, _ in held:
            ways[i].append((system[provider], None))
    for (provider, obj), held in _by_topic(open_, costs).items():
        box = _add(made, "topic", [f for _, f in held], f"{_slug(provider)}.{_slug(obj)}")
        for i, _ in held:
            ways[i].append((box, None))
    if costs["max_hops"] >= 2:
        for name, layer, held in (*_channels(network, open_), *_processes(network, open_)):
            box = _add(made, layer, [f for _, f in held], name)
            for i, f in held:
                ways[i].append((box, system[f.provider]))
    boxes = tuple(made.values())
    direct = tuple(_direct(f, costs) for f in flows)
    questions = tuple(
        Question(
            direct[i],
            tuple(Option(b, _over(flows[i], boxes[b].layer, costs), n) for b, n in ways[i]),
            flows[i].volume_day or 0.0,
        )
        for i in range(len(flows))
    )
    candidates = tuple(
        Candidate(_build(b, costs), costs["api_capacity"] if b.layer != "topic" else float("inf"))
        for b in boxes
    )
    return Posed(
        flows=flows,
        direct=direct,
        excluded=excluded,
        boxes=boxes,
        candidates=candidates,
        questions=questions,
    )


Numbered: TypeAlias = tuple[int, Flow]


def _excluded(network: Network, flow: Flow) -> str | None:
    if is_plumbing(flow):
        return f"{flow.object} is monitoring: it carries no business"
    if network.nodes[flow.provider].kind == "broker":
        return f"{flow.provider} is a broker: its events are counted as flows of their own"
    if network.nodes[flow.provider].kind == "api" and network.nodes[flow.provider].layer:
        return f"{flow.provider} is an API of the {network.nodes[flow.provider].layer} layer already"
    return None


def _by_provider(flows: Sequence[Numbered]) -> dict[str, list[Numbered]]:
    out: dict[str, list[Numbered]] = defaultdict(list)
    for i, f in flows:
        out[f.provider].append((i, f))
    return out


def _by_topic(flows: Sequence[Numbered], costs: Costs) -> dict[tuple[str, str], list[Numbered]]:
    out: dict[tuple[str, str], list[Numbered]] = defaultdict(list)
    for i, f in flows:
        notifies = f.object and f.mode in ("async", "file", "batch", "db")
        late = f.freshness_s is not None and f.freshness_s < costs["topic_lag"]
        if notifies and not late and (f.classification or "").lower() not in NEVER_TOPIC:
            out[f.provider, f.object or ""].append((i, f))
    return {key: held for key, held in out.items() if len({f.consumer for _, f in held}) > 1}


def _channels(network: Network, flows: Sequence[Numbered]) -> list[tuple[str, Layer, list[Numbered]]]:
    out: dict[str, list[Numbered]] = defaultdict(list)
    for i, f in flows:
        if network.nodes[f.consumer].kind in ("channel", "partner") and f.mode in ("sync", "unknown"):
            out[f.consumer].append((i, f))
    return [(_slug(c), "experience", held) for c, held in sorted(out.items()) if len(held) > 1]


def _processes(network: Network, flows: Sequence[Numbered]) -> list[tuple[str, Layer, list[Numbered]]]:
    """Closed sets of (provider, object) that at least two consumers share, from at least two providers."""
    rows: dict[str, set[tuple[str, str]]] = defaultdict(set)
    at: dict[tuple[str, tuple[str, str]], list[Numbered]] = defaultdict(list)
    for i, f in flows:
        if f.mode in ("sync", "unknown") and network.nodes[f.consumer].kind not in ("channel", "partner"):
            key = (f.provider, f.object or "")
            rows[f.consumer].add(key)
            at[f.consumer, key].append((i, f))
    intents = _intents({c: frozenset(r) for c, r in rows.items() if len({p for p, _ in r}) > 1})
    out: list[tuple[str, Layer, list[Numbered]]] = []
    for intent in intents:
        extent = sorted(c for c, row in rows.items() if intent <= row)
        held = [x for c in extent for key in sorted(intent) for x in at[c, key]]
        name = "-".join(dict.fromkeys(_slug(o or p) for p, o in sorted(intent)))
        out.append((name[:60], "process", held))
    return out


def _intents(rows: dict[str, frozenset[tuple[str, str]]]) -> list[frozenset[tuple[str, str]]]:
    """Intersections of two rows that span two providers; those that save most first."""
    users: dict[tuple[str, str], list[str]] = defaultdict(list)
    for consumer in sorted(rows):
        for key in rows[consumer]:
            users[key].append(consumer)
    support: dict[frozenset[tuple[str, str]], set[str]] = defaultdict(set)
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


def _add(made: dict[str, Box], layer: Layer, held: Sequence[Flow], name: str) -> int:
    number, unique = 2, f"{layer}:{name}"
    while unique in made:
        unique, number = f"{layer}:{name}-{number}", number + 1
    made[unique] = Box(
        id=unique,
        layer=layer,
        providers=tuple(sorted({f.provider for f in held})),
        objects=tuple(sorted({f.object for f in held if f.object})),
        consumers=tuple(sorted({f.consumer for f in held})),
    )
    return len(made) - 1


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _direct(flow: Flow, costs: Costs) -> float:
    upkeep, trouble, _ = flow_hours(flow, costs)
    changes = costs["provider_changes"] / 12 * costs["change_hours"]
    return costs["horizon"] * (upkeep + trouble + changes)


def _over(flow: Flow, layer: Layer, costs: Costs) -> float:
    """One flow over a box, in hours over the horizon: to move it, to keep it, and what extra hops cost."""
    kind = layer if layer in ("system", "topic") else "composed"
    _, trouble, _ = flow_hours(flow, costs)
    hops = {"system": 1, "topic": 0}.get(layer, 2)
    waiting = (flow.volume_day or 0.0) / 1e6 * hops * costs["hop_ms"] * costs["ms_hours"]
    monthly = costs[f"kept_{kind}"] + trouble * costs["error_share"] + waiting
    return costs[f"wire_{kind}"] + costs["horizon"] * monthly


def _build(box: Box, costs: Costs) -> float:
    adapters = (
        costs["provider_changes"] / 12 * costs["change_hours"] if box.layer in ("system", "topic") else 0.0
    )
    return costs[f"{box.layer}_build"] + costs["horizon"] * (costs[f"{box.layer}_upkeep"] + adapters)
