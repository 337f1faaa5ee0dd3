"""What is observed now, asked for an old connection: by every name that its caller may go by."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from levada.landscape._clients import is_address
from levada.landscape._objects import is_another
from levada.landscape.plan import credentials_of, names_of
from levada.landscape.words import many
from levada.network.graph import Flow, Mode, Network
from levada.network.names import slug

__all__ = ["Edge", "Traffic", "account", "bare"]

_KINDS = ("id:", "name:", "host:", "client:", "group:")
_CALLS = frozenset(("sync", "batch", "unknown"))
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")


def bare(name: str) -> str:
    """A name without the mark of its kind, as it compares: a host in one map is an id in another."""
    name = unicodedata.normalize("NFKC", _written(name))
    return slug(name) if name.isascii() else name.casefold()


def _written(name: str) -> str:
    """Without the mark of its kind, and as it reads where a log has escaped it: nginx with x and hexadecimal digits, an address with percent."""
    for kind in _KINDS:
        name = name.removeprefix(kind)
    if "\\x" in name:
        name = _ESCAPED.sub(r"%\1", name)
    return unquote(name) if "%" in name else name


def account(name: str) -> str:
    """A name without its Windows domain before a backslash, or its realm: ``billing@ACME.INTERN`` is billing."""
    return bare(_written(name).rpartition("\\")[2].partition("@")[0] or name)


class Edge(Struct, frozen=True, kw_only=True):
    """An old connection as the plan's exit names it; all names as :func:`bare` has them."""

    flow: str
    consumer: str
    provider: str
    object: str | None
    others: tuple[str, ...]
    """What other flows of the same two systems bring."""
    mode: Mode
    protocol: str | None
    days: int
    callers: frozenset[str]
    """Every name and credential of the consumer."""
    identity: frozenset[str]
    """Those of them that are not credentials."""
    credentials: frozenset[str]
    """What the consumer shows on this flow; all that it has where the flow does not say."""
    providers: frozenset[str]
    """Every name of the provider, its hosts too."""
    hosts: frozenset[str]
    """Hosts that the provider answers at."""


class Traffic:
    """What is observed, by every name of its callers.

    Args:
        network: The map of what is observed.
        edges: All edges of the plan.
        systems: Every name that the map of the plan knew, as :func:`bare` has them; empty: the plan does not say.
    """

    def __init__(self, network: Network, edges: Sequence[Edge], systems: frozenset[str]) -> None:
        self._by_caller: dict[str, list[Flow]] = defaultdict(list)
        self._by_provider: dict[str, list[Flow]] = defaultdict(list)
        self._nameless: set[str] = set()
        """Ids of flows of callers whom nobody names."""
        self._providers = {i: frozenset(bare(n) for n in names_of(node)) for i, node in network.nodes.items()}
        self._stated = {
            i for i, node in network.nodes.items() if any(e.status != "observed" for e in node.evidence)
        }
        self._callers = {i: tuple(names_of(node)) for i, node in network.nodes.items()}
        self._systems = systems
        known = {name for e in edges for name in e.callers}
        held: dict[str, set[str]] = defaultdict(set)
        for edge in edges:
            for name in edge.callers - edge.identity:
                held[name].add(bare(edge.consumer))
        self._shared = {name: whose for name, whose in held.items() if len(whose) > 1}
        for flow in network.flows.values():
            for name in self._providers[flow.provider]:
                self._by_provider[name].append(flow)
            if any(e.status == "observed" for e in flow.evidence):
                given = (*names_of(network.nodes[flow.consumer]), *credentials_of(flow))
                names = {n for g in given for n in (bare(g), account(g))}
                for name in names:
                    self._by_caller[name].append(flow)
                if not names & known and self._is_nobody(flow.consumer, names):
                    self._nameless.add(flow.id)

    def _is_nobody(self, caller: str, names: Set[str]) -> bool:
        """Does nobody say who that is: an address, a host or a library that no list, file or plan knows?"""
        if all(is_address(n) for n in names):
            return True
        return bool(self._systems) and caller not in self._stated and not names & self._systems

    def last_use(self, edge: Edge, today: date) -> tuple[str | None, str | None]:
        """Why the edge counts as used, and why it may be; None each if nothing says so."""
        doubt: str | None = None
        for name in sorted(edge.callers):
            for flow in self._by_caller.get(name, ()):
                found = self._use(edge, flow, today)
                if found is None:
                    doubt = doubt or self._elsewhere(edge, flow, today)
                    continue
                text, sure = found
                if bare(flow.consumer) != bare(edge.consumer):
                    text = f"{text}, as {flow.consumer} (both go by {name})"
                if sure and name in self._shared and bare(flow.consumer) not in edge.identity:
                    text = f"{text}, which is the credential of {' and '.join(sorted(self._shared[name]))}: one of them, or several"
                elif sure:
                    return text, None
                doubt = doubt or text
        return None, doubt or self._by_nobody_known(edge, today) or self._configured(edge)

    def is_seen(self, edge: Edge, today: date) -> bool:
        """Whether what was given shows any traffic of the provider within the window, whoever calls it."""
        return any(_within(flow, edge.days, today, refused=True) for flow in self._at(edge))

    def refused(self, edge: Edge, today: date) -> list[str]:
        """Who asked within the window and was not let in: nothing was moved, but somebody still calls.

        Callers whom nobody names are told where they asked for just what the edge brings.
        """
        out: list[str] = []
        for flow in self._at(edge):
            names = {
                n
                for g in (*self._callers[flow.consumer], *credentials_of(flow))
                for n in (bare(g), account(g))
            }
            another = is_another(flow.object, edge.object, edge.others)
            known = bool(names & edge.callers)
            if another or not (known or (flow.id in self._nameless and another is False)):
                continue
            for told in _refusals(flow):
                when = _day(told.get("last"))
                if when is None or 0 <= (today - when).days <= edge.days:
                    last = "at a time that is not said" if when is None else f"last at {told['last']}"
                    nobody = "" if known else ", and who that is nobody says"
                    out.append(
                        f"refused {many(told['count'], 'time')}, {last}, by {flow.consumer}{nobody} ({told['source']})"
                    )
        return out

    def _at(self, edge: Edge) -> Iterator[Flow]:
        """What is known of the edge's provider, under any of its names."""
        seen: set[str] = set()
        for name in sorted(edge.providers):
            for flow in self._by_provider.get(name, ()):
                if flow.id not in seen:
                    seen.add(flow.id)
                    yield flow

    def _elsewhere(self, edge: Edge, flow: Flow, today: date) -> str | None:
        """A known caller at a system that nobody knows: a log may be named otherwise than its system."""
        providers = self._providers[flow.provider]
        if (
            not self._systems
            or flow.provider in self._stated
            or providers & (self._systems | edge.providers)
            or is_another(flow.object, edge.object, edge.others)
            or (found := _within(flow, edge.days, today)) is None
        ):
            return None
        return f"{flow.consumer} was seen at {flow.provider}, and whether that is {edge.provider} nobody says: {found[0]}"

    def _by_nobody_known(self, edge: Edge, today: date) -> str | None:
        for flow in self._at(edge):
            same_way = flow.mode == edge.mode or (flow.mode in _CALLS and edge.mode in _CALLS)
            if flow.id in self._nameless and same_way and (found := self._use(edge, flow, today)) is not None:
                return (
                    f"{flow.provider} was used from {flow.consumer}, and who that is nobody says: {found[0]}"
                )
        return None

    def _configured(self, edge: Edge) -> str | None:
        """A script or file among what was given that still has the connection."""
        for flow in self._at(edge):
            if bare(flow.consumer) not in edge.identity or is_another(flow.object, edge.object, edge.others):
                continue
            place = next((e for e in flow.evidence if e.status == "configured"), None)
            if place is not None:
                return f"it is still configured in {place.source}"
        return None

    def _use(self, edge: Edge, flow: Flow, today: date) -> tuple[str, bool] | None:
        """When it was used within the edge's window, and whether for certain."""
        if not self._providers[flow.provider] & edge.providers:
            return None
        another = is_another(flow.object, edge.object, edge.others)
        if another and _is_one_of(flow.object, edge.others):
            return None
        found = _within(flow, edge.days, today)
        if found is not None and another is None:
            return f"{found[0]} for {flow.object}, which may be {edge.object}", False
        if found is not None and another:
            return f"{found[0]} for {flow.object}, which the plan does not know", False
        return found


def _is_one_of(seen: str | None, others: Iterable[str]) -> bool:
    return seen is not None and any(is_another(seen, other) is False for other in others)


def _refusals(flow: Flow) -> list[dict[str, Any]]:
    held: Any = flow.attributes.get("refused")
    rows = held if isinstance(held, list) else []
    return [r for r in rows if isinstance(r, dict) and isinstance(r.get("count"), int)]


def _within(flow: Flow, days: int, today: date, *, refused: bool = False) -> tuple[str, bool] | None:
    """When it was seen within the days, and whether the observer says so; what has no time may be of long ago.

    Calls that were all refused are seen only if they are asked for.
    """
    left = (
        set()
        if refused
        else {(r.get("source"), r.get("line")) for r in _refusals(flow) if r.get("only") is True}
    )
    timeless: str | None = None
    for evidence in flow.evidence:
        if evidence.status != "observed" or (evidence.source, evidence.line) in left:
            continue
        when = _day(evidence.seen)
        if when is None:
            timeless = timeless or f"it is observed in {evidence.source}, which does not say when"
        elif (today - when).days <= days:
            return f"it was seen on {when.isoformat()} ({evidence.source})", True
    return None if timeless is None else (timeless, False)


def _day(text: str | None) -> date | None:
    """The day in UTC, in which windows are counted."""
    try:
        when = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return None if when is None else (when if when.tzinfo is None else when.astimezone(UTC)).date()
