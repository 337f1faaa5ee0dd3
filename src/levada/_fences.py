"""Fences: which of two workers took a run later (durability, rules 3 and 11).

A fence is one number: above, the generation of the run's subscription, below, how often the run was taken. The
runs of a replay have the keys of those before them and are no later takings of them, so fences are compared
within one generation alone.
"""

from __future__ import annotations

__all__ = ["fence_of", "is_superseded"]

_BITS = 52
"""For the takings; after a restoring they begin at its time in microseconds, which needs 51 until 2041, 52 until 2112."""
_GENERATIONS = 1 << 11


def fence_of(generation: int, takings: int) -> int:
    """The fence of a taking; that of a subscription's first generation (1) or of none (0) is its takings alone."""
    return (max(0, generation - 1) % _GENERATIONS << _BITS) + takings


def is_superseded(fence: int, kept: int) -> bool:
    """Whether a later taking of the same run kept its fence."""
    return kept > fence and kept >> _BITS == fence >> _BITS
