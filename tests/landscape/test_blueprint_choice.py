"""The choice against enumeration of everything that could be opened and taken."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
