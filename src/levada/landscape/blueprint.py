"""The blueprint: APIs and topics that pay, and a ledger of what becomes of every flow.

Costs are hours over the horizon (``blueprint_costs.toml``). It can say no: a flow stays
direct where no API or topic pays, and the ledger has the figures. What needs nothing
(infrastructure, events on a broker, a system's own storage, calls under a contract) is not
reckoned at all, and the ledger says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.analysis_trouble import Contradiction, contradictions
from levada.landscape.blueprint_candidates import Layer, Posed, pose
from levada.landscape.blueprint_choice import Choice, Option, Question, choose
from levada.landscape.blueprint_costs import Costs, load_costs
from levada.landscape.blueprint_reasons import Kept, why_built, why_replaced
from levada.landscape.blueprint_scope import Because
from levada.landscape.naming import Names
from levada.network.graph import Network

__all__ = ["Blueprint", "Built", "Cost", "Entry", "blueprint"]

Decision: TypeAlias = Literal["replaced", "kept", "retired"]


class Cost(Struct, frozen=True):
    """Hours over the horizon; ``bound`` is proven: nothing costs less; ``gap`` is the share between."""

    as_is: float
    to_be: float
    bound: float
    gap: float


class Built(Struct, frozen=True, kw_only=True):
    """An API or topic that pays."""

    id: str
    layer: Layer
    providers: tuple[str, ...]
    consumers: tuple[str, ...]
    objects: tuple[str, ...]
    """Objects that are known; a flow may have one that is not."""
    owner: str | None
    """Of the one provider; None if unknown or of several."""
    domain: str | None
    flows: tuple[str, ...]
    """Ids of the flows that it replaces."""
    saves: float
    """Hours over the horizon that its flows save, less what it costs; what it needs behind it not counted."""
    effort: float
    """Hours until its flows run over it: to build it and to move them; without what it needs behind it."""
    needs: tuple[str, ...]
    contract: str | None
    """The contract that the system has already; None if one has to be agreed."""
    reason: str


class Entry(Struct, frozen=True):
    """What becomes of one flow, and why."""

    flow: str
    decision: Decision
    via: str | None
    because: Because
    reason: str


class Blueprint(Struct, frozen=True, kw_only=True):
    """What to build, and the ledger: each flow of the map exactly once, in order of ids."""

    cost: Cost
    apis: tuple[Built, ...]
    topics: tuple[Built, ...]
    ledger: tuple[Entry, ...]

    @property
    def built(self) -> tuple[Built, ...]:
        """APIs and topics."""
        return (*self.apis, *self.topics)


def blueprint(network: Network, costs: Costs | None = None, *, seconds: float = 60.0) -> Blueprint:
    """The cheapest blueprint of the network; ``seconds`` at most, the gap tells what is not proven.

    Raises:
        LandscapeExtra: highspy is not installed and the landscape needs it.
    """
    costs = costs or load_costs()
    posed = pose(network, costs)
    unseen = {c.flow: c for c in contradictions(network) if c.kind == "never observed"}
    made = choose(_free(posed, unseen), posed.candidates, seconds=seconds)
    names = Names(network)
    built = _built(network, names, posed, made, costs)
    kept = Kept(names, posed, costs, {posed.parts[j].box for j in made.open})
    ledger = tuple(_entry(i, names, posed, made, costs, unseen, kept) for i in range(len(posed.flows)))
    return Blueprint(
        cost=Cost(sum(posed.direct), made.cost, made.bound, made.gap),
        apis=tuple(b for b in built if b.layer != "topic"),
        topics=tuple(b for b in built if b.layer == "topic"),
        ledger=ledger,
    )


def _retires(posed: Posed, i: int, unseen: Container[str]) -> bool:
    aside = posed.asides[i]
    return posed.flows[i].id in unseen and (aside is None or aside.because == "contract already")


def _free(posed: Posed, unseen: Container[str]) -> list[Question]:
    """The questions that are open: what is set aside stays direct, what is retired costs nothing more."""
    return [Question(0.0, ()) if _retires(posed, i, unseen) else q for i, q in enumerate(posed.questions)]


def _built(network: Network, names: Names, posed: Posed, made: Choice, costs: Costs) -> list[Built]:
    own: dict[int, list[tuple[int, Option]]] = defaultdict(list)
    for i, k in enumerate(made.options):
        if k is not None:
            option = posed.questions[i].options[k]
            own[posed.parts[option.via].box].append((i, option))
    behind: dict[int, set[int]] = defaultdict(set)
    opened: dict[int, list[int]] = defaultdict(list)
    for j in made.open:
        box = posed.parts[j].box
        opened[box].append(j)
        behind[box] |= {posed.parts[n].box for n in posed.candidates[j].needs} - {box}
    before: dict[int, set[int]] = defaultdict(set)
    for box, needs in behind.items():
        for need in needs:
            before[need].add(box)
    return [
        _one(network, names, posed, box, opened[box], own[box], behind[box], before[box], costs)
        for box in sorted(opened, key=lambda b: posed.boxes[b].id)
    ]


def _one(
    network: Network,
    names: Names,
    posed: Posed,
    number: int,
    opened: list[int],
    held: list[tuple[int, Option]],
    behind: set[int],
    before: set[int],
    costs: Costs,
) -> Built:
    box = posed.boxes[number]
    flows = [posed.flows[i] for i, _ in held]
    nodes = [network.nodes[p] for p in box.providers]
    serves = sorted((posed.boxes[b] for b in before), key=lambda b: b.id)
    saved = sum(posed.direct[i] - o.cost for i, o in held) - sum(posed.candidates[j].cost for j in opened)
    kind = box.layer if box.layer in ("system", "topic") else "composed"
    return Built(
        id=box.id,
        layer=box.layer,
        providers=tuple(sorted({f.provider for f in flows})) or box.providers,
        consumers=tuple(sorted({f.consumer for f in flows} | {b.id for b in serves})),
        objects=tuple(sorted({f.object for f in flows if f.object})),
        owner=nodes[0].owner if len(nodes) == 1 else None,
        domain=nodes[0].domain if len({n.domain for n in nodes}) == 1 else None,
        flows=tuple(f.id for f in flows),
        saves=saved,
        effort=sum(posed.parts[j].build for j in opened) + costs[f"wire_{kind}"] * len(flows),
        needs=tuple(sorted(posed.boxes[n].id for n in behind)),
        contract=box.contract,
        reason=why_built(
            names, box, flows, saved, serves, adapter=any(posed.parts[j].kind == "adapter" for j in opened)
        ),
    )


def _entry(
    i: int,
    names: Names,
    posed: Posed,
    made: Choice,
    costs: Costs,
    unseen: dict[str, Contradiction],
    kept: Kept,
) -> Entry:
    flow, question, chosen, aside = posed.flows[i], posed.questions[i], made.options[i], posed.asides[i]
    if _retires(posed, i, unseen):
        text = f"{unseen[flow.id].text}: confirm with its owner, then remove its credential"
        return Entry(flow.id, "retired", None, "never observed", text)
    if chosen is not None:
        option = question.options[chosen]
        box = posed.boxes[posed.parts[option.via].box]
        return Entry(
            flow.id,
            "replaced",
            box.id,
            "pays",
            why_replaced(flow, names.box(box), question.direct, option.cost, costs),
        )
    if aside is not None:
        return Entry(flow.id, "kept", None, aside.because, aside.text)
    barred = posed.barred[i]
    if barred is not None and not question.options:
        return Entry(flow.id, "kept", None, barred.because, barred.text)
    return Entry(flow.id, "kept", None, "does not pay", kept.why(i))
