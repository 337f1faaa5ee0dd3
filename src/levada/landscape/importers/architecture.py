"""Architecture repositories: ArchiMate Open Exchange, and tables whose columns are known by name
(LeanIX, ServiceNow, a spreadsheet of interfaces).
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._xml import XmlNode
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.landscape.words import many
from levada.network.graph import Finding, Flow, Mode, Node
from levada.network.names import slug

__all__ = ["ArchiMate", "NamedColumns"]

MOST_ABOVE = 10
"""Rows of a table among which its header is looked for."""
_CONSUMER = ("consumer", "consuming application", "consumer application", "consumer system", "client", "caller", "relintefacetoconsumerapplication",
             "parent.name", "target", "target system", "target application", "to", "to system", "destination", "receiver", "receiving system", "parent", "quellsystem-empfänger",
             "zielsystem", "zielanwendung", "ziel", "nach", "nach system", "an", "empfänger", "empfaenger", "empfangendes system")  # fmt: skip
_PROVIDER = ("provider", "providing application", "provider application", "provider system", "source", "source system", "source application",
             "from", "from system", "sender", "sending system", "child", "child.name", "origin",
             "quellsystem", "quellanwendung", "quelle", "von", "von system", "sendendes system")  # fmt: skip
_OBJECT = (
    "object",
    "data object",
    "business object",
    "data",
    "entity",
    "payload",
    "information",
    "content",
    "interface name",
    "interface",
    "datenobjekt",
    "geschäftsobjekt",
    "objekt",
    "daten",
    "inhalt",
    "schnittstelle",
)
_PROTOCOL = ("protocol", "technology", "interface type", "transport", "connection type", "method", "type",
             "protokoll", "technologie", "technik", "schnittstellentyp", "übertragung")  # fmt: skip
_RELATION = (
    "type",
    "type.name",
    "type.display name",
    "relationship type",
    "relation type",
    "relationship",
    "relation",
)
_USES = frozenset(
    ("depends on", "uses", "use", "consumes", "calls", "invokes", "reads from", "receives data from", "receives from", "gets data from",
     "connects to", "subscribes to", "use end point to")
)  # fmt: skip
"""What a parent does to a child that it is the consumer of, as ServiceNow's types of relations call it."""
_SERVES = frozenset(
    ("used by", "consumed by", "called by", "invoked by", "read by", "sends data to", "sends to", "provides data to", "provides data for",
     "feeds", "connected by", "connected to by", "subscribed by", "subscribed to by", "use end point from")
)  # fmt: skip
_EXCHANGES = frozenset(("exchanges data with", "exchanges with", "data exchange"))
"""Each of the two consumes what the other provides."""
_FIGURES: dict[str, tuple[str, ...]] = {
    "hours_month": (
        "hours/month",
        "hours per month",
        "hours a month",
        "hours month",
        "h/month",
        "stunden/monat",
        "stunden pro monat",
    ),
    "incidents_90d": ("incidents 90 d", "incidents 90d", "incidents in 90 days", "incidents (90 d)"),
    "volume_day": (
        "volume/day",
        "calls/day",
        "messages/day",
        "volume per day",
        "calls per day",
        "volume day",
        "aufrufe/tag",
        "aufrufe pro tag",
        "nachrichten/tag",
        "nachrichten pro tag",
    ),
    "errors_day": ("errors/day", "errors per day", "errors day", "fehler/tag", "fehler pro tag"),
}
"""Columns whose unit their name tells; others are not guessed at."""
_REMARKS: dict[str, tuple[str, ...]] = {
    "owner": ("owner", "responsible", "contact", "verantwortlich", "verantwortlicher", "ansprechpartner"),
    "remark": ("remark", "remarks", "comment", "comments", "notes", "bemerkung", "bemerkungen", "kommentar"),
    "schedule": (
        "schedule",
        "frequency",
        "cadence",
        "periodicity",
        "interval",
        "turnus",
        "rhythmus",
        "häufigkeit",
        "haeufigkeit",
        "frequenz",
        "zeitplan",
    ),
}
_MODES: tuple[tuple[str, Mode], ...] = (
    (r"batch|nightly|scheduled|cron|etl|nächtlich", "batch"), (r"file|ftp|sftp|csv|share|datei", "file"),
    (r"kafka|queue|mq|event|async|message|topic|jms|amqp", "async"), (r"jdbc|odbc|sql|database|datenbank|\bdb\b|link", "db"),
    (r"rest|http|soap|api|rpc|web ?service|graphql|sync|odata", "sync"),
)  # fmt: skip


_SYSTEMS = (
    "ApplicationComponent",
    "ApplicationCollaboration",
    "Node",
    "SystemSoftware",
    "TechnologyCollaboration",
)
_PARTS = re.compile(
    r"(Application|Technology|Infrastructure)(Service|Interface|Function|Process|Interaction|Event)\Z"
)
"""What a system does or offers; a flow of it is one of the system that is assigned to it."""


class ArchiMate:
    """Flow, serving and triggering relationships between application and technology elements.

    What goes on between people and departments is no flow between systems; it is counted and told.
    """

    name = "archimate"
    formats: tuple[str, ...] = ("ArchiMate Open Exchange (XML)", "Archi models (.archimate)")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By the namespace."""
        if file.suffix not in (".xml", ".archimate"):
            return 0.0
        known = "opengroup.org/xsd/archimate" in file.head or "archimatetool.com/archimate" in file.head
        return 1.0 if known else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Elements as systems, relationships as declared flows: who is served, or receives, is the consumer."""
        elements: dict[str, tuple[str, str, XmlNode]] = {}
        relations: list[tuple[str, str, str, XmlNode]] = []
        for node in file.xml.find("element", "relationship"):
            kind = node.attrs.get("XMLSchema-instance:type", "").removeprefix("archimate:")
            ends = (node.attrs.get("source", ""), node.attrs.get("target", ""))
            if node.name == "relationship" or (kind.endswith("Relationship") and all(ends)):
                relations.append((kind.removesuffix("Relationship"), *ends, node))
            else:
                label = node.text_of("name") or node.attrs.get("name") or node.attrs.get("identifier", "")
                elements[node.attrs.get("identifier") or node.attrs.get("id", "")] = (kind, label, node)
        owners = _owners(elements, relations)
        systems = {
            owners.get(e, e) for e, (kind, *_) in elements.items() if kind in _SYSTEMS or _PARTS.match(kind)
        }
        business = 0
        used: dict[str, None] = {e: None for e in systems if elements[e][0] in _SYSTEMS}
        flows: list[Flow] = []
        for kind, source, target, node in relations:
            ends = (owners.get(source, source), owners.get(target, target))
            if kind not in ("Flow", "Serving", "UsedBy", "Triggering") or ends[0] == ends[1]:
                continue
            if not systems.intersection(ends) or not all(
                _may_end(elements.get(e), e in systems) for e in ends
            ):
                business += kind == "Flow"
                continue
            used.update(dict.fromkeys(ends))
            flows.append(
                Flow(
                    consumer=slug(elements[ends[1]][1]), provider=slug(elements[ends[0]][1]),
                    object=node.text_of("name") or node.attrs.get("name") or None,
                    mode="async" if kind == "Triggering" else "unknown",
                    evidence=context.at(file, node.line, status="declared"),
                )
            )  # fmt: skip
        for element in used:
            kind, label, node = elements[element]
            yield Node(
                id=slug(label), name=label, kind="app" if kind.startswith("Application") else None,
                evidence=context.at(file, node.line, status="declared"),
            )  # fmt: skip
        yield from (f for f in flows if f.consumer != f.provider)
        if business:
            text = f"{many(business, 'flow is', 'flows are')} between people, departments or processes, not systems; left out"
            yield context.finding("left-out", text, file, severity="info")


def _may_end(element: tuple[str, str, XmlNode] | None, system: bool) -> bool:
    return element is not None and bool(element[1]) and (system or element[0] == "BusinessActor")


def _owners(
    elements: Mapping[str, tuple[str, str, XmlNode]], relations: Iterable[tuple[str, str, str, XmlNode]]
) -> dict[str, str]:
    """Each function, service and interface to the component that it is assigned to or part of."""
    up: dict[str, str] = {}
    for kind, source, target, _ in relations:
        part = elements.get(target, ("", "", None))[0]
        if kind in ("Assignment", "Composition", "Aggregation", "Realization") and _PARTS.match(part):
            up.setdefault(target, source)
    out: dict[str, str] = {}
    for start in up:
        at, seen = start, {start}
        while at in up and up[at] not in seen:
            at = up[at]
            seen.add(at)
            if elements.get(at, ("", "", None))[0] in _SYSTEMS:
                out[start] = at
                break
    return out


class NamedColumns:
    """A table of interfaces in CSV or XLSX: columns for two systems, known by their usual names."""

    name = "named-columns"
    formats: tuple[str, ...] = (
        "CSV and XLSX with source/target or provider/consumer columns",
        "LeanIX interface export",
        "ServiceNow cmdb_rel_ci",
    )
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """A header with a column for each end."""
        if file.suffix == ".xlsx":
            return 0.6
        if file.suffix not in (".csv", ".tsv"):
            return 0.0
        header = _csv_header(file.head)
        return 0.0 if header is None else 0.7 if header[0] == 1 else 0.6

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Declared flows; says which columns were taken for the two ends."""
        if file.suffix == ".xlsx":
            yield from _workbook(file, context)
            return
        line, header, delimiter = _csv_header(file.head) or (1, [], ",")
        reader = csv.reader(io.StringIO(file.text, newline=""), delimiter=delimiter)
        while reader.line_num < line:
            next(reader)
        shifted: list[int] = []

        def rows() -> Iterator[tuple[int, Mapping[str, Any]]]:
            for row in reader:
                if any(cell.strip() for cell in row[len(header) :]):
                    shifted.append(reader.line_num)
                else:
                    yield reader.line_num, dict(zip(header, row, strict=False))

        yield from _table(header, line, rows(), file, context)
        for line in shifted:
            text = (
                "it has more cells than there are columns, left out: is a separator within a cell not quoted?"
            )
            yield context.finding("misaligned-row", text, file, line)


def _csv_header(head: str) -> tuple[int, list[str], str] | None:
    """The line, cells and delimiter of the first row that names both ends: people put titles above it."""
    for delimiter in ",;\t":
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        for row in islice(reader, MOST_ABOVE):
            if _columns(row):
                return reader.line_num, row, delimiter
    return None


def _key(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name.strip().lower().lstrip("\ufeff"))


def _pick(header: Iterable[str], words: tuple[str, ...]) -> str | None:
    keys = {_key(h): h for h in header if h}
    return next((keys[w] for w in words if w in keys), None)


def _columns(header: Sequence[str]) -> tuple[str, str] | None:
    consumer, provider = _pick(header, _CONSUMER), _pick(header, _PROVIDER)
    return (consumer, provider) if consumer and provider else None


def _table(
    header: list[str], top: int, rows: Iterable[tuple[int, Mapping[str, Any]]], file: SourceFile, context: Context
) -> Iterator[Item]:  # fmt: skip
    ends = _columns(header)
    if ends is None:
        raise Malformed("no columns name the two ends of a flow", top)
    typed = _pick(header, _RELATION) if _key(ends[0]) in ("parent", "parent.name") else None
    if typed:
        text = f"which of {ends[0]!r} and {ends[1]!r} is the consumer is told by {typed!r}"
    else:
        text = f"{ends[0]!r} is taken for the consumer, {ends[1]!r} for the provider"
    yield context.finding("columns", text, file, top, severity="info")
    what, how = _pick(header, _OBJECT), _pick(header, _PROTOCOL)
    columns = {name: _pick(header, words) for name, words in (_FIGURES | _REMARKS).items()}
    left: Counter[str] = Counter()
    for line, row in rows:
        consumer, provider = (str(row.get(e) or "").strip() for e in ends)
        seen = context.at(file, line, status="declared")
        if not consumer or not provider:
            if any(row.values()):
                yield context.finding("incomplete-row", "a flow needs two systems", file, line)
            continue
        protocol = str(row.get(how) or "").strip().lower() or None if how else None
        relation = str(row.get(typed) or "").strip() if typed else None
        pairs = _related(consumer, provider, relation)
        if not pairs:
            left[relation or "(no type)"] += 1
            continue
        if how == typed and _is_relation(relation):
            protocol = None
        for name in (consumer, provider):
            yield Node(id=slug(name), name=name, evidence=seen)
        mode = _mode(protocol)
        cells = {name: str(row.get(c) or "").strip() for name, c in columns.items() if c}
        figures: dict[str, Any] = {name: _figure(cells[name]) for name in _FIGURES.keys() & cells.keys()}
        for name in (n for n, value in figures.items() if cells[n] and value is None):
            text = f"{columns[name]} {cells[name]!r} is no number of 0 or more; taken as unknown"
            yield context.finding("unknown-value", text, file, line)
        for one, other in pairs:
            if slug(one) != slug(other):
                yield Flow(
                    consumer=slug(one), provider=slug(other), object=str(row.get(what) or "").strip() or None if what else None,
                    mode=mode, protocol=protocol, evidence=seen, attributes={n: cells[n] for n in _REMARKS if cells.get(n)}, **figures,
                )  # fmt: skip
    yield from _left_out(left, file, context)


def _left_out(left: Counter[str], file: SourceFile, context: Context) -> Iterator[Item]:
    if left:
        types = ", ".join(f"{name}: {n:,}" for name, n in sorted(left.items(), key=lambda x: (-x[1], x[0])))
        count = many(left.total(), "relation is", "relations are")
        text = f"{count} none of use or exchange ({excerpt(types, 300)}); left out"
        yield context.finding("left-out", text, file, severity="info")


def _is_relation(relation: str | None) -> bool:
    """Is it a type of relation, not a way to connect (``REST``)?"""
    return relation is not None and ("::" in relation or _mode(relation.lower()) == "unknown")


def _related(parent: str, child: str, relation: str | None) -> list[tuple[str, str]]:
    """Consumers and providers by a type of relation (``Depends on::Used by``); none where it says who runs or contains whom."""
    if relation is None or not _is_relation(relation):
        return [(parent, child)]
    word = " ".join(relation.partition("::")[0].lower().split())
    return [
        *([(parent, child)] if word in _USES or word in _EXCHANGES else []),
        *([(child, parent)] if word in _SERVES or word in _EXCHANGES else []),
    ]


def _figure(text: str) -> float | None:
    """A number as spreadsheets of several countries write it."""
    plain = text.replace(" ", "").replace("\u00a0", "")
    plain = plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _mode(protocol: str | None) -> Mode:
    for pattern, mode in _MODES:
        if protocol and re.search(pattern, protocol):
            return mode
    return "unknown"


def _lists_systems(header: Sequence[str]) -> bool:
    return not {"id", "name"}.isdisjoint(_key(h) for h in header)


def _lists_flows(header: Sequence[str]) -> bool:
    return {"consumer", "provider"} <= {_key(h) for h in header}


def _workbook(file: SourceFile, context: Context) -> Iterator[Item]:
    import zipfile

    try:
        with zipfile.ZipFile(file.path) as archive:
            size = sum(i.file_size for i in archive.infolist())
            if size > 256 * 1024 * 1024 or size > 1000 * max(file.size, 1):
                raise Malformed(f"unpacks to {size:,} bytes; not read")
        from openpyxl import load_workbook

        book = load_workbook(file.path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, SyntaxError, KeyError, ValueError, OSError) as exc:
        raise Malformed(f"no workbook: {exc}") from exc
    from levada.network.tables import from_rows, sheet_rows

    try:
        tables: dict[str, list[tuple[int, Mapping[str, Any]]]] = {"systems": [], "flows": []}
        others = False
        cut: list[Finding] = []
        for sheet in book.worksheets:
            name = sheet.title.lower()
            ours = {"systems": _lists_systems, "flows": _lists_flows}.get(name, _columns)
            rows = list(
                sheet_rows(sheet, file.source, cut, lambda h, ours=ours: ours(h) or _columns(h), MOST_ABOVE)
            )
            header = [str(k) for k in rows[0][1]] if rows else []
            if name in tables and (ours(header) or not _columns(header)):
                tables[name] = rows
            elif _columns(header):
                others = True
                yield from _table(header, rows[0][0] - 1, rows, file, context)
        yield from cut
        if tables["systems"] or tables["flows"]:
            yield from from_rows(
                tables["systems"],
                tables["flows"],
                systems_source=file.source,
                flows_source=file.source,
                importer="named-columns",
            )
        elif not others:
            yield context.finding(
                "skipped-file",
                f"no sheet names the two ends of a flow in its first {MOST_ABOVE} rows",
                file,
                severity="info",
            )
    finally:
        book.close()
