"""Which candidates to open: facility location with requirements, solved exactly.

Each flow stays direct or takes one option; an option needs its candidate open, and may
need another one behind it. The least total cost is found with HiGHS (Q. Huangfu,
J. Hall, "Parallelizing the dual revised simplex method", Math. Prog. Comp. 10, 2018)
after what can be decided by comparison has been: candidates that cannot pay even if they
got every flow, and groups with one candidate only.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

__all__ = ["Candidate", "Choice", "Option", "Question", "choose", "cost_of"]


class Option(Struct, frozen=True):
    """A way for one flow: over ``via``, behind which ``needs`` must be open too (or is None)."""

    via: int
    cost: float
    needs: int | None = None


class Question(Struct, frozen=True):
    """One flow: what staying direct costs, its options, its load (0 where unknown)."""

    direct: float
    options: tuple[Option, ...]
    load: float = 0.0


class Candidate(Struct, frozen=True):
    """Something to open: its cost, and the most load it takes."""

    cost: float
    capacity: float = float("inf")


class Choice(Struct, frozen=True):
    """The answer: the option of each flow (None: direct), what is open, cost and proven bound."""

    options: tuple[int | None, ...]
    open: frozenset[int]
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """How far the cost may be from the least one, as a share of the cost; 0 is proven."""
        return max(0.0, (self.cost - self.bound) / self.cost) if self.cost else 0.0


def cost_of(
    flows: Sequence[Question], candidates: Sequence[Candidate], options: Sequence[int | None]
) -> float:
    """What a choice costs, counted afresh."""
    opened: set[int] = set()
    total = 0.0
    for flow, chosen in zip(flows, options, strict=True):
        if chosen is None:
            total += flow.direct
            continue
        option = flow.options[chosen]
        total += option.cost
        opened.add(option.via)
        if option.needs is not None:
            opened.add(option.needs)
    return total + sum(candidates[j].cost for j in opened)


def choose(flows: Sequence[Question], candidates: Sequence[Candidate], *, seconds: float = 60.0) -> Choice:
    """The cheapest choice; with the gap that remains if ``seconds`` are not enough."""
    until = time.monotonic() + seconds
    useful = _useful(flows, candidates)
    live: dict[int, list[int]] = {}
    for i, flow in enumerate(flows):
        kept = [
            k for k, o in enumerate(flow.options)
            if o.cost < flow.direct and o.via in useful and (o.needs is None or o.needs in useful)
        ]  # fmt: skip
        if kept:
            live[i] = kept
    options: list[int | None] = [None] * len(flows)
    bound = sum(f.direct for i, f in enumerate(flows) if i not in live)
    hard: list[tuple[list[int], list[int]]] = []
    for members, used in _components(flows, live):
        load = sum(flows[i].load for i in members)
        if len(used) == 1 and load <= candidates[used[0]].capacity:
            bound += _compared(flows, candidates[used[0]], members, live, options)
        else:
            hard.append((members, used))
    for n, (members, used) in enumerate(sorted(hard, key=lambda h: len(h[0]))):
        from levada.landscape._blueprint_highs import solve

        share = max(1.0, (until - time.monotonic()) / (len(hard) - n))
        bound += solve(flows, candidates, members, used, live, options, share)
    opened: set[int] = set()
    for flow, chosen in zip(flows, options, strict=True):
        if chosen is not None:
            option = flow.options[chosen]
            opened |= {option.via} if option.needs is None else {option.via, option.needs}
    cost = cost_of(flows, candidates, options)
    return Choice(tuple(options), frozenset(opened), cost, min(cost, bound))


def _useful(flows: Sequence[Question], candidates: Sequence[Candidate]) -> set[int]:
    """Candidates that could pay: what they may save at most is more than they cost. Repeated until none falls."""
    useful = set(range(len(candidates)))
    while True:
        most: dict[int, float] = defaultdict(float)
        for flow in flows:
            best: dict[int, float] = {}
            for o in flow.options:
                if o.via in useful and (o.needs is None or o.needs in useful):
                    saved = flow.direct - o.cost
                    for j in (o.via,) if o.needs is None else (o.via, o.needs):
                        best[j] = max(best.get(j, 0.0), saved)
            for j, saved in best.items():
                most[j] += saved
        kept = {j for j in useful if most[j] > candidates[j].cost}
        if kept == useful:
            return useful
        useful = kept


def _components(
    flows: Sequence[Question], live: dict[int, list[int]]
) -> Iterable[tuple[list[int], list[int]]]:
    """Flows and candidates that have to be decided together."""
    parent: dict[int, int] = {}

    def find(j: int) -> int:
        parent.setdefault(j, j)
        while parent[j] != j:
            parent[j] = parent[parent[j]]
            j = parent[j]
        return j

    first: dict[int, int] = {}
    for i, kept in live.items():
        ends = [
            e for k in kept for e in (flows[i].options[k].via, flows[i].options[k].needs) if e is not None
        ]
        first[i] = ends[0]
        for end in ends:
            parent[find(end)] = find(ends[0])
    members: dict[int, list[int]] = defaultdict(list)
    used: dict[int, list[int]] = defaultdict(list)
    for i, end in first.items():
        members[find(end)].append(i)
    for j in list(parent):
        used[find(j)].append(j)
    return [(members[root], used[root]) for root in members]


def _compared(
    flows: Sequence[Question],
    candidate: Candidate,
    members: Sequence[int],
    live: dict[int, list[int]],
    options: list[int | None],
) -> float:
    """Decide a group with one candidate; returns its cost, which is also its bound."""
    best = {i: min(live[i], key=lambda k: flows[i].options[k].cost) for i in members}
    direct = sum(flows[i].direct for i in members)
    over = candidate.cost + sum(flows[i].options[k].cost for i, k in best.items())
    if over >= direct:
        return direct
    for i, k in best.items():
        options[i] = k
    return over
