"""The blueprint as a layered picture: consumers, APIs by layer, topics, and the systems behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built
from levada.landscape.naming import Names
from levada.landscape.report._svg import fitted, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["layers"]

WIDTH, ROW, TOP, BOX_HEIGHT, LETTER = 1100.0, 27.0, 44.0, 21.0, 12.0
LANE, MOST_LANES = 3.0, 70.0
"""Between lines that pass a column beside its boxes; and the most height that they take on one side."""
MOST_ROWS = 36
"""Rows of a column; what does not fit stands together in the last one."""
SWEEPS = 4
REST = "\0rest"
TITLES = {
    "consumers": "Consumers",
    "experience": "Experience APIs",
    "process": "Process APIs",
    "system": "System APIs and topics",
    "systems": "Systems",
}


class _Column(Struct):
    """One column of the picture: its keys from top to bottom, and how many stand in the last row."""

    kind: str
    keys: list[str]
    rest: int = 0


class _Edge(Struct, frozen=True):
    """From a box (or consumer) to what it takes from; ``kind`` gives the colour."""

    start: str
    end: str
    kind: str


def layers(network: Network, made: Blueprint, index: Mapping[str, int]) -> str:
    """The picture; empty if nothing is built.

    Args:
        network: The landscape.
        made: What was chosen for it.
        index: The number under which the page's script knows a system.
    """
    if not made.built:
        return ""
    edges = list(_edges(network, made))
    columns = _columns(made, edges)
    place = {key: (n, column.kind) for n, column in enumerate(columns) for key in column.keys}
    folded = _folded(columns, edges, place)
    _untangle(columns, folded)
    return _draw(network, made, columns, folded, index)


def _edges(network: Network, made: Blueprint) -> Iterable[_Edge]:
    """Consumers to boxes, boxes to the boxes and systems behind them, and what stays direct."""
    flows = network.flows
    for box in made.built:
        for consumer in sorted({flows[f].consumer for f in box.flows}):
            yield _Edge(f"c:{consumer}", box.id, box.layer)
        for need in box.needs:
            yield _Edge(box.id, need, box.layer)
        if box.layer in ("system", "topic") or not box.needs:
            for provider in box.providers:
                yield _Edge(box.id, f"s:{provider}", box.layer)
    direct = {
        (flows[e.flow].consumer, flows[e.flow].provider)
        for e in made.ledger
        if e.decision == "kept" and e.flow in flows
    }
    for consumer, provider in sorted(direct):
        yield _Edge(f"c:{consumer}", f"s:{provider}", "direct")


def _columns(made: Blueprint, edges: Sequence[_Edge]) -> list[_Column]:
    carried = {b.id: len(b.flows) for b in made.built}
    weight: Counter[str] = Counter(carried)
    used: set[str] = set()
    for edge in edges:
        # A system counts as much as what stands before it, so that both are drawn.
        weight.update({edge.start: 1, edge.end: carried.get(edge.start, 1)})
        if edge.kind != "direct":
            used |= {edge.start, edge.end}

    def column(kind: str, keys: Iterable[str]) -> _Column:
        ranked = sorted(keys, key=lambda k: (-weight[k], k))
        rest = len(ranked) - MOST_ROWS + 1 if len(ranked) > MOST_ROWS else 0
        return _Column(kind, ranked[: len(ranked) - rest] + ([REST + kind] if rest else []), rest)

    layered = {
        layer: column(layer, [b.id for b in made.built if b.layer in kinds])
        for layer, kinds in (("experience", ("experience",)), ("process", ("process",)), ("system", ("system", "topic")))
    }  # fmt: skip
    return [
        column("consumers", [k for k in used if k.startswith("c:")]),
        *(c for c in layered.values() if c.keys),
        column("systems", [k for k in used if k.startswith("s:")]),
    ]


def _folded(
    columns: Sequence[_Column], edges: Sequence[_Edge], place: Mapping[str, tuple[int, str]]
) -> Counter[_Edge]:
    """Edges of what has no row of its own go to its column's last row."""
    of = {"c": REST + "consumers", "s": REST + "systems"}
    last = {key for column in columns for key in column.keys if key.startswith(REST)}

    def at(key: str, layer: str) -> str | None:
        if key in place:
            return key
        kind = (
            of.get(key.partition(":")[0])
            if key[1:2] == ":"
            else REST + ("system" if layer == "topic" else layer)
        )
        return kind if kind in last else None

    out: Counter[_Edge] = Counter()
    for edge in edges:
        start, end = at(edge.start, edge.kind), at(edge.end, "system")
        if start is not None and end is not None:
            out[_Edge(start, end, edge.kind)] += 1
    return out


def _untangle(columns: Sequence[_Column], edges: Mapping[_Edge, int]) -> None:
    """Order each column by the mean place of its neighbours (K. Sugiyama et al., IEEE SMC 11(2), 1981)."""
    near: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.kind != "direct":
            near[edge.start].append(edge.end)
            near[edge.end].append(edge.start)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            at = {key: n / max(len(c.keys), 1) for c in columns for n, key in enumerate(c.keys)}
            column.keys.sort(
                key=lambda k, at=at: (
                    k.startswith(REST),
                    sum(at[o] for o in near[k]) / len(near[k]) if near[k] else 1.0,
                    k,
                )
            )


class _Layout:
    """Where everything stands: columns side by side, and lanes above and below the boxes for what passes them."""

    def __init__(self, columns: Sequence[_Column], edges: Iterable[_Edge]) -> None:
        tallest = max(len(c.keys) for c in columns)
        gap = 120.0 if len(columns) < 4 else 72.0
        self.wide = (WIDTH - 20 - gap * (len(columns) - 1)) / len(columns)
        self.left = [10 + n * (self.wide + gap) for n in range(len(columns))]
        self.column = {key: n for n, c in enumerate(columns) for key in c.keys}
        passing = [e for e in edges if self.column[e.end] - self.column[e.start] > 1]
        inner = max((len(c.keys) for c in columns[1:-1]), default=0)
        # Where boxes fill the height there is no other room for lines than beside them.
        beside = MOST_LANES if passing and inner * ROW + 2 * MOST_LANES > tallest * ROW else 0.0
        self.top = TOP + beside
        self.height = self.top + tallest * ROW + beside + 12
        self.middle: dict[str, float] = {}
        self.block: list[tuple[float, float]] = []
        for column in columns:
            first = self.top + (tallest - len(column.keys)) * ROW / 2
            self.block.append((first - 2, first + len(column.keys) * ROW + 2))
            for line, key in enumerate(column.keys):
                self.middle[key] = first + line * ROW + ROW / 2
        self.lanes: dict[tuple[_Edge, int], float] = {}
        for n in range(1, len(columns) - 1):
            self._lanes(n, [e for e in passing if self.column[e.start] < n < self.column[e.end]])

    def _lanes(self, n: int, edges: Sequence[_Edge]) -> None:
        """Each line keeps its height where no box stands; those that would cross boxes go round, in their order."""
        top, bottom = self.block[n]
        above: list[tuple[float, _Edge]] = []
        below: list[tuple[float, _Edge]] = []
        for edge in edges:
            a, b = self.column[edge.start], self.column[edge.end]
            y = self.middle[edge.start] + (self.middle[edge.end] - self.middle[edge.start]) * (n - a) / (
                b - a
            )
            if top < y < bottom:
                (above if y < (top + bottom) / 2 else below).append((y, edge))
            else:
                self.lanes[edge, n] = y
        for held, edge_of, way in ((above, top, -1.0), (below, bottom, 1.0)):
            held.sort(key=lambda h, way=way: (-way * h[0], h[1].start, h[1].end, h[1].kind))
            step = min(LANE, (MOST_LANES - 8) / max(len(held), 1))
            for k, (_, edge) in enumerate(held):
                self.lanes[edge, n] = edge_of + way * (4 + step * k)

    def path(self, edge: _Edge) -> str:
        """From the right of its start to the left of its end, straight where it passes a column."""
        start, end = self.column[edge.start], self.column[edge.end]
        x, y = self.left[start] + self.wide, self.middle[edge.start]
        out = [f"M{x:.0f} {y:.1f}"]
        for n in range(start + 1, end):
            lane = self.lanes[edge, n]
            out.append(_bend(x, y, self.left[n] - 6, lane))
            x, y = self.left[n] + self.wide + 6, lane
            out.append(f"H{x:.0f}")
        out.append(_bend(x, y, self.left[end], self.middle[edge.end]))
        return "".join(out)


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    half = (x1 + x2) / 2
    return f"C{half:.0f} {y1:.1f} {half:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"


def _draw(
    network: Network,
    made: Blueprint,
    columns: Sequence[_Column],
    edges: Mapping[_Edge, int],
    index: Mapping[str, int],
) -> str:
    at = _Layout(columns, edges)
    number = {key: n for n, key in enumerate(at.middle)}
    label = (
        f"{many(len(made.apis), 'API')} and {many(len(made.topics), 'topic')} between consumers and systems"
    )
    out = [
        f'<svg class="layered" viewBox="0 0 {WIDTH:.0f} {at.height:.0f}" role="group" aria-label="{label}">'
    ]
    for n, column in enumerate(columns):
        out.append(
            f'<text class="head" x="{at.left[n] + at.wide / 2:.0f}" y="22" text-anchor="middle">{TITLES[column.kind]}</text>'
        )
    most = max(edges.values(), default=1)
    for edge, count in sorted(edges.items(), key=lambda e: (e[0].kind != "direct", e[0].start, e[0].end)):
        thick = 1.1 + 3 * (count - 1) / most
        out.append(
            f'<path class="link {edge.kind}" data-a="{number[edge.start]}" data-b="{number[edge.end]}" stroke-width="{thick:.1f}" d="{at.path(edge)}"/>'
        )
    names = Names(network)
    boxes = {b.id: b for b in made.built}
    rest = {REST + c.kind: c.rest for c in columns}
    for key, n in number.items():
        place = (at.left[at.column[key]], at.middle[key], at.wide)
        out.append(_box(names, boxes, rest, key, n, place, index))
    return "".join(out) + "</svg>"


def _box(
    names: Names,
    boxes: Mapping[str, Built],
    rest: Mapping[str, int],
    key: str,
    number: int,
    at: tuple[float, float, float],
    index: Mapping[str, int],
) -> str:
    x, y, wide = at
    system = ""
    if key in rest:
        kind, text, told = "rest", f"and {rest[key]:,} more", "All stand in the ledger."
    elif key in boxes:
        box = boxes[key]
        kind, text = box.layer, names.short(box)
        told = f"{names.box(box)}, owner {box.owner or 'unknown'}: {box.reason}"
    else:
        kind, text, told = "end", names.system(key[2:]), names.system(key[2:])
        system = f' data-s="{index[key[2:]]}"'
    return (
        f'<g class="part {kind}" data-n="{number}" tabindex="0"{system}>{titled(told)}'
        f'<rect x="{x:.0f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{wide:.0f}" height="{BOX_HEIGHT:.0f}" rx="5"/>'
        f'<text x="{x + 10:.0f}" y="{y + 4:.1f}">{escape(fitted(text, LETTER, wide - 18))}</text></g>'
    )
