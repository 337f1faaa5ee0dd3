"""The landscape: exact blueprints at two sizes against their time limits, graph measures against networkx.

``network(seed, systems, flows)`` is the named generator, made to be connected like the real ones:
as the four landscapes whose manifests, compose files and topics were read by hand (NAV's
employment services, eShopOnContainers, the OpenTelemetry demo, Online Boutique; 182 systems, 462
flows). What it follows, with what they have:

- fan-in: few that many use, many that one uses (there: half of the providers have one consumer, the
  busiest twentieth takes 13 to 48 % of the pairs); providers are chosen by what already uses them,
  and half of them within the domain (there: 0 to 56 %, 56 % where domains are said by the source);
- fan-out: three systems of four consume, aggregators and front ends many times more than others;
- modes: 31 to 94 % calls, 6 to 38 % messages on a broker, 13 to 38 % of unknown mode, 5 % own storage;
- topics: the subscribers of one topic, 2 to 4 on average; objects are known of messages and
  storage, and of one call in five (there: of 0 to 47 % of all flows);
- kinds: 62 to 83 % applications, channels, databases; to which it adds a tenth of systems of record, vendors
  and partners with batch runs and files, which none of the four has and every older landscape does.

``tests/landscape/test_generator.py`` holds it to these ranges. ``objects=1.0`` lets every call say its object, so that
Process APIs are among the candidates.
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
Networks: `benchmarks.landscape.network(seed, systems, flows)`, a new seed each round; its docstring says how it follows real landscapes.
`blueprint_objects`: 300 systems, 3,000 flows, every object known, so that Process APIs are among the candidates.
"""

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
OBJECTS = ("order", "customer", "invoice", "price", "stock", "product", "payment", "shipment")
KINDS = ("app",) * 14 + ("channel",) * 2 + ("record", "saas", "partner", "app")


def network(seed: int, systems: int, flows: int, *, objects: float = 0.2) -> Network:
    """A landscape of about these sizes, connected as the module says; ``objects`` is the share of calls that say theirs."""
    from levada.network.graph import Flow, Network, Node

    draw = random.Random(seed)
    domains = max(3, systems // 12)
    net = Network()
    home: list[list[int]] = [[] for _ in range(domains)]
    for i in range(systems):
        kind: Any = draw.choice(KINDS)
        domain = min(draw.randrange(domains), draw.randrange(domains))
        home[domain].append(i)
        net.add_node(Node(id=f"s{i}", kind=kind, domain=f"d{domain}"))
    consumers = draw.sample(range(systems), systems * 3 // 4)
    eager = [c for c in consumers for _ in range(1 + int(draw.paretovariate(1.8)))]
    used = list(range(systems))
    known = [list(h) for h in home]
    topics: list[tuple[int, str]] = []
    stored: set[int] = set()
    while len(net.flows) < flows:
        consumer = draw.choice(eager)
        domain = int(str(net.nodes[f"s{consumer}"].domain)[1:])
        turn = draw.random()
        if turn < 0.05 and consumer not in stored:
            stored.add(consumer)
            net.add_node(Node(id=f"db{consumer}", kind="db", domain=f"d{domain}"))
            net.add_flow(
                Flow(
                    consumer=f"s{consumer}",
                    provider=f"db{consumer}",
                    object=f"s{consumer}",
                    mode="db",
                    protocol="postgres",
                )
            )
            continue
        if turn < 0.28:
            if topics and draw.random() < 0.7:
                provider, topic = draw.choice(topics)
            else:
                provider, topic = draw.choice(used), f"{draw.choice(OBJECTS)}-v{len(topics)}"
                topics.append((provider, topic))
            if consumer != provider:
                net.add_flow(
                    Flow(
                        consumer=f"s{consumer}",
                        provider=f"s{provider}",
                        object=topic,
                        mode="async",
                        protocol="kafka",
                    )
                )
            continue
        near = draw.random() < 0.5 and len(home[domain]) > 1
        provider = draw.choice(known[domain] if near else used)
        if consumer == provider:
            continue
        old = net.nodes[f"s{provider}"].kind in ("record", "saas", "partner")
        mode: Any = draw.choice(
            ("sync", "batch", "file", "db", "unknown") if old else ("sync", "sync", "sync", "unknown")
        )
        what = draw.choice(OBJECTS) if draw.random() < objects else None
        protocol = "http" if mode == "sync" else None
        net.add_flow(
            Flow(consumer=f"s{consumer}", provider=f"s{provider}", object=what, mode=mode, protocol=protocol)
        )
        used.append(provider)
        known[int(str(net.nodes[f"s{provider}"].domain)[1:])].append(provider)
    return net


def run() -> Sequence[Ratio]:
    """Measure; every ratio is of pairs of rounds."""
    return [
        _blueprint("blueprint_1000", 1000, 5000, 1.0, ROUNDS),
        _blueprint("blueprint_10000", 10_000, 100_000, 60.0, max(1, ROUNDS // 3)),
        _blueprint("blueprint_objects", 300, 3000, 1.0, max(1, ROUNDS // 3), objects=1.0),
        _structure("structure_1000", 1000, 5000, ROUNDS),
    ]


def _cpu(do: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    found = do()
    return time.process_time() - begun, found


def _blueprint(
    case: str, systems: int, flows: int, allowed: float, rounds: int, *, objects: float = 0.2
) -> Ratio:
    from levada.landscape.blueprint import blueprint

    blueprint(network(0, 50, 200))  # the solver's import is no part of a blueprint
    taken: list[float] = []
    gaps: list[float] = []
    for seed in range(1, rounds + 1):
        net = network(seed, systems, flows, objects=objects)
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
