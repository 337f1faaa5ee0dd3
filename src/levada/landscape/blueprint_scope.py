"""What a blueprint decides at all, and what stays as it is without any reckoning.

Nothing is built in front of what needs nothing: infrastructure, events that lie with a broker,
a system's own storage, and whatever has a contract already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.infrastructure import brokered, infrastructure
from levada.landscape.naming import Names
from levada.network.graph import Flow, Network, Node
from levada.network.names import normal

__all__ = ["Aside", "Because", "Scope", "of_database", "scope"]

Because: TypeAlias = Literal[
    "pays",
    "never observed",
    "infrastructure",
    "event already",
    "own storage",
    "contract already",
    "one consumer",
    "does not pay",
    "not allowed",
]
"""Why a flow is replaced (pays), retired (never observed) or kept (all others)."""

_NONE = frozenset(("no", "none", "false", "0"))
_TYPED = {"grpc": "gRPC: its .proto", "graphql": "GraphQL: its schema", "thrift": "Thrift: its IDL"}
"""Protocols that nobody can call without their contract."""
_STORAGE = (
    "database",
    "postgres",
    "mongodb",
    "mongo",
    "mysql",
    "redis",
    "valkey",
    "store",
    "cache",
    "data",
    "db",
)


class Aside(Struct, frozen=True):
    """Why a flow is not to be decided."""

    because: Because
    text: str


class Scope(Struct, frozen=True, kw_only=True):
    """What there is to decide: the flows set aside, and the systems that offer a contract already."""

    asides: Mapping[str, Aside]
    """By id of flow; one that is not in it is to be decided."""
    contracts: Mapping[str, str]
    """System -> the contract that it has, in words."""
    unowned: frozenset[str]
    """Storage with several users of which none is known to own it: one of them does."""


def scope(network: Network) -> Scope:
    """Set aside what needs no API and no topic, each flow with its reason in plain words."""
    names = Names(network)
    contracts = _contracts(network)
    plumbing = infrastructure(network)
    kept_by, unowned = _owners(network, names, plumbing)
    asides: dict[str, Aside] = {}
    for flow in network.flows.values():
        found = _aside(network, names, flow, plumbing, kept_by, contracts)
        if found is not None:
            asides[flow.id] = found
    return Scope(asides=asides, contracts=contracts, unowned=unowned)


def _aside(
    network: Network,
    names: Names,
    flow: Flow,
    plumbing: Callable[[Flow], str | None],
    owners: Mapping[tuple[str, str], tuple[str, str]],
    contracts: Mapping[str, str],
) -> Aside | None:
    if why := plumbing(flow):
        if _own_tables(network, flow):
            return Aside("own storage", _own_by_name(names, flow.consumer, *_storage(flow)))
        return Aside("infrastructure", why)
    if brokered(network, flow):
        name = flow.object or flow.attributes.get("topic") or "an event"
        return Aside(
            "event already",
            f"{name} of {names.system(flow.provider)} is an event on a broker already ({flow.protocol or 'asynchronous'})",
        )
    owner, why = owners.get(_storage(flow), ("", ""))
    if owner == flow.consumer:
        return Aside("own storage", why)
    said = _contract(flow, contracts)
    if said is not None:
        return Aside(
            "contract already",
            f"{names.system(flow.provider)} keeps a contract already ({said}): an API before it would only pass through",
        )
    return None


def _contract(flow: Flow, contracts: Mapping[str, str]) -> str | None:
    """The contract under which the flow calls; None if none is known."""
    if flow.mode not in ("sync", "unknown"):
        return None
    return flow.contract or _TYPED.get((flow.protocol or "").lower()) or contracts.get(flow.provider)


def _contracts(network: Network) -> dict[str, str]:
    """Systems with an API of their own: a node of that kind, a description of the same name, or so said."""
    described = {
        normal(node.name or node.id): node.evidence[0].source if node.evidence else node.id
        for node in network.nodes.values()
        if node.kind == "api"
    }
    out: dict[str, str] = {}
    for node in network.nodes.values():
        said = node.attributes.get("contract")
        if said and str(said).lower() not in _NONE:
            out[node.id] = str(said)
        elif node.kind == "api":
            out[node.id] = f"it is an API of the {node.layer} layer" if node.layer else "it is an API"
        elif node.kind in ("app", "record", None) and normal(node.name or node.id) in described:
            out[node.id] = described[normal(node.name or node.id)]
    return out


def _storage(flow: Flow) -> tuple[str, str]:
    return flow.provider, flow.object or ""


def _owners(
    network: Network, names: Names, plumbing: Callable[[Flow], str | None]
) -> tuple[dict[tuple[str, str], tuple[str, str]], frozenset[str]]:
    """Storage -> the system whose own it is, and why: its only user, or the one user that is called as it is."""
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    whole: dict[tuple[str, str], bool] = {}
    everybody: dict[str, set[str]] = defaultdict(set)
    for flow in network.flows.values():
        if network.nodes[flow.provider].kind == "db" and plumbing(flow) is None:
            part = _storage(flow)
            users[part].add(flow.consumer)
            whole[part] = whole.get(part, True) and of_database(flow)
            everybody[flow.provider].add(flow.consumer)
    out: dict[tuple[str, str], tuple[str, str]] = {}
    unowned: set[str] = set()
    for (provider, part), held in users.items():
        node, name = network.nodes[provider], names.system(provider)
        said = network.resolve(str(node.attributes.get("storage_of", "")))
        if said is not None:
            out[provider, part] = (
                said.id,
                f"{name} is the storage of {names.system(said.id)}, as people say: it stays behind it",
            )
        elif len(everybody[provider]) == 1:
            only = next(iter(held))
            if not _apart(network.nodes[only], node):
                out[provider, part] = (
                    only,
                    f"{name} is storage with a single user, {names.system(only)}: it stays behind it",
                )
            continue
        only = next(iter(held)) if len(held) == 1 and whole[provider, part] else None
        if only is not None and not _apart(network.nodes[only], node):
            why = (
                f"{part} in {name} is a database with a single user, {names.system(only)}: it stays behind it"
            )
            out[provider, part] = (only, why)
            continue
        alike = [c for c in sorted(held) if _called_alike(network.nodes[c], node, part)]
        if len(alike) == 1:
            out[provider, part] = (alike[0], _own_by_name(names, alike[0], provider, part))
        else:
            unowned.add(provider)
    return out, frozenset(unowned)


def of_database(flow: Flow) -> bool:
    """Is all that is known of what a flow takes the database that it lies in?"""
    return flow.object is not None and flow.attributes.get("database") == flow.object


def _own_by_name(names: Names, owner: str, provider: str, part: str) -> str:
    what = f"{part} in {names.system(provider)}" if part else names.system(provider)
    return f"{what} is the storage of {names.system(owner)}, by its name: nobody puts an API before his own tables"


def _own_tables(network: Network, flow: Flow) -> bool:
    """Whether a system of the infrastructure uses storage that is called as it is: what it does for others says nothing of it."""
    user, storage = network.nodes[flow.consumer], network.nodes[flow.provider]
    return flow.mode == "db" and storage.kind == "db" and _called_alike(user, storage, flow.object or "")


def _apart(user: Node, storage: Node) -> bool:
    """Whether both are known to belong to different domains or owners."""
    for a, b in ((user.domain, storage.domain), (user.owner, storage.owner)):
        if a and b:
            return a != b
    return False


def _called_alike(user: Node, storage: Node, part: str) -> bool:
    own = {_stem(user.id), _stem(user.name)} - {""}
    return bool(own & ({_stem(part)} if part and _stem(part) else {_stem(storage.id), _stem(storage.name)}))


def _stem(text: str) -> str:
    """A name without what a storage or a service adds to it: ``OrderingDb`` and ``ordering-api`` are alike."""
    stem = normal(text.rpartition("/")[2].rpartition(".")[2].removeprefix("db:"))
    for end in _STORAGE:
        if stem.endswith(end) and stem != end:
            return stem.removesuffix(end)
    return stem
