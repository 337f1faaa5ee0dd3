"""Whose is a name in a hand-kept list: joined with the one system that bears exactly this name.

This is exact, case aside: ``Billing`` is the system called billing, ``export_orders.sh`` the
script of that file. What only looks alike is for reconciliation to suggest.
"""

from __future__ import annotations

from levada.network.graph import Network, Node

__all__ = ["resolve_names"]


def resolve_names(network: Network) -> Network:
    """The network with systems that only lists name put under the one that is known otherwise by that name."""
    owners: dict[str, set[str]] = {}
    listed: list[Node] = []
    for node in network.nodes.values():
        if _only_listed(node):
            listed.append(node)
            continue
        aliases = (a.partition(":")[2] for a in node.aliases if a.startswith(("name:", "id:")))
        for name in (node.id, node.name, *aliases):
            if name:
                owners.setdefault(name.casefold(), set()).add(node.id)
    names: dict[str, str] = {}
    for node in listed:
        found = owners.get((node.name or node.id).casefold(), set())
        if len(found) == 1:
            names[node.id] = next(iter(found))
    return network.renamed(names) if names else network


def _only_listed(node: Node) -> bool:
    """Known from nothing but rows of lists, which name it and say no more of it."""
    declared = bool(node.evidence) and all(e.status == "declared" for e in node.evidence)
    return declared and not (node.kind or node.owner or node.domain or node.aliases)
