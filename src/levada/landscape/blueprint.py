"""The blueprint: APIs and topics that pay, and a ledger of what becomes of every flow.

Costs are hours over the horizon (``blueprint_costs.toml``). It can say no: a flow stays
direct where no API or topic pays, and the ledger has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.analysis_trouble import Contradiction, contradictions
from levada.landscape.blueprint_candidates import Box, Posed, pose
from levada.landscape.blueprint_choice import Choice, Option, Question, choose
from levada.landscape.blueprint_costs import Costs, load_costs
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
    layer: Literal["system", "process", "experience", "topic"]
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
    needs: tuple[str, ...]
    reason: str


class Entry(Struct, frozen=True):
    """What becomes of one flow, and why."""

    flow: str
    decision: Decision
    via: str | None
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
    built = _built(network, posed, made)
    ledger = tuple(_entry(i, posed, made, costs, unseen) for i in range(len(posed.flows)))
    return Blueprint(
        cost=Cost(sum(posed.direct), made.cost, made.bound, made.gap),
        apis=tuple(b for b in built if b.layer != "topic"),
        topics=tuple(b for b in built if b.layer == "topic"),
        ledger=ledger,
    )


def _free(posed: Posed, unseen: Container[str]) -> list[Question]:
    """The questions that are open: what is excluded stays direct, what is retired costs nothing more."""
    return [
        Question(0.0, ())
        if why is None and f.id in unseen
        else Question(q.direct, () if why is not None else q.options, q.load)
        for f, q, why in zip(posed.flows, posed.questions, posed.excluded, strict=True)
    ]


def _taken(posed: Posed, made: Choice) -> Iterable[tuple[int, Option]]:
    for i, k in enumerate(made.options):
        if k is not None:
            yield i, posed.questions[i].options[k]


def _built(network: Network, posed: Posed, made: Choice) -> list[Built]:
    own: dict[int, list[tuple[int, Option]]] = defaultdict(list)
    behind: dict[int, set[int]] = defaultdict(set)
    serves: dict[int, set[str]] = defaultdict(set)
    for i, option in _taken(posed, made):
        own[option.via].append((i, option))
        if option.needs is not None:
            behind[option.via].add(option.needs)
            serves[option.needs].add(posed.boxes[option.via].id)
    out: list[Built] = []
    for j in sorted(made.open, key=lambda j: posed.boxes[j].id):
        box, held = posed.boxes[j], own[j]
        flows = [posed.flows[i] for i, _ in held]
        nodes = [network.nodes[p] for p in box.providers]
        saved = sum(posed.direct[i] - o.cost for i, o in held) - posed.candidates[j].cost
        out.append(
            Built(
                id=box.id,
                layer=box.layer,
                providers=tuple(sorted({f.provider for f in flows})) or box.providers,
                consumers=tuple(sorted({f.consumer for f in flows} | serves[j])),
                objects=tuple(sorted({f.object for f in flows if f.object})),
                owner=nodes[0].owner if len(nodes) == 1 else None,
                domain=nodes[0].domain if len({n.domain for n in nodes}) == 1 else None,
                flows=tuple(f.id for f in flows),
                saves=saved,
                needs=tuple(sorted(posed.boxes[n].id for n in behind[j])),
                reason=_why_built(box, len(held), saved, sorted(serves[j])),
            )
        )
    return out


def _why_built(box: Box, flows: int, saved: float, serves: list[str]) -> str:
    what = {
        "system": f"one adapter of {box.providers[0]} in the place of {flows} connections",
        "process": f"{len(box.consumers)} consumers take the same from {len(box.providers)} systems",
        "experience": f"one API for {', '.join(box.consumers)} in the place of {flows} connections",
        "topic": f"one event in the place of {flows} deliveries",
    }[box.layer]
    more = f"; stands behind {', '.join(serves)}" if serves else ""
    pays = (
        f"saves {saved:,.0f} hours net" if saved >= 0 else f"costs {-saved:,.0f} hours net, which they save"
    )
    return f"{what}{more}; {pays}"


def _entry(i: int, posed: Posed, made: Choice, costs: Costs, unseen: dict[str, Contradiction]) -> Entry:
    flow, question, chosen = posed.flows[i], posed.questions[i], made.options[i]
    if flow.id in unseen and posed.excluded[i] is None:
        text = f"{unseen[flow.id].text}: confirm with its owner, then remove its credential"
        return Entry(flow.id, "retired", None, text)
    if posed.excluded[i] is not None:
        return Entry(flow.id, "kept", None, posed.excluded[i] or "")
    if chosen is not None:
        option = question.options[chosen]
        box = posed.boxes[option.via]
        text = f"{question.direct:,.0f} hours direct, {option.cost:,.0f} over {box.id}, in {costs['horizon']:g} months"
        return Entry(flow.id, "replaced", box.id, text)
    return Entry(flow.id, "kept", None, _why_kept(i, posed))


def _why_kept(i: int, posed: Posed) -> str:
    question = posed.questions[i]
    cheaper = [o for o in question.options if o.cost < question.direct]
    if not cheaper:
        return f"direct costs {question.direct:,.0f} hours, no API would cost less"
    best = min(cheaper, key=lambda o: o.cost)
    box = posed.boxes[best.via]
    cost = posed.candidates[best.via].cost
    users = len(box.consumers)
    return (
        f"{box.id} would cost {cost:,.0f} hours and save {question.direct - best.cost:,.0f} here: "
        f"{users} consumer{'s' if users > 1 else ''} cannot pay for it"
    )
