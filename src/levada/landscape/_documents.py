"""Whose contract is a document: an API that is described at a host belongs to the system that answers there.

A document names no system, but a server. Where a system answers at its host, or a proxy that leads to one
system only, the document is that system's contract; that the two are one node is for reconciliation to suggest.
"""

from __future__ import annotations

from msgspec import structs

from levada.network.graph import Finding, Network, Node

__all__ = ["contracts_of_hosts", "is_document"]


def is_document(node: Node) -> bool:
    """Is it known from descriptions of interfaces alone?"""
    return node.kind == "api" and bool(node.evidence) and all(e.status == "declared" for e in node.evidence)


def contracts_of_hosts(network: Network) -> Network:
    """The network with each document told of the one system that it describes, and the system of its contract."""
    behind: dict[str, set[str]] = {}
    for flow in network.flows.values():
        behind.setdefault(flow.consumer, set()).add(flow.provider)
    answering: dict[str, set[str]] = {}
    for node in network.nodes.values():
        if not is_document(node):
            for host in _hosts(node):
                answering.setdefault(host, set()).add(node.id)
    nodes, findings = dict(network.nodes), list(network.findings)
    for document in filter(is_document, network.nodes.values()):
        found = {n for host in _hosts(document) for n in answering.get(host, ())}
        if len(found) != 1:
            continue
        first = nodes[found.pop()]
        systems = behind.get(first.id, set()) if first.kind == "channel" else {first.id}
        if len(systems) != 1:
            continue
        system = nodes[next(iter(systems))]
        place = document.evidence[0]
        nodes[document.id] = structs.replace(
            document, attributes={**document.attributes, "describes": system.id}
        )
        for one in {first.id, system.id}:
            said = {"contract": place.source, **nodes[one].attributes}
            nodes[one] = structs.replace(nodes[one], attributes=said)
        by = f", to which alone {first.id} leads" if first.id != system.id else ""
        host = min(h for h in _hosts(document) if first.id in answering.get(h, ()))
        text = (
            f"{document.id} describes what answers at {host}: it is taken for the contract of {system.id}{by}"
        )
        findings.append(Finding("contract", "info", text, place.source, place.line))
    return Network(nodes=nodes, flows=network.flows, findings=findings)


def _hosts(node: Node) -> set[str]:
    return {a.removeprefix("host:").lower() for a in node.aliases if a.startswith("host:")}
