"""The clock of a store: microseconds UTC, never back, whatever the machine's clock does."""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "SteadyClock", "VirtualClock"]


class Clock(Protocol):
    """Tells the time; may be called from any thread."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SteadyClock:
    """The wall clock, carried on by the monotonic one.

    A step of the wall clock back is not followed: time goes on from where it was. One
    ahead is followed, since a machine that slept makes one.
    """

    def __init__(self) -> None:
        self._wall = time.time_ns()
        self._monotonic = time.monotonic_ns()
        self._last = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """The time by the wall clock, or by the monotonic one where the wall clock went back."""
        with self._lock:
            steady = self._wall + time.monotonic_ns() - self._monotonic
            wall = time.time_ns()
            if wall > steady:
                self._wall, self._monotonic, steady = wall, time.monotonic_ns(), wall
            self._last = max(self._last, steady // 1000)
            return self._last


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
