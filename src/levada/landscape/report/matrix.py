"""The design structure matrix as a picture: readable at any size, since large ones are drawn in bins."""

from __future__ import annotations

from collections import Counter

from levada.landscape.analysis import Structure
from levada.landscape.report._svg import name_of, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["matrix"]

BINS = 160
"""A larger matrix is drawn in this many rows and columns, each of several systems."""


def matrix(network: Network, known: Structure) -> str:
    """Rows use columns, providers first, so that cycles lie above the diagonal."""
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
        names.setdefault(place, f"{name_of(network, consumer)} uses {name_of(network, provider)}")
        if order[provider] > order[consumer]:
            back.add(place)
    most = max(counts.values(), default=1)
    out = [
        f'<svg class="matrix" viewBox="0 0 660 660" role="img" aria-label="Matrix of {many(n, "system")} and '
        f'{sum(counts.values())} dependencies"><rect class="frame" x="10" y="10" width="640" height="640"/>'
        '<path class="diagonal" d="M10 10L650 650"/>'
    ]
    if known.core:
        first = min(at[c] for c in known.core)
        size = (max(at[c] for c in known.core) - first + 1) * cell
        out.append(
            f'<rect class="core" x="{10 + first * cell:.1f}" y="{10 + first * cell:.1f}" width="{size:.1f}" height="{size:.1f}">'
            f"{titled(f'The core: {len(known.core)} systems that depend on each other')}</rect>"
        )
    for (row, column), count in sorted(counts.items()):
        kind = "back" if (row, column) in back else "mark"
        text = names[row, column] + (f", and {count - 1} more" if count > 1 else "")
        size = max(cell - (0.6 if cell > 4 else 0), 1.5)
        out.append(
            f'<rect class="{kind}" x="{10 + column * cell:.1f}" y="{10 + row * cell:.1f}" width="{size:.1f}" '
            f'height="{size:.1f}" opacity="{0.45 + 0.55 * count / most:.2f}">{titled(text)}</rect>'
        )
    return "".join(out) + "</svg>"
