"""What can be made to go wrong in a legacy system while it runs."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["Faults"]


class Faults(Struct, forbid_unknown_fields=True):
    """The switches, all off at first. What each means for a system stands in the README.

    ``share`` is the part of requests that ``drop_after`` and ``twice`` hit, drawn from the
    seed; ``slow_ms`` and ``down`` always hit. ``drop_after_next`` and ``twice_next`` count down: they hit
    the next N for certain.
    """

    slow_ms: int = 0
    down: bool = False
    drop_after: bool = False
    drop_after_next: int = 0
    twice: bool = False
    twice_next: int = 0
    out_of_order: bool = False
    half_written_ms: int = 0
    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        if min(self.slow_ms, self.half_written_ms, self.drop_after_next, self.twice_next) < 0:
            raise ValueError("times and counts are not below 0")
        if not 0 <= self.share <= 1:
            raise ValueError("share lies between 0 and 1")


class Dice:
    """Decides, from a seed, whether a fault hits: the same seed and requests, the same faults."""

    def __init__(self, faults: Faults) -> None:
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Take other switches, and start the draw anew."""
        self.faults = faults
        self.random = random.Random(faults.seed)

    def change(self, values: dict[str, Any]) -> Faults:
        """Change some switches and leave the others.

        Raises:
            msgspec.ValidationError: an unknown switch, or a value of another type.
        """
        self.set(msgspec.convert({**msgspec.to_builtins(self.faults), **values}, Faults))
        return self.faults

    def drops(self) -> bool:
        """Whether the connection is dropped after the work is done."""
        if self.faults.drop_after_next:
            self.faults.drop_after_next -= 1
            return True
        return self.faults.drop_after and self.random.random() < self.faults.share

    def doubles(self) -> bool:
        """Whether the thing is done, or sent, twice."""
        if self.faults.twice_next:
            self.faults.twice_next -= 1
            return True
        return self.faults.twice and self.random.random() < self.faults.share

    async def wait(self) -> None:
        """Be as slow as told."""
        if self.faults.slow_ms:
            await asyncio.sleep(self.faults.slow_ms / 1000)
