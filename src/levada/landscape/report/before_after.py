"""Two small pictures of one landscape: every connection as it is, and as the blueprint leaves it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from levada.landscape.blueprint import Blueprint
from levada.landscape.naming import Names
from levada.landscape.report._svg import titled
from levada.network.graph import Network

__all__ = ["after", "before"]

SIZE, RING, CHANNEL = 420.0, 194.0, 146.0
MOST_LINES = 1500
"""More lines than this are thinned, evenly: the picture shows a density, the figures beside it count."""

Point = tuple[float, float]


def before(network: Network) -> str:
    """All systems on a ring, by domain, and a line for each pair that is connected."""
    spot = _ring(network)
    lines = _thinned(sorted(p for p in network.pairs() if p[0] != p[1]))
    out = [_open("Every connection as it is")]
    out += [f'<path class="raw" d="{_chord(spot[c], spot[p])}"/>' for c, p in lines]
    return "".join((*out, *_dots(network, spot))) + "</svg>"


def after(network: Network, made: Blueprint) -> str:
    """The same ring, with the channel that APIs and topics form: each system reaches it once.

    A box stands on the channel before the system that it takes from. What stays direct is drawn as before.
    """
    spot = _ring(network)
    boxes = _on_channel(made, spot)
    flows = network.flows
    reached = {end for b in made.built for end in (*b.providers, *(flows[f].consumer for f in b.flows))}
    names = Names(network)
    direct = sorted(
        {(flows[e.flow].consumer, flows[e.flow].provider) for e in made.ledger if e.decision == "kept"}
    )
    out = [_open("What the blueprint leaves")]
    if boxes:
        out.append(f'<circle class="channel" cx="{SIZE / 2:.0f}" cy="{SIZE / 2:.0f}" r="{CHANNEL:.0f}"/>')
    out += [f'<path class="raw" d="{_chord(spot[c], spot[p])}"/>' for c, p in _thinned(direct) if c != p]
    for end in sorted(reached & spot.keys()):
        x, y = spot[end]
        near = _at(CHANNEL, math.atan2(y - SIZE / 2, x - SIZE / 2))
        out.append(f'<path class="spoke" d="M{x:.0f} {y:.0f}L{near[0]:.0f} {near[1]:.0f}"/>')
    for box in made.built:
        x, y = boxes[box.id]
        out.append(
            f'<rect class="{box.layer}" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" rx="2.5">{titled(f"{names.box(box)}: {box.reason}")}</rect>'
        )
    return "".join((*out, *_dots(network, spot))) + "</svg>"


def _open(label: str) -> str:
    return f'<svg class="ring" viewBox="0 0 {SIZE:.0f} {SIZE:.0f}" role="img" aria-label="{label}">'


def _ring(network: Network) -> dict[str, Point]:
    nodes = sorted(network.nodes.values(), key=lambda n: (n.domain or n.owner or "~", n.id))
    step = 2 * math.pi / max(len(nodes), 1)
    return {n.id: _at(RING, step * i) for i, n in enumerate(nodes)}


def _on_channel(made: Blueprint, spot: Mapping[str, Point]) -> dict[str, Point]:
    """Boxes on the channel, each as near to what it takes from as those before it leave room."""
    lean: dict[str, float] = {}
    for box in made.built:
        ends = [spot[e] for e in box.providers if e in spot]
        x, y = sum(p[0] - SIZE / 2 for p in ends), sum(p[1] - SIZE / 2 for p in ends)
        lean[box.id] = math.atan2(y, x)
    ranked = sorted(lean, key=lambda b: (lean[b], b))
    room = min(2 * math.pi / max(len(ranked), 1), 0.09)
    out: dict[str, Point] = {}
    last = -math.inf
    for box_id in ranked:
        last = max(lean[box_id], last + room)
        out[box_id] = _at(CHANNEL, last)
    return out


def _at(radius: float, angle: float) -> Point:
    return SIZE / 2 + radius * math.cos(angle), SIZE / 2 + radius * math.sin(angle)


def _chord(a: Point, b: Point) -> str:
    mx, my = (a[0] + b[0] + SIZE) / 4, (a[1] + b[1] + SIZE) / 4
    return f"M{a[0]:.0f} {a[1]:.0f}Q{mx:.0f} {my:.0f} {b[0]:.0f} {b[1]:.0f}"


def _dots(network: Network, spot: Mapping[str, Point]) -> Iterable[str]:
    names = Names(network)
    radius = max(1.2, min(4.0, 260 / max(len(spot), 1)))
    for i, (x, y) in spot.items():
        yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">{titled(names.system(i))}</circle>'


def _thinned(lines: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    if len(lines) <= MOST_LINES:
        return lines
    step = len(lines) / MOST_LINES
    return [lines[int(i * step)] for i in range(MOST_LINES)]
