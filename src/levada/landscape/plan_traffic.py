"""What is observed now, asked for an old connection: by every name that its caller may go by."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from datetime import UTC, date, datetime

from msgspec import Struct

from levada.landscape._objects import is_another
from levada.landscape.plan import credentials_of, names_of
from levada.network.graph import Flow, Mode, Network
from levada.network.names import slug

__all__ = ["Edge", "Traffic", "bare"]

_KINDS = ("id:", "name:", "host:", "client:", "group:")
_CALLS = frozenset(("sync", "batch", "unknown"))


def bare(name: str) -> str:
    """A name without the mark of its kind, as it compares: a host in one map is an id in another."""
    for kind in _KINDS:
        name = name.removeprefix(kind)
    return slug(name) if name.isascii() else name.casefold()


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
        known: Names of callers that are accounted for, whoever asks.
    """

    def __init__(self, network: Network, known: frozenset[str]) -> None:
        self._by_caller: dict[str, list[tuple[Flow, frozenset[str]]]] = defaultdict(list)
        self._nameless: list[tuple[Flow, frozenset[str]]] = []
        for flow in network.flows.values():
            if any(e.status == "observed" for e in flow.evidence):
                names = {bare(n) for n in (*names_of(network.nodes[flow.consumer]), *credentials_of(flow))}
                providers = frozenset(bare(n) for n in names_of(network.nodes[flow.provider]))
                for name in names:
                    self._by_caller[name].append((flow, providers))
                if not names & known and all(_is_address(n) for n in names):
                    self._nameless.append((flow, providers))

    def last_use(self, edge: Edge, today: date) -> tuple[str | None, str | None]:
        """Why the edge counts as used, and why it may be; None each if nothing says so."""
        doubt: str | None = None
        for name in sorted(edge.callers):
            for flow, providers in self._by_caller.get(name, ()):
                if (found := self._use(edge, flow, providers, today)) is None:
                    continue
                text, sure = found
                if bare(flow.consumer) != bare(edge.consumer):
                    text = f"{text}, as {flow.consumer} (both go by {name})"
                if sure:
                    return text, None
                doubt = doubt or text
        return None, doubt or self._by_nobody_known(edge, today)

    def _by_nobody_known(self, edge: Edge, today: date) -> str | None:
        for flow, providers in self._nameless:
            same_way = flow.mode == edge.mode or (flow.mode in _CALLS and edge.mode in _CALLS)
            if same_way and (found := self._use(edge, flow, providers, today)) is not None:
                return f"{flow.provider} was used from {flow.consumer}, and whose address that is nobody says: {found[0]}"
        return None

    @staticmethod
    def _use(edge: Edge, flow: Flow, providers: frozenset[str], today: date) -> tuple[str, bool] | None:
        """When it was used within the edge's window, and whether for certain; another object is no use of it."""
        another = is_another(flow.object, edge.object, edge.others)
        if another or not providers & edge.providers:
            return None
        found = _within(flow, edge.days, today)
        if found is not None and another is None:
            return f"{found[0]} for {flow.object}, which may be {edge.object}", False
        return found


def _within(flow: Flow, days: int, today: date) -> tuple[str, bool] | None:
    """When it was seen within the days, and whether the observer says so; what has no time may be of long ago."""
    timeless: str | None = None
    for evidence in flow.evidence:
        if evidence.status != "observed":
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


def _is_address(name: str) -> bool:
    """Is it no name of anybody: an address of the network, or the mark of a caller that the log does not name?"""
    if name == "unknown":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
