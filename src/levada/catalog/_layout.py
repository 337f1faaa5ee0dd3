"""A layered layout: rows by layer, each row ordered so that few lines cross, events in a column beside.

The method is Sugiyama's (1981): layers, dummy nodes where a line passes a row, ordering by
barycentres, then positions. Positions in a row are the least-squares answer to "be below what
you belong to" under "keep your distance" (pool adjacent violators).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Box", "Grid", "Line", "lay_out"]

GAP = 28.0
"""Between two boxes of a row."""
THIN = 10.0
"""The width of a line that passes a row."""
SWEEPS = 12


@dataclass
class Box:
    """A node in the grid; ``x`` is its middle. ``name`` is None for a line that passes."""

    name: str | None
    width: float
    row: int
    x: float = 0.0
    above: list[Box] = field(default_factory=list)
    below: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """A line from one row to another, through a box of each row between; or within one row."""

    consumer: str
    provider: str
    through: tuple[Box, ...]


@dataclass(frozen=True)
class Grid:
    """The rows from top to bottom, and the lines."""

    rows: Sequence[Sequence[Box]]
    lines: Sequence[Line]
    boxes: Mapping[str, Box]
    width: float


def lay_out(rows: Sequence[Sequence[tuple[str, float]]], pairs: Sequence[tuple[str, str]]) -> Grid:
    """Place boxes.

    Args:
        rows: Names and widths, row by row from the top.
        pairs: (consumer, provider), the consumer in a row above the provider's.
    """
    grid = [[Box(name, width, number) for name, width in row] for number, row in enumerate(rows)]
    boxes = {box.name: box for row in grid for box in row if box.name is not None}
    lines = [_line(boxes[consumer], boxes[provider], grid) for consumer, provider in pairs]
    _order(grid)
    _place(grid)
    left = min((b.x - b.width / 2 for row in grid for b in row), default=0.0)
    for row in grid:
        for box in row:
            box.x -= left
    width = max((b.x + b.width / 2 for row in grid for b in row), default=0.0)
    return Grid(grid, lines, boxes, width)


def _line(consumer: Box, provider: Box, grid: list[list[Box]]) -> Line:
    path = [consumer]
    for row in range(consumer.row + 1, provider.row):
        passing = Box(None, THIN, row)
        grid[row].append(passing)
        path.append(passing)
    path.append(provider)
    for upper, lower in itertools.pairwise(path):
        upper.below.append(lower)
        lower.above.append(upper)
    return Line(consumer.name or "", provider.name or "", tuple(path))


def _order(grid: list[list[Box]]) -> None:
    """Sort each row by where its neighbours stand, down and up; keep the order with the fewest crossings."""
    best = [list(row) for row in grid]
    fewest = _crossings(grid)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        rows = range(1, len(grid)) if down else range(len(grid) - 2, -1, -1)
        for number in rows:
            beside = {id(box): place for place, box in enumerate(grid[number - 1 if down else number + 1])}
            row = grid[number]
            places = {id(box): float(place) for place, box in enumerate(row)}
            for box in row:
                near = [beside[id(n)] for n in (box.above if down else box.below)]
                if near:
                    places[id(box)] = sum(near) / len(near)
            row.sort(key=lambda box, places=places: places[id(box)])
        crossings = _crossings(grid)
        if crossings < fewest:
            fewest, best = crossings, [list(row) for row in grid]
    for row, kept in zip(grid, best, strict=True):
        row[:] = kept


def _crossings(grid: list[list[Box]]) -> int:
    found = 0
    for upper, lower in itertools.pairwise(grid):
        place = {id(box): number for number, box in enumerate(lower)}
        ends = [(number, place[id(b)]) for number, box in enumerate(upper) for b in box.below]
        found += sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(ends) for b in ends[i + 1 :])
    return found


def _place(grid: list[list[Box]]) -> None:
    for row in grid:
        _settle(row, [0.0] * len(row))
    for _ in range(SWEEPS):
        for rows in (grid, grid[::-1]):
            for row in rows:
                wanted: list[float] = []
                for box in row:
                    near = [n.x for n in (*box.above, *box.below)]
                    wanted.append(sum(near) / len(near) if near else box.x)
                _settle(row, wanted)


def _settle(row: list[Box], wanted: list[float]) -> None:
    """Put each box as near to where it is wanted as the distances allow."""
    offsets: list[float] = []
    at = 0.0
    for previous, box in zip([None, *row], row, strict=False):
        at += 0.0 if previous is None else (previous.width + box.width) / 2 + GAP
        offsets.append(at)
    # Isotonic regression: blocks of [sum, count] are pooled while a later one stands left of an earlier.
    blocks: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        blocks.append([want - offset, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    places = [total / count for total, count in blocks for _ in range(int(count))]
    for box, place, offset in zip(row, places, offsets, strict=True):
        box.x = place + offset
