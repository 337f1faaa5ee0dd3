"""Which claims in ``taken`` are those of workers that died."""

from __future__ import annotations

import time
from collections.abc import Sequence

from levada.connect.files._claim import parse_claim

__all__ = ["Claims"]


class Claims:
    """Watches claims, and tells those that nobody renews.

    A claim bears the time at which it was made or renewed. One older than the lease is abandoned: so
    says the wall clock, which may be set while others work. Therefore a step of it is noticed against
    the clock that runs on, and for a lease from then on only what was *seen* unrenewed for a lease
    counts. That counts always: a claim from before a step back would seem young until the clock is there again.

    Args:
        lease: Seconds.
        wall: Seconds since 1970-01-01 UTC.
        steady: Seconds of a clock that nobody sets.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._ahead = time.time() - time.monotonic()
        self._distrust_until = float("-inf")
        self._seen: dict[str, float] = {}

    def abandoned(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Of all names in ``taken`` the abandoned claims, with the names of their files."""
        wall, now = time.time(), time.monotonic()
        if abs(wall - now - self._ahead) > self._lease / 3:
            self._distrust_until = now + self._lease
        self._ahead = wall - now
        self._seen = {name: self._seen.get(name, now) for name in names}
        left: list[tuple[str, str]] = []
        for name in names:
            claim = parse_claim(name)
            if claim is None:
                continue
            old = claim[0] + self._lease < wall and now >= self._distrust_until
            if old or now - self._seen[name] > self._lease:
                left.append((name, claim[1]))
        return left
