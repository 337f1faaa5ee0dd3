"""What the pictures share: escaping, shortening, and how wide a text is."""

from __future__ import annotations

from html import escape

from levada.network.graph import Network

__all__ = ["curve", "name_of", "short", "text_width", "titled"]

_NARROW = frozenset("iljtfrI.,:;'|()[] -")


def name_of(network: Network, node: str) -> str:
    """What people call a node."""
    return network.nodes[node].name or node


def short(text: str, most: int) -> str:
    """The text, cut to ``most`` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font of ``size`` (both in units of the picture)."""
    return size * sum(0.36 if c in _NARROW else 0.72 if c.isupper() else 0.61 for c in text)


def titled(text: str) -> str:
    """An SVG title, which browsers show on hovering and screen readers read."""
    return f"<title>{escape(text)}</title>"


def curve(x1: float, y1: float, x2: float, y2: float) -> str:
    """A path that leaves to the right and arrives from the left."""
    middle = (x1 + x2) / 2
    return f"M{x1:.0f} {y1:.1f}C{middle:.0f} {y1:.1f} {middle:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
