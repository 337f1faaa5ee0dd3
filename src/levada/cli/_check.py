"""What ``levada doctor`` says of one thing that it has looked at."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Check", "State"]

State: TypeAlias = Literal["ok", "note", "failed"]


class Check(Struct, frozen=True):
    """One thing that was looked at.

    ``state``: ok; note (works, or is not needed yet); failed. ``found``: what is so.
    ``mend``: what to do, empty where there is nothing to do.
    """

    name: str
    state: State
    found: str
    mend: str = ""
