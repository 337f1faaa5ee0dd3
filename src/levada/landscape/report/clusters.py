"""The map as it is: systems by domain, with their names, and what flows between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from msgspec import Struct

from levada.landscape.naming import Names
from levada.landscape.report._groups import Group, Groups, gathered, groups_of
from levada.landscape.report._packing import Placed, packed
from levada.landscape.report._svg import fitted, text_width, titled
from levada.landscape.words import many
from levada.network.graph import Network

__all__ = ["ClusterMap", "cluster_map"]

WIDTH, HEIGHT, MARGIN = 1100.0, 720.0, 14.0
MOST_CLUSTERS = 36
MOST_NODES = 160
"""Up to so many systems each has its place; beyond, domains stand for their systems."""
MOST_BUNDLES = 60
"""Where clusters stand alone: the strongest ties between them that are drawn."""
MOST_ALSO = 12
"""Names of groups within one that its circle tells to the pointer."""
LETTER, HEAD = 11.0, 13.0
"""Sizes of the names of systems and of domains."""
LONGEST = ((230.0, 0.45), (170.0, 0.25), (110.0, 0.0))
"""Widths at which names of domains are cut, each if that much of the picture's room can be filled with it."""
NAMES = (150.0, 84.0)
"""Widths that are tried for the name of a system; a longer one is cut."""

Spot = tuple[float, float]
Box = tuple[float, float, float, float]


class ClusterMap(Struct, frozen=True):
    """The picture, and sentences on what it does not show."""

    picture: str
    notes: tuple[str, ...]
    systems: bool
    """Each system has its place; otherwise domains stand for them."""


def cluster_map(network: Network, tax: Mapping[str | None, float], index: Mapping[str, int]) -> ClusterMap:
    """Systems by domain (or owner); those without one by what they exchange with.

    Args:
        network: The landscape.
        tax: Hours a month by id of system; a system without an entry ends no flow.
        index: The number under which the page's script knows a system.
    """
    names = Names(network)
    found = groups_of(network, names)
    few = len(network.nodes) <= MOST_NODES
    shown, notes = _shown(found.groups, network)
    titles, places = _placed(shown)
    top = min((p.name[1] for p in places), default=0.0)
    for place in places:
        place.x, place.y = place.x + MARGIN, place.y + MARGIN - top
    drawn = _Drawn(network, names, found, tax, index, shown, places, titles)
    picture = drawn.systems() if few else drawn.domains()
    if drawn.unnamed:
        is_, it = ("is", "it") if drawn.unnamed == 1 else ("are", "they")
        notes.append(
            f"{many(drawn.unnamed, 'name')} {is_} left out where {it} would cover others: point at the system."
        )
    return ClusterMap(picture, (*_asking(network, names, found, few=few), *notes), few)


def _placed(groups: Sequence[Group]) -> tuple[list[str], list[Placed]]:
    """Names and circles; where long names leave the circles little room, they are cut shorter."""
    sizes = [math.sqrt(len(g.members)) + 0.4 for g in groups]
    for width, least in LONGEST:
        titles = [
            fitted(g.name, HEAD, width - text_width(g.more, HEAD, bold=True), bold=True) + g.more
            for g in groups
        ]
        names = [text_width(t, HEAD, bold=True) + 4 for t in titles]
        places = packed(sizes, names, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN, least=least)
        if places is not None:
            return titles, places
    raise AssertionError("the last width asks for no room")


def _shown(groups: Sequence[Group], network: Network) -> tuple[list[Group], list[str]]:
    """The groups that are drawn; of too many, the smaller ones stand with larger ones."""
    if len(groups) <= MOST_CLUSTERS:
        return list(groups), []
    kind = "domains" if all(g.stated for g in groups) else "groups"
    return gathered(groups, network, MOST_CLUSTERS), [
        f"Of {len(groups):,} {kind} the smaller ones stand with the one that they exchange most with (+ and their number): point at a circle for their names."
    ]


def _asking(network: Network, names: Names, found: Groups, *, few: bool) -> list[str]:
    """That domains are missing, where their systems were put, and what to ask."""
    unstated = found.unstated
    if not unstated:
        return []
    count, every = len(unstated), len(network.nodes)
    guests, alone = len(found.guests), len(found.alone)
    one, several = ("stands as a ring", "stand as rings") if few else ("counts", "count")
    where = [
        (guests, f"{one} in the domain that it exchanges most with", f"{several} in the domains that they exchange most with"),
        (count - guests - alone, "", "stand in dashed circles, by what they exchange with each other"),
        (alone, "has no flow either and is not drawn", "have no flow either and are not drawn"),
    ]  # fmt: skip
    told = [f"{n:,} {several if n > 1 else one}" for n, one, several in where if n]
    if len(told) == 1:
        told = [f"{'it' if count == 1 else 'they'} {told[0].partition(' ')[2]}"]
    users = Counter(provider for _, provider in network.pairs())
    first = names.systems(sorted(unstated, key=lambda i: (-users[i], i))[:3])
    whose = "it" if count == 1 else "them"
    return [
        f"Nobody said the domain or owner of {count:,} of {many(every, 'system')}: {'; '.join(told)}.",
        f"Ask which domain answers for {whose}, beginning with {', '.join(first)}; it is told in the column domain of systems.csv.",
    ]


class _Drawn:
    """One picture in the making."""

    def __init__(
        self,
        network: Network,
        names: Names,
        found: Groups,
        tax: Mapping[str | None, float],
        index: Mapping[str, int],
        groups: Sequence[Group],
        places: Sequence[Placed],
        titles: Sequence[str],
    ) -> None:
        self.network, self.names, self.found, self.tax, self.index = network, names, found, tax, index
        self.groups, self.places, self.titles = groups, places, titles
        self.unnamed = 0
        self.height = max((p.y + p.radius for p in places), default=0.0) + MARGIN + 6

    def systems(self) -> str:
        """Each system at its place."""
        out = [_open("Systems by domain and what flows between them", "group", self.height)]
        out += [self._circle(g, p) for g, p in zip(self.groups, self.places, strict=True)]
        spot = self._spots()
        for c, p in sorted(self.network.pairs()):
            if c in spot and p in spot:
                out.append(
                    f'<path class="edge" stroke-width="0.9" data-c="{self.index[c]}" data-p="{self.index[p]}" d="{self._bow(spot[c], spot[p])}"/>'
                )
        tax = self.tax
        dearest = max(tax.values(), default=0.0) or 1.0
        size = {i: 3.5 + 9 * math.sqrt(tax.get(i, 0.0) / dearest) for i in spot}
        for i, (x, y) in spot.items():
            known = f"{tax[i]:,.0f} hours a month" if i in tax else "no flow ends here"
            told = f"{self.names.system(i)}: {known}" + (", domain unknown" if i in self.found.guests else "")
            ring = " ring" if i in self.found.guests else ""
            out.append(
                f'<circle class="node{ring}" data-s="{self.index[i]}" tabindex="0" role="button" aria-label="{escape(told)}" '
                f'style="--heat:{tax.get(i, 0.0) / dearest * 100:.0f}%" cx="{x:.0f}" cy="{y:.0f}" r="{size[i]:.1f}">{titled(told)}</circle>'
            )
        rank = sorted(spot, key=lambda i: (-tax.get(i, 0.0), i))
        out += self._labels(rank, spot, size)
        return "".join((*out, *self._heads())) + "</svg>"

    def domains(self) -> str:
        """Domains in place of their systems, and the strongest ties between them."""
        home = {i: n for n, g in enumerate(self.groups) for i in g.members}
        ends = ((home.get(c, -1), home.get(p, -1)) for c, p in self.network.pairs())
        bundles = Counter((a, b) for a, b in ends if -1 not in (a, b) and a != b)
        most = max(bundles.values(), default=1)
        hours = [sum(self.tax.get(i, 0.0) for i in g.members) for g in self.groups]
        dearest = max(hours, default=0.0) or 1.0
        out = [_open("Domains and what flows between them", "img", self.height)]
        for (a, b), count in sorted(bundles.most_common(MOST_BUNDLES)):
            one, two = self.groups[a], self.groups[b]
            text = f"{one.name}{one.more} uses {two.name}{two.more} over {many(count, 'pair')} of systems"
            p, q = self.places[a], self.places[b]
            out.append(
                f'<path class="edge" d="{self._bow((p.x, p.y), (q.x, q.y))}" stroke-width="{0.8 + 7 * count / most:.1f}">{titled(text)}</path>'
            )
        for g, p, cost in zip(self.groups, self.places, hours, strict=True):
            heat = f' style="--heat:{cost / dearest * 100:.0f}%"'
            out.append(f'<circle class="ground" cx="{p.x:.0f}" cy="{p.y:.0f}" r="{p.radius:.0f}"/>')
            out.append(self._circle(g, p, f": {cost:,.0f} hours a month", heat))
            text = _size(g)
            if text_width(text, LETTER) > 2 * p.radius - 8:
                text = f"{len(g.members):,}"
            out.append(
                f'<text class="small" x="{p.x:.0f}" y="{p.y + 4:.0f}" text-anchor="middle">{text}</text>'
            )
        return "".join((*out, *self._heads())) + "</svg>"

    def _circle(self, group: Group, place: Placed, more: str = "", style: str = "") -> str:
        kind = "cluster" if group.stated else "cluster guessed"
        told = f"{group.name}{group.more}, {_size(group)}{more}"
        if group.also:
            rest = len(group.also) - MOST_ALSO
            told += f". With {', '.join(group.also[:MOST_ALSO])}{f' and {rest} more' if rest > 0 else ''}"
        at = f'cx="{place.x:.0f}" cy="{place.y:.0f}" r="{place.radius:.0f}"'
        return f'<circle class="{kind}"{style} {at}>{titled(told)}</circle>'

    def _bow(self, a: Spot, b: Spot) -> str:
        """A line bent towards the middle of the picture, so that lines of one direction run together."""
        mx = (a[0] + b[0]) / 2 * 0.72 + WIDTH / 2 * 0.28
        my = (a[1] + b[1]) / 2 * 0.72 + self.height / 2 * 0.28
        return f"M{a[0]:.0f} {a[1]:.0f}Q{mx:.0f} {my:.0f} {b[0]:.0f} {b[1]:.0f}"

    def _heads(self) -> list[str]:
        """The names of the groups, above everything; a cut one is told in full to the pointer."""
        return [
            f'<text class="domain{"" if g.stated else " guessed"}" x="{p.x:.0f}" y="{p.y - p.radius - 7:.0f}" text-anchor="middle">'
            f"{titled(g.name + g.more) if t != g.name + g.more else ''}{escape(t)}</text>"
            for g, p, t in zip(self.groups, self.places, self.titles, strict=True)
        ]

    def _spots(self) -> dict[str, Spot]:
        """Members in a sunflower about their centre (H. Vogel, Math. Biosci. 44, 1979)."""
        out: dict[str, Spot] = {}
        for group, place in zip(self.groups, self.places, strict=True):
            count = len(group.members)
            for n, i in enumerate(group.members):
                far = (place.radius - 10) * math.sqrt((n + 0.5) / count) if count > 1 else 0.0
                out[i] = place.x + far * math.cos(2.39996 * n), place.y + far * math.sin(2.39996 * n)
        return out

    def _labels(self, rank: Sequence[str], spot: Mapping[str, Spot], size: Mapping[str, float]) -> list[str]:
        """Names beside their systems, the dearest first; one that would cover another is left to the pointer."""
        taken: list[Box] = [
            (x - size[i], y - size[i], x + size[i], y + size[i]) for i, (x, y) in spot.items()
        ]
        taken += [p.name for p in self.places]
        out: list[str] = []
        for i in rank:
            label = self._label(i, spot[i], size[i] + 3, taken)
            if label is None:
                self.unnamed += 1
            else:
                out.append(label)
        return out

    def _label(self, i: str, at: Spot, away: float, taken: list[Box]) -> str | None:
        name = self.names.system(i)
        for text in dict.fromkeys(fitted(name, LETTER, width) for width in NAMES):
            for box, x, y, anchor in _sides(at, away, text_width(text, LETTER)):
                if _free(box, taken):
                    taken.append(box)
                    return (
                        f'<text class="label" data-l="{self.index[i]}" x="{x:.0f}" y="{y:.0f}" '
                        f'text-anchor="{anchor}">{escape(text)}</text>'
                    )
        return None


def _size(group: Group) -> str:
    return many(len(group.members), "system")


def _open(label: str, role: str, height: float) -> str:
    return f'<svg class="clusters" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="{role}" aria-label="{escape(label)}">'


def _sides(at: Spot, away: float, width: float) -> list[tuple[Box, float, float, str]]:
    """Where a name may stand: right, left, below, above. A letter reaches 11 above and 3 below its line."""
    x, y = at
    return [
        ((x + away, y - 8, x + away + width, y + 8), x + away, y + 4, "start"),
        ((x - away - width, y - 8, x - away, y + 8), x - away, y + 4, "end"),
        ((x - width / 2, y + away - 1, x + width / 2, y + away + 14), x, y + away + 10, "middle"),
        ((x - width / 2, y - away - 13, x + width / 2, y - away + 1), x, y - away - 2, "middle"),
    ]


def _free(box: Box, taken: Sequence[Box]) -> bool:
    a, b, c, d = box
    inside = a > 2 and c < WIDTH - 2
    return inside and not any(a < z and c > x and b < w and d > y for x, y, z, w in taken)
