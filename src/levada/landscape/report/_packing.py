"""Circles with a name above each, packed so that nothing covers anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

__all__ = ["NAME", "Placed", "packed"]

Box = tuple[float, float, float, float]
GAP = 10.0
NAME = 18.0
"""Height that the name above a circle takes."""


class Placed(Struct):
    """A circle and the box of its name."""

    x: float
    y: float
    radius: float
    half: float
    """Half the width of the name."""

    @property
    def name(self) -> Box:
        """The box of the name."""
        top = self.y - self.radius - NAME - 2
        return self.x - self.half, top, self.x + self.half, top + NAME


def packed(
    sizes: Sequence[float], names: Sequence[float], width: float, height: float, *, least: float = 0.0
) -> list[Placed] | None:
    """Circles of these sizes and widths of names, the largest first, as large as fit into the picture.

    Args:
        sizes: Relative radii.
        names: Widths of the names above them.
        width: Of the picture.
        height: Of the picture.
        least: The share of the picture's room that has to be filled; None is returned where it cannot be.
    """
    if not sizes:
        return []
    share = 0.9
    while share > max(least, 1e-4):
        scale = _scale(sizes, names, share * width * height)
        out = _all([(size * scale, name / 2) for size, name in zip(sizes, names, strict=True)], width, height)
        if out is not None:
            return _centred(out, width, height)
        share *= 0.9
    return None


def _all(circles: Iterable[tuple[float, float]], width: float, height: float) -> list[Placed] | None:
    """All of them about the middle, each beside those before; None if one does not fit into the picture."""
    out: list[Placed] = []
    for radius, half in circles:
        placed = _next(out, Placed(0.0, 0.0, radius, half), width, height)
        if placed is None:
            return None
        out.append(placed)
    return out


def _centred(placed: list[Placed], width: float, height: float) -> list[Placed]:
    left = min(min(p.x - p.radius, p.name[0]) for p in placed)
    right = max(max(p.x + p.radius, p.name[2]) for p in placed)
    top, bottom = min(p.name[1] for p in placed), max(p.y + p.radius for p in placed)
    for p in placed:
        p.x += (width - left - right) / 2
        p.y += (height - top - bottom) / 2
    return placed


def _scale(sizes: Sequence[float], names: Sequence[float], room: float) -> float:
    """The scale at which circles with their names take so much room, by halving."""
    low, high = 0.0, math.sqrt(room)
    for _ in range(40):
        middle = (low + high) / 2
        taken = sum(
            max(2 * s * middle + GAP, n) * (2 * s * middle + NAME + GAP)
            for s, n in zip(sizes, names, strict=True)
        )
        low, high = (low, middle) if taken > room else (middle, high)
    return low


def _next(placed: Sequence[Placed], one: Placed, width: float, height: float) -> Placed | None:
    """The place nearest to the middle beside those that are there; None if there is no room."""
    wide, high = width / 2 - max(one.radius, one.half), height / 2 - one.radius
    middle = [(0.0, 0.0)] if not placed else _around(placed, one.radius)
    within = ((x, y) for x, y in middle if abs(x) <= wide and NAME + 2 - high <= y <= high)
    for x, y in sorted(within, key=lambda p: ((p[0] * height / width) ** 2 + p[1] ** 2, p)):
        one.x, one.y = x, y
        if all(_apart(one, other) for other in placed):
            return one
    return None


def _around(placed: Sequence[Placed], radius: float) -> Iterator[tuple[float, float]]:
    """Points at which the circle touches two others, or one; with and without room for a name between them."""
    for room in (GAP, GAP + NAME):
        for n, a in enumerate(placed):
            for turn in range(16):
                angle = math.pi * turn / 8
                far = a.radius + radius + room
                yield a.x + far * math.cos(angle), a.y + far * math.sin(angle)
            for b in placed[:n]:
                to_a, to_b = a.radius + radius + room, b.radius + radius + room
                apart = math.dist((a.x, a.y), (b.x, b.y))
                if apart < 1e-9 or apart > to_a + to_b:
                    continue
                along = (to_a**2 - to_b**2 + apart**2) / (2 * apart)
                aside = math.sqrt(max(0.0, to_a**2 - along**2))
                ux, uy = (b.x - a.x) / apart, (b.y - a.y) / apart
                for side in (aside, -aside):
                    yield a.x + along * ux - side * uy, a.y + along * uy + side * ux


def _apart(a: Placed, b: Placed) -> bool:
    if math.dist((a.x, a.y), (b.x, b.y)) < a.radius + b.radius + GAP - 1e-6:
        return False
    p, q = a.name, b.name
    if p[0] < q[2] + 6 and p[2] > q[0] - 6 and p[1] < q[3] and p[3] > q[1]:
        return False
    return _clear(p, b) and _clear(q, a)


def _clear(box: Box, circle: Placed) -> bool:
    x = min(max(circle.x, box[0]), box[2])
    y = min(max(circle.y, box[1]), box[3])
    return math.dist((x, y), (circle.x, circle.y)) > circle.radius + 2
