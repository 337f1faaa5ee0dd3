"""The picture of the network: three bands of APIs, the systems below, counts on the edges; as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from typing import Any

__all__ = ["Edge", "edges_of", "picture"]

Edge = tuple[str, str]
LAYERS = {"Storefront": 0, "Orders": 1}
WIDTH, TOP, GAP = 1120, 30, 128
SYSTEMS = {
    "OrderBook": "sales database",
    "Customers": "ERP",
    "Stock": "ERP",
    "Warehouse": "SFTP drop",
    "Billing": "SOAP",
    "Payments": "REST + webhooks",
}


def edges_of(calls: Sequence[dict[str, Any]]) -> dict[Edge, int]:
    """How often each API called each other one, by their names."""
    found: defaultdict[Edge, int] = defaultdict(int)
    for call in calls:
        consumer = call["consumer"] or "gateway"
        name = consumer.split("/")[1] if "/" in consumer else consumer
        if name.startswith("service:"):
            continue
        provider = call["operation"].rpartition(".")[0].split("/")[1]
        found[name, provider] += sum(call[kind] for kind in ("ok", "caller", "declared", "provider"))
    return dict(found)


def picture(calls: Sequence[dict[str, Any]]) -> str:
    """The SVG; colours come from the page's variables."""
    edges = edges_of(calls)
    names = list(SYSTEMS)
    step = WIDTH / len(names)
    places = {name: (step * (i + 0.5), TOP + 2 * GAP) for i, name in enumerate(names)}
    places |= {
        "gateway": (WIDTH / 2, TOP),
        "Storefront": (WIDTH / 2, TOP + GAP * 0.62),
        "Orders": (WIDTH / 2, TOP + GAP * 1.24),
    }
    most = max(edges.values(), default=1)
    parts = [
        _edge(places, edge, count, most)
        for edge, count in sorted(edges.items(), key=lambda e: e[1])
        if edge[0] in places and edge[1] in places
    ]
    parts += [_system(places[name], kind) for name, kind in SYSTEMS.items()]
    parts += [_node(name, place) for name, place in places.items()]
    height = TOP + 2 * GAP + 120
    label = "Calls between the APIs of the network"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _edge(places: dict[str, tuple[float, float]], edge: Edge, count: int, most: int) -> str:
    (x1, y1), (x2, y2) = places[edge[0]], places[edge[1]]
    y1, y2 = y1 + 19, y2 - 19
    width = 1.2 + 5 * count / most
    middle = (y1 + y2) / 2
    curve = f"M{x1:.0f} {y1:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}"
    # The count stands where the curve is nearly at its end, so that the counts do not meet.
    tx, ty = x1 + (x2 - x1) * 0.86, y1 + (y2 - y1) * 0.72
    return (
        f'<path class="edge" d="{curve}" stroke-width="{width:.1f}"/>'
        f'<text class="count" x="{tx:.0f}" y="{ty:.0f}">{count:,}</text>'
    )


def _node(name: str, place: tuple[float, float]) -> str:
    layer = {0: "experience", 1: "process"}.get(LAYERS.get(name, 2), "system")
    kind = "outside" if name == "gateway" else layer
    x, y = place
    text = "Envoy" if name == "gateway" else name
    return (
        f'<rect class="node {kind}" x="{x - 66:.0f}" y="{y - 19:.0f}" width="132" height="38" rx="6"/>'
        f'<text class="name" x="{x:.0f}" y="{y + 5:.0f}">{escape(text)}</text>'
    )


def _system(place: tuple[float, float], kind: str) -> str:
    x, y = place
    return (
        f'<path class="edge thin" d="M{x:.0f} {y + 19:.0f} V{y + 58:.0f}"/>'
        f'<rect class="node legacy" x="{x - 66:.0f}" y="{y + 58:.0f}" width="132" height="32" rx="16"/>'
        f'<text class="kind" x="{x:.0f}" y="{y + 79:.0f}">{escape(kind)}</text>'
    )
