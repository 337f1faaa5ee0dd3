"""A file to import, read within limits: size, encoding, depth; never followed out of its folder."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from levada.landscape.importers._xml import XmlError, XmlNode, read_xml
from levada.network._yaml import YamlError, read_yaml

__all__ = ["Malformed", "SourceFile"]

MAX_TEXT = 32 * 1024 * 1024
"""Bytes of a file that is read whole (configurations, exports); logs are streamed and have no limit."""
MAX_LINE = 64 * 1024
"""Characters of a line of a log; the rest of a longer one is dropped."""
HEAD = 16 * 1024


class Malformed(ValueError):
    """A file cannot be read as what it seems to be; becomes a finding, never stops an import."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class SourceFile:
    """One file under an imported folder.

    ``source`` is its path as evidence names it: relative, ``/`` between parts. Contents
    are kept only while the file is being read: :meth:`forget`.
    """

    def __init__(self, path: Path, source: str, root: Path) -> None:
        self.path, self.source, self.root = path, source, root
        self.name = path.name
        self.suffix = path.suffix.lower()
        self.size = path.stat().st_size
        self.notes: list[str] = []

    def __repr__(self) -> str:
        return f"SourceFile({self.source!r})"

    def forget(self) -> None:
        """Drop the contents that were read."""
        for name in ("text", "json", "documents", "xml"):
            self.__dict__.pop(name, None)

    @cached_property
    def head(self) -> str:
        """The first 16 KiB, leniently decoded: enough to recognise a format."""
        if self.suffix == ".gz":
            with gzip.open(self.path) as zipped:
                return zipped.read(HEAD).decode("utf-8", "replace")
        with self.path.open("rb") as file:
            raw = file.read(HEAD)
        return _decode(raw)[0] if b"\0" not in raw or raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""

    @property
    def of_tests(self) -> bool:
        """Does it lie where a project of Java, Kotlin or Scala keeps what only its tests use?"""
        return bool(re.search(r"(^|/)src/(?:test|it|integration-?test)\w*/", self.source, re.IGNORECASE))

    @property
    def binary(self) -> bool:
        """Does it hold no text?"""
        return not self.head and self.size > 0

    @cached_property
    def text(self) -> str:
        """All of it. UTF-8 or UTF-16 by its mark, else Latin-1 with a note.

        Raises:
            Malformed: Larger than 32 MiB.
        """
        if self.size > MAX_TEXT:
            raise Malformed(f"larger than {MAX_TEXT // 1024 // 1024} MiB; not read")
        text, encoding = _decode(self.path.read_bytes())
        if encoding == "latin-1":
            self.notes.append("neither UTF-8 nor UTF-16; read as Latin-1")
        return text

    def lines(self) -> Iterator[tuple[int, str]]:
        """Lines with their numbers, streamed, without the line's end; ``.gz`` is unpacked on the way."""
        opener: Any = gzip.open if self.suffix == ".gz" else open
        with opener(self.path, "rt", encoding="utf-8", errors="replace", newline=None) as file:
            number = 0
            readline: Any = file.readline
            while line := readline(MAX_LINE):
                number += 1
                yield number, line.rstrip("\r\n")
                while line and line[-1] != "\n":
                    line = readline(MAX_LINE)

    @cached_property
    def json(self) -> Any:
        """Its JSON value.

        Raises:
            Malformed: Not JSON, or nested too deep.
        """
        return self._json(strict=True)

    def _json(self, *, strict: bool) -> Any:
        try:
            return json.loads(self.text, strict=strict)
        except RecursionError as exc:
            raise Malformed("nested too deep") from exc
        except json.JSONDecodeError as exc:
            if strict and exc.msg.startswith("Invalid control character"):
                self.notes.append(
                    f"control characters within texts, from line {exc.lineno}; read as they are"
                )
                return self._json(strict=False)
            if exc.msg == "Extra data" and self.text.lstrip()[:1] in ("{", "["):
                self.notes.append(f"text behind the JSON value, from line {exc.lineno}; not read")
                return json.JSONDecoder(strict=strict).raw_decode(self.text.lstrip())[0]
            raise Malformed(f"malformed JSON: {exc.msg}", exc.lineno) from exc

    @cached_property
    def documents(self) -> list[Any]:
        """Its YAML documents, mappings and sequences with lines (``line_of``).

        Raises:
            Malformed: Not YAML, or beyond the limits (alias bombs, cycles).
        """
        try:
            return list(read_yaml(self.text))
        except YamlError as exc:
            raise Malformed(f"malformed YAML: {exc}", exc.line) from exc

    @cached_property
    def xml(self) -> XmlNode:
        """Its XML root, with lines.

        Raises:
            Malformed: Not XML, or with entities.
        """
        try:
            return read_xml(self.text)
        except XmlError as exc:
            raise Malformed(str(exc), exc.line) from exc

    def line_with(self, *needles: str) -> int | None:
        """The line of the last of these needles, which stand in this order; None if they do not."""
        at = 0
        for needle in needles:
            at = self.text.find(needle, at)
            if at < 0:
                return None
        return self.text.count("\n", 0, at) + 1


def _decode(raw: bytes) -> tuple[str, str]:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace"), "utf-16"
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as exc:
        if exc.reason == "unexpected end of data" and exc.start > len(raw) - 4:
            return raw[: exc.start].decode("utf-8-sig"), "utf-8"
        return raw.decode("latin-1"), "latin-1"
