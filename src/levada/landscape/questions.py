"""The questions whose answers would change the blueprint most, as a sheet for those who know.

Until a blueprint exists: what is unknown of a system or flow, weighted by how much hangs
on it (the share of flows that its ends have a part in).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

from msgspec import Struct

from levada.network.graph import Flow, Network
from levada.network.tables import guarded

__all__ = ["Question", "questions", "write_questions"]

COLUMNS = ("rank", "about", "field", "question", "answer", "answered_by", "known", "weight", "evidence")
_WEIGHTS = {"volume_day": 1.0, "mode": 0.9, "owner": 0.8, "object": 0.6, "freshness_s": 0.5, "kind": 0.4}


class Question(Struct, frozen=True):
    """One thing to ask: of what, which field, in words, and how much hangs on it (0 to 1, for ranking only)."""

    about: str
    field: str
    question: str
    weight: float
    known: str = ""
    evidence: str = ""


def questions(network: Network, count: int = 10) -> list[Question]:
    """The ``count`` questions of most weight; at most two about one flow or system."""
    degree: Counter[str] = Counter()
    for flow in network.flows.values():
        degree.update((flow.consumer, flow.provider))
    most = max(degree.values(), default=1)
    found: list[Question] = []
    for node in network.nodes.values():
        share = degree[node.id] / most
        place = node.evidence[0].source if node.evidence else ""
        known = f"{degree[node.id]} flows; kind {node.kind or 'unknown'}; domain {node.domain or 'unknown'}"
        if node.owner is None:
            found.append(
                Question(
                    node.id,
                    "owner",
                    f"Who owns {node.name or node.id}?",
                    share * _WEIGHTS["owner"],
                    known,
                    place,
                )
            )
        if node.kind is None:
            text = f"What is {node.name or node.id}: system of record, SaaS, channel, partner, broker, database or application?"
            found.append(Question(node.id, "kind", text, share * _WEIGHTS["kind"], known, place))
    for flow in network.flows.values():
        share = (degree[flow.consumer] + degree[flow.provider]) / (2 * most)
        found.extend(_of_flow(flow, share))
    found.sort(key=lambda q: (-q.weight, q.about, q.field))
    chosen: list[Question] = []
    asked: Counter[str] = Counter()
    for question in found:
        if asked[question.about] < 2 and len(chosen) < count:
            asked[question.about] += 1
            chosen.append(question)
    return chosen


def _of_flow(flow: Flow, share: float) -> list[Question]:
    what = f"{flow.consumer} from {flow.provider}" + (f" ({flow.object})" if flow.object else "")
    place = "; ".join(e.source + (f":{e.line}" if e.line else "") for e in flow.evidence[:2])
    known = f"mode {flow.mode}; {flow.protocol or 'protocol unknown'}; {flow.status or 'no evidence'}"
    texts = {
        "volume_day": (flow.volume_day is None, f"How many calls, messages or rows a day does {what} take?"),
        "mode": (flow.mode == "unknown", f"How does {what} take it: call, message, batch, file or database?"),
        "object": (flow.object is None, f"What business object does {what} take?"),
        "freshness_s": (flow.freshness_s is None, f"Within how many seconds must {what} see a change?"),
    }
    return [
        Question(flow.id, name, text, share * _WEIGHTS[name], known, place)
        for name, (open_, text) in texts.items()
        if open_
    ]


def write_questions(network: Network, path: Path, count: int = 10) -> list[Question]:
    """Write them as ``.csv`` or ``.xlsx`` with empty cells to answer in; returns them."""
    asked = questions(network, count)
    rows: list[list[Any]] = [
        [n, q.about, q.field, q.question, "", "", q.known, round(q.weight, 3), q.evidence]
        for n, q in enumerate(asked, 1)
    ]
    if path.suffix == ".xlsx":
        _workbook(rows, path)
        return asked
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[guarded(cell) for cell in row] for row in rows])
    path.write_text(out.getvalue(), encoding="utf-8")
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
        sheet.append([guarded(cell) for cell in row])
    for letter, width in zip("ABCDEFGHI", (6, 30, 12, 60, 30, 20, 40, 8, 40), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in sheet.iter_rows(min_row=2, min_col=5, max_col=6):
        for cell in row:
            cell.fill = PatternFill("solid", fgColor="FFF8DC")
    sheet.freeze_panes = "A2"
    book.save(path)
