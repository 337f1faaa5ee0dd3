"""Standard output and error as they may be: closed, full, or of an encoding that does not have every sign."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["discard_output", "prepare"]

_PLAIN = {"✓": "+", "✗": "x", "•": "-", "…": "...", "→": "->", "–": "-", "—": "-", "━": "-", "×": "x"}
_ERRORS = "levada.plain"


def prepare() -> None:
    """Let no sign that cannot be shown, and no stream that is closed, end the program."""
    codecs.register_error(_ERRORS, _plain)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        again = getattr(stream, "reconfigure", None)
        if again is not None and not (stream.encoding or "").lower().startswith("utf"):
            again(errors=_ERRORS)


def discard_output() -> None:
    """Throw away what standard output could not take: it is not tried once more when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
