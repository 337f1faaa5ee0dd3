"""Property files of a project: ``.properties`` and YAML, flattened, with the line of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from levada.landscape.importers.protocol import Malformed, SourceFile
from levada.network._yaml import line_of

__all__ = ["Properties", "Property", "unescaped"]

_HOLE = re.compile(r"\$\{(?:secure::)?([^${}]+)\}|\bp\(['\"]([^'\"]+)['\"]\)")
_RANK = ("prod", "prd", "production", "live", "default", "common", "config", "application")


class Property(Struct, frozen=True):
    """A value, and where it stands."""

    value: str
    source: str
    line: int | None


class Properties:
    """The values of some files; of several files that name one key, the one nearest production wins."""

    def __init__(self, files: Iterable[SourceFile] = ()) -> None:
        self.values: dict[str, Property] = {}
        self.unread: list[tuple[SourceFile, str]] = []
        for file in sorted(files, key=_order):
            try:
                for key, value, line in _entries(file):
                    self.values.setdefault(key, Property(value, file.source, line))
            except (Malformed, OSError) as exc:
                self.unread.append((file, str(exc)))

    def fill(self, text: str) -> tuple[str, list[Property], list[str]]:
        """The text with ``${key}`` filled in, the properties used, and the keys that nobody defines."""
        if "${" not in text and "p(" not in text:
            return text, [], []
        used: list[Property] = []
        missing: list[str] = []
        for _ in range(8):
            holes = [(m[0], m[1] or m[2]) for m in _HOLE.finditer(text)]
            known = [(hole, self.values[k.partition(":")[0] if k not in self.values else k]) for hole, k in holes
                     if k in self.values or k.partition(":")[0] in self.values]  # fmt: skip
            for hole, key in holes:
                bare, colon, default = key.partition(":")
                if colon and bare not in self.values and key not in self.values:
                    known.append((hole, Property(default, "", None)))
            if not known:
                missing = [key for _, key in holes]
                break
            for hole, found in known:
                text = text.replace(hole, found.value)
                if found.source:
                    used.append(found)
        return text, list(dict.fromkeys(used)), missing


def _order(file: SourceFile) -> tuple[int, str]:
    stem = file.name.lower()
    return next((n for n, word in enumerate(_RANK) if word in stem), len(_RANK)), file.source


def _entries(file: SourceFile) -> Iterator[tuple[str, str, int | None]]:
    if file.suffix == ".properties":
        yield from _java(file.text)
        return
    for document in file.documents:
        yield from _flat(document, "", 0)


def _java(text: str) -> Iterator[tuple[str, str, int]]:
    r"""Keys and values as Java has them: ``=``, ``:`` or a blank between them, ``\\`` before a mark, and at a line's end to go on."""
    held, begun = "", 0
    rows = re.split(r"\r?\n|\r", text)
    for number, raw in enumerate(rows, 1):
        line = raw.strip() if not held else raw.lstrip().rstrip("\r\n")
        if not held and (not line or line[0] in "#!"):
            continue
        begun = begun if held else number
        if (len(line) - len(line.rstrip("\\"))) % 2 and number < len(rows):
            held += line[:-1]
            continue
        found = re.match(r"((?:\\.|[^\s=:\\])+)\s*[=:]?\s*(.*)\Z", held + line, re.DOTALL)
        held = ""
        if found:
            yield unescaped(found[1]), unescaped(found[2]).strip(), begun


def unescaped(text: str) -> str:
    r"""What Java writes with a mark before it, as it is meant: ``http\://a.org`` is an address."""
    return re.sub(r"\\([=:#! \\])", r"\1", text)


def _flat(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, str, int | None]]:
    if isinstance(value, dict) and depth < 20:
        for key, child in value.items():
            name = f"{prefix}.{key}" if prefix else str(key)
            if isinstance(child, dict):
                yield from _flat(child, name, depth + 1)
            elif child is not None and not isinstance(child, list):
                yield name, str(child), line_of(value, key)
