"""The blueprint as a layered picture: consumers, APIs by layer, topics, and the systems behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built
from levada.landscape.report._svg import curve, name_of, short, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["layers"]

WIDTH, ROW, TOP, BOX_HEIGHT = 1100.0, 27.0, 44.0, 21.0
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


def _draw(
    network: Network,
    made: Blueprint,
    columns: Sequence[_Column],
    edges: Mapping[_Edge, int],
    index: Mapping[str, int],
) -> str:
    tallest = max(len(c.keys) for c in columns)
    height = TOP + tallest * ROW + 12
    gap = 120.0 if len(columns) < 4 else 64.0
    wide = (WIDTH - 20 - gap * (len(columns) - 1)) / len(columns)
    left: dict[str, float] = {}
    middle: dict[str, float] = {}
    for n, column in enumerate(columns):
        indent = (tallest - len(column.keys)) * ROW / 2
        for line, key in enumerate(column.keys):
            left[key] = 10 + n * (wide + gap)
            middle[key] = TOP + indent + line * ROW + ROW / 2
    number = {key: n for n, key in enumerate(left)}
    label = (
        f"{many(len(made.apis), 'API')} and {many(len(made.topics), 'topic')} between consumers and systems"
    )
    out = [f'<svg class="layered" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="group" aria-label="{label}">']
    for n, column in enumerate(columns):
        out.append(
            f'<text class="head" x="{10 + n * (wide + gap) + wide / 2:.0f}" y="22" text-anchor="middle">{TITLES[column.kind]}</text>'
        )
    most = max(edges.values(), default=1)
    for edge, count in sorted(edges.items(), key=lambda e: (e[0].kind != "direct", e[0].start, e[0].end)):
        thick = 1.1 + 3 * (count - 1) / most
        path = curve(left[edge.start] + wide, middle[edge.start], left[edge.end], middle[edge.end])
        out.append(
            f'<path class="link {edge.kind}" data-a="{number[edge.start]}" data-b="{number[edge.end]}" stroke-width="{thick:.1f}" d="{path}"/>'
        )
    boxes = {b.id: b for b in made.built}
    rest = {REST + c.kind: c.rest for c in columns}
    for key, n in number.items():
        out.append(_box(network, boxes, rest, key, n, (left[key], middle[key], wide), index))
    return "".join(out) + "</svg>"


def _box(
    network: Network,
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
        kind, text = box.layer, box.id.partition(":")[2]
        told = f"{box.id}, owner {box.owner or 'unknown'}: {box.reason}"
    else:
        node = key[2:]
        kind, text, told = "end", name_of(network, node), name_of(network, node)
        system = f' data-s="{index[node]}"'
    return (
        f'<g class="part {kind}" data-n="{number}" tabindex="0"{system}>{titled(told)}'
        f'<rect x="{x:.0f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{wide:.0f}" height="{BOX_HEIGHT:.0f}" rx="5"/>'
        f'<text x="{x + 10:.0f}" y="{y + 4:.1f}">{escape(short(text, int((wide - 18) / 6.4)))}</text></g>'
    )
