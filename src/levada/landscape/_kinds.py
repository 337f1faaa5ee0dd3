"""What a system is, where nobody said so: told by how it is used. A person's word always goes first."""

from __future__ import annotations

from msgspec import structs

from levada.network.graph import Flow, Network

__all__ = ["infer_kinds"]


def infer_kinds(network: Network) -> Network:
    """Systems of unknown kind that others reach only as a database are one; those that are configured to call
    others are applications. What is only seen or only named in a list stays unknown.
    """
    used: dict[str, list[Flow]] = {}
    calls: set[str] = set()
    for flow in network.flows.values():
        used.setdefault(flow.provider, []).append(flow)
        if any(e.status == "configured" for e in flow.evidence):
            calls.add(flow.consumer)
    nodes = dict(network.nodes)
    for node in network.nodes.values():
        if node.kind is None:
            by = used.get(node.id, [])
            if by and all(f.mode == "db" for f in by):
                nodes[node.id] = structs.replace(node, kind="db")
            elif node.id in calls:
                nodes[node.id] = structs.replace(node, kind="app")
    return Network(nodes=nodes, flows=network.flows, findings=network.findings)
