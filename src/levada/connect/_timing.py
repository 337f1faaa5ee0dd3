"""How long a call may take: the resource's own limit, or what is left of the deadline if that is less."""

from __future__ import annotations

import asyncio

from levada.app.context import current

__all__ = ["budget"]


def budget(limit: float) -> float:
    """Seconds that a call may take now; never below zero."""
    deadline = current().deadline
    if deadline == float("inf"):
        return limit
    return max(0.0, min(limit, deadline - asyncio.get_running_loop().time()))
