"""The questions whose answers would change the blueprint most, as a sheet for those who know.

Each is weighed by the blueprint itself: for every plausible answer the part of the landscape
that it touches is decided anew, and what counts is how many connections get another decision,
then how far apart the costs are. What the blueprint does not hang on (an owner) comes last.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from levada._whole import write_whole
from levada.landscape.answers import COLUMNS, answered
from levada.landscape.blueprint import Blueprint, blueprint
from levada.landscape.blueprint_candidates import Posed, called, pose
from levada.landscape.blueprint_costs import Costs, load_costs
from levada.landscape.blueprint_scope import scope
from levada.landscape.naming import Names
from levada.network.graph import Flow, Network, Node
from levada.network.tables import WorkbookFull, guarded, parts_of, save_book

__all__ = ["Question", "questions", "write_questions"]

MOST_SYSTEMS = 120
"""Systems that are asked about: those whose connections cost most."""
MOST_FLOWS = 300
"""Connections that are decided anew for an answer. Where more hang together, those of the systems
nearest to the one asked about stand for them, and of a system with more some, evenly, for all."""
_HOURS = ("0.5", "2", "8", "20")
_MODES = ("sync", "file", "db", "async")


class Question(Struct, frozen=True, kw_only=True):
    """One thing to ask: of which system, which field, in words, and what hangs on it."""

    about: str
    field: str
    question: str
    answers: tuple[str, ...] = ()
    """Plausible answers that were tried; others may be given."""
    flips: float = 0.0
    """Connections that get another decision, on average over the answers."""
    hours: float = 0.0
    """Hours over the horizon between the dearest and the cheapest answer."""
    known: str = ""
    evidence: str = ""


def questions(network: Network, count: int = 10, *, costs: Costs | None = None) -> list[Question]:
    """The ``count`` questions that the blueprint hangs on most; at most two about one system."""
    costs = costs or load_costs()
    posed = pose(network, costs)
    near, names = _Near(network, posed), Names(network)
    found: list[Question] = []
    for provider in _dearest(posed):
        part, share = near.part(provider)
        now = blueprint(part, costs)
        asked = _of_system(network, names, part, provider)
        found += [_weighed(one, part, now, costs, share) for one in asked]
    weighed = [q for q in found if q.flips > 0 or q.hours > 0]
    weighed.sort(key=lambda q: (-q.flips, -q.hours, q.about, q.field))
    chosen: list[Question] = []
    for question in (*weighed, *_owners(network, posed)):
        if len(chosen) < count and sum(c.about == question.about for c in chosen) < 2:
            chosen.append(question)
    return chosen


def _weighed(asked: Question, part: Network, now: Blueprint, costs: Costs, share: float) -> Question:
    """The question with what its answers would change; ``share``: of the system's connections that are in the part."""
    from msgspec import structs

    flips = 0
    prices = [now.cost.to_be]
    for answer in asked.answers:
        then = blueprint(answered(part, asked.about, asked.field, answer), costs)
        flips += _flipped(now, then)
        prices.append(then.cost.to_be)
    hours = (max(prices) - min(prices)) / share
    return structs.replace(asked, flips=flips / len(asked.answers) / share, hours=hours)


def _flipped(now: Blueprint, then: Blueprint) -> int:
    """How many connections are decided otherwise; by their ends and object, for an answer may give a flow another id."""
    before, after = (Counter((_ends(e.flow), e.decision, e.via) for e in made.ledger) for made in (now, then))
    return sum((before - after).values())


def _ends(flow_id: str) -> str:
    return flow_id.rpartition(" (")[0]


def _dearest(posed: Posed) -> list[str]:
    hours: dict[str, float] = defaultdict(float)
    for flow, direct, aside in zip(posed.flows, posed.direct, posed.asides, strict=True):
        if aside is None or aside.because in ("contract already", "own storage"):
            hours[flow.provider] += direct
    return sorted(hours, key=lambda p: (-hours[p], p))[:MOST_SYSTEMS]


class _Near:
    """What is decided together with a system, from it outwards, as far as ``MOST_FLOWS`` reaches."""

    def __init__(self, network: Network, posed: Posed) -> None:
        self._nodes = network.nodes
        self._apis = {n.id for n in network.nodes.values() if n.kind == "api"}
        self._flows: dict[str, list[Flow]] = defaultdict(list)
        for flow in network.flows.values():
            self._flows[flow.provider].append(flow)
        self._beside: dict[str, dict[str, None]] = defaultdict(dict)
        for box in posed.boxes:
            for provider in box.providers:
                self._beside[provider] |= dict.fromkeys(box.providers)

    def part(self, provider: str) -> tuple[Network, float]:
        """The part of the network, and the share of the provider's own flows that is in it."""
        own = self._flows[provider]
        if len(own) > MOST_FLOWS:
            some = [own[i * len(own) // MOST_FLOWS] for i in range(MOST_FLOWS)]
            return self._of(some), len(some) / len(own)
        return self._of([f for p in self._around(provider) for f in self._flows[p]]), 1.0

    def _around(self, provider: str) -> Iterable[str]:
        reached = {provider: None}
        count = len(self._flows[provider])
        for now in (queue := [provider]):
            for other in self._beside[now]:
                if other not in reached and count + len(self._flows[other]) <= MOST_FLOWS:
                    reached[other] = None
                    count += len(self._flows[other])
                    queue.append(other)
        return reached

    def _of(self, flows: list[Flow]) -> Network:
        ends = self._apis | {e for f in flows for e in (f.consumer, f.provider)}
        return Network.of((self._nodes[i] for i in sorted(ends)), sorted(flows, key=lambda f: f.id))


def _of_system(network: Network, names: Names, part: Network, provider: str) -> Iterable[Question]:
    node = network.nodes[provider]
    name = names.system(provider)
    said = scope(part)
    flows = [f for f in part.flows.values() if f.provider == provider]
    own = [f for f in flows if (a := said.asides.get(f.id)) is None or a.because == "contract already"]
    if not own:
        return
    known, place = _known(node, own), _place(own)

    def ask(field: str, text: str, answers: tuple[str, ...]) -> Question:
        return Question(
            about=provider, field=field, question=text, answers=answers, known=known, evidence=place
        )

    blind = [f for f in own if f.mode == "unknown"]
    if blind:
        text = f"How do {_who(names, blind)} use {name}: call (sync), message (async), batch, file or tables (db)?"
        yield ask("mode", text, _MODES)
    unsaid = [f for f in own if f.hours_month is None]
    if unsaid:
        text = f"How many hours of work a month does one connection to {name} take ({_who(names, unsaid)})?"
        yield ask("hours_month", text, _HOURS)
    if any(called(f) for f in own) and provider not in said.contracts and "contract" not in node.attributes:
        yield ask(
            "contract",
            f"Does {name} have a published contract (OpenAPI, WSDL, a vendor's)? Which?",
            ("yes", "no"),
        )
    if provider in said.unowned:
        users = tuple(sorted({f.consumer for f in own}))[:6]
        yield ask("storage_of", f"Whose own storage is {name}: {', '.join(names.systems(users))}?", users)


def _owners(network: Network, posed: Posed) -> list[Question]:
    """Who owns what would be built: the blueprint does not hang on it, the plan does."""
    out: list[Question] = []
    names = Names(network)
    flows: dict[str, list[Flow]] = defaultdict(list)
    for flow in posed.flows:
        flows[flow.provider].append(flow)
    for provider in _dearest(posed):
        node, own = network.nodes[provider], flows[provider]
        if node.owner is None and len({f.consumer for f in own}) > 1:
            text = f"Who owns {names.system(provider)}?"
            known, place = _known(node, own), _place(own)
            out.append(Question(about=provider, field="owner", question=text, known=known, evidence=place))
    return out


def _who(names: Names, flows: Iterable[Flow]) -> str:
    users = names.systems(sorted({f.consumer for f in flows}))
    return ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")


def _known(node: Node, flows: Iterable[Flow]) -> str:
    modes: Mapping[str, int] = {}
    counts: dict[str, int] = defaultdict(int)
    for f in flows:
        counts[f.mode] += 1
    modes = dict(sorted(counts.items()))
    how = ", ".join(f"{n} {m}" for m, n in modes.items())
    return f"{how}; kind {node.kind or 'unknown'}; owner {node.owner or 'unknown'}; domain {node.domain or 'unknown'}"


def _place(flows: Iterable[Flow]) -> str:
    places = dict.fromkeys(e.source + (f":{e.line}" if e.line else "") for f in flows for e in f.evidence[:1])
    return "; ".join(list(places)[:2])


def write_questions(network: Network, path: Path) -> list[Question]:
    """Write the questions as ``.csv`` or ``.xlsx`` with empty cells to answer in; returns them."""
    asked = questions(network)
    rows: list[list[Any]] = [
        [
            n, q.about, q.field, q.question, "", "", ", ".join(q.answers), round(q.flips, 1), round(q.hours), q.known,
            q.evidence,
        ]
        for n, q in enumerate(asked, 1)
    ]  # fmt: skip
    if path.suffix == ".xlsx":
        _workbook(rows, path)
        return asked
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[guarded(cell) for cell in row] for row in rows])
    write_whole(path, out.getvalue())
    return asked


def _workbook(rows: list[list[Any]], path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "questions"
    sheet.append(COLUMNS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in rows:
        cells = [parts_of(cell) for cell in row]
        for name, parts in zip(COLUMNS, cells, strict=True):
            if len(parts) > 1:
                problem = (
                    f"{name} of question {row[0]} would have {len(row[COLUMNS.index(name)]):,} characters"
                )
                raise WorkbookFull(path=path, problem=problem)
        sheet.append([cell for (cell,) in cells])
    for letter, width in zip("ABCDEFGHIJK", (6, 30, 14, 60, 30, 20, 30, 10, 10, 40, 40), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in sheet.iter_rows(min_row=2, min_col=5, max_col=6):
        for cell in row:
            cell.fill = PatternFill("solid", fgColor="FFF8DC")
    sheet.freeze_panes = "A2"
    save_book(book, path)
