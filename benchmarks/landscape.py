"""The landscape: exact blueprints at two sizes against their time limits, graph measures against networkx.

``networks(seed, systems, flows)`` is the named generator: preferential attachment to
providers within and across domains, as real landscapes are (few providers that many use).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks._ratio import Ratio, ratio_of

if TYPE_CHECKING:
    from levada.network.graph import Network

NOTES = """
CPU seconds in one process. `blueprint_*`: the time allowed (1 s; 60 s) over the time taken, so 1 or more keeps the goal; the gap that is proven
stands beside it. `structure_*`: propagation cost, cycles, fan-in and fan-out of the same graph, networkx over Levada, results compared.
Networks: `benchmarks.landscape.network(seed, systems, flows)`, a new seed each round.
"""

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
OBJECTS = ("order", "customer", "invoice", "price", "stock", "product", "payment", "shipment", None)
MODES = ("sync", "sync", "async", "batch", "file", "db", "unknown")


def network(seed: int, systems: int, flows: int) -> Network:
    """A landscape of about these sizes: providers are chosen by what already uses them."""
    from levada.network.graph import Flow, Network, Node

    draw = random.Random(seed)
    kinds: tuple[Any, ...] = ("app", "app", "app", "record", "saas", "db", "channel", "partner")
    net = Network()
    for i in range(systems):
        net.add_node(Node(id=f"s{i}", kind=draw.choice(kinds), domain=f"d{i % 40}"))
    used = list(range(systems))
    while len(net.flows) < flows:
        consumer, provider = draw.randrange(systems), draw.choice(used)
        if consumer == provider:
            continue
        mode: Any = draw.choice(MODES)
        net.add_flow(
            Flow(consumer=f"s{consumer}", provider=f"s{provider}", object=draw.choice(OBJECTS), mode=mode)
        )
        used.append(provider)
    return net


def run() -> Sequence[Ratio]:
    """Measure; every ratio is of pairs of rounds."""
    return [
        _blueprint("blueprint_1000", 1000, 5000, 1.0, ROUNDS),
        _blueprint("blueprint_10000", 10_000, 100_000, 60.0, max(1, ROUNDS // 3)),
        _structure("structure_1000", 1000, 5000, ROUNDS),
    ]


def _cpu(do: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    found = do()
    return time.process_time() - begun, found


def _blueprint(case: str, systems: int, flows: int, allowed: float, rounds: int) -> Ratio:
    from levada.landscape.blueprint import blueprint

    blueprint(network(0, 50, 200))  # the solver's import is no part of a blueprint
    taken: list[float] = []
    gaps: list[float] = []
    for seed in range(1, rounds + 1):
        net = network(seed, systems, flows)
        seconds, made = _cpu(lambda net=net: blueprint(net, seconds=allowed * 0.7))
        taken.append(seconds)
        gaps.append(made.cost.gap)
    found = ratio_of("landscape", case, taken, [allowed] * rounds, 1.0, unit="s", invert=True)
    ours = f"{sorted(taken)[len(taken) // 2]:.2f} s, gap {max(gaps):.2%}"
    return _told(found, ours, f"{allowed:g} s allowed")


def _structure(case: str, systems: int, flows: int, rounds: int) -> Ratio:
    from levada.landscape.analysis import structure

    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(1, rounds + 1):
        net = network(seed, systems, flows)
        mine, found = _cpu(lambda net=net: structure(net))
        other, cost = _cpu(lambda net=net: _networkx(net))
        if abs(cost - found.propagation_cost) > 1e-12:
            raise AssertionError(f"propagation cost differs: {cost} and {found.propagation_cost}")
        ours.append(mine)
        theirs.append(other)
    told = ratio_of("landscape", case, ours, theirs, 20.0, unit="s", invert=True)
    return _told(
        told,
        f"{sorted(ours)[len(ours) // 2] * 1000:.1f} ms",
        f"{sorted(theirs)[len(theirs) // 2] * 1000:.1f} ms",
    )


def _told(r: Ratio, ours: str, theirs: str) -> Ratio:
    return Ratio(r.name, r.case, r.ratio, r.low, r.high, r.goal, r.op, ours, theirs, r.rounds)


def _networkx(net: Network) -> float:
    """The same measures as one writes them with networkx."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(net.nodes)
    graph.add_edges_from((f.consumer, f.provider) for f in net.flows.values())
    cycles = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    reach = {n: len(nx.descendants(graph, n)) + 1 for n in graph}
    reached = {n: len(nx.ancestors(graph, n)) + 1 for n in graph}
    degrees = dict(graph.in_degree()), dict(graph.out_degree())
    if not (cycles or reached or degrees):
        return 0.0
    return sum(reach.values()) / len(graph) ** 2
