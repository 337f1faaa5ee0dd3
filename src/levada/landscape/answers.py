"""Answers of the people who know: taken into the map, and remembered for the next one.

The sheet is that of ``levada map --questions``; rows of your own may be added (any system or
flow, any field named here). An answer stands above what files say: a person gave it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from msgspec import Struct, structs

from levada._errors import LevadaError, plainly
from levada._whole import write_whole
from levada.network.graph import Evidence, Finding, Flow, Kind, Mode, Network, Node
from levada.network.tables import guarded, unguarded

__all__ = [
    "ANSWERS_NAME",
    "COLUMNS",
    "Answer",
    "AnswersError",
    "answered",
    "read_answers",
    "refused",
    "remember",
    "take_answers",
]

ANSWERS_NAME = "levada-answers.csv"
COLUMNS = (
    "rank", "about", "field", "question", "answer", "answered_by", "plausible", "decisions", "hours", "known", "evidence",
)  # fmt: skip
_FIGURES = frozenset(("hours_month", "volume_day", "errors_day", "incidents_90d", "freshness_s"))
_OF_FLOWS = frozenset((*_FIGURES, "mode", "object", "classification", "process"))
_OF_ID = frozenset(("mode", "object"))
"""Those of them that a flow's id is made of."""
_OF_SYSTEMS = frozenset(("owner", "domain", "kind", "contract", "storage_of", "infrastructure"))


class AnswersError(LevadaError, code="LV1914"):
    """{path} cannot be used as answers: {problem}. The sheet is made with: levada map DIR --questions FILE.csv"""


class Answer(Struct, frozen=True):
    """One answer: of a system or flow, which field, what, by whom, and in which line of the sheet."""

    about: str
    field: str
    value: str
    by: str = ""
    line: int = 0


def read_answers(path: Path) -> list[Answer]:
    """The rows of a sheet (``.csv`` or ``.xlsx``) that are answered.

    Raises:
        AnswersError: there is no such file, or it has no columns about, field and answer.
    """
    try:
        rows = list(_workbook(path) if path.suffix == ".xlsx" else _csv(path))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as exc:
        raise AnswersError(path=path, problem=plainly(exc)) from exc
    out: list[Answer] = []
    for line, row in rows:
        cells = {k: unguarded(str(v).strip()) for k, v in row.items() if v is not None}
        if cells.get("answer") and cells.get("about") and cells.get("field"):
            out.append(
                Answer(
                    cells["about"],
                    cells["field"].lower(),
                    cells["answer"],
                    cells.get("answered_by", ""),
                    line,
                )
            )
    return out


def _check(columns: Iterable[str]) -> None:
    if not {"about", "field", "answer"} <= set(columns):
        raise ValueError("it has no columns about, field and answer")


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        _check(str(k).strip().lower() for k in reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, {str(k).strip().lower(): v for k, v in row.items() if k}


def _workbook(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except InvalidFileException as exc:
        raise ValueError(str(exc)) from exc
    try:
        names: list[str] = []
        _check(
            str(c or "").strip().lower()
            for c in next(book.worksheets[0].iter_rows(max_row=1, values_only=True), ())
        )
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            if not names:
                names = [str(c or "").strip().lower() for c in cells]
            else:
                yield number, dict(zip(names, cells, strict=False))
    finally:
        book.close()


def take_answers(network: Network, answers: Iterable[Answer], source: str = ANSWERS_NAME) -> Network:
    """The network with the answers in it; what cannot be taken is a finding with its line."""
    names: dict[str, str] = {}
    for given in answers:
        answer = structs.replace(given, about=names.get(given.about, given.about))
        seen = Evidence(source, answer.line or None, status="declared", importer="answers")
        problem = _problem(network, answer)
        if problem is None:
            if answer.about in network.flows and answer.field in _OF_ID:
                # the next answers on it still call it as the sheet does
                names[given.about] = _flow(network.flows[answer.about], answer.field, answer.value, None).id
            network = answered(network, answer.about, answer.field, answer.value, seen)
        else:
            network.add_finding(Finding("answer", "warning", problem, source, answer.line or None))
    return network


def answered(network: Network, about: str, field: str, value: str, seen: Evidence | None = None) -> Network:
    """The network as it is with one answer.

    Of a system, a field of flows is taken for those of its flows that it is unknown of (as their
    provider); of a flow, for that one, whatever it said before.
    """
    out = Network(nodes=dict(network.nodes), findings=list(network.findings))
    node = network.resolve(about) if about not in network.flows else None
    if node is not None and field in _OF_SYSTEMS:
        out.nodes[node.id] = _node(node, field, value, seen)
    for flow in network.flows.values():
        touched = flow.id == about or (node is not None and flow.provider == node.id and _open(flow, field))
        out.add_flow(_flow(flow, field, value, seen) if touched and field in _OF_FLOWS else flow)
    return out


def _problem(network: Network, answer: Answer) -> str | None:
    """Why the answer cannot be taken; None if it can."""
    of_flow = answer.about in network.flows
    if not of_flow and network.resolve(answer.about) is None:
        return (
            f"{answer.about} is no system and no flow of this map; its answer ({answer.field}) is not taken"
        )
    if answer.field not in (_OF_FLOWS if of_flow else _OF_FLOWS | _OF_SYSTEMS):
        return f"{answer.field} of {answer.about} cannot be answered here; the answer is not taken"
    words = {"mode": get_args(Mode), "kind": get_args(Kind)}.get(answer.field)
    if words and answer.value.lower() not in words:
        return (
            f"{answer.field} {answer.value!r} is none of {', '.join(sorted(words))}; the answer is not taken"
        )
    if answer.field in _FIGURES and _figure(answer.value) is None:
        return f"{answer.field} {answer.value!r} is no number of 0 or more; the answer is not taken"
    if answer.field == "storage_of" and network.resolve(answer.value) is None:
        return f"{answer.value} is no system of this map; the answer is not taken"
    return None


def _figure(text: str) -> float | None:
    try:
        value = float(text.replace(" ", "").replace("_", ""))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _open(flow: Flow, field: str) -> bool:
    held = getattr(flow, field, None) if field in _OF_FLOWS else None
    return held in (None, "unknown")


def _flow(flow: Flow, field: str, value: str, seen: Evidence | None) -> Flow:
    told: Any = _figure(value) if field in _FIGURES else value.lower() if field == "mode" else value
    evidence = flow.evidence if seen is None else (*flow.evidence, seen)
    return structs.replace(flow, **{field: told}, evidence=evidence)


def _node(node: Node, field: str, value: str, seen: Evidence | None) -> Node:
    evidence = node.evidence if seen is None else (*node.evidence, seen)
    if field in ("owner", "domain", "kind"):
        told: Any = value.lower() if field == "kind" else value
        return structs.replace(node, **{field: told}, evidence=evidence)
    return structs.replace(node, attributes={**node.attributes, field: value}, evidence=evidence)


def refused(network: Network, given: Iterable[Answer], sheet: Path) -> int:
    """How many of these answers, remembered in the sheet, the map did not take."""
    lines = {f.line for f in network.findings if f.kind == "answer" and f.source == sheet.name}
    keys = {(a.about, a.field) for a in read_answers(sheet) if a.line in lines}
    return sum((a.about, a.field) in keys for a in given)


def remember(folder: Path, answers: Iterable[Answer]) -> Path:
    """Keep answers beside the exports, where every later map finds them; a newer one takes an older one's place."""
    path = folder / ANSWERS_NAME
    held = {(a.about, a.field): a for a in (read_answers(path) if path.exists() else ())}
    held |= {(a.about, a.field): a for a in answers}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("about", "field", "answer", "answered_by"))
    writer.writerows([[guarded(v) for v in (a.about, a.field, a.value, a.by)] for a in held.values()])
    write_whole(path, out.getvalue())
    return path
