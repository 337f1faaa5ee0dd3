"""Shell text as commands: lines joined over continuations, open quotes and here-documents, then split at operators."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from levada.landscape.importers.protocol import SourceFile

__all__ = ["Line", "commands", "logical_lines"]

MOST = 20_000
"""Characters of one command that are kept."""
_SHOWS = re.compile(r"\s*(?:sudo\s+)?(?:cat|tee|echo)\b")
_HEREDOC = re.compile(r"(?<!<)<<-?\s*([\"']?)([A-Za-z_]\w*)\1")


class Line(Struct, frozen=True):
    """What the shell reads as one line: its first line's number, the text, and the here-document that follows it."""

    number: int
    text: str
    body: str = ""


def logical_lines(file: SourceFile) -> Iterator[Line]:
    """The lines of a script; comments and empty ones are left out.

    A quote that is never closed is taken for an ordinary character, so that it costs one line at most.
    """
    rows = list(file.lines())
    at = 0
    while at < len(rows):
        number, text = rows[at]
        at += 1
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        while at < len(rows) and text.endswith("\\") and len(text) < MOST:
            text, at = f"{text[:-1]} {rows[at][1].strip()}", at + 1
        if _open_quote(text):
            joined, end = text, at
            while end < len(rows) and end - at < 200 and len(joined) < MOST and _open_quote(joined):
                joined, end = f"{joined}\n{rows[end][1]}", end + 1
            if not _open_quote(joined):
                text, at = joined, end
        found = _HEREDOC.search(text)
        body = ""
        if found:
            lines: list[str] = []
            while at < len(rows) and rows[at][1].strip() != found[2]:
                lines.append(rows[at][1])
                at += 1
            at += 1
            body = "\n".join(lines)[:MOST]
        yield Line(number, text, body)


def commands(line: Line) -> Iterator[str]:
    """The simple commands of a line, outside of quotes split at ``|``, ``;``, ``&&`` and line ends, and at ``$(`` everywhere
    but in single quotes; the here-document stands at the end of the command that reads it.
    """
    parts = [part for part in _split(line.text) if part.strip()]
    reads = next((n for n, part in enumerate(parts) if line.body and _HEREDOC.search(part)), None)
    if reads is not None and _SHOWS.match(parts[reads]):
        # What is shown or written to a file is no command, unless it goes on to one.
        piped = re.match(r"\s*\|(?!\|)", line.text[line.text.index(parts[reads]) + len(parts[reads]) :])
        reads = reads + 1 if piped else None
    for number, part in enumerate(parts):
        yield f"{part}\n{line.body}" if number == reads else part


def _split(text: str) -> Iterator[str]:
    start, quote, depth = 0, "", [""]
    for at, char, escaped in _characters(text):
        if escaped:
            continue
        if quote == "'":
            quote = "" if char == "'" else quote
        elif char == "`" or text.startswith("$(", at):
            yield text[start:at]
            start = at + (1 if char == "`" else 2)
            if char == "$":
                depth.append(quote)
                quote = ""
        elif char == ")" and not quote and len(depth) > 1:
            yield text[start:at]
            start, quote = at + 1, depth.pop()
        elif char == '"' or (char == "'" and not quote):
            quote = "" if quote else char
        elif not quote and char == "#" and (at == 0 or text[at - 1].isspace()):
            yield text[start:at]
            end = text.find("\n", at)
            if end < 0:
                return
            start = end
        elif not quote and (char in "|;\n" or text.startswith("&&", at)):
            yield text[start:at]
            start = at + (2 if char == "&" else 1)
    yield text[start:]


def _characters(text: str) -> Iterator[tuple[int, str, bool]]:
    escaped = False
    for at, char in enumerate(text):
        yield at, char, escaped
        escaped = char == "\\" and not escaped


def _open_quote(text: str) -> bool:
    quote = ""
    comment = False
    for at, char, escaped in _characters(text):
        if comment:
            comment = char != "\n"
        elif quote:
            if char == quote and not (escaped and quote == '"'):
                quote = ""
        elif char in "\"'" and not escaped:
            quote = char
        elif char == "#" and (at == 0 or text[at - 1].isspace()):
            comment = True
    return bool(quote)
