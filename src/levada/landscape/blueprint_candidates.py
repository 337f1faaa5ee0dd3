"""What could be built: APIs and topics read off the landscape as formal concepts.

A concept is a set of consumers and all that they share (R. Wille, "Restructuring lattice
theory", 1982). A provider gives a System API; objects that several consumers take together
from several systems give a Process API; one object that goes from one system to several
gives a topic; what several channels or partners take together gives an Experience API.

Each is made of parts that are paid for: a System API of its contract and, where nobody can
call the system yet, an adapter; a composed API of itself and one connection to each system
behind it, direct or over that system's API.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.blueprint_choice import Candidate, Option, Question
from levada.landscape.blueprint_concepts import Numbered, channels, processes, restricted, topics
from levada.landscape.blueprint_costs import Costs, breaking_hours, direct_hours, trouble_hours
from levada.landscape.blueprint_scope import Aside, Scope, scope
from levada.landscape.importers._products import by_host
from levada.landscape.naming import Names
from levada.network.graph import Flow, Network

__all__ = ["Box", "Layer", "Part", "Posed", "called", "pose"]

Layer: TypeAlias = Literal["system", "process", "experience", "topic"]


class Box(Struct, frozen=True, kw_only=True):
    """One API or topic that could be."""

    id: str
    layer: Layer
    providers: tuple[str, ...]
    objects: tuple[str, ...]
    consumers: tuple[str, ...]
    contract: str | None = None
    """The contract that the system has already: it is used, not built."""
    foreign: bool = False
    """A vendor's or partner's: its API is wrapped, nobody here can publish another."""


class Part(Struct, frozen=True):
    """What a candidate of the choice is: the box itself, its adapter, or its connection to one system."""

    box: int
    kind: Literal["box", "adapter", "connection"]
    build: float
    """Hours of work to build it, without its upkeep."""


class Posed(Struct, frozen=True, kw_only=True):
    """The question of a blueprint, ready to be decided. Candidates and parts have one order."""

    flows: tuple[Flow, ...]
    direct: tuple[float, ...]
    asides: tuple[Aside | None, ...]
    """Why a flow is not to be decided; None if it is."""
    barred: tuple[Aside | None, ...]
    """What a limit (freshness, classification, one consumer) keeps a flow from; None if nothing."""
    boxes: tuple[Box, ...]
    parts: tuple[Part, ...]
    candidates: tuple[Candidate, ...]
    questions: tuple[Question, ...]


def pose(network: Network, costs: Costs) -> Posed:
    """All boxes that could be, and for each flow what staying direct and each way over them costs."""
    return _Posing(network, costs).posed()


def called(flow: Flow) -> bool:
    """Whether the flow is a call, as far as is known."""
    return flow.mode in ("sync", "unknown")


class _Posing:
    """Builds the boxes, their parts, and the ways of each flow over them."""

    def __init__(self, network: Network, costs: Costs) -> None:
        self.network, self.costs = network, costs
        self.called = Names(network)
        self.scope: Scope = scope(network)
        self.flows = tuple(f for _, f in sorted(network.flows.items()))
        self.open = [(i, f) for i, f in enumerate(self.flows) if f.id not in self.scope.asides]
        self.answering = {f.provider for f in self.flows if f.mode == "sync"}
        self.vendors: dict[str, bool] = {}
        self.boxes: list[Box] = []
        self.parts: list[Part] = []
        self.candidates: list[Candidate] = []
        self.joined: set[int] = set()
        self.ways: dict[int, list[Option]] = defaultdict(list)
        self.barred: dict[int, Aside] = {}
        self.names: set[str] = set()

    def posed(self) -> Posed:
        """All of it, ready to be decided."""
        composed = self._concepts()
        self.joined = {i for _, _, held in composed for i, _ in held}
        system: dict[str, int] = {}
        if self.costs["max_hops"] >= 1:
            for provider, held in _by_provider(self.open).items():
                found = self._system(provider, held)
                if found is not None:
                    system[provider] = found
        for (provider, obj), held in topics(self.network, self.open, self.costs, self.barred).items():
            self._topic(provider, obj, held)
        for layer, name, held in composed:
            self._composed(layer, name, held, system)
        direct = tuple(self._direct(i, f) for i, f in enumerate(self.flows))
        questions = tuple(
            Question(direct[i], tuple(self.ways[i]), f.volume_day or 0.0) for i, f in enumerate(self.flows)
        )
        return Posed(
            flows=self.flows,
            direct=direct,
            asides=tuple(self.scope.asides.get(f.id) for f in self.flows),
            barred=tuple(self.barred.get(i) for i in range(len(self.flows))),
            boxes=tuple(self.boxes),
            parts=tuple(self.parts),
            candidates=tuple(self.candidates),
            questions=questions,
        )

    def _concepts(self) -> list[tuple[Layer, str, list[Numbered]]]:
        if self.costs["max_hops"] < 1:
            return []
        calls = self._calls()
        layers: tuple[Layer, Layer] = ("experience", "process")
        found = (channels(self.network, calls), processes(self.network, calls))
        return [
            (layer, name, held) for layer, group in zip(layers, found, strict=True) for name, held in group
        ]

    def _calls(self) -> list[Numbered]:
        """What may be composed: calls, also of systems with a contract; nothing restricted."""
        out: list[Numbered] = []
        for i, f in enumerate(self.flows):
            aside = self.scope.asides.get(f.id)
            if not called(f) or (aside is not None and aside.because != "contract already"):
                continue
            if restricted(f):
                text = f"it is {f.classification}: it is composed with nothing"
                self.barred.setdefault(i, Aside("not allowed", text))
                continue
            out.append((i, f))
        return out

    def _changes(self, flow: Flow) -> float:
        """The share of a provider's changes that reaches this consumer."""
        kept = flow.contract or flow.provider in self.scope.contracts
        return self.costs["contract_share"] if called(flow) and (kept or self._vendor(flow.provider)) else 1.0

    def _vendor(self, provider: str) -> bool:
        """Whether the system is a vendor's: it has its vendor's contract, and nobody here can publish another."""
        if provider not in self.vendors:
            node = self.network.nodes[provider]
            product = by_host(node.id.removeprefix("ext:")) if node.kind is None else None
            self.vendors[provider] = "saas" in (node.kind, product.kind if product else None)
        return self.vendors[provider]

    def _system(self, provider: str, held: Sequence[Numbered]) -> int | None:
        """A System API: calls need its contract only, all else an adapter too; no message goes over it."""
        costs = self.costs
        held = [(i, f) for i, f in held if f.mode != "async"]
        if len({f.consumer for _, f in held}) == 1:
            # a call between two is best direct; only what is no call yet may become one
            who, what = self.called.system(held[0][1].consumer), self.called.system(provider)
            for i, f in held:
                if called(f):
                    text = f"only {who} calls {what}: an API between two would only pass through"
                    self.barred[i] = Aside("one consumer", text)
            held = [(i, f) for i, f in held if not called(f)]
        if not held:
            return None
        has = self.scope.contracts.get(provider)
        foreign = self._vendor(provider) or self.network.nodes[provider].kind == "partner"
        answers = provider in self.answering and not foreign
        capacity = costs["api_capacity"]
        box = self._box("system", _slug(provider), [f for _, f in held], contract=has, foreign=foreign)
        build = 0.0 if has else costs["system_contract"]
        upkeep = 0.0 if has else costs["system_upkeep"]
        front = self._part(Part(box, "box", build), upkeep, capacity=capacity)
        adapter: int | None = None
        for i, f in held:
            answered = called(f) and answers
            if not answered and has is None and adapter is None:
                spared = self._owners_share(provider, held, "system")
                yearly = breaking_hours(costs)
                adapter = self._part(
                    Part(box, "adapter", costs["system_adapter"]), yearly, needs=(front,), more=spared
                )
            via = front if answered or adapter is None else adapter
            self.ways[i].append(Option(via, self._over(i, f, "system", 1)))
        return adapter if adapter is not None and not answers else front

    def _owners_share(self, provider: str, held: Sequence[Numbered], kind: str) -> float:
        """Of storage that nobody is known to own, the saving of one user is not counted: one of them owns it."""
        if provider not in self.scope.unowned:
            return 0.0
        return max(self._direct(i, f) - self._over(i, f, kind, 0) for i, f in held)

    def _direct(self, i: int, flow: Flow) -> float:
        """Hours of a flow that stays; infrastructure is not reckoned with."""
        aside = self.scope.asides.get(flow.id)
        if aside is not None and aside.because == "infrastructure":
            return 0.0
        return direct_hours(flow, self.costs, self._changes(flow)) + self._joins(i)

    def _joins(self, i: int) -> float:
        """What the consumer spends to join this call with others itself, if a composed API could do that."""
        return self.costs["horizon"] * self.costs["compose_self"] if i in self.joined else 0.0

    def _topic(self, provider: str, obj: str, held: Sequence[Numbered]) -> None:
        costs = self.costs
        box = self._box("topic", f"{_slug(provider)}.{_slug(obj)}", [f for _, f in held])
        upkeep = costs["topic_upkeep"] + breaking_hours(costs)
        spared = self._owners_share(provider, held, "topic")
        via = self._part(Part(box, "box", costs["topic_build"]), upkeep, more=spared)
        for i, f in held:
            self.ways[i].append(Option(via, self._over(i, f, "topic", 0)))

    def _composed(self, layer: Layer, name: str, held: Sequence[Numbered], system: dict[str, int]) -> None:
        """A Process or Experience API: it pays for one connection to each system that it composes."""
        costs = self.costs
        box = self._box(layer, name, [f for _, f in held])
        front = self._part(
            Part(box, "box", costs[f"{layer}_build"]),
            costs[f"{layer}_upkeep"],
            capacity=costs["api_capacity"],
        )
        for provider, calls in _by_provider(held).items():
            needs: list[tuple[int, int]] = []
            direct = max(
                costs[f"direct_{f.mode}"] + self._changes(f) * breaking_hours(costs) for _, f in calls
            )
            needs.append(
                (self._part(Part(box, "connection", costs["wire_system"]), direct, needs=(front,)), 1)
            )
            if provider in system and costs["max_hops"] >= 2:
                both = (front, system[provider])
                over = self._part(
                    Part(box, "connection", costs["wire_system"]), costs["kept_system"], needs=both
                )
                needs.append((over, 2))
            for i, f in calls:
                self.ways[i] += [Option(via, self._over(i, f, "composed", hops)) for via, hops in needs]

    def _over(self, i: int, flow: Flow, kind: str, hops: int) -> float:
        """One flow over a box, in hours over the horizon: to move it, to keep it, and what extra hops cost."""
        costs = self.costs
        waiting = (flow.volume_day or 0.0) / 1e6 * hops * costs["hop_ms"] * costs["ms_hours"]
        monthly = costs[f"kept_{kind}"] + trouble_hours(flow, costs) * costs["error_share"] + waiting
        joins = 0.0 if kind == "composed" else self._joins(i)
        return costs[f"wire_{kind}"] + costs["horizon"] * monthly + joins

    def _part(
        self,
        part: Part,
        upkeep: float,
        *,
        capacity: float = float("inf"),
        needs: tuple[int, ...] = (),
        more: float = 0.0,
    ) -> int:
        self.parts.append(part)
        cost = part.build + self.costs["horizon"] * upkeep + more
        self.candidates.append(Candidate(cost, capacity, needs))
        return len(self.parts) - 1

    def _box(
        self,
        layer: Layer,
        name: str,
        held: Sequence[Flow],
        contract: str | None = None,
        foreign: bool = False,
    ) -> int:
        number, unique = 2, f"{layer}:{name}"
        while unique in self.names:
            unique, number = f"{layer}:{name}-{number}", number + 1
        self.names.add(unique)
        self.boxes.append(
            Box(
                id=unique,
                layer=layer,
                providers=tuple(sorted({f.provider for f in held})),
                objects=tuple(sorted({f.object for f in held if f.object})),
                consumers=tuple(sorted({f.consumer for f in held})),
                contract=contract,
                foreign=foreign,
            )
        )
        return len(self.boxes) - 1


def _by_provider(flows: Iterable[Numbered]) -> dict[str, list[Numbered]]:
    out: dict[str, list[Numbered]] = defaultdict(list)
    for i, f in flows:
        out[f.provider].append((i, f))
    return out


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
