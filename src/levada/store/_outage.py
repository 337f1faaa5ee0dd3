"""What is known of a server that does not answer: who waits for it, who tries, who is told at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

__all__ = ["Outage"]

C = TypeVar("C")


class Outage:
    """A server may be away for ``patience`` seconds, as at a failover, and is waited for.

    After that it is known to be away: one at a time tries, with pauses of a tenth of that, and all others are
    told at once. The first connection that is made ends it.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._pause = patience / 10
        self._clock = clock
        self._since: float | None = None
        self._next = 0.0
        self._trying = False

    @property
    def refuses(self) -> bool:
        """Whether it is known to be away, and nobody is to try just now."""
        now = self._clock()
        known = self._since is not None and now >= self._since + self._patience
        return known and (self._trying or now < self._next)

    def deadline(self) -> float:
        """Until when it is waited for; past, once it is known to be away."""
        return (self._clock() if self._since is None else self._since) + self._patience

    def over(self) -> None:
        """It is there."""
        self._since = None

    async def attempt(self, connect: Callable[[], Awaitable[C]]) -> C:
        """Connect, if anybody is to try.

        Raises:
            ConnectionError: Nobody is.
            Exception: What connecting raises.
        """
        if self.refuses:
            raise ConnectionError("The server has been away for a while; it is asked again in a moment")
        began, self._trying = self._clock(), True
        try:
            made = await connect()
        except Exception:
            self._since = began if self._since is None else self._since
            self._next = self._clock() + self._pause
            raise
        finally:
            self._trying = False
        self.over()
        return made
