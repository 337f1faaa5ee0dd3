"""A network as a Mermaid flowchart, for Markdown pages and pull requests."""

from __future__ import annotations

from levada.network.graph import Flow, Network, Node

__all__ = ["to_mermaid"]

BANDS = ("experience", "process", "system")


def to_mermaid(network: Network) -> str:
    """The flowchart: a subgraph a layer, systems as cylinders, events as pills, events' flows dotted."""
    ordered = network.sorted()
    names = {node: f"n{number}" for number, node in enumerate(ordered.nodes)}
    lines = ["flowchart TB"]
    for band in BANDS:
        inside = [n for n in ordered.nodes.values() if n.kind == "api" and n.layer == band]
        if inside:
            lines += [f"  subgraph {band}", *(f"    {_box(n, names[n.id])}" for n in inside), "  end"]
    lines += [f"  {_box(n, names[n.id])}" for n in ordered.nodes.values() if n.kind != "api"]
    lines += [f"  {_arrow(f, names)}" for f in ordered.flows.values()]
    return "\n".join(lines) + "\n"


def _box(node: Node, name: str) -> str:
    label = (node.name or node.id).replace('"', "#quot;")
    if node.kind == "event":
        return f'{name}(["{label}"])'
    if node.kind == "channel":
        return f'{name}{{{{"{label}"}}}}'
    if node.kind != "api":
        return f'{name}[("{label}")]'
    return f'{name}["{label} v{node.attributes.get("version", "")}"]'


def _arrow(flow: Flow, names: dict[str, str]) -> str:
    """An event flows from its publisher to those who take it; calls from the caller."""
    relations = flow.attributes.get("relations", ())
    consumer, provider = names[flow.consumer], names[flow.provider]
    if "publishes" in relations:
        return f"{provider} -. publishes .-> {consumer}"
    if flow.mode == "async":
        return f"{provider} -. {', '.join(relations)} .-> {consumer}"
    return f"{consumer} --> {provider}"
