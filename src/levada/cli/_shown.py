"""Where what a verb tells is shown: a terminal as wide as it is, a pipe or a file with room for a row."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["WIDE", "console", "json_text", "write_json"]

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


def json_text(data: Any) -> str:
    """Data as JSON that people can read, too: indented, with a line break at its end."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def write_json(data: Any, *, line: bool = False) -> None:
    """Print data for a program; ``line``: on one line."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(data).decode() + "\n" if line else json_text(data))
