"""Systems and flows as CSV files, workbooks, or a network in Levada's own text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from levada._errors import LevadaError
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network import tables, text
from levada.network.graph import Network

__all__ = ["CsvFolder", "NetworkText"]


class CsvFolder:
    """``systems.csv`` and ``flows.csv``: any columns order, more columns kept, empty unknown."""

    name = "csv"
    formats: tuple[str, ...] = ("systems.csv", "flows.csv")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By its name, or by the columns that make it one."""
        if file.suffix != ".csv":
            return 0.0
        columns = {c.strip().strip('"').lower() for c in file.head.split("\n", 1)[0].split(",")}
        if {"consumer", "provider"} <= columns:
            return 1.0
        return 1.0 if file.name.lower() == "systems.csv" and "id" in columns else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Its rows; a system that only stands in flows is told when all are read."""
        problems: list[tuple[int, str]] = []
        rows = _rows(file, problems)
        is_flows = "consumer" in file.head.split("\n", 1)[0].lower()
        yield from tables.from_rows(
            () if is_flows else rows,
            rows if is_flows else (),
            systems_source=file.source,
            flows_source=file.source,
            importer=self.name,
            listed=_listed(file, context) if is_flows else (),
        )
        for line, problem in problems:
            yield context.finding("malformed-row", problem, file, line)


def _listed(file: SourceFile, context: Context) -> Iterator[str]:
    for beside in context.beside(file, "systems.csv"):
        for _, row in _rows(beside, []):
            yield str(row.get("id") or row.get("name") or "").strip()


def _rows(file: SourceFile, problems: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows that can be read; ``problems`` is told of the others, each with its line."""
    reader = csv.DictReader(io.StringIO(file.text, newline=""), strict=True)
    while True:
        begun = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            left = reader.line_num - begun
            more = f"; this and the next {left} lines are not read" if left else "; the line is not read"
            problems.append((begun, f"malformed CSV: {exc}{more}"))
            continue
        yield reader.line_num, row


class NetworkText:
    """A network that Levada wrote: YAML or JSON lines."""

    name = "levada-network"
    formats: tuple[str, ...] = ("network as YAML", "network as JSON lines")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By the first line."""
        first = file.head.lstrip().split("\n", 1)[0]
        return 1.0 if first.startswith(("levada_network:", '{"levada_network"')) else 0.0

    def read(self, file: SourceFile, _context: Context) -> Iterable[Item]:
        """Its nodes, flows and findings, with the evidence they were written with."""
        read = text.from_jsonl if file.head.startswith("{") else text.from_yaml
        try:
            network: Network = read(file.text, file.source)
        except LevadaError as exc:
            raise Malformed(exc.message) from exc
        yield from network.nodes.values()
        yield from network.flows.values()
        yield from network.findings
