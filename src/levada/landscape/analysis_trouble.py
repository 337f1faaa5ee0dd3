"""What does not fit together in a landscape: contradictions, duplicates, brittle flows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape._clients import is_nobody_known
from levada.landscape._objects import is_another
from levada.landscape._ways import way_of
from levada.landscape.analysis import Structure, structure
from levada.landscape.blueprint_scope import of_database
from levada.landscape.infrastructure import infrastructure
from levada.landscape.naming import Names
from levada.landscape.periods import periods
from levada.network.graph import Flow, Mode, Network

__all__ = ["Brittle", "Contradiction", "Duplicate", "brittle", "contradictions", "duplicates"]

Side: TypeAlias = Literal["never observed", "not declared"]


class Contradiction(Struct, frozen=True):
    """Where what is said and what is seen differ."""

    flow: str
    kind: Side
    text: str


class Duplicate(Struct, frozen=True):
    """One object brought between the same two systems, or to one consumer, in several ways."""

    object: str | None
    consumer: str
    providers: tuple[str, ...]
    flows: tuple[str, ...]
    text: str


class Brittle(Struct, frozen=True):
    """A flow that is likely to break, with every reason; ``score`` is for ranking only."""

    flow: str
    score: float
    reasons: tuple[str, ...]


def contradictions(network: Network) -> list[Contradiction]:
    """Flows said but never seen, though their provider is observed; and flows seen that nobody declared.

    A provider without any observed flow has no observer: silence of it is no evidence. Nor is it where the
    observer sees another way (an access log no reader of tables), watched for less than the flow's period, or
    saw calls of the same that nobody's name is on: they may be this flow's.
    """
    names, flows = Names(network), network.flows.values()
    watched = _watched(flows)
    nameless = _nameless(network)
    between: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flow in flows:
        if flow.object:
            between[flow.consumer, flow.provider].add(flow.object)
    seen = {(f.consumer, f.provider) for f in flows if f.status == "observed"}
    said = {(f.consumer, f.provider) for f in flows if any(e.status != "observed" for e in f.evidence)}
    any_said = {f.provider for f in flows if any(e.status != "observed" for e in f.evidence)}
    out: list[Contradiction] = []
    for flow in flows:
        pair = (flow.consumer, flow.provider)
        consumer, provider = map(names.system, pair)
        if flow.status != "observed" and pair not in seen and _would_be_seen(flow, watched):
            others, calls = between[pair] - {flow.object or ""}, nameless.get((flow.provider, _way(flow)), ())
            if any(not is_another(what, flow.object, others) for what in calls):
                continue
            text = f"{provider} is observed, and {consumer} was not seen there"
            out.append(Contradiction(flow.id, "never observed", text))
        elif flow.status == "observed" and pair not in said and flow.provider in any_said:
            text = f"{consumer} was seen at {provider}, and nothing declares or configures it"
            out.append(Contradiction(flow.id, "not declared", text))
    return sorted(out, key=lambda c: (c.kind, c.flow))


def _nameless(network: Network) -> Mapping[tuple[str, Mode | None], set[str | None]]:
    """Provider and way -> objects that callers took of whom only an address is known."""
    out: dict[tuple[str, Mode | None], set[str | None]] = defaultdict(set)
    for flow in network.flows.values():
        if flow.status == "observed" and is_nobody_known(network.nodes[flow.consumer]):
            out[flow.provider, _way(flow)].add(flow.object)
    return out


def _watched(flows: Iterable[Flow]) -> dict[tuple[str, str], float]:
    """Provider and way -> seconds that its observers watched, infinite where they do not say."""
    out: dict[tuple[str, str], float] = {}
    for flow in flows:
        way = _way(flow)
        if flow.status == "observed" and way is not None:
            window = flow.attributes.get("window_s")
            length = float(window) if isinstance(window, int | float) else float("inf")
            out[flow.provider, way] = max(out.get((flow.provider, way), 0.0), length)
    return out


def _would_be_seen(flow: Flow, watched: Mapping[tuple[str, str], float]) -> bool:
    way = _way(flow)
    length = None if way is None else watched.get((flow.provider, way))
    if length is None:
        return False
    return all(
        p is None or p <= 1.1 * length for p in periods(flow)
    )  # a day's log ends with the day's last call


def _way(flow: Flow) -> Mode | None:
    """How it is seen, if at all; None where nobody can tell. What is of no known mode is taken for a call."""
    way = way_of(flow.mode, flow.protocol)
    if way == "batch":
        return None
    return "sync" if way == "unknown" else way


def duplicates(network: Network) -> list[Duplicate]:
    """The same object taken from one provider in several ways, or from several providers."""
    ways: dict[tuple[str, str, str], list[Flow]] = defaultdict(list)
    sources: dict[tuple[str, str], list[Flow]] = defaultdict(list)
    names, plumbing = Names(network), infrastructure(network)
    for flow in network.flows.values():
        if flow.object and not plumbing(flow):
            ways[flow.consumer, flow.provider, flow.object.lower()].append(flow)
            sources[flow.consumer, flow.object.lower()].append(flow)
    out: list[Duplicate] = []
    for (consumer, provider, _), flows in ways.items():
        if len(flows) > 1:
            how = ", ".join(sorted(f.protocol or f.mode for f in flows))
            text = f"{names.system(consumer)} takes {flows[0].object} from {names.system(provider)} in {len(flows)} ways ({how})"
            out.append(_duplicate(consumer, flows, text))
    for (consumer, _), flows in sources.items():
        providers = {f.provider for f in flows}
        if len(providers) > 1:
            text = f"{names.system(consumer)} takes {flows[0].object} from {len(providers)} systems: which one is right?"
            out.append(_duplicate(consumer, flows, text))
    return sorted(out, key=lambda d: (-len(d.flows), d.consumer, d.object or "", d.providers))


def _duplicate(consumer: str, flows: list[Flow], text: str) -> Duplicate:
    providers = tuple(sorted({f.provider for f in flows}))
    return Duplicate(flows[0].object, consumer, providers, tuple(sorted(f.id for f in flows)), text)


def brittle(network: Network, known: Structure | None = None) -> list[Brittle]:
    """Flows with reasons to break, the worst first. A figure that is unknown is no reason."""
    known = known or structure(network)
    circle = {name: n for n, group in enumerate(known.cycles) for name in group}
    shared = _databases_with_several_users(network)
    plumbing = infrastructure(network)
    out: list[Brittle] = []
    for flow in network.flows.values():
        found = [] if plumbing(flow) else list(_reasons(flow, circle, shared))
        if found:
            out.append(Brittle(flow.id, round(sum(w for w, _ in found), 2), tuple(t for _, t in found)))
    return sorted(out, key=lambda b: (-b.score, b.flow))


def _databases_with_several_users(network: Network) -> Mapping[tuple[str, str | None], int]:
    """How many use a database; of a server's databases each counts by itself."""
    users: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for flow in network.flows.values():
        if flow.mode == "db":
            users[_database(flow)].add(flow.consumer)
    return {database: len(u) for database, u in users.items() if len(u) > 1}


def _database(flow: Flow) -> tuple[str, str | None]:
    return flow.provider, flow.object if of_database(flow) else None


def _reasons(
    flow: Flow, circle: Mapping[str, int], shared: Mapping[tuple[str, str | None], int]
) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    if flow.mode == "db" and _database(flow) in shared:
        found.append(
            (3.0, f"{shared[_database(flow)]} systems use these tables; a change of a column breaks all")
        )
    if flow.mode in ("file", "batch"):
        found.append((2.0, f"{flow.mode}: late, and lost without notice"))
    if flow.errors_day and flow.volume_day:
        rate = flow.errors_day / flow.volume_day
        if rate >= 0.001:
            found.append((min(4.0, 1 + rate * 100), f"{rate:.1%} of its calls fail"))
    elif flow.errors_day:
        found.append((1.5, f"{flow.errors_day:g} errors a day"))
    if flow.incidents_90d:
        found.append(
            (
                min(5.0, flow.incidents_90d),
                f"{flow.incidents_90d:g} incident{'s' if flow.incidents_90d != 1 else ''} in 90 days",
            )
        )
    if flow.hours_month:
        found.append((min(4.0, flow.hours_month / 8), f"{flow.hours_month:g} hours of hand work a month"))
    within = circle.get(flow.consumer)
    if flow.mode == "sync" and within is not None and within == circle.get(flow.provider):
        found.append((1.0, "waits within a cycle: the systems fail together"))
    return found
