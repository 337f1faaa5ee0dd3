"""Measures of the structure against the definition, computed by brute force."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.landscape.analysis import structure, structure_of
from levada.network.graph import Flow, Network, Node

graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just([f"s{i}" for i in range(n)]),
        st.sets(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).map(lambda p: (f"s{p[0]}", f"s{p[1]}"))
        ),
    )
)


def closure(names: list[str], uses: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Warshall: the definition of reachability, each system reaching itself."""
    seen = {(a, a) for a in names} | uses
    for k in names:
        for a in names:
            for b in names:
                if (a, k) in seen and (k, b) in seen:
                    seen.add((a, b))
    return seen


@given(graphs)
def test_measures_are_those_of_the_definition(graph: tuple[list[str], set[tuple[str, str]]]) -> None:
    names, uses = graph
    found = structure_of(names, uses)
    reach = closure(names, uses)
    mutual = {a: {b for b in names if (a, b) in reach and (b, a) in reach} for a in names}
    cyclic = {tuple(sorted(g)) for g in mutual.values() if len(g) > 1}

    assert found.propagation_cost == pytest.approx(len(reach) / len(names) ** 2)
    assert set(found.cycles) == cyclic
    sizes = sorted(map(len, cyclic), reverse=True)
    stands_out = bool(sizes) and (len(sizes) == 1 or sizes[0] >= 1.5 * sizes[1])
    assert len(found.core) == (sizes[0] if stands_out else 0)  # nine systems: 4 % of them is less than one
    assert found.cyclicality == pytest.approx(sum(map(len, cyclic)) / len(names))
    for name in names:
        place = found.places[name]
        assert place.reaches == sum((name, b) in reach for b in names) - 1
        assert place.reached_by == sum((a, name) in reach for a in names) - 1
        assert place.fan_out == sum(a == name != b for a, b in uses)
        assert place.fan_in == sum(b == name != a for a, b in uses)
        assert (place.role == "core") == (name in found.core)


@given(graphs)
def test_order_puts_providers_first(graph: tuple[list[str], set[tuple[str, str]]]) -> None:
    names, uses = graph
    found = structure_of(names, uses)
    assert sorted(found.order) == sorted(names)
    at = {name: i for i, name in enumerate(found.order)}
    together = {frozenset(c) for c in found.cycles}
    for consumer, provider in uses:
        in_one = any(consumer in c and provider in c for c in together)
        assert consumer == provider or in_one or at[provider] < at[consumer]


def test_the_published_example() -> None:
    """Six elements of MacCormack et al. (2006): A to B, C; B to D; C to E; E to F."""
    found = structure_of("ABCDEF", [("A", "B"), ("A", "C"), ("B", "D"), ("C", "E"), ("E", "F")])
    assert found.propagation_cost == pytest.approx(15 / 36)
    assert found.places["A"].reaches == 5
    assert found.places["F"].reached_by == 3


def roles(names: str, *uses: str) -> dict[str, str]:
    found = structure_of(names, [(u[0], u[1]) for u in uses])
    return {"": found.architecture, **{name: place.role for name, place in found.places.items()}}


def test_roles_beside_a_core_are_by_its_visibility() -> None:
    """A, B and C form a circle, which is seen by 4 and sees 4; D uses it, it uses E, and F stands apart."""
    assert roles("ABCDEF", "AB", "BC", "CA", "DA", "AE") == {
        "": "core-periphery", "A": "core", "B": "core", "C": "core", "D": "control", "E": "shared", "F": "peripheral",
    }  # fmt: skip


def test_roles_of_a_hierarchy_are_by_the_medians() -> None:
    """Seen by (A to E): 1, 2, 4, 1, 1, median 1, so that one other is asked for; seeing: 3, 2, 1, 2, 1, median 2."""
    assert roles("ABCDE", "AB", "BC", "DC") == {
        "": "hierarchical", "A": "control", "B": "central", "C": "shared", "D": "control", "E": "peripheral",
    }  # fmt: skip


def test_two_circles_of_one_size_are_no_core() -> None:
    """Seen by: P, Q 3, R, S 2, T 1, median 2; seeing: 2 each, T 3, median 2."""
    assert roles("PQRST", "PQ", "QP", "RS", "SR", "TP") == {
        "": "multi-core", "P": "central", "Q": "central", "R": "central", "S": "central", "T": "control",
    }  # fmt: skip


@pytest.mark.parametrize(("systems", "core"), [(50, 2), (51, 0)])
def test_a_circle_of_less_than_one_in_25_is_no_core(systems: int, core: int) -> None:
    found = structure_of([f"s{i}" for i in range(systems)], [("s0", "s1"), ("s1", "s0")])
    assert len(found.core) == core
    assert found.architecture == ("core-periphery" if core else "hierarchical")


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    names = [f"s{i}" for i in range(5000)]
    found = structure_of(names, itertools.pairwise(names))
    assert found.places["s0"].reaches == 4999


def test_parallel_flows_are_one_dependency_and_nothing_is_none_not_zero() -> None:
    flows = [Flow(consumer="a", provider="b", object=o) for o in ("order", "invoice")]
    assert structure(Network.of([Node(id="a"), Node(id="b")], flows)).pairs == 1
    empty = structure(Network())
    assert empty.propagation_cost is None
    assert empty.density is None
    assert empty.cyclicality is None
