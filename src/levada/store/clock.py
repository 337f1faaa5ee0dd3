"""The clock of a store: microseconds UTC, never back, whatever the machine's clock does."""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["CarriedClock", "Clock", "SteadyClock", "VirtualClock"]

_STEP = 1_000_000_000
"""Nanoseconds: what the two clocks of a machine may be apart by its gentle setting; more is a step."""


class Clock(Protocol):
    """Tells the time; may be called from any thread."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SteadyClock:
    """The wall clock, carried on by the monotonic one.

    A step of the wall clock back is not followed: time goes on from where it was, an eighth
    slower until the wall clock is there again. One ahead is followed, since a machine that slept
    makes one.
    """

    def __init__(self) -> None:
        self._at = time.time_ns()
        self._monotonic = time.monotonic_ns()
        self._last = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """The time by the wall clock, or by the monotonic one where the wall clock went back."""
        with self._lock:
            wall, monotonic = time.time_ns(), time.monotonic_ns()
            passed = monotonic - self._monotonic
            ahead = self._at + passed > wall + _STEP
            steady = self._at + (passed - passed // 8 if ahead else passed)
            self._at, self._monotonic = max(wall, steady), monotonic
            self._last = max(self._last, self._at // 1000)
            return self._last

    def carry(self, at: int) -> None:
        """Go on from a time that was told before, by a process that has ended: time does not stand until it is reached."""
        with self._lock:
            self._at = max(self._at, at * 1000)


class CarriedClock:
    """The clock of another machine as it was read, carried on by ours where it was set back.

    As `SteadyClock`, a step back is not followed: time goes on, an eighth slower until that clock is there
    again. Unless it was set back, it is followed as it is. Not for several threads.
    """

    def __init__(self) -> None:
        self._at = 0
        self._monotonic = 0

    def told(self, at: int) -> int:
        """The time, where that clock has told ``at``, microseconds UTC."""
        monotonic = time.monotonic_ns() // 1000
        passed = monotonic - self._monotonic
        if self._at + passed > at + _STEP // 1000:
            at = max(at, self._at + passed - passed // 8)
        self._at, self._monotonic = at, monotonic
        return at

    def carry(self, at: int) -> None:
        """Go on from a time that others have told: processes of one store live in one time."""
        self.told(max(at, self._at))


class VirtualClock:
    """A clock that tests turn."""

    def __init__(self, start: int = 1_700_000_000_000_000) -> None:
        self.time = start

    def now(self) -> int:
        """The time it was turned to."""
        return self.time

    def advance(self, microseconds: int) -> None:
        """Turn it on."""
        self.time += microseconds
