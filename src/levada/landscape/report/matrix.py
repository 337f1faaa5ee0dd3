"""The design structure matrix as a picture: readable at any size, since large ones are drawn in bins."""

from __future__ import annotations

from collections import Counter
from html import escape

from levada.landscape.analysis import Structure
from levada.landscape.naming import Names
from levada.landscape.report._svg import fitted, text_width, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["matrix"]

BINS = 160
"""A larger matrix is drawn in this many rows and columns, each of several systems."""
MOST_NAMES = 48
"""Up to so many rows have room for their names; a column has the number of its row."""
LETTER, LONGEST = 11.0, 190.0


def matrix(network: Network, known: Structure) -> str:
    """Rows use columns, providers first, so that cycles lie above the diagonal."""
    called = Names(network)
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
        names.setdefault(place, f"{called.system(consumer)} uses {called.system(provider)}")
        if order[provider] > order[consumer]:
            back.add(place)
    most = max(counts.values(), default=1)
    rows = [called.system(name) for name in known.order] if n <= MOST_NAMES else []
    side = min(LONGEST, max((text_width(r, LETTER) for r in rows), default=0.0)) + 34 if rows else 0.0
    above = 10.0 if rows else 0.0
    out = [
        f'<svg class="matrix{" named" if rows else ""}" viewBox="{-side:.0f} {-above:.0f} {660 + side:.0f} {660 + above:.0f}" role="img" aria-label="Matrix of {many(n, "system")} and '
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
    for number, row in enumerate(rows):
        text, middle = fitted(row, LETTER, LONGEST), 10 + (number + 0.5) * cell
        out.append(
            f'<text x="-16" y="{middle + 4:.1f}" text-anchor="end">{titled(row) if text != row else ""}{escape(text)}</text>'
            f'<text class="tick" x="5" y="{middle + 4:.1f}" text-anchor="end">{number + 1}</text>'
            f'<text class="tick" x="{middle:.1f}" y="5" text-anchor="middle">{number + 1}</text>'
        )
    return "".join(out) + "</svg>"
