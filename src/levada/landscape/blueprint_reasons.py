"""Why an API or topic is built, and why a flow moves or stays, in words that an architect would use."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence

from levada.landscape.blueprint_candidates import Box, Posed
from levada.landscape.blueprint_choice import chains
from levada.landscape.blueprint_costs import Costs
from levada.landscape.naming import Names
from levada.landscape.words import many
from levada.network.graph import Flow

__all__ = ["Kept", "why_built", "why_replaced"]

_WAYS = {
    "sync": ("call", "calls"), "async": ("message", "messages"), "batch": ("batch run", "batch runs"),
    "file": ("file transfer", "file transfers"), "db": ("way into its tables", "ways into its tables"),
    "unknown": ("connection of unknown kind", "connections of unknown kind"),
}  # fmt: skip


def why_built(
    names: Names, box: Box, flows: Sequence[Flow], saved: float, serves: Sequence[Box], *, adapter: bool
) -> str:
    """What it stands for, and what it saves."""
    users = len({f.consumer for f in flows})
    ways = Counter(f.mode for f in flows)
    what = _listed([f"{n} {_WAYS[m][n > 1]}" for m, n in ways.most_common()])
    told = {
        "system": _system(names, box, users, what, adapter=adapter),
        "process": f"{many(users, 'consumer takes', 'consumers take')} {_listed(box.objects)} together from {_listed(names.systems(box.providers))}: composed once",
        "experience": f"{_listed(names.systems(box.consumers))} take the same from {_listed(names.systems(box.providers))}: one API for all of them",
        "topic": f"{many(users, 'system gets', 'systems get')} {_listed(box.objects)} by {what}: one event in their place",
    }[box.layer]
    more = f"; stands behind {_listed([f'the {names.box(b)}' for b in serves])}" if serves else ""
    pays = (
        f"saves {saved:,.0f} hours net" if saved >= 0 else f"costs {-saved:,.0f} hours net, which they save"
    )
    return f"{told}{more}; {pays}"


def _system(names: Names, box: Box, users: int, what: str, *, adapter: bool) -> str:
    name = names.system(box.providers[0])
    who = f"{users} system{'s use' if users != 1 else ' uses'} {name}"
    if not users:
        return f"one contract of {name}"
    if box.contract is not None:
        return f"{who} by {what}, past the contract that it has ({box.contract}): they move to it"
    if box.foreign:
        each = ", each by itself" if users > 1 else ""
        return f"{who} by {what}{each}: one API shields them from what its vendor changes"
    if adapter:
        return f"{who} by {what}, and nothing is promised: one contract, and an adapter that keeps it"
    return f"{who} by {what} without a contract: one is published; it needs no adapter, the calls are answered already"


def why_replaced(flow: Flow, box: str, direct: float, over: float, costs: Costs) -> str:
    """The two figures, and whether the direct one is a default."""
    known = "" if flow.hours_month is not None else " (its upkeep is a default)"
    return f"direct {direct:,.0f} hours{known}, over the {box} {over:,.0f}, in {costs['horizon']:g} months"


class Kept:
    """Tells of a flow that stays what the best was that could be built, and why it does not pay."""

    def __init__(self, names: Names, posed: Posed, costs: Costs, built: Container[int]) -> None:
        self._names, self._built = names, built
        self._posed, self._months = posed, costs["horizon"]
        self._cost = [sum(posed.candidates[j].cost for j in chain) for chain in chains(posed.candidates)]
        self._flows: Counter[int] = Counter()
        self._saves: defaultdict[int, float] = defaultdict(float)
        for question in posed.questions:
            best: dict[int, float] = {}
            for option in question.options:
                box = posed.parts[option.via].box
                best[box] = max(best.get(box, 0.0), question.direct - option.cost)
            for box, saved in best.items():
                self._flows[box] += 1
                self._saves[box] += saved

    def why(self, i: int) -> str:
        """The reason, with its figures."""
        posed = self._posed
        question = posed.questions[i]
        cheaper = [o for o in question.options if o.cost < question.direct]
        if not cheaper:
            return f"direct costs {question.direct:,.0f} hours in {self._months:g} months; {self._nothing(i)}"
        best = max(cheaper, key=lambda o: self._saves[posed.parts[o.via].box] - self._cost[o.via])
        number, cost = posed.parts[best.via].box, self._cost[best.via]
        box, flows, saved = self._box(number), self._flows[number], self._saves[number]
        if saved > cost:
            return f"over {box} it would save {question.direct - best.cost:,.0f} hours, less than has to be built for it"
        many = f"its {flows} flows" if flows > 1 else "its only flow"
        return f"{box} would cost {cost:,.0f} hours in {self._months:g} months, and {many} would save {saved:,.0f}"

    def _box(self, number: int) -> str:
        title = self._names.box(self._posed.boxes[number])
        return f"{'the' if number in self._built else 'an' if title[0] in 'AE' else 'a'} {title}"

    def _nothing(self, i: int) -> str:
        if self._posed.flows[i].mode == "async":
            return "a message goes over no System API, and a topic needs an object that two systems take"
        return "nothing that could be built costs less"


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = [*names[:most], f"{len(names) - most} more"] if len(names) > most else list(names)
    return " and ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else "".join(shown)
