"""What stands at a developer's machine in one file, and at its own host in another, is one.

A settings file in the source says ``localhost``, the compose file or manifest that runs the
program says where the database really is: then only the latter is a flow, with the evidence of both.
"""

from __future__ import annotations

from msgspec import structs

from levada.network.graph import Flow, Network

__all__ = ["settle_local"]


def settle_local(network: Network) -> Network:
    """The network without flows to ``<program>/local-…`` where the same program has one of the same mode and protocol elsewhere."""
    local = [f for f in network.flows.values() if _is_local(f)]
    if not local:
        return network
    flows = dict(network.flows)
    around: dict[str, list[Flow]] = {}
    for flow in flows.values():
        around.setdefault(flow.consumer, []).append(flow)
    for flow in local:
        real = [
            f for f in around[flow.consumer]
            if not _is_local(f) and _who(f) - _who(flow) and (f.mode, f.protocol) == (flow.mode, flow.protocol) and f.object in (None, flow.object)
        ]  # fmt: skip
        if len({f.provider for f in real}) == 1:
            del flows[flow.id]
            for held in real:
                evidence = tuple(dict.fromkeys((*flows[held.id].evidence, *flow.evidence)))
                flows[held.id] = structs.replace(flows[held.id], evidence=evidence)
    used = {end for f in flows.values() for end in (f.consumer, f.provider)}
    gone = {f.provider for f in local} - used
    nodes = {i: n for i, n in network.nodes.items() if i not in gone}
    return Network(nodes=nodes, flows=flows, findings=network.findings)


def _who(flow: Flow) -> set[str | None]:
    """The importers that tell of it: what one and the same read in two places is two connections."""
    return {e.importer for e in flow.evidence}


def _is_local(flow: Flow) -> bool:
    return "/local-" in flow.provider
