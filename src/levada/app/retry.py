"""Retries: exponential pauses with jitter, under a budget."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["RetryBudget", "pauses"]


class RetryBudget:
    """Lets retries be a tenth of the calls, and a few at any time: a struggling service is not drowned.

    A token bucket over calls, not over time: each call deposits ``share``, each retry
    withdraws one; it holds ``most`` at most.
    """

    def __init__(self, share: float = 0.1, most: float = 10.0) -> None:
        self._share = share
        self._most = most
        self._balance = most

    def deposit(self) -> None:
        """Count a first attempt."""
        self._balance = min(self._most, self._balance + self._share)

    def withdraw(self) -> bool:
        """Ask for a retry; False: the budget is spent."""
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True


def pauses(retries: int, first: float = 0.05, longest: float = 2.0) -> Iterator[float | None]:
    """The pause after each attempt, in seconds, with full jitter; None after the last one."""
    for attempt in range(retries):
        yield random.uniform(0, min(longest, first * 2**attempt))
    yield None
