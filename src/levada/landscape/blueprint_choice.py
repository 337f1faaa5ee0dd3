"""Which candidates to open: facility location with requirements, solved exactly.

Each flow stays direct or takes one option; an option's candidate must be open, and so must
all that this one needs (a composed API needs its connections, a connection the API behind
it). The least total cost is found with HiGHS (Q. Huangfu, J. Hall, "Parallelizing the dual
revised simplex method", Math. Prog. Comp. 10, 2018) after what can be decided by comparison
has been: candidates that cannot pay even if they got every flow, and groups with one
candidate only. Where time is short, the best found stands with the bound that is proven.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

__all__ = ["Candidate", "Choice", "Option", "Question", "chains", "choose", "cost_of"]


class Option(Struct, frozen=True):
    """A way for one flow: over the candidate ``via`` and all that it needs."""

    via: int
    cost: float


class Question(Struct, frozen=True):
    """One flow: what staying direct costs, its options, its load (0 where unknown)."""

    direct: float
    options: tuple[Option, ...]
    load: float = 0.0


class Candidate(Struct, frozen=True):
    """Something to open: its cost, the most load it takes, and what must be open with it (without circles)."""

    cost: float
    capacity: float = float("inf")
    needs: tuple[int, ...] = ()


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


def chains(candidates: Sequence[Candidate]) -> list[tuple[int, ...]]:
    """For each candidate: itself and all that it needs, directly or not."""
    done: dict[int, tuple[int, ...]] = {}

    def chain(j: int) -> tuple[int, ...]:
        if j not in done:
            found = {j: None}
            for n in candidates[j].needs:
                found |= dict.fromkeys(chain(n))
            done[j] = tuple(found)
        return done[j]

    return [chain(j) for j in range(len(candidates))]


def opened(
    flows: Sequence[Question], chain: Sequence[tuple[int, ...]], options: Sequence[int | None]
) -> set[int]:
    """What has to be open for these options."""
    vias = {f.options[k].via for f, k in zip(flows, options, strict=True) if k is not None}
    return {j for via in vias for j in chain[via]}


def cost_of(
    flows: Sequence[Question], candidates: Sequence[Candidate], options: Sequence[int | None]
) -> float:
    """What a choice costs, counted afresh."""
    taken = sum(f.direct if k is None else f.options[k].cost for f, k in zip(flows, options, strict=True))
    return taken + sum(candidates[j].cost for j in opened(flows, chains(candidates), options))


def choose(flows: Sequence[Question], candidates: Sequence[Candidate], *, seconds: float = 60.0) -> Choice:
    """The cheapest choice; with the gap that remains if ``seconds`` are not enough."""
    until = time.monotonic() + seconds
    chain = chains(candidates)
    useful = _useful(flows, candidates, chain)
    live: dict[int, list[int]] = {}
    for i, flow in enumerate(flows):
        kept = [
            k for k, o in enumerate(flow.options) if o.cost < flow.direct and useful.issuperset(chain[o.via])
        ]
        if kept:
            live[i] = kept
    options: list[int | None] = [None] * len(flows)
    bound = sum(f.direct for i, f in enumerate(flows) if i not in live)
    hard: list[tuple[list[int], list[int]]] = []
    for members, used in _components(flows, live, chain):
        load = sum(flows[i].load for i in members)
        one_way = len({flows[i].options[k].via for i in members for k in live[i]}) == 1
        if one_way and all(load <= candidates[j].capacity for j in used):
            bound += _compared(flows, candidates, used, members, live, options)
        else:
            hard.append((members, used))
    for n, (members, used) in enumerate(sorted(hard, key=lambda h: len(h[0]))):
        from levada.landscape._blueprint_highs import solve

        share = max(1.0, (until - time.monotonic()) / (len(hard) - n))
        bound += solve(flows, candidates, chain, members, used, live, options, share)
    cost = cost_of(flows, candidates, options)
    return Choice(tuple(options), frozenset(opened(flows, chain, options)), cost, min(cost, bound))


def _useful(
    flows: Sequence[Question], candidates: Sequence[Candidate], chain: Sequence[tuple[int, ...]]
) -> set[int]:
    """Candidates that could pay: what they may save at most is more than they cost. Repeated until none falls."""
    useful = set(range(len(candidates)))
    while True:
        most: dict[int, float] = defaultdict(float)
        for flow in flows:
            best: dict[int, float] = {}
            for o in flow.options:
                saved = flow.direct - o.cost
                if saved > 0 and useful.issuperset(chain[o.via]):
                    for j in chain[o.via]:
                        best[j] = max(best.get(j, 0.0), saved)
            for j, saved in best.items():
                most[j] += saved
        kept = {j for j in useful if most[j] > candidates[j].cost}
        if kept == useful:
            return useful
        useful = kept


def _components(
    flows: Sequence[Question], live: dict[int, list[int]], chain: Sequence[tuple[int, ...]]
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
        ends = [e for k in kept for e in chain[flows[i].options[k].via]]
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
    candidates: Sequence[Candidate],
    used: Sequence[int],
    members: Sequence[int],
    live: dict[int, list[int]],
    options: list[int | None],
) -> float:
    """Decide a group with one way; returns its cost, which is also its bound."""
    best = {i: min(live[i], key=lambda k: flows[i].options[k].cost) for i in members}
    direct = sum(flows[i].direct for i in members)
    over = sum(candidates[j].cost for j in used) + sum(flows[i].options[k].cost for i, k in best.items())
    if over >= direct:
        return direct
    for i, k in best.items():
        options[i] = k
    return over
