"""A good choice and a proven bound without a solver: dual ascent, then local search.

Dual ascent (D. Erlenkotter, "A dual-based procedure for uncapacitated facility location",
Operations Research 26(6), 1978), carried over to candidates that need others: a flow that pays for
an option may draw on the cost of any candidate of its chain. What it has paid up is opened,
and candidates are closed and opened as long as that saves.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levada.landscape.blueprint_choice import Candidate, Question

__all__ = ["search"]

TINY = 1e-9


def search(
    flows: Sequence[Question],
    candidates: Sequence[Candidate],
    chain: Sequence[tuple[int, ...]],
    members: Sequence[int],
    live: dict[int, list[int]],
    seconds: float,
) -> tuple[dict[int, int], float]:
    """Option by flow (one that is missing stays direct), and a lower bound of what the members cost."""
    until = time.monotonic() + seconds
    bound, slack = _ascend(flows, candidates, chain, members, live, until)
    local = _Local(flows, candidates, chain, members, live)
    for via in {flows[i].options[k].via for i in members for k in live[i]}:
        if sum(slack[j] for j in chain[via]) <= TINY:
            local.open |= set(chain[via])
    local.improve(until)
    return local.options(), bound


def _ascend(
    flows: Sequence[Question],
    candidates: Sequence[Candidate],
    chain: Sequence[tuple[int, ...]],
    members: Sequence[int],
    live: dict[int, list[int]],
    until: float,
) -> tuple[float, dict[int, float]]:
    """Raise what each flow is ready to pay, level by level, until candidates are paid up; its sum is the bound."""
    slack = {j: candidates[j].cost for i in members for k in live[i] for j in chain[flows[i].options[k].via]}
    ways = {i: sorted((flows[i].options[k].cost, flows[i].options[k].via) for k in live[i]) for i in members}
    pays = {i: ways[i][0][0] for i in members}
    rising = sorted(members, key=lambda i: (len(ways[i]), i))
    while rising and time.monotonic() < until:
        rising = [i for i in rising if _raise(flows[i].direct, ways[i], pays, i, slack, chain)]
    return sum(pays.values()), slack


def _raise(
    direct: float,
    ways: Sequence[tuple[float, int]],
    pays: dict[int, float],
    i: int,
    slack: dict[int, float],
    chain: Sequence[tuple[int, ...]],
) -> bool:
    """Raise one flow to its next level, as far as every option that it pays for has something to draw on."""
    now = pays[i]
    level = min([c for c, _ in ways if c > now + TINY] + [direct])
    active = [chain[via] for c, via in ways if c <= now + TINY]
    seen = [j for c in active for j in c]
    share = len(active) if len(seen) > len(set(seen)) else 1
    step = min(level - now, *(sum(slack[j] for j in c) / share for c in active))
    if step <= TINY:
        return False
    for c in active:
        left = step
        for j in c:
            drawn = min(left, slack[j])
            slack[j] -= drawn
            left -= drawn
    pays[i] = now + step
    return pays[i] < direct - TINY


class _Local:
    """What is open, and each flow on its cheapest way over it."""

    def __init__(
        self,
        flows: Sequence[Question],
        candidates: Sequence[Candidate],
        chain: Sequence[tuple[int, ...]],
        members: Sequence[int],
        live: dict[int, list[int]],
    ) -> None:
        self.flows, self.candidates, self.chain = flows, candidates, chain
        self.members, self.live = members, live
        self.open: set[int] = set()
        self.over: dict[int, set[int]] = defaultdict(set)
        """Flows with a way whose chain has the candidate."""
        self.above: dict[int, set[int]] = defaultdict(set)
        """Candidates whose chain has it."""
        for i in members:
            for k in live[i]:
                via = flows[i].options[k].via
                for j in chain[via]:
                    self.over[j].add(i)
                    self.above[j] |= {n for n in chain[via] if j in chain[n]}

    def improve(self, until: float) -> None:
        """Close and open until neither saves, or time is up."""
        self.cost = {i: self._cheapest(i, self.open) for i in self.members}
        moved = True
        while moved and time.monotonic() < until:
            moved = False
            for j in sorted(self.over, key=lambda j: -self.candidates[j].cost):
                if time.monotonic() >= until:
                    return
                after = self.open - self.above[j] if j in self.open else self.open | set(self.chain[j])
                moved |= self._try(after)

    def _try(self, after: set[int]) -> bool:
        changed = after ^ self.open
        flows = {i for j in changed for i in self.over[j]}
        costs = {i: self._cheapest(i, after) for i in flows}
        price = sum(self.candidates[j].cost for j in after - self.open)
        price -= sum(self.candidates[j].cost for j in self.open - after)
        if price + sum(costs[i] - self.cost[i] for i in flows) >= -TINY:
            return False
        self.open = after
        self.cost |= costs
        return True

    def _cheapest(self, i: int, opened: set[int]) -> float:
        flow = self.flows[i]
        held = [flow.options[k] for k in self.live[i]]
        return min([o.cost for o in held if opened.issuperset(self.chain[o.via])], default=flow.direct)

    def options(self) -> dict[int, int]:
        """The cheapest way of each flow, those that save most first as long as capacities last."""
        left = {j: self.candidates[j].capacity for j in self.open}
        out: dict[int, int] = {}
        for i in sorted(self.members, key=lambda i: self.cost[i] - self.flows[i].direct):
            flow = self.flows[i]
            for k in sorted(self.live[i], key=lambda k: flow.options[k].cost):
                chain = self.chain[flow.options[k].via]
                if all(left.get(j, -1.0) >= flow.load for j in chain):
                    for j in chain:
                        left[j] -= flow.load
                    out[i] = k
                    break
        return out
