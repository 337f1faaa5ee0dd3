"""Who stands together in the map: by domain where one is stated, else by what exchanges most with each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from levada.landscape.naming import Names
from levada.network.graph import Network

__all__ = ["Group", "Groups", "gathered", "groups_of"]

Ties = Mapping[str, Mapping[str, int]]


class Group(Struct, frozen=True):
    """Systems that stand together; ``stated``: by a domain or owner that somebody said."""

    name: str
    members: tuple[str, ...]
    stated: bool
    also: tuple[str, ...] = ()
    """Names of smaller groups that stand with it."""

    @property
    def more(self) -> str:
        """What stands behind its name: `` +3``, where others stand with it."""
        return f" +{len(self.also)}" if self.also else ""


class Groups(Struct, frozen=True, kw_only=True):
    """All groups, the largest first; of systems without a domain, where they were put."""

    groups: tuple[Group, ...]
    guests: frozenset[str]
    """Without a domain: they stand in the one that they exchange most with."""
    alone: tuple[str, ...]
    """Without a domain and without any flow: they stand nowhere."""

    @property
    def unstated(self) -> set[str]:
        """All systems whose domain nobody said."""
        return {
            *self.guests,
            *self.alone,
            *(i for group in self.groups if not group.stated for i in group.members),
        }


def groups_of(network: Network, names: Names) -> Groups:
    """Each system once; the same for the same network.

    A system without a domain goes to the domain that most of its neighbours have. Where most of them have
    none either, they form groups by V. Blondel et al., "Fast unfolding of communities in large networks",
    J. Stat. Mech. P10008, 2008, called after the system that most others use.
    """
    home = {i: str(n.domain or n.owner) for i, n in network.nodes.items() if n.domain or n.owner}
    ties = _ties(network)
    guests: dict[str, str] = {}
    open_: list[str] = []
    for i in sorted(network.nodes.keys() - home.keys()):
        near = Counter[str]()
        for other, count in ties[i].items():
            near[home.get(other, "")] += count
        best = max(near, key=lambda d: (near[d], d != "", d), default="")
        if best:
            guests[i] = best
        else:
            open_.append(i)
    free: list[tuple[str, ...]] = []
    alone: list[str] = []
    for members in _communities(open_, ties):
        if len(members) > 1:
            free.append(members)
            continue
        one = next(iter(members))
        near = Counter(d for o in ties[one] if (d := home.get(o) or guests.get(o)))
        if near:
            guests[one] = min(near, key=lambda d: (-near[d], d))
        else:
            alone.append(one)
    stated: dict[str, list[str]] = defaultdict(list)
    for i, domain in (*home.items(), *guests.items()):
        stated[domain].append(i)
    users = Counter(provider for _, provider in network.pairs())
    out = [Group(d, tuple(sorted(members)), stated=True) for d, members in stated.items()]
    for members in free:
        middle = min(members, key=lambda i: (-users[i], i))
        out.append(Group(f"around {names.system(middle)}", members, stated=False))
    out.sort(key=lambda g: (-len(g.members), g.name))
    return Groups(groups=tuple(out), guests=frozenset(guests), alone=tuple(alone))


def gathered(groups: Sequence[Group], network: Network, most: int) -> list[Group]:
    """So many groups at the most, the largest first: the smallest joins the one that it exchanges most with, for its size."""
    home = {i: n for n, g in enumerate(groups) for i in g.members}
    near: list[Counter[int]] = [Counter() for _ in groups]
    for (a, b), flows in network.pairs().items():
        one, two = home.get(a, -1), home.get(b, -1)
        if one != two and -1 not in (one, two):
            near[one][two] += len(flows)
            near[two][one] += len(flows)
    held = dict(enumerate(groups))
    while len(held) > most:
        small = min(held, key=lambda n: (len(held[n].members), -n))
        ties = near[small]
        into = min((n for n in held if n != small), key=lambda n: (-ties[n] / len(held[n].members), n))
        first, other = sorted((held.pop(small), held[into]), key=lambda g: (-len(g.members), g.name))
        held[into] = Group(
            first.name, (*first.members, *other.members), first.stated and other.stated, (*first.also, other.name, *other.also)
        )  # fmt: skip
        for n, count in ties.items():
            near[n].pop(small, None)
            if n != into:
                near[n][into] += count
                near[into][n] += count
    return sorted(
        (structs.replace(g, members=tuple(sorted(g.members))) for g in held.values()),
        key=lambda g: (-len(g.members), g.name),
    )


def _ties(network: Network) -> dict[str, dict[str, int]]:
    """Who exchanges with whom, in either direction, by how many flows."""
    out: dict[str, dict[str, int]] = {i: {} for i in network.nodes}
    for (a, b), flows in network.pairs().items():
        if a != b:
            out[a][b] = out[a].get(b, 0) + len(flows)
            out[b][a] = out[b].get(a, 0) + len(flows)
    return out


def _communities(nodes: Sequence[str], ties: Ties) -> list[tuple[str, ...]]:
    """Groups that exchange more within than by chance; joined level by level until nothing gains."""
    held = set(nodes)
    members: dict[str, list[str]] = {i: [i] for i in nodes}
    weights: dict[str, dict[str, int]] = {i: {o: w for o, w in ties[i].items() if o in held} for i in nodes}
    inner: dict[str, int] = dict.fromkeys(nodes, 0)
    while True:
        label = _moved(weights, inner)
        if all(i == g for i, g in label.items()):
            return sorted(tuple(sorted(m)) for m in members.values())
        joined: dict[str, list[str]] = defaultdict(list)
        heavier: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        within: dict[str, int] = defaultdict(int)
        for i, g in label.items():
            joined[g] += members[i]
            within[g] += inner[i]
            for o, w in weights[i].items():
                if label[o] == g:
                    within[g] += w
                else:
                    heavier[g][label[o]] += w
        members = dict(joined)
        weights = {g: dict(heavier[g]) for g in joined}
        inner = {g: within[g] for g in joined}


def _moved(weights: Ties, inner: Mapping[str, int]) -> dict[str, str]:
    """Each to the neighbouring group with which modularity gains most, until none moves."""
    degree = {i: sum(near.values()) + inner[i] for i, near in weights.items()}
    total = sum(degree.values()) or 1
    label = {i: i for i in weights}
    mass: dict[str, float] = dict(degree)
    order = sorted(weights, key=lambda i: (-degree[i], i))
    moving = True
    while moving:
        moving = False
        for i in order:
            own = label[i]
            mass[own] -= degree[i]
            near = Counter({own: 0})
            for o, w in weights[i].items():
                near[label[o]] += w
            best, gain = own, near[own] - degree[i] * mass[own] / total
            for g in sorted(near):
                more = near[g] - degree[i] * mass[g] / total
                if more > gain + 1e-9:
                    best, gain = g, more
            label[i] = best
            mass[best] += degree[i]
            moving = moving or best != own
    return label
