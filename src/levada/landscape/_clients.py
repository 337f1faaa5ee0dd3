"""Who is a caller: names met in access logs, joined with the one that signs in, or calls itself, so.

This is exact: a system's own configuration or script holds the user or the agent (alias
``client:<name>``). What only looks alike is for reconciliation to suggest.
"""

from __future__ import annotations

import ipaddress

from levada.network.graph import Network, Node
from levada.network.names import slug

__all__ = ["client_alias", "is_address", "is_nobody_known", "resolve_clients"]


def client_alias(name: str) -> str:
    """The alias of a user or agent name, the same from a log and from a configuration."""
    return f"client:{slug(name)}"


def resolve_clients(network: Network) -> Network:
    """The network with callers that are only observed put under the one that is configured with their name.

    A name that several are configured with stays apart; reconciliation suggests.
    """
    owners: dict[str, list[str]] = {}
    for node in network.nodes.values():
        if not _only_observed(node):
            for alias in node.aliases:
                if alias.startswith("client:"):
                    owners.setdefault(alias, []).append(node.id)
    names: dict[str, str] = {}
    for node in network.nodes.values():
        if _only_observed(node):
            found = {o for a in node.aliases for o in owners.get(a, ())}
            if len(found) == 1:
                names[node.id] = found.pop()
    return network.renamed(names) if names else network


def _only_observed(node: Node) -> bool:
    return bool(node.evidence) and all(e.status == "observed" for e in node.evidence)


def is_nobody_known(node: Node) -> bool:
    """Is it a caller that was seen, and of which no more is known than an address?"""
    names = (node.id, *((node.name,) if node.name else ()), *node.aliases)
    return _only_observed(node) and all(
        is_address(n.removeprefix("id:").removeprefix("host:")) for n in names
    )


def is_address(name: str) -> bool:
    """Is it no name of anybody: an address of the network, or the mark of a caller that the log does not name?"""
    if name == "unknown":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
