"""Reading YAML that others wrote: with lines, and with limits against alias bombs and cycles.

Scalars follow YAML 1.2's core schema (``no`` and ``12:30`` are text), tags are ignored,
and nothing is ever constructed but dict, list, str, int, float, bool and None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["Lined", "LinedList", "YamlError", "line_of", "read_yaml"]

MAX_NODES = 2_000_000
"""Values a document may have once its aliases are expanded; a bomb has billions."""
ALIASED = 100
"""Values that a container counts for when an alias repeats it: bombs are told in a tenth of a second."""
MAX_DEPTH = 200

_INDENTED = re.compile(rf"^[ ?:-]{{{MAX_DEPTH},}}", re.MULTILINE)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class YamlError(ValueError):
    """Not YAML, or YAML beyond the limits; ``line`` where it is known (from 1)."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Lined(dict[str, Any]):
    """A mapping that knows the line of itself and of each of its keys."""

    line: int = 1
    lines: dict[str, int]


class LinedList(list[Any]):
    """A sequence that knows the line of itself and of each of its items."""

    line: int = 1
    lines: list[int]


def line_of(where: Any, key: Any = None) -> int | None:
    """The line of a read container, or of what it holds under ``key``; None where unknown."""
    if isinstance(where, Lined):
        return where.line if key is None else where.lines.get(str(key), where.line)
    if isinstance(where, LinedList):
        return where.lines[key] if isinstance(key, int) and key < len(where.lines) else where.line
    return None


def read_yaml(text: str) -> Iterator[Any]:
    """The documents of a YAML stream, one at a time.

    Raises:
        YamlError: On the first document that is malformed or beyond the limits.
    """
    try:
        import yaml
    except ImportError as exc:
        raise YamlError("reading YAML needs PyYAML: install levada[landscape]") from exc
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(base, text)
        loader = base(text)
    except yaml.YAMLError as exc:
        raise _told(exc) from exc
    try:
        while loader.check_node():
            yield _Builder(yaml).build(loader.get_node(), 0)
    except yaml.YAMLError as exc:
        raise _told(exc) from exc
    except RecursionError as exc:
        raise YamlError(f"nested deeper than {MAX_DEPTH} levels") from exc
    finally:
        loader.dispose()


def _told(exc: Exception) -> YamlError:
    mark: Any = getattr(exc, "problem_mark", None)
    problem: Any = getattr(exc, "problem", None)
    return YamlError(str(problem or exc), mark.line + 1 if mark else None)


def _check_depth(base: Any, text: str) -> None:
    """Refuse what nests too deep before a node of it is made.

    The loader in C makes nodes by calling itself: some ten thousand levels overrun its stack, and the
    process is gone. Most texts cannot nest so deep, and are not read twice.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH and not _INDENTED.search(text):
        return
    depth = 0
    events = base(text)
    try:
        while events.check_event():
            event = events.get_event()
            kind = type(event).__name__
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
            if depth > MAX_DEPTH + 2:  # the stream and the document are two of them
                line = event.start_mark.line + 1
                raise YamlError(f"nested deeper than {MAX_DEPTH} levels", line)
    finally:
        events.dispose()


class _Builder:
    """Values of one document's nodes; counts what aliases expand to."""

    def __init__(self, yaml: Any) -> None:
        self._scalar, self._sequence = yaml.ScalarNode, yaml.SequenceNode
        self._left = MAX_NODES
        self._open: set[int] = set()
        self._done: set[int] = set()

    def build(self, node: Any, depth: int) -> Any:
        self._left -= ALIASED if id(node) in self._done else 1
        line = node.start_mark.line + 1
        if self._left < 0:
            raise YamlError(f"more than {MAX_NODES:,} values once aliases are expanded", line)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", line)
        if isinstance(node, self._scalar):
            return (
                node.value
                if node.style or (node.tag.endswith(":str") and node.value == "")
                else _plain(node.value)
            )
        if id(node) in self._open:
            raise YamlError("an alias contains itself", line)
        self._open.add(id(node))
        self._done.add(id(node))
        try:
            return (
                self._items(node, depth, line)
                if isinstance(node, self._sequence)
                else self._map(node, depth, line)
            )
        finally:
            self._open.discard(id(node))

    def _items(self, node: Any, depth: int, line: int) -> LinedList:
        out = LinedList(self.build(child, depth + 1) for child in node.value)
        out.line, out.lines = line, [child.start_mark.line + 1 for child in node.value]
        return out

    def _map(self, node: Any, depth: int, line: int) -> Lined:
        out = Lined()
        out.line, out.lines = line, {}
        inherited: list[Any] = []
        for key, value in node.value:
            name = key.value if isinstance(key, self._scalar) else str(self.build(key, depth + 1))
            built = self.build(value, depth + 1)
            if name == "<<" and isinstance(built, dict | list):
                inherited.extend(built if isinstance(built, list) else [built])
                continue
            out[name] = built
            out.lines[name] = key.start_mark.line + 1
        for base in inherited:
            if isinstance(base, Lined):
                for name, value in base.items():
                    out.setdefault(name, value)
                    out.lines.setdefault(name, base.lines.get(name, line))
        return out


def _plain(value: str) -> Any:
    if value in _WORDS:
        return _WORDS[value]
    if _INT.match(value) and len(value) < 20:
        return int(value)
    if _FLOAT.match(value) and len(value) < 40:
        return float(value)
    return value
