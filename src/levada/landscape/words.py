"""Numbers in sentences: one flow, two flows."""

from __future__ import annotations

__all__ = ["many"]


def many(number: int, one: str, several: str | None = None) -> str:
    """The number and its word; ``several`` where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
