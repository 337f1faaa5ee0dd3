"""The network as tables: ``systems.csv`` and ``flows.csv``, or a workbook with these sheets.

Columns are known by name in any order, unknown ones are kept as attributes, empty means
unknown. Evidence that a row cites (``evidence``, files separated by ``;``) is kept beside
the row itself. What is longer than a cell of a workbook is continued in columns beside its own
(``evidence (continued 2)``), and put together again where it is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, get_args

from levada._errors import LevadaError
from levada._whole import write_together, write_whole
from levada.network.graph import Evidence, Finding, Flow, Kind, Mode, Network, Node, Status

__all__ = [
    "FLOW_COLUMNS",
    "SYSTEM_COLUMNS",
    "WorkbookFull",
    "flow_row",
    "from_rows",
    "parts_of",
    "read_csv",
    "read_xlsx",
    "save_book",
    "write_csv",
    "write_xlsx",
]

SYSTEM_COLUMNS = ("id", "name", "kind", "owner", "domain", "layer", "aliases", "evidence", "status")
FIGURES = ("volume_day", "errors_day", "hours_month", "incidents_90d", "freshness_s")
FLOW_COLUMNS = (
    "consumer", "provider", "object", "mode", "protocol", "evidence", "status",
    *FIGURES, "contract", "classification", "process",
)  # fmt: skip

_KINDS, _MODES, _STATUSES = frozenset(get_args(Kind)), frozenset(get_args(Mode)), frozenset(get_args(Status))
_LAYERS = frozenset({"system", "process", "experience"})

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would run; also behind marks that guard it already, so that each is taken off once."""
_CONTINUED = re.compile(r"(.+) \(continued (\d+)\)\Z")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

FULL_CELL = 32_767
"""Characters that a cell of a workbook holds, by Excel's limit; writers cut off what is beyond."""
MOST_OF_A_CELL = 32_000
"""Characters that we put into one: fewer, so that one that was cut off can be told."""
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384

csv.field_size_limit(2**31 - 1)
"""Python refuses cells of more than 131,072 characters by default; evidence of a hub is longer."""

Row = Mapping[str, Any]


class WorkbookFull(LevadaError, code="LV1904"):
    """{path} is not written, as {problem}, more than a workbook holds. Write .csv, of a network also .yaml, .jsonl or a folder, instead."""


def from_rows(
    systems: Iterable[tuple[int, Row]],
    flows: Iterable[tuple[int, Row]],
    *,
    systems_source: str = "systems.csv",
    flows_source: str = "flows.csv",
    importer: str | None = None,
    listed: Iterable[str] = (),
) -> Iterator[Node | Flow | Finding]:
    """Nodes, flows and findings of table rows, each with its line number.

    ``listed`` are ids of systems that stand elsewhere.

    A value that is not of its column's words is reported and taken as unknown; a row
    without its key columns is reported and left out.
    """
    known: set[str] = set(listed)
    for line, row in systems:
        for item in _node(line, row, systems_source, importer):
            if isinstance(item, Node):
                known.add(item.id)
            yield item
    for line, row in flows:
        for item in _flow(line, row, flows_source, importer):
            if isinstance(item, Flow):
                for end in (item.consumer, item.provider):
                    if end not in known:
                        known.add(end)
                        yield Finding(
                            "unlisted-system", "info", f"{end} stands in flows only; its kind is unknown",
                            flows_source, line,
                        )  # fmt: skip
                        yield Node(
                            id=end, name=end, evidence=(Evidence(flows_source, line, importer=importer),)
                        )
            yield item


def _node(line: int, row: Row, source: str, importer: str | None) -> Iterator[Node | Finding]:
    cell = _Cells(line, row, source)
    if cell.shifted:
        yield cell.finding("misaligned-row", _SHIFTED)
        return
    node_id = cell.text("id") or cell.text("name")
    if not node_id:
        yield cell.finding("incomplete-row", "a system needs an id")
        return
    layer: Any = cell.word("layer", _LAYERS)
    kind: Any = cell.word("kind", _KINDS)
    status: Any = cell.word("status", _STATUSES) or "declared"
    yield Node(
        id=node_id,
        name=cell.text("name") or node_id,
        kind=kind,
        layer=layer,
        owner=cell.text("owner"),
        domain=cell.text("domain"),
        aliases=tuple(a.strip() for a in (cell.text("aliases") or "").split(";") if a.strip()),
        attributes=cell.rest(SYSTEM_COLUMNS),
        evidence=(Evidence(source, line, status=status, importer=importer), *cell.cited(status, importer)),
    )
    yield from cell.findings


def _flow(line: int, row: Row, source: str, importer: str | None) -> Iterator[Flow | Finding]:
    cell = _Cells(line, row, source)
    if cell.shifted:
        yield cell.finding("misaligned-row", _SHIFTED)
        return
    consumer, provider = cell.text("consumer"), cell.text("provider")
    if not consumer or not provider:
        yield cell.finding("incomplete-row", "a flow needs a consumer and a provider")
        return
    mode: Any = cell.word("mode", _MODES) or "unknown"
    status: Any = cell.word("status", _STATUSES) or "declared"
    figures: dict[str, Any] = {name: cell.number(name) for name in FIGURES}
    yield Flow(
        consumer=consumer,
        provider=provider,
        object=cell.text("object"),
        mode=mode,
        protocol=cell.text("protocol"),
        evidence=(
            Evidence(source, line, seen=cell.text("seen"), status=status, importer=importer),
            *cell.cited(status, importer),
        ),
        contract=cell.text("contract"),
        classification=cell.text("classification"),
        process=cell.text("process"),
        attributes=cell.rest((*FLOW_COLUMNS, "seen")),
        **figures,
    )
    yield from cell.findings


_SHIFTED = "it has more cells than there are columns, left out: is a comma within a cell not quoted?"


class _Cells:
    """One row's cells, read by name; collects what could not be read."""

    def __init__(self, line: int, row: Row, source: str) -> None:
        self._line, self._source = line, source
        self._row = {str(k).strip().lower(): v for k, v in row.items() if k}
        more: Any = row.get(None)  # type: ignore[call-overload] - where a CSV reader puts cells beyond the columns
        self.shifted = any(str(v).strip() for v in more or ())
        self.findings: list[Finding] = []

    def finding(self, kind: str, text: str) -> Finding:
        return Finding(kind, "warning", text, self._source, self._line)

    def text(self, name: str) -> str | None:
        value = self._row.get(name)
        if value is None:
            return None
        text = str(value).strip()
        return unguarded(text) or None

    def word(self, name: str, words: frozenset[str]) -> str | None:
        text = self.text(name)
        if text is None or text.lower() in words:
            return text.lower() if text else None
        self.findings.append(
            self.finding(
                "unknown-value", f"{name} {text!r} is none of {', '.join(sorted(words))}; taken as unknown"
            )
        )
        return None

    def number(self, name: str) -> float | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text.replace(" ", "").replace("_", ""))
        except ValueError:
            value = float("nan")
        if not 0 <= value < float("inf"):
            self.findings.append(
                self.finding("unknown-value", f"{name} {text!r} is no number of 0 or more; taken as unknown")
            )
            return None
        return value

    def cited(self, status: Any, importer: str | None) -> tuple[Evidence, ...]:
        cited = (part.strip() for part in (self.text("evidence") or "").split(";"))
        return tuple(_cited(part, status, importer) for part in cited if part)

    def rest(self, known: Iterable[str]) -> dict[str, Any]:
        names = set(known)
        return {k: t for k in self._row if k not in names and (t := self.text(k)) is not None}


def _cited(text: str, status: Any, importer: str | None) -> Evidence:
    source, colon, line = text.rpartition(":")
    if colon and line.isdigit():
        return Evidence(source, int(line), status=status, importer=importer)
    return Evidence(text, status=status, importer=importer)


def read_csv(folder: Path) -> Network:
    """The network of a folder with ``systems.csv`` and/or ``flows.csv``."""
    network = Network()
    tables = {name: list(_csv_rows(folder / f"{name}.csv")) for name in ("systems", "flows")}
    _take(network, from_rows(tables["systems"], tables["flows"]))
    return network


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


def read_xlsx(path: Path) -> Network:
    """The network of a workbook with sheets ``systems`` and ``flows``."""
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    findings: list[Finding] = []
    try:
        tables: dict[str, list[tuple[int, Row]]] = {"systems": [], "flows": []}
        for sheet in book.worksheets:
            if sheet.title.lower() in tables:
                tables[sheet.title.lower()] = list(sheet_rows(sheet, path.name, findings))
    finally:
        book.close()
    network = Network()
    _take(
        network,
        from_rows(tables["systems"], tables["flows"], systems_source=path.name, flows_source=path.name),
    )
    _take(network, findings)
    return network


def sheet_rows(
    sheet: Any, source: str, findings: list[Finding],
    header: Callable[[Sequence[str]], object] = bool, among: int = 1,
) -> Iterator[tuple[int, Row]]:  # fmt: skip
    """Rows of a sheet by the names in its header, with their numbers; cells that were cut off are found.

    The header is the first of ``among`` rows that ``header`` takes for one, else the first row.
    """
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    above = list(islice(rows, among))
    top = next((n for n, (_, cells) in enumerate(above) if header(_names(cells))), 0)
    names = _names(above[top][1]) if above else []
    for number, cells in chain(above[top + 1 :], rows):
        if any(c is not None for c in cells):
            for name, cell in zip(names, cells, strict=False):
                if isinstance(cell, str) and len(cell) == FULL_CELL:
                    text = (
                        f"{name} of the sheet {sheet.title} is as long as a cell can be, {FULL_CELL:,} characters: what was "
                        "behind is lost. Take what it was made of instead, or export it as CSV"
                    )
                    findings.append(Finding("full-cell", "warning", text, source, number))
            yield number, _joined(dict(zip(names, cells, strict=False)))


def _names(cells: Iterable[Any]) -> list[str]:
    return [str(c).strip() if c is not None else "" for c in cells]


def _joined(row: dict[str, Any]) -> dict[str, Any]:
    """The row with cells that are continued in others put together."""
    parts = [(m[1], int(m[2]), name) for name in row if (m := _CONTINUED.match(name)) and m[1] in row]
    for base, _, name in sorted(parts):
        part = row.pop(name)
        if part is not None:
            row[base] = f"{row[base] or ''}{unguarded(str(part))}"
    return row


def _take(network: Network, items: Iterable[Node | Flow | Finding]) -> None:
    for item in items:
        if isinstance(item, Node):
            network.add_node(item)
        elif isinstance(item, Flow):
            network.add_flow(item)
        else:
            network.add_finding(item)


def node_row(node: Node) -> dict[str, Any]:
    """One row of the systems table."""
    return {
        **node.attributes,
        **{name: getattr(node, name) for name in ("id", "name", "kind", "owner", "domain", "layer")},
        "aliases": ";".join(node.aliases),
        "evidence": ";".join(_place(e) for e in node.evidence),
        "status": _strongest(node.evidence),
    }


def flow_row(flow: Flow) -> dict[str, Any]:
    """One row of the flows table."""
    seen = max((e.seen for e in flow.evidence if e.seen and e.status == flow.status), default=None)
    return {
        **flow.attributes,
        **{name: getattr(flow, name) for name in FLOW_COLUMNS if name not in ("evidence", "status")},
        "evidence": ";".join(_place(e) for e in flow.evidence),
        "status": flow.status,
        **({} if seen is None else {"seen": seen}),
    }


def write_csv(network: Network, folder: Path) -> None:
    """Write ``systems.csv`` and ``flows.csv`` into ``folder``, in stable order; both or none."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[Path, str | bytes] = {}
    for name, columns, rows in _tables(network):
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: guarded(v) for k, v in row.items()} for row in rows])
        files[folder / f"{name}.csv"] = out.getvalue()
    write_together(files)


def write_xlsx(network: Network, path: Path) -> None:
    """Write a workbook with the sheets ``systems`` and ``flows``; raises :class:`WorkbookFull`."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for name, columns, rows in _tables(network):
        cells = [[parts_of(row.get(c)) for c in columns] for row in rows]
        most = [max((len(row[i]) for row in cells), default=1) for i in range(len(columns))]
        for what, count, limit in (("rows", len(rows) + 1, MOST_ROWS), ("columns", sum(most), MOST_COLUMNS)):
            if count > limit:
                raise WorkbookFull(path=path, problem=f"its sheet {name} would have {count:,} {what}")
        sheet = book.create_sheet(name)
        sheet.append([_part(c, n) for c, many in zip(columns, most, strict=True) for n in range(1, many + 1)])
        for row in cells:
            sheet.append([p for ps, n in zip(row, most, strict=True) for p in (*ps, *[None] * (n - len(ps)))])
    save_book(book, path)


def save_book(book: Any, path: Path) -> None:
    """Save a workbook whole or not at all."""
    whole = io.BytesIO()
    book.save(whole)
    write_whole(path, whole.getvalue())


def parts_of(value: Any) -> Sequence[Any]:
    """The cells of a workbook that a value takes: one, or several where it is longer than one may be.

    A workbook holds no control characters: their pictures stand for them.
    """
    if not isinstance(value, str) or len(value) < MOST_OF_A_CELL // 2:
        return (_cell(value),)
    # The limit counts what is beyond the first plane twice.
    most = MOST_OF_A_CELL // 2 if max(value) > "\uffff" else MOST_OF_A_CELL
    return [_cell(value[at : at + most]) for at in range(0, len(value), most)]


def _part(column: str, number: int) -> str:
    return column if number == 1 else f"{column} (continued {number})"


def _cell(value: Any) -> Any:
    cell = guarded(value)
    return _CONTROLS.sub(lambda m: chr(0x2400 + ord(m[0])), cell) if isinstance(cell, str) else cell


def _tables(network: Network) -> list[tuple[str, list[str], list[dict[str, Any]]]]:
    ordered = network.sorted()
    out: list[tuple[str, list[str], list[dict[str, Any]]]] = []
    for name, known, rows in (
        ("systems", SYSTEM_COLUMNS, [node_row(n) for n in ordered.nodes.values()]),
        ("flows", FLOW_COLUMNS, [flow_row(f) for f in ordered.flows.values()]),
    ):
        more = sorted({k for row in rows for k in row} - set(known))
        out.append((name, [*known, *more], rows))
    return out


def _place(evidence: Evidence) -> str:
    return evidence.source if evidence.line is None else f"{evidence.source}:{evidence.line}"


def _strongest(evidence: tuple[Evidence, ...]) -> str | None:
    held = {e.status for e in evidence}
    return next((s for s in ("observed", "configured", "declared") if s in held), None)


def guarded(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula; unknown stays empty, numbers stay numbers."""
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return "'" + text if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What :func:`guarded` was given."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text
