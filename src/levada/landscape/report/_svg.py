"""What the pictures share: escaping, and how wide a text is."""

from __future__ import annotations

from html import escape
from unicodedata import combining, east_asian_width

__all__ = ["fitted", "text_width", "titled"]

_WIDTHS = (
    (0.3, "'IJijl"), (0.35, " ,./:;\\|"), (0.4, "()-[]ft"), (0.45, "!r"), (0.5, '"*_`'), (0.55, "?csz"),
    (0.6, "FLkvxy"), (0.7, "ABCKRVXZ"), (0.75, "NU"), (0.8, "&DGHOQ"), (0.85, "#+<=>^w~"), (0.9, "M"), (1.0, "%@Wm…"),
)  # fmt: skip
"""Of DejaVu Sans, the widest font that the page may be shown in: what fits in it fits in every other."""
_WIDTH_OF = {c: width for width, held in _WIDTHS for c in held}
_BOLD = 1.13


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most in a sans-serif font of ``size`` (both in units of the picture)."""
    return size * sum(map(_width, text)) * (_BOLD if bold else 1.0)


def _width(c: str) -> float:
    if c in _WIDTH_OF or c.isascii():
        return _WIDTH_OF.get(c, 0.65)
    if combining(c):
        return 0.0
    return 1.0 if east_asian_width(c) in "WF" else 0.85


def fitted(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis so that it is no wider than ``width``."""
    if text_width(text, size, bold=bold) <= width:
        return text
    kept = text
    while kept and text_width(kept + "…", size, bold=bold) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def titled(text: str) -> str:
    """An SVG title, which browsers show on hovering and screen readers read."""
    return f"<title>{escape(text)}</title>"
