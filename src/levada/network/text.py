"""The network as text that a person edits, diffs and reviews in Git: YAML or JSON lines.

Both have a stable order (ids, then evidence), one thing a block or line, and leave out
what is unknown. Both begin with the version of the format.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from levada._errors import LevadaError
from levada._whole import write_whole
from levada.network._yaml import YamlError, read_yaml
from levada.network.graph import Finding, Flow, Network, Node

__all__ = ["NetworkTextError", "from_jsonl", "from_yaml", "read", "to_jsonl", "to_yaml", "write"]

FORMAT = 1
_KEY = "levada_network"
_SAFE = re.compile(r"[A-Za-z/_][A-Za-z0-9_./@ >\[\]()+-]*(?::[A-Za-z0-9_./@>\[\]()+-]+)*\Z")
_UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}


class NetworkTextError(LevadaError, code="LV1901"):
    """{source}, line {line}: this is no network in Levada's text format: {problem}. Mend the line, or make the file again with `levada map --out`."""


def to_yaml(network: Network) -> str:
    """The network as YAML, in stable order."""
    out = [f"{_KEY}: {FORMAT}"]
    for name, rows in _sections(network):
        out.append(f"{name}:" if rows else f"{name}: []")
        for row in rows:
            out.extend(_block(row))
    return "\n".join(out) + "\n"


def to_jsonl(network: Network) -> str:
    """The network as JSON lines: a header, then a line a node, flow and finding."""
    out = [json.dumps({_KEY: FORMAT})]
    for name, rows in _sections(network):
        out.extend(json.dumps({name[:-1]: row}, ensure_ascii=False) for row in rows)
    return "\n".join(out) + "\n"


def from_yaml(text: str, source: str = "network.yaml") -> Network:
    """The network of a YAML text.

    Raises:
        NetworkTextError: Where it is malformed, of another version, or has an unknown value.
    """
    try:
        documents = list(read_yaml(text))
    except YamlError as exc:
        raise NetworkTextError(source=source, line=exc.line or "?", problem=str(exc)) from exc
    data: Any = documents[0] if documents else None
    if not isinstance(data, dict):
        raise NetworkTextError(source=source, line=1, problem="it is not a mapping")
    _check_version(data.get(_KEY), source)
    network = Network()
    for name in ("nodes", "flows", "findings"):
        rows: Any = data.get(name) or []
        for i, row in enumerate(rows):
            lines: Any = getattr(rows, "lines", None)
            _add(network, name[:-1], row, source, lines[i] if lines else "?")
    return network


def from_jsonl(text: str, source: str = "network.jsonl") -> Network:
    """The network of JSON lines; raises :class:`NetworkTextError` as :func:`from_yaml` does."""
    network, header = Network(), False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
        except ValueError as exc:
            raise NetworkTextError(source=source, line=number, problem=str(exc)) from exc
        if not isinstance(record, dict) or len(record) != 1:
            raise NetworkTextError(
                source=source, line=number, problem="a line holds one of node, flow, finding"
            )
        ((name, row),) = record.items()
        if not header:
            _check_version(row if name == _KEY else None, source)
            header = True
            continue
        _add(network, str(name), row, source, number)
    if not header:
        raise NetworkTextError(source=source, line=1, problem="it is empty")
    return network


def read(path: Path) -> Network:
    """Read a network from ``.yaml``, ``.yml``, ``.jsonl``, ``.xlsx`` or a folder of CSV files."""
    if path.is_dir():
        from levada.network.tables import read_csv

        return read_csv(path)
    if path.suffix == ".xlsx":
        from levada.network.tables import read_xlsx

        return read_xlsx(path)
    text = path.read_text(encoding="utf-8-sig")
    return from_jsonl(text, str(path)) if path.suffix == ".jsonl" else from_yaml(text, str(path))


def write(network: Network, path: Path) -> None:
    """Write a network as ``.yaml``, ``.jsonl``, ``.xlsx``, or (no suffix) a folder of CSV files.

    What was there stands until the new one is whole.
    """
    if path.suffix in (".yaml", ".yml"):
        write_whole(path, to_yaml(network))
    elif path.suffix == ".jsonl":
        write_whole(path, to_jsonl(network))
    elif path.suffix == ".xlsx":
        from levada.network.tables import write_xlsx

        write_xlsx(network, path)
    elif not path.suffix or path.is_dir():
        from levada.network.tables import write_csv

        write_csv(network, path)
    else:
        raise NetworkTextError(source=str(path), line="-", problem="write .yaml, .jsonl, .xlsx or a folder")


def _sections(network: Network) -> list[tuple[str, list[dict[str, Any]]]]:
    ordered = network.sorted()
    groups: tuple[tuple[str, list[Any]], ...] = (
        ("nodes", list(ordered.nodes.values())),
        ("flows", list(ordered.flows.values())),
        ("findings", list(ordered.findings)),
    )
    return [(name, [msgspec.to_builtins(x) for x in rows]) for name, rows in groups]


def _check_version(version: Any, source: str) -> None:
    if version != FORMAT:
        raise NetworkTextError(
            source=source, line=1, problem=f"it begins with {_KEY}: {version}, not {FORMAT}"
        )


def _add(network: Network, kind: str, row: Any, source: str, line: Any) -> None:
    try:
        if kind == "node":
            network.add_node(msgspec.convert(row, Node))
        elif kind == "flow":
            network.add_flow(msgspec.convert(row, Flow))
        elif kind == "finding":
            network.findings.append(msgspec.convert(row, Finding))
        else:
            raise NetworkTextError(source=source, line=line, problem=f"unknown record {kind!r}")
    except msgspec.ValidationError as exc:
        raise NetworkTextError(source=source, line=line, problem=str(exc)) from exc


def _block(row: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in row.items():
        start = "  - " if not lines else "    "
        if key == "evidence":
            lines.append(f"{start}{key}:")
            lines.extend(f"      - {_flow_map(item)}" for item in value)
        else:
            lines.append(f"{start}{key}: {_scalar(value)}")
    return lines


def _flow_map(item: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{k}: {_quoted(v)}" for k, v in item.items()) + "}"


def _quoted(value: Any) -> str:
    """JSON as YAML reads it: what it takes for a line's end, or for no character at all, is written by its number."""
    return _UNREADABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value, ensure_ascii=False))


def _scalar(value: Any) -> str:
    if (
        isinstance(value, str)
        and _SAFE.match(value)
        and value.lower() not in _WORDS
        and not value.endswith(" ")
    ):
        return value
    return _quoted(value)
