"""A network as a picture: bands for the layers, systems below, events in a column beside.

The SVG stands alone: no script, no font, no picture from elsewhere; it follows the reader's
light or dark mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from levada.catalog._layout import Box, Line, lay_out
from levada.network.graph import Network, Node

__all__ = ["to_svg"]

BANDS = ("channel", "experience", "process", "system", "systems")
TITLES = {
    "channel": "Channels",
    "experience": "Experience",
    "process": "Process",
    "system": "System",
    "systems": "Systems",
}
BOX, ROW_GAP, LANE = 50.0, 46.0, 9.0
"""The height of a box; between two rows where nothing passes; for each line of an event that passes there."""
LEFT, TOP, RIGHT = 132.0, 28.0, 28.0
PILL = 34.0

STYLE = """
svg{--ink:#1c2733;--soft:#5d6b7a;--paper:#fff;--band:#f4f6f8;--call:#8493a3;--event:#b45309;
--experience:#a21caf;--process:#1d4ed8;--system:#15803d;--systems:#64748b;--channel:#0e7490;background:var(--paper)}
@media (prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9aa7b4;--paper:#10161d;--band:#18212b;--call:#66778a;--event:#f0a850;
--experience:#e879f9;--process:#7aa2ff;--system:#5ed188;--systems:#94a3b8;--channel:#4fd1e5}}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink);text-anchor:middle}
.name{font-weight:600}.small{font-size:11px;fill:var(--soft)}.title{font-size:12px;font-weight:600;text-anchor:start;letter-spacing:.04em}
.band{fill:var(--band)}.box{fill:var(--paper);stroke-width:1.6}.away{stroke-dasharray:5 3}
.call{fill:none;stroke:var(--call);stroke-width:1.5}.event{fill:none;stroke:var(--event);stroke-width:1.4}.takes{stroke-dasharray:5 4}
.pill{fill:var(--paper);stroke:var(--event);stroke-width:1.6}
""".strip()


def to_svg(network: Network) -> str:
    """The picture as one SVG document."""
    return _Picture(network.sorted()).svg()


def _relations(network: Network, flow_id: str) -> Sequence[str]:
    return network.flows[flow_id].attributes.get("relations", ())


class _Picture:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.events = [n for n in network.nodes.values() if n.kind == "event"]
        self.bands = {band: [n for n in network.nodes.values() if _band(n) == band] for band in BANDS}
        calls = [
            (f.consumer, f.provider)
            for f in network.flows.values()
            if f.mode != "async"
            and "event" not in (network.nodes[f.consumer].kind, network.nodes[f.provider].kind)
        ]
        rows, self.row_band = self._rows(calls)
        height = {node: number for number, row in enumerate(rows) for node in row}
        # A line that would lead upwards or along a row cannot be laid out; a checked app has none.
        drawn = [(c, p) for c, p in calls if height[c] < height[p]]
        self.grid = lay_out([[(i, _width(network.nodes[i])) for i in row] for row in rows], drawn)
        self.links = self._links()
        self.tops = self._tops()

    def _rows(self, calls: Sequence[tuple[str, str]]) -> tuple[list[list[str]], list[str]]:
        """One row a layer; more where APIs of one layer call each other."""
        rows: list[list[str]] = []
        bands: list[str] = []
        for band, nodes in self.bands.items():
            for row in _ranked([n.id for n in nodes], calls):
                rows.append(row)
                bands.append(band)
        return rows, bands

    def _links(self) -> list[tuple[str, str, str]]:
        """(event, API, how): how is "publishes" or what the API does with the event."""
        found: list[tuple[str, str, str]] = []
        for flow in self.network.flows.values():
            relations = _relations(self.network, flow.id)
            if "publishes" in relations:
                found.append((flow.consumer, flow.provider, "publishes"))
            elif flow.mode == "async":
                found.append((flow.provider, flow.consumer, " and ".join(relations)))
        return found

    def _tops(self) -> list[float]:
        """Where each row begins: the space below a row grows with the lines of events that pass there."""
        tops, at = list[float](), TOP + 14
        for number in range(len(self.grid.rows)):
            tops.append(at)
            lanes = sum(1 for _, api, _ in self.links if self._row(api) == number)
            same = number + 1 < len(self.row_band) and self.row_band[number + 1] == self.row_band[number]
            at += BOX + ROW_GAP + LANE * lanes + (0 if same else 16)
        return tops

    def _row(self, name: str) -> int:
        return self.grid.boxes[name].row

    @property
    def _bottom(self) -> float:
        lanes = sum(1 for _, api, _ in self.links if self._row(api) == len(self.tops) - 1)
        return self.tops[-1] + BOX + LANE * lanes if self.tops else TOP

    # -- drawing ----------------------------------------------------------------------

    def svg(self) -> str:
        column = LEFT + self.grid.width + 44 + LANE * len(self.links)
        pills = self._pills(column)
        widest = max((_width(e) for e in self.events), default=0.0)
        width = column + widest + RIGHT if self.events else LEFT + self.grid.width + RIGHT
        lowest = max((y for _, y in pills.values()), default=0.0) + PILL / 2
        height = max(self._bottom, lowest) + 34
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img" aria-label="A network of APIs and events">',
            f"<style>{STYLE}</style>",
            f"<defs>{_arrow('call')}{_arrow('event')}</defs>",
            *self._band_boxes(LEFT + self.grid.width + 20),
            *(_call(line, self.tops) for line in self.grid.lines),
            *self._event_lines(pills),
            *(self._box(box) for row in self.grid.rows for box in row if box.name is not None),
            *(self._pill(name, place) for name, place in pills.items()),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _band_boxes(self, right: float) -> Iterable[str]:
        for band in BANDS:
            rows = [number for number, of in enumerate(self.row_band) if of == band]
            if rows:
                top, bottom = self.tops[rows[0]] - 14, self.tops[rows[-1]] + BOX + 14
                yield f'<rect class="band" x="12" y="{top:.1f}" width="{right - 12:.1f}" height="{bottom - top:.1f}" rx="10"/>'
                yield f'<text class="title" x="28" y="{top + 24:.1f}" style="fill:var(--{band})">{TITLES[band]}</text>'

    def _box(self, box: Box) -> str:
        node = self.network.nodes[box.name or ""]
        x, y = LEFT + box.x - box.width / 2, self.tops[box.row]
        band = _band(node) or "systems"
        away = " away" if "url" in node.attributes else ""
        rx = 25 if band in ("channel", "systems") else 8
        middle = LEFT + box.x
        return (
            f"<g><title>{escape(_told(node))}</title>"
            f'<rect class="box{away}" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{BOX:.0f}" rx="{rx}" style="stroke:var(--{band})"/>'
            f'<text class="name" x="{middle:.1f}" y="{y + 21:.1f}">{escape(_name(node))}</text>'
            f'<text class="small" x="{middle:.1f}" y="{y + 37:.1f}">{escape(_below(node))}</text></g>'
        )

    def _pills(self, x: float) -> dict[str, tuple[float, float]]:
        """Events from top to bottom in the order of those who publish them, spread over the height."""
        wanted: dict[str, float] = {}
        for event in self.events:
            near = [self.tops[self._row(api)] + BOX for e, api, _ in self.links if e == event.id]
            wanted[event.id] = sum(near) / len(near) if near else TOP
        placed: dict[str, tuple[float, float]] = {}
        order = sorted(wanted, key=lambda e: (wanted[e], e))
        step = PILL + 18
        for number, event in enumerate(order):
            room = (number - (len(order) - 1) / 2) * step
            middle = sum(wanted.values()) / len(wanted)
            placed[event] = (x, middle + room)
        shift = max(0.0, TOP + PILL - min((y for _, y in placed.values()), default=TOP + PILL))
        return {event: (x_, y + shift) for event, (x_, y) in placed.items()}

    def _pill(self, name: str, place: tuple[float, float]) -> str:
        node = self.network.nodes[name]
        width, (x, y) = _width(node), place
        return (
            f"<g><title>{escape(_told(node))}</title>"
            f'<rect class="pill" x="{x:.1f}" y="{y - PILL / 2:.1f}" width="{width:.1f}" height="{PILL:.0f}" rx="{PILL / 2:.0f}"/>'
            f'<text class="name" x="{x + width / 2:.1f}" y="{y + 4.5:.1f}">{escape(_name(node))}</text></g>'
        )

    def _event_lines(self, pills: Mapping[str, tuple[float, float]]) -> Iterable[str]:
        """Out of a box at its foot, along the space below the row, up or down a lane, into the pill."""
        by_api: dict[str, list[tuple[str, str, str]]] = {}
        for link in sorted(self.links, key=lambda k: (pills[k[0]][1], k[2])):
            by_api.setdefault(link[1], []).append(link)
        passed = dict[int, int]()
        order = sorted(self.links, key=lambda k: (self._row(k[1]), pills[k[0]][1], k[2]))
        per_event: dict[str, int] = {}
        for number, link in enumerate(order):
            event, api, how = link
            box = self.grid.boxes[api]
            lane = passed[box.row] = passed.get(box.row, 0) + 1
            slots = by_api[api]
            # Calls keep the middle of the foot; further right goes less deep, so that lines do not cross.
            share = 1 - (slots.index(link) + 1) / (len(slots) + 1)
            x = LEFT + box.x + box.width * (0.14 + 0.34 * share)
            foot = self.tops[box.row] + BOX
            along = foot + 12 + LANE * lane
            lane_x = LEFT + self.grid.width + 30 + LANE * number
            pill_x, pill_y = pills[event]
            at = pill_y + _spread(per_event, event, sum(1 for k in order if k[0] == event))
            points = [(x, foot), (x, along), (lane_x, along), (lane_x, at), (pill_x, at)]
            takes = how != "publishes"
            marker = 'marker-start="url(#event)"' if takes else 'marker-end="url(#event)"'
            kind = " takes" if takes else ""
            told = f"{api} {how} {event}"
            yield f'<path class="event{kind}" d="{_rounded(points)}" {marker}><title>{escape(told)}</title></path>'


def _spread(used: dict[str, int], event: str, lines: int) -> float:
    number = used[event] = used.get(event, -1) + 1
    return (number - (lines - 1) / 2) * min(9.0, 22.0 / lines)


def _band(node: Node) -> str | None:
    if node.kind == "api":
        return node.layer
    if node.kind == "event":
        return None
    return "channel" if node.kind == "channel" else "systems"


def _ranked(names: Sequence[str], calls: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Rows of one layer: whoever is called by another of the layer stands below it."""
    if not names:
        return []
    inside = set(names)
    rank = dict.fromkeys(names, 0)
    for _ in names:
        for consumer, provider in calls:
            if consumer in inside and provider in inside and consumer != provider:
                rank[provider] = min(max(rank[provider], rank[consumer] + 1), len(names) - 1)
    rows: dict[int, list[str]] = {}
    for name in names:
        rows.setdefault(rank[name], []).append(name)
    return [rows[number] for number in sorted(rows)]


def _name(node: Node) -> str:
    return node.name or node.id


def _below(node: Node) -> str:
    if node.kind == "api":
        count = len(node.attributes.get("operations", ()))
        return f"{node.domain} · v{node.attributes.get('version', '?')} · {count} operation{'s' if count != 1 else ''}"
    return str(node.attributes.get("kind", node.kind or ""))


def _told(node: Node) -> str:
    """What is shown when the pointer rests on it."""
    lines = [node.id, str(node.attributes.get("doc", ""))]
    lines += [f"{how}  {name}" for name, how in dict(node.attributes.get("operations", {})).items()]
    lines += [str(node.attributes[k]) for k in ("kept_by", "url") if k in node.attributes]
    return "\n".join(line for line in lines if line)


def _width(node: Node) -> float:
    below = "" if node.kind == "event" else _below(node)
    return max(96.0, 8.0 * len(_name(node)) + 36, 6.2 * len(below) + 28)


def _arrow(name: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
        f'<path d="M0 0.6 8 4 0 7.4Z" style="fill:var(--{name})"/></marker>'
    )


def _call(line: Line, tops: Sequence[float]) -> str:
    """A smooth line from foot to head, straight through the rows that it passes."""
    first = line.through[0]
    path = [f"M{LEFT + first.x:.1f} {tops[first.row] + BOX:.1f}"]
    x, y = LEFT + first.x, tops[first.row] + BOX
    for box in line.through[1:]:
        to, head = LEFT + box.x, tops[box.row]
        bend = (head - y) / 2
        path.append(f"C{x:.1f} {y + bend:.1f} {to:.1f} {head - bend:.1f} {to:.1f} {head:.1f}")
        if box.name is None:
            path.append(f"V{head + BOX:.1f}")
        x, y = to, head + BOX
    told = escape(f"{line.consumer} calls {line.provider}")
    return f'<path class="call" d="{"".join(path)}" marker-end="url(#call)"><title>{told}</title></path>'


def _rounded(points: Sequence[tuple[float, float]], radius: float = 6.0) -> str:
    """A line of horizontal and vertical pieces with round corners."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        path.append(
            f"L{enter[0]:.1f} {enter[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {leave[0]:.1f} {leave[1]:.1f}"
        )
    path.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(path)


def _towards(start: tuple[float, float], end: tuple[float, float], by: float) -> tuple[float, float]:
    across, down = end[0] - start[0], end[1] - start[1]
    length = abs(across) + abs(down)
    if length == 0:
        return start
    part = min(by, length / 2) / length
    return start[0] + across * part, start[1] + down * part
