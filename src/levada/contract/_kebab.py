"""How a class's name stands where only small letters go: in paths, headers and logs."""

from __future__ import annotations

import re

__all__ = ["kebab"]

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def kebab(name: str) -> str:
    """``OrderHistory`` -> ``order-history``."""
    return _WORD.sub("-", name).lower()
