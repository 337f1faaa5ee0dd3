"""The report's pictures as SVG: matrix, clusters, Gantt. They stay readable at thousands of systems."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta
from html import escape

from levada.landscape.analysis import Structure
from levada.landscape.plan import Plan
from levada.network.graph import Network

__all__ = ["cluster_map", "gantt", "matrix"]

BINS = 160
"""A larger matrix is drawn in this many rows and columns, each of several systems."""
MOST_CLUSTERS = 24
MOST_NODES = 160
MOST_BUNDLES = 60
"""Where clusters stand alone: the strongest ties between them that are drawn."""


def matrix(network: Network, known: Structure) -> str:
    """The design structure matrix: rows use columns, providers first, so that cycles lie above the diagonal."""
    n = len(known.order)
    bins = min(n, BINS) or 1
    cell = 640 / bins
    at = {name: i * bins // n for i, name in enumerate(known.order)}
    order = {name: i for i, name in enumerate(known.order)}
    counts: Counter[tuple[int, int]] = Counter()
    names: dict[tuple[int, int], str] = {}
    back: set[tuple[int, int]] = set()
    for consumer, provider in network.pairs():
        if consumer == provider:
            continue
        place = at[consumer], at[provider]
        counts[place] += 1
        names.setdefault(place, f"{_name(network, consumer)} uses {_name(network, provider)}")
        if order[provider] > order[consumer]:
            back.add(place)
    most = max(counts.values(), default=1)
    out = [
        f'<svg class="matrix" viewBox="0 0 660 660" role="img" aria-label="Matrix of {n} systems and '
        f'{sum(counts.values())} dependencies"><rect class="frame" x="10" y="10" width="640" height="640"/>'
        '<path class="diagonal" d="M10 10L650 650"/>'
    ]
    if known.core:
        first = min(at[c] for c in known.core)
        size = (max(at[c] for c in known.core) - first + 1) * cell
        out.append(
            f'<rect class="core" x="{10 + first * cell:.1f}" y="{10 + first * cell:.1f}" width="{size:.1f}" height="{size:.1f}">'
            f"<title>The core: {len(known.core)} systems that depend on each other</title></rect>"
        )
    for (row, column), count in sorted(counts.items()):
        kind = "back" if (row, column) in back else "mark"
        text = names[row, column] + (f", and {count - 1} more" if count > 1 else "")
        size = max(cell - (0.6 if cell > 4 else 0), 1.5)
        out.append(
            f'<rect class="{kind}" x="{10 + column * cell:.1f}" y="{10 + row * cell:.1f}" width="{size:.1f}" '
            f'height="{size:.1f}" opacity="{0.45 + 0.55 * count / most:.2f}"><title>{escape(text)}</title></rect>'
        )
    return "".join(out) + "</svg>"


def cluster_map(network: Network, tax: Mapping[str | None, float]) -> str:
    """Systems by domain (or owner): each with its place while they are few, else clusters alone."""
    groups: dict[str, list[str]] = defaultdict(list)
    for node in network.nodes.values():
        groups[node.domain or node.owner or "domain unknown"].append(node.id)
    ranked = sorted(groups, key=lambda g: (-len(groups[g]), g))
    home = {i: g if g in ranked[:MOST_CLUSTERS] else "others" for g in ranked for i in groups[g]}
    clusters: dict[str, list[str]] = defaultdict(list)
    for i, g in home.items():
        clusters[g].append(i)
    middle = _places(clusters)
    few = len(network.nodes) <= MOST_NODES
    spot = _spots(clusters, middle) if few else {i: middle[g][:2] for i, g in home.items()}
    out = [
        '<svg class="clusters" viewBox="0 0 1000 640" role="img" aria-label="Systems by domain and what flows between them">'
    ]
    bundles: Counter[tuple[str, str]] = Counter(
        (c, p) if few else (home[c], home[p]) for c, p in network.pairs() if few or home[c] != home[p]
    )
    most = max(bundles.values(), default=1)
    drawn = bundles.items() if few else bundles.most_common(MOST_BUNDLES)
    for (a, b), count in sorted(drawn):
        (x1, y1), (x2, y2) = (spot[a], spot[b]) if few else (middle[a][:2], middle[b][:2])
        mx, my = (x1 + x2) / 2 * 0.72 + 500 * 0.28, (y1 + y2) / 2 * 0.72 + 320 * 0.28
        width = 0.9 if few else 0.6 + 7 * count / most
        out.append(
            f'<path class="edge" d="M{x1:.0f} {y1:.0f}Q{mx:.0f} {my:.0f} {x2:.0f} {y2:.0f}" stroke-width="{width:.1f}"/>'
        )
    for g, (x, y, radius) in middle.items():
        text = f"{g}: {len(clusters[g])} systems"
        if not few:
            out.append(f'<circle class="ground" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"/>')
        out.append(
            f'<circle class="cluster" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"><title>{escape(text)}</title></circle>'
        )
    dearest = max((v for v in tax.values()), default=0.0) or 1.0
    for i, (x, y) in spot.items() if few else ():
        heat = tax.get(i, 0.0) / dearest
        radius = 3.5 + 9 * math.sqrt(heat)
        known = f"{tax[i]:,.0f} hours a month" if i in tax else "no flow ends here"
        out.append(
            f'<circle class="node" style="--heat:{heat * 100:.0f}%" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}">'
            f"<title>{escape(_name(network, i))}: {known}</title></circle>"
        )
    for g, (x, y, radius) in middle.items():
        label = escape(_short(g, 22))
        out.append(
            f'<text class="name" x="{x:.0f}" y="{y - radius - 5:.0f}" text-anchor="middle">{label}</text>'
        )
        if not few:
            count = len(clusters[g])
            out.append(
                f'<text class="small" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{count:,}</text>'
            )
    return "".join(out) + "</svg>"


def _places(clusters: Mapping[str, list[str]]) -> dict[str, tuple[float, float, float]]:
    """Centre and radius of each cluster: the largest in the middle, the others around it."""
    ranked = sorted(clusters, key=lambda g: (-len(clusters[g]), g))
    most = len(clusters[ranked[0]]) if ranked else 1
    biggest = 110 if len(ranked) > 1 else 240
    size = {g: max(16.0, biggest * math.sqrt(len(clusters[g]) / most)) for g in ranked}
    out = {ranked[0]: (500.0, 320.0, size[ranked[0]])} if ranked else {}
    around = sorted(ranked[1:])
    for n, g in enumerate(around):
        angle = 2 * math.pi * n / len(around) - math.pi / 2
        near = 0.74 if n % 2 and len(around) > 12 else 1.0
        out[g] = 500 + 400 * near * math.cos(angle), 325 + 245 * near * math.sin(angle), min(size[g], 60.0)
    for g, (x, y, radius) in list(out.items()):
        apart = min((math.dist((x, y), o[:2]) for other, o in out.items() if other != g), default=500.0)
        out[g] = x, y, min(radius, 0.42 * apart)
    return out


def _spots(
    clusters: Mapping[str, list[str]], middle: Mapping[str, tuple[float, float, float]]
) -> dict[str, tuple[float, float]]:
    """Members in a sunflower about their centre (H. Vogel, Math. Biosci. 44, 1979)."""
    out: dict[str, tuple[float, float]] = {}
    for g, members in clusters.items():
        x, y, radius = middle[g]
        for n, i in enumerate(sorted(members)):
            far = (radius - 8) * math.sqrt((n + 0.5) / len(members)) if len(members) > 1 else 0.0
            out[i] = x + far * math.cos(2.39996 * n), y + far * math.sin(2.39996 * n)
    return out


def gantt(plan: Plan) -> str:
    """The plan by API or topic, one row each, with its phases one after another."""
    rows: dict[str, list[int]] = defaultdict(list)
    for n, item in enumerate(plan.items):
        rows[item.id.partition(":")[2]].append(n)
    height = 44 + 26 * len(rows)
    scale = 760 / plan.days
    out = [f'<svg class="gantt" viewBox="0 0 1000 {height}" role="img" aria-label="{plan.days}-day plan">']
    for week in range(0, plan.days, 7):
        x = 230 + week * scale
        day = plan.start + timedelta(days=week)
        out.append(f'<path class="grid" d="M{x:.1f} 24V{height}"/>')
        if week % 14 == 0:
            out.append(f'<text class="small" x="{x + 3:.1f}" y="16">{day:%d %b}</text>')
    for line, (name, held) in enumerate(rows.items()):
        y = 32 + 26 * line
        pilot = " pilot" if name == plan.pilot else ""
        out.append(
            f'<text class="row{pilot}" x="222" y="{y + 13}" text-anchor="end">{escape(_short(name, 34))}</text>'
        )
        for item in (plan.items[n] for n in held):
            x = 230 + (item.start - plan.start).days * scale
            width = max(2.0, ((item.end - item.start).days + 1) * scale - 1)
            text = f"{item.title}: {item.start} to {item.end}. Done when {item.exit['text']}"
            out.append(
                f'<rect class="{item.kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="18" rx="3">'
                f"<title>{escape(text)}</title></rect>"
            )
    return "".join(out) + "</svg>"


def _name(network: Network, i: str) -> str:
    return network.nodes[i].name or i


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
