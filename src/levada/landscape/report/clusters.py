"""The map as it is: systems by domain, with their names, and what flows between them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from levada.landscape.report._svg import name_of, short, text_width, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["cluster_map"]

WIDTH, HEIGHT = 1100.0, 720.0
MOST_CLUSTERS = 24
MOST_NODES = 160
"""Up to so many systems each has its place; beyond, domains stand for their systems."""
MOST_BUNDLES = 60
"""Where clusters stand alone: the strongest ties between them that are drawn."""
LETTER = 11.0
GAP = 0.35
"""Between clusters, where a cluster of one system has radius 1.6: room for a name."""

Place = tuple[float, float, float]
Box = tuple[float, float, float, float]


def cluster_map(network: Network, tax: Mapping[str | None, float], index: Mapping[str, int]) -> str:
    """Systems by domain (or owner).

    Args:
        network: The landscape.
        tax: Hours a month by id of system; a system without an entry ends no flow.
        index: The number under which the page's script knows a system.
    """
    home, clusters = _clusters(network)
    middle = _places(clusters)
    if len(network.nodes) <= MOST_NODES:
        return _systems(network, tax, index, clusters, middle)
    return _domains(network, home, clusters, middle)


def _clusters(network: Network) -> tuple[dict[str, str], dict[str, list[str]]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for node in network.nodes.values():
        groups[node.domain or node.owner or "domain unknown"].append(node.id)
    ranked = sorted(groups, key=lambda g: (-len(groups[g]), g))
    home = {i: g if g in ranked[:MOST_CLUSTERS] else "others" for g in ranked for i in groups[g]}
    clusters: dict[str, list[str]] = defaultdict(list)
    for i, g in home.items():
        clusters[g].append(i)
    return home, clusters


def _size(members: Sequence[str]) -> str:
    return many(len(members), "system")


def _open(label: str, role: str = "img") -> str:
    return f'<svg class="clusters" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="{role}" aria-label="{escape(label)}">'


def _systems(
    network: Network,
    tax: Mapping[str | None, float],
    index: Mapping[str, int],
    clusters: Mapping[str, list[str]],
    middle: Mapping[str, Place],
) -> str:
    spot = _spots(clusters, middle)
    out = [_open("Systems by domain and what flows between them", "group")]
    for g, (x, y, radius) in middle.items():
        out.append(
            f'<circle class="cluster" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}">{titled(f"{g}: {_size(clusters[g])}")}</circle>'
        )
    for c, p in sorted(network.pairs()):
        (x1, y1), (x2, y2) = spot[c], spot[p]
        out.append(
            f'<path class="edge" stroke-width="0.9" data-c="{index[c]}" data-p="{index[p]}" d="{_bow(x1, y1, x2, y2)}"/>'
        )
    dearest = max(tax.values(), default=0.0) or 1.0
    size = {i: 3.5 + 9 * math.sqrt(tax.get(i, 0.0) / dearest) for i in spot}
    for i, (x, y) in spot.items():
        known = f"{tax[i]:,.0f} hours a month" if i in tax else "no flow ends here"
        out.append(
            f'<circle class="node" data-s="{index[i]}" tabindex="0" role="button" aria-label="{escape(name_of(network, i))}: {known}" '
            f'style="--heat:{tax.get(i, 0.0) / dearest * 100:.0f}%" cx="{x:.0f}" cy="{y:.0f}" r="{size[i]:.1f}">'
            f"{titled(f'{name_of(network, i)}: {known}')}</circle>"
        )
    rank = sorted(spot, key=lambda i: (-tax.get(i, 0.0), i))
    out += _labels(network, rank, spot, size, middle, index)
    for g, (x, y, radius) in middle.items():
        out.append(
            f'<text class="domain" x="{x:.0f}" y="{y - radius - 6:.0f}" text-anchor="middle">{escape(short(g, 24))}</text>'
        )
    return "".join(out) + "</svg>"


def _domains(
    network: Network, home: Mapping[str, str], clusters: Mapping[str, list[str]], middle: Mapping[str, Place]
) -> str:
    bundles: Counter[tuple[str, str]] = Counter(
        (home[c], home[p]) for c, p in network.pairs() if home[c] != home[p]
    )
    most = max(bundles.values(), default=1)
    out = [_open("Domains and what flows between them")]
    for (a, b), count in sorted(bundles.most_common(MOST_BUNDLES)):
        (x1, y1, _), (x2, y2, _) = middle[a], middle[b]
        text = f"{a} uses {b} over {many(count, 'pair')} of systems"
        out.append(
            f'<path class="edge" d="{_bow(x1, y1, x2, y2)}" stroke-width="{0.6 + 7 * count / most:.1f}">{titled(text)}</path>'
        )
    for g, (x, y, radius) in middle.items():
        count = len(clusters[g])
        at = f'cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"'
        out.append(f'<circle class="ground" {at}/>')
        out.append(f'<circle class="cluster" {at}>{titled(f"{g}: {_size(clusters[g])}")}</circle>')
        out.append(
            f'<text class="domain" x="{x:.0f}" y="{y - radius - 6:.0f}" text-anchor="middle">{escape(short(g, 24))}</text>'
            f'<text class="small" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{count:,}</text>'
        )
    out.sort(key=lambda part: part.startswith("<text"))  # names above all circles, not below a neighbour's
    return "".join(out) + "</svg>"


def _bow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line bent towards the middle of the picture, so that lines of one direction run together."""
    mx, my = (x1 + x2) / 2 * 0.72 + WIDTH / 2 * 0.28, (y1 + y2) / 2 * 0.72 + HEIGHT / 2 * 0.28
    return f"M{x1:.0f} {y1:.0f}Q{mx:.0f} {my:.0f} {x2:.0f} {y2:.0f}"


def _places(clusters: Mapping[str, list[str]]) -> dict[str, Place]:
    """Centre and radius of each cluster: packed, the largest in the middle, and grown to fill the picture."""
    packed: list[Place] = []
    ranked = sorted(clusters, key=lambda g: (-len(clusters[g]), g))
    for g in ranked:
        packed.append(_packed(packed, math.sqrt(len(clusters[g])) + 0.6))
    left, right = (
        min((x - r for x, _, r in packed), default=0.0),
        max((x + r for x, _, r in packed), default=1.0),
    )
    top, bottom = (
        min((y - r for _, y, r in packed), default=0.0),
        max((y + r for _, y, r in packed), default=1.0),
    )
    scale = min((WIDTH - 120) / (right - left), (HEIGHT - 60) / (bottom - top))
    cx, cy = (left + right) / 2, (top + bottom) / 2
    return {
        g: (WIDTH / 2 + (x - cx) * scale, HEIGHT / 2 + 8 + (y - cy) * scale, (r - GAP) * scale)
        for g, (x, y, r) in zip(ranked, packed, strict=True)
    }


def _packed(placed: Sequence[Place], radius: float) -> Place:
    """The place nearest to the middle at which a circle touches two others, or one, and covers none.

    Width counts less than height: the picture is wider than high.
    """
    radius += GAP
    if not placed:
        return 0.0, 0.0, radius
    best: Place | None = None
    for x, y in _touching(placed, radius):
        far = (x / 1.6) ** 2 + y**2
        clear = all(math.dist((x, y), (ox, oy)) > radius + other - 1e-6 for ox, oy, other in placed)
        if clear and (best is None or far < (best[0] / 1.6) ** 2 + best[1] ** 2 - 1e-9):
            best = x, y, radius
    assert best is not None, "beside the outermost circle there is always room"
    return best


def _touching(placed: Sequence[Place], radius: float) -> Iterator[tuple[float, float]]:
    for n, (ax, ay, ar) in enumerate(placed):
        for turn in range(16):
            angle = math.pi * turn / 8
            yield ax + (ar + radius) * math.cos(angle), ay + (ar + radius) * math.sin(angle)
        for bx, by, br in placed[:n]:
            apart, a, b = math.dist((ax, ay), (bx, by)), ar + radius, br + radius
            if apart < 1e-9 or apart > a + b:
                continue
            along = (a * a - b * b + apart * apart) / (2 * apart)
            aside = math.sqrt(max(0.0, a * a - along * along))
            ux, uy = (bx - ax) / apart, (by - ay) / apart
            for side in (aside, -aside):
                yield ax + along * ux - side * uy, ay + along * uy + side * ux


def _spots(clusters: Mapping[str, list[str]], middle: Mapping[str, Place]) -> dict[str, tuple[float, float]]:
    """Members in a sunflower about their centre (H. Vogel, Math. Biosci. 44, 1979)."""
    out: dict[str, tuple[float, float]] = {}
    for g, members in clusters.items():
        x, y, radius = middle[g]
        for n, i in enumerate(sorted(members)):
            far = (radius - 10) * math.sqrt((n + 0.5) / len(members)) if len(members) > 1 else 0.0
            out[i] = x + far * math.cos(2.39996 * n), y + far * math.sin(2.39996 * n)
    return out


def _labels(
    network: Network,
    rank: Sequence[str],
    spot: Mapping[str, tuple[float, float]],
    size: Mapping[str, float],
    middle: Mapping[str, Place],
    index: Mapping[str, int],
) -> list[str]:
    """Names beside their systems, the dearest first; one that would cover another is left to the pointer."""
    taken: list[Box] = [(x - size[i], y - size[i], x + size[i], y + size[i]) for i, (x, y) in spot.items()]
    for g, (x, y, r) in middle.items():
        half = text_width(short(g, 24), 13.5) / 2
        taken.append((x - half, y - r - 18, x + half, y - r - 2))
    out: list[str] = []
    for i in rank:
        text = short(name_of(network, i), 22)
        for box, x, y, anchor in _sides(spot[i], size[i] + 3, text_width(text, LETTER)):
            if _free(box, taken):
                taken.append(box)
                out.append(
                    f'<text class="label" data-l="{index[i]}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
                )
                break
    return out


def _sides(at: tuple[float, float], away: float, width: float) -> list[tuple[Box, float, float, str]]:
    x, y = at
    half = LETTER / 2
    return [
        ((x + away, y - half, x + away + width, y + half), x + away, y + 4, "start"),
        ((x - away - width, y - half, x - away, y + half), x - away, y + 4, "end"),
        ((x - width / 2, y + away, x + width / 2, y + away + LETTER), x, y + away + LETTER - 2, "middle"),
        ((x - width / 2, y - away - LETTER, x + width / 2, y - away), x, y - away - 1, "middle"),
    ]


def _free(box: Box, taken: Sequence[Box]) -> bool:
    a, b, c, d = box
    inside = a > 2 and c < WIDTH - 2 and b > 2 and d < HEIGHT - 2
    return inside and not any(a < z and c > x and b < w and d > y for x, y, z, w in taken)
