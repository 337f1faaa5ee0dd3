"""The choice against enumeration of everything that could be opened and taken."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levada.landscape._blueprint_search import search
from levada.landscape.blueprint_choice import Candidate, Option, Question, chains, choose, cost_of

cost = st.integers(0, 12).map(float)


@st.composite
def instances(draw: st.DrawFn) -> tuple[list[Question], list[Candidate]]:
    n = draw(st.integers(1, 4))
    capacity = st.sampled_from([float("inf"), float("inf"), 2.0, 4.0])
    below = [draw(st.lists(st.integers(0, j - 1), unique=True, max_size=2)) if j else [] for j in range(n)]
    candidates = [Candidate(draw(cost), draw(capacity), tuple(b)) for b in below]
    flows: list[Question] = []
    for _ in range(draw(st.integers(1, 5))):
        vias = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=3))
        options = [Option(via, draw(cost)) for via in vias]
        flows.append(Question(draw(cost), tuple(options), float(draw(st.integers(0, 2)))))
    return flows, candidates


def within(flows: list[Question], candidates: list[Candidate], options: tuple[int | None, ...]) -> bool:
    load = [0.0] * len(candidates)
    for flow, chosen in zip(flows, options, strict=True):
        if chosen is not None:
            for j in chains(candidates)[flow.options[chosen].via]:
                load[j] += flow.load
    return all(held <= c.capacity for held, c in zip(load, candidates, strict=True))


@settings(max_examples=150, deadline=None)
@given(instances())
def test_none_is_cheaper_among_all(instance: tuple[list[Question], list[Candidate]]) -> None:
    flows, candidates = instance
    every = itertools.product(*[[None, *range(len(f.options))] for f in flows])
    least = min(cost_of(flows, candidates, o) for o in every if within(flows, candidates, o))

    found = choose(flows, candidates)

    assert within(flows, candidates, found.options)
    assert found.cost == pytest.approx(cost_of(flows, candidates, found.options))
    assert found.cost == pytest.approx(least)
    assert found.bound == pytest.approx(least, abs=1e-4)


def test_it_can_say_no() -> None:
    flows = [Question(10.0, (Option(0, 1.0),)), Question(10.0, (Option(0, 1.0),))]
    assert choose(flows, [Candidate(18.0)]).options == (None, None)
    assert choose(flows, [Candidate(17.0)]).options == (0, 0)


@settings(max_examples=150, deadline=None)
@given(instances())
def test_a_search_alone_is_allowed_and_its_bound_holds(
    instance: tuple[list[Question], list[Candidate]],
) -> None:
    flows, candidates = instance
    chain = chains(candidates)
    live = {i: [k for k, o in enumerate(f.options) if o.cost < f.direct] for i, f in enumerate(flows)}
    members = [i for i, kept in live.items() if kept]
    found, bound = search(flows, candidates, chain, members, live, 5.0)
    options = tuple(found.get(i) for i in range(len(flows)))
    rest = sum(f.direct for i, f in enumerate(flows) if i not in members)
    every = itertools.product(*[[None, *range(len(f.options))] for f in flows])
    least = min(cost_of(flows, candidates, o) for o in every if within(flows, candidates, o))
    assert within(flows, candidates, options)
    assert bound + rest <= least + 1e-6
    assert cost_of(flows, candidates, options) >= least - 1e-6


def hard(seed: int, sites: int, customers: int) -> tuple[list[Question], list[Candidate]]:
    """Facility location in the plane with costs for which the relaxation is far from whole, and links that need sites."""
    draw = random.Random(seed)
    candidates = [Candidate(draw.uniform(60, 90)) for _ in range(sites)]
    links = [(a, b) for a in range(sites) for b in range(a) if draw.random() < 3 / sites]
    candidates += [Candidate(5.0, needs=pair) for pair in links]
    flows = []
    for _ in range(customers):
        ways = draw.sample(range(len(candidates)), 8)
        flows.append(Question(60.0, tuple(Option(j, draw.uniform(10, 50) - 10 * (j >= sites)) for j in ways)))
    return flows, candidates


def test_what_is_not_proven_in_time_is_told_as_a_gap() -> None:
    flows, candidates = hard(7, 14, 50)
    exact = choose(flows, candidates, seconds=60)
    assert exact.gap < 1e-6
    chain = chains(candidates)
    live = {i: [k for k, o in enumerate(f.options) if o.cost < f.direct] for i, f in enumerate(flows)}
    found, bound = search(flows, candidates, chain, list(live), live, 20.0)
    cost = cost_of(flows, candidates, [found.get(i) for i in range(len(flows))])
    assert bound <= exact.cost + 1e-6
    assert exact.cost - 1e-6 <= cost <= exact.cost * 1.05

    large, sites = hard(8, 60, 250)
    short = choose(large, sites, seconds=1.0)
    assert 0 < short.gap < 0.15
    assert short.bound < short.cost < sum(f.direct for f in large)
    assert short.cost == pytest.approx(cost_of(large, sites, short.options))
