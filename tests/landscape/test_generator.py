"""The benchmark's landscapes are connected like the real ones, within the ranges that those have."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.landscape import network


@pytest.mark.parametrize("seed", [1, 2])
def test_it_keeps_to_the_ranges_of_four_real_landscapes(seed: int) -> None:
    net = network(seed, 300, 660)
    flows, nodes = list(net.flows.values()), net.nodes
    pairs = set(net.pairs())
    fan_in = Counter(p for _, p in pairs)
    busiest = sorted(fan_in.values(), reverse=True)
    assert 0.13 <= sum(busiest[: len(nodes) // 20]) / len(pairs) <= 0.48
    assert 0.2 <= sum(v == 1 for v in busiest) / len(busiest) <= 0.7
    assert 0.38 <= len({c for c, _ in pairs}) / len(nodes) <= 0.8
    share = {m: n / len(flows) for m, n in Counter(f.mode for f in flows).items()}
    assert 0.31 <= share["sync"] <= 0.94
    assert 0.06 <= share["async"] <= 0.38
    assert 0.13 <= share["unknown"] <= 0.38
    assert share["db"] <= 0.12
    assert (
        0.3 <= sum(nodes[f.consumer].domain == nodes[f.provider].domain for f in flows) / len(flows) <= 0.56
    )
    topics = Counter((f.provider, f.object) for f in flows if f.mode == "async")
    assert 1.8 <= sum(topics.values()) / len(topics) <= 4.5
    assert 0.3 <= sum(f.object is not None for f in flows) / len(flows) <= 0.5


def test_the_same_seed_is_the_same_landscape() -> None:
    assert network(5, 100, 300).flows.keys() == network(5, 100, 300).flows.keys()
