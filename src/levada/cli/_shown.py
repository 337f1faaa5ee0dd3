"""Where what a verb tells is shown: a terminal as wide as it is, a pipe or a file with room for a row."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["WIDE", "console", "json_text", "printable", "show", "write_json"]

WIDE = 200
"""Columns where no terminal is: a row of a pipe or a file stays on its line."""


def console(*, stderr: bool = False, highlight: bool = True, rows: bool = False) -> Console:
    """The console of a verb; of ``stderr`` where standard output is for a program.

    ``rows``: of a pipe each is one line, whatever ``COLUMNS`` says.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    said = "COLUMNS" in os.environ and not rows
    wide = None if stream.isatty() or said else WIDE
    return Console(stderr=stderr, width=wide, highlight=highlight)


def printable(text: str) -> str:
    """The text with signs that would steer a terminal written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def json_text(data: Any, *, line: bool = False) -> str:
    """Data as JSON, with a line break at its end: indented, so that people can read it, too, or on one ``line``."""
    import msgspec

    made = msgspec.json.encode(data)
    return (made if line else msgspec.json.format(made, indent=2)).decode() + "\n"


def write_json(data: Any, *, line: bool = False) -> None:
    """Print data for a program; ``line``: on one line. It is UTF-8, whatever the terminal's encoding is."""
    text = json_text(data, line=line)
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    raw.write(text.encode())


def show(console: Console, shown: RenderableType) -> None:
    """Print it; into a pipe or a file without the spaces that fill a terminal's lines."""
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as said:
        console.print(shown)
    for line in said.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
