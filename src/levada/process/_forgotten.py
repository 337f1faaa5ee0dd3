"""Finds calls in a run's code before which ``await`` is missing.

Python says of a coroutine that was made and never begun that it was never awaited, by a hook of
`warnings`. Within a run that is more than a warning: a step was meant, and was not done. Only a statement
that drops what it has made counts; what is left over when something failed was not forgotten.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from opcode import opmap
from types import CoroutineType, FrameType
from typing import Any

from levada.process._errors import AwaitMissing
from levada.process._told import is_users, shown_path

__all__ = ["watch"]

_POP = opmap["POP_TOP"]
_HOOK = "_warn_unawaited_coroutine"


def watch(take: Callable[[AwaitMissing], bool]) -> None:
    """From now on ``take`` is given each of them; it says whether a run's code is being driven. Elsewhere Python warns."""
    warn = getattr(warnings, _HOOK, None)
    if warn is None:  # an interpreter that says so in another way
        return

    def unawaited(work: Any) -> None:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  the code that has just dropped it
        if not (_is_dropped_by_statement(frame) and take(_missing(work, frame))):
            warn(work)

    setattr(warnings, _HOOK, unawaited)


def _is_dropped_by_statement(frame: FrameType) -> bool:
    code = frame.f_code
    return frame.f_lasti >= 0 and is_users(code.co_filename) and code.co_code[frame.f_lasti] == _POP


def _missing(work: Any, frame: FrameType) -> AwaitMissing:
    place = f"{shown_path(frame.f_code.co_filename)}:{frame.f_lineno}"
    return AwaitMissing(what=_name(work), place=place)


def _name(work: CoroutineType[Any, Any, Any]) -> str:
    """``shop/Stock/v1.reserve`` for an operation, ``OrderToCash.placed`` for a port, else the function's name."""
    file = work.cr_code.co_filename
    if file.startswith("<levada proxy "):
        return file[len("<levada proxy ") : -1]
    owner = None if work.cr_frame is None else work.cr_frame.f_locals.get("self")
    return str(getattr(owner, "place", None) or work.__qualname__)
