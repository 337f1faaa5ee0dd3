"""The structure of a landscape: who depends on whom, directly and through others.

The design structure matrix has a row for each system and a mark where it uses another.
Its transitive closure, each system reaching itself, is the visibility matrix; its density
is the *propagation cost*: the share of all systems that a change of one may reach, on
average. Method: A. MacCormack, J. Rusnak, C. Baldwin, "Exploring the Structure of Complex
Software Designs", Management Science 52(7), 2006. Architecture and roles follow C. Baldwin,
A. MacCormack, J. Rusnak, "Hidden Structure: Using Network Methods to Map System
Architecture", Research Policy 43(8), 2014: where one cyclic group stands out it is the core,
and the others are compared with it; where none does, each is compared with the medians.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.network.graph import Network

__all__ = ["Architecture", "Place", "Role", "Structure", "structure", "structure_of"]

Architecture: TypeAlias = Literal["core-periphery", "multi-core", "hierarchical"]
"""Whether one cyclic group stands out, several do, or none is large enough to matter."""
Role: TypeAlias = Literal["core", "central", "shared", "control", "peripheral"]
"""``core``: of the core. Of the others, who is reached by many and reaches many is ``central``, who is only
reached by many ``shared``, who only reaches many ``control``, who neither ``peripheral``. Many is as many as
the core; without a core, as the median."""

CORE_SHARE = 0.04
"""Of all systems, at least: a smaller cyclic group is no core (the authors call up to 0.06 borderline)."""
CORE_LEAD = 1.5
"""Times the next cyclic group, at least: otherwise there are several cores."""


class Place(Struct, frozen=True):
    """Where one system stands in the structure; all counts are of systems, itself not counted."""

    fan_in: int
    """Systems that use it directly."""
    fan_out: int
    """Systems that it uses directly."""
    reached_by: int
    """Systems that a change of it may reach (visibility fan-in less itself)."""
    reaches: int
    """Systems whose change may reach it (visibility fan-out less itself)."""
    role: Role


class Structure(Struct, frozen=True, kw_only=True):
    """Measures of a whole landscape."""

    systems: int
    pairs: int
    density: float | None
    """Direct dependencies of those possible; None with fewer than two systems."""
    propagation_cost: float | None
    """Share (0 to 1) of systems that a change of one may reach, itself counted; None of no systems."""
    cyclicality: float | None
    """Share of systems that depend on themselves through others; None of no systems."""
    cycles: tuple[tuple[str, ...], ...]
    """Cyclic groups (strongly connected, two or more), the largest first, ids sorted."""
    architecture: Architecture
    core: tuple[str, ...]
    """The largest cyclic group of a core-periphery architecture; empty in others."""
    places: dict[str, Place]
    """By id of system."""
    order: tuple[str, ...]
    """The matrix's order: providers before their consumers, cyclic groups together."""


def structure(network: Network) -> Structure:
    """Measures of the network; parallel flows of one pair count once, and so do their ends."""
    return structure_of(network.nodes, {(f.consumer, f.provider) for f in network.flows.values()})


def structure_of(systems: Iterable[str], uses: Iterable[tuple[str, str]]) -> Structure:
    """Measures of a graph of (consumer, provider) pairs; a system's use of itself is no dependency.

    Takes time and memory in proportion to n * m / 64 at worst: reachability is kept as
    one bit a system.
    """
    names = list(dict.fromkeys(systems))
    number = {name: i for i, name in enumerate(names)}
    used: list[set[int]] = [set() for _ in names]
    for consumer, provider in uses:
        if consumer != provider:
            used[number[consumer]].add(number[provider])
    outward = [
        sorted(targets) for targets in used
    ]  # the same order of the matrix, in whatever order pairs come
    groups = _groups(outward)
    reach_counts, reached_counts = _visibility(outward, groups)
    fan_in = [0] * len(names)
    for targets in outward:
        for target in targets:
            fan_in[target] += 1
    cyclic = sorted(
        (tuple(sorted(names[i] for i in g)) for g in groups if len(g) > 1), key=lambda c: (-len(c), c)
    )
    architecture = _architecture(len(names), cyclic)
    core = cyclic[0] if architecture == "core-periphery" else ()
    roles = _roles(names, core, reached_counts, reach_counts)
    pairs = sum(map(len, outward))
    n = len(names)
    return Structure(
        systems=n,
        pairs=pairs,
        density=pairs / (n * (n - 1)) if n > 1 else None,
        propagation_cost=sum(reach_counts) / n**2 if n else None,
        cyclicality=sum(map(len, cyclic)) / n if n else None,
        cycles=tuple(cyclic),
        architecture=architecture,
        core=core,
        places={
            name: Place(fan_in[i], len(outward[i]), reached_counts[i] - 1, reach_counts[i] - 1, roles[i])
            for i, name in enumerate(names)
        },
        order=tuple(names[i] for g in groups for i in sorted(g, key=names.__getitem__)),
    )


def _groups(outward: Sequence[Iterable[int]]) -> list[list[int]]:
    """Strongly connected groups, those that are reached before those that reach them.

    Tarjan's algorithm (SIAM J. Comput. 1(2), 1972) with its own stack: a chain of
    thousands of systems is deeper than Python's.
    """
    index = [-1] * len(outward)
    low = [0] * len(outward)
    held = [False] * len(outward)
    stack: list[int] = []
    groups: list[list[int]] = []
    count = 0
    for root in range(len(outward)):
        if index[root] >= 0:
            continue
        index[root] = low[root] = count
        count += 1
        stack.append(root)
        held[root] = True
        work = [(root, iter(outward[root]))]
        while work:
            node, rest = work[-1]
            for target in rest:
                if index[target] < 0:
                    index[target] = low[target] = count
                    count += 1
                    stack.append(target)
                    held[target] = True
                    work.append((target, iter(outward[target])))
                    break
                if held[target]:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    groups.append(_pop(stack, held, node))
    return groups


def _pop(stack: list[int], held: list[bool], until: int) -> list[int]:
    group: list[int] = []
    while True:
        member = stack.pop()
        held[member] = False
        group.append(member)
        if member == until:
            return group


def _visibility(
    outward: Sequence[Iterable[int]], groups: Sequence[Sequence[int]]
) -> tuple[list[int], list[int]]:
    """How many each reaches, and how many reach each, itself counted."""
    n = len(outward)
    group_of = [0] * n
    for g, members in enumerate(groups):
        for i in members:
            group_of[i] = g
    after: list[set[int]] = [
        {group_of[t] for i in members for t in outward[i]} - {g} for g, members in enumerate(groups)
    ]
    before: list[set[int]] = [set() for _ in groups]
    for g, targets in enumerate(after):
        for t in targets:
            before[t].add(g)
    bits = [sum(1 << i for i in members) for members in groups]
    forward = _closed(range(len(groups)), after, bits)
    backward = _closed(range(len(groups) - 1, -1, -1), before, bits)
    return [forward[group_of[i]] for i in range(n)], [backward[group_of[i]] for i in range(n)]


def _closed(order: Iterable[int], to: Sequence[Iterable[int]], bits: Sequence[int]) -> dict[int, int]:
    """How many members each group reaches over ``to``; ``order`` has the reached ones first."""
    reach: dict[int, int] = {}
    for g in order:
        seen = bits[g]
        for t in to[g]:
            seen |= reach[t]
        reach[g] = seen
    return {g: seen.bit_count() for g, seen in reach.items()}


def _architecture(systems: int, cyclic: Sequence[Sequence[str]]) -> Architecture:
    """By the largest cyclic group: its share of all systems, and its lead before the next."""
    sizes = [*map(len, cyclic), 0, 0]
    if not cyclic or sizes[0] < CORE_SHARE * systems:
        return "hierarchical"
    return "core-periphery" if sizes[0] >= CORE_LEAD * sizes[1] else "multi-core"


def _roles(
    names: Sequence[str], core: Sequence[str], reached: Sequence[int], reach: Sequence[int]
) -> Mapping[int, Role]:
    """Roles by comparison with the core's visibility, or with the medians where there is no core."""
    within = set(core)
    if core:
        first = names.index(core[0])
        cut_in, cut_out = reached[first], reach[first]
    else:
        cut_in, cut_out = _cut(reached), _cut(reach)
    sides: dict[tuple[bool, bool], Role] = {
        (True, True): "central",
        (True, False): "shared",
        (False, True): "control",
        (False, False): "peripheral",
    }
    return {
        i: "core" if name in within else sides[reached[i] >= cut_in, reach[i] >= cut_out]
        for i, name in enumerate(names)
    }


def _cut(values: Sequence[int]) -> float:
    """The median, and at least one other system: where most are used by nobody, that makes nobody shared."""
    return max(median(values), 2) if values else 2
