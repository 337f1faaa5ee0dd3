"""What is told of an exception: its text, and where in the user's code it was raised."""

from __future__ import annotations

import os
import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

__all__ = ["OF_CODE", "is_users", "place_of", "shown_path", "told"]

OF_CODE: tuple[type[Exception], ...] = (
    TypeError,
    AttributeError,
    NameError,
    ImportError,
    ArithmeticError,
    NotImplementedError,
    UnicodeEncodeError,
)
"""What the code does wrong in the same way at each attempt. KeyError, ValueError, what msgspec
cannot read and the like may be the system's passing answer, as the page of its maintenance."""

_OURS = str(Path(__file__).parents[1]) + os.sep
_OTHERS = tuple(
    {
        str(path) + os.sep
        for path in (*site.getsitepackages(), *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib")))
    }
)


def told(error: BaseException) -> str:
    """The error as one text, with its place."""
    text = f"{type(error).__name__}: {error}"
    place = place_of(error)
    return f"{text} ({place})" if place else text


def place_of(error: BaseException) -> str:
    """``shop/orders.py:31``: the innermost line of the user's code that the error went through; empty if there is none."""
    frames = [frame for frame in _frames(error.__traceback__) if is_users(frame[0])]
    own = [frame for frame in frames if not frame[0].startswith(_OTHERS)]
    # A project that is installed stands among the libraries: then what was called first is the user's.
    found = own[-1:] or frames[:1]
    return "".join(f"{shown_path(file)}:{line}" for file, line in found)


def shown_path(file: str) -> str:
    """A file as a person writes it: from the current folder, where it lies below."""
    return os.path.relpath(file) if file.startswith(str(Path.cwd()) + os.sep) else file


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def is_users(file: str) -> bool:
    """Whether a file is neither ours nor made by us."""
    return not file.startswith((_OURS, "<"))
