"""How the example's programs speak: as wide as the terminal, never cut, and with commands that work where they are typed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

__all__ = ["console", "levada", "said", "step"]

_WIDE = 200
"""Columns where no terminal is."""


def console() -> Console:
    """A console as wide as the terminal; a pipe or a file has room for a row."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(width=wide, highlight=False)


def said(text: str) -> Padding:
    """A sentence that keeps its indent on further lines."""
    return Padding(text, (0, 0, 0, 2))


def step(what: str, text: str) -> Padding:
    """A line of what was done; its further lines stand below its text."""
    line = Table.grid(padding=(0, 1))
    line.add_column()
    line.add_column(min_width=16, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row("[green]✓[/]", f"[bold]{what}[/]", text)
    return Padding(line, (0, 0, 0, 2))


def levada() -> str:
    """The command as it works here: by its name where that leads to the one that runs, else by its path."""
    own = Path(sys.executable).with_name("levada")
    found = shutil.which("levada")
    if not own.exists() or (found and Path(found).samefile(own)):
        return "levada"
    return os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own)
