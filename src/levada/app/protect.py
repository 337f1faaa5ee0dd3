"""What shields a system from its consumers: concurrency, rate, a circuit breaker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

from msgspec import Struct

from levada.app.outcome import Refusal
from levada.contract.errors import ContractError
from levada.contract.problem import Problem
from levada.contract.standard import NotSent, StandardProblem, TooManyRequests

__all__ = ["Breaker", "Protect", "Shield", "is_ill"]

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|h)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Protect(Struct, frozen=True, kw_only=True):
    """How a System API shields its system; stated at the adapter: ``protect=Protect(concurrency=8)``.

    ``concurrency``: calls at a time; None: any number. ``rate``: ``"50/s"``,
    ``"20/min"``; None: any. ``queue``: how many calls may wait for a place; more are
    told to come again. ``wait``: seconds a call waits at most for a place. ``failures``
    in a row open the circuit for ``pause`` seconds; then one call tries.
    """

    concurrency: int | None = None
    rate: str | None = None
    queue: int = 1000
    wait: float = 5.0
    failures: int = 10
    pause: float = 1.0

    def __post_init__(self) -> None:
        """Check the values where they are written."""
        if self.rate is not None and not _RATE.fullmatch(self.rate):
            raise ContractError(
                place="Protect",
                reason=f"rate={self.rate!r} is no rate",
                mend='Write "50/s", "20/min" or "1000/h"',
            )
        if self.concurrency is not None and self.concurrency < 1:
            raise ContractError(
                place="Protect",
                reason=f"concurrency={self.concurrency} lets nothing through",
                mend="State 1 or more",
            )

    def per_second(self) -> float | None:
        """The rate in calls per second."""
        if self.rate is None or not (found := _RATE.fullmatch(self.rate)):
            return None
        return float(found[1]) / _SECONDS[found[2]]


class Breaker:
    """Opens after failures in a row, so that a system that is down is left alone."""

    def __init__(self, failures: int, pause: float, clock: Callable[[], float] = monotonic) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._trying = False

    def enter(self) -> None:
        """Ask to make a call; raises NotSent while the circuit is open."""
        if self._failures < self._limit:
            return
        now = self._clock()
        if now < self._until or self._trying:
            raise NotSent(
                reason="The system behind this API does not answer; it is left alone for a moment.",
                retry_after=max(0.1, round(self._until - now, 1)),
            )
        self._trying = True

    def leave(self, ill: bool | None) -> None:
        """Tell whether the call's end says that the system is ill; None: it says nothing."""
        self._trying = False
        if ill is None:
            return
        if not ill:
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= self._limit:
            self._until = self._clock() + self._pause


def is_ill(error: BaseException) -> bool | None:
    """Whether an error says that the system is ill: a problem of its own does, or one that nobody expected.

    None: whoever gave up says nothing about the system; one that hangs shows as time-outs of its own.
    """
    if isinstance(error, asyncio.CancelledError):
        return None
    if isinstance(error, Refusal):
        error = error.problem
    if isinstance(error, Problem):
        return isinstance(error, StandardProblem) and error.fault == "provider"
    return True


class Shield:
    """The places, the rate and the circuit of one adapter, shared by its operations."""

    def __init__(self, protect: Protect, clock: Callable[[], float] = monotonic) -> None:
        self.protect = protect
        self.breaker = Breaker(protect.failures, protect.pause, clock)
        self._clock = clock
        self._places = asyncio.Semaphore(protect.concurrency) if protect.concurrency is not None else None
        self._waiting = 0
        self._rate = protect.per_second()
        self._next = 0.0

    async def call(self, target: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Make a call under the shield."""
        await self._rate_place()
        await self._place()
        try:
            self._enter()
            try:
                result = await target(*arguments)
            except BaseException as error:
                self.breaker.leave(is_ill(error))
                raise
            self.breaker.leave(False)
            return result
        finally:
            self._release()

    def _enter(self) -> None:
        try:
            self.breaker.enter()
        except NotSent as problem:
            raise Refusal(problem) from None

    async def _rate_place(self) -> None:
        if self._rate is None:
            return
        now = self._clock()
        due = max(self._next, now)
        if due - now > self.protect.wait:
            raise Refusal(
                TooManyRequests(
                    reason="This system takes no more calls now.", retry_after=round(due - now, 1)
                )
            )
        self._next = due + 1.0 / self._rate
        if due > now:
            await asyncio.sleep(due - now)

    async def _place(self) -> None:
        if self._places is None:
            return
        if self._places.locked() and self._waiting >= self.protect.queue:
            raise Refusal(TooManyRequests(reason="Too many calls wait for this system.", retry_after=1.0))
        self._waiting += 1
        try:
            async with asyncio.timeout(self.protect.wait):
                await self._places.acquire()
        except TimeoutError:
            raise Refusal(
                TooManyRequests(reason="No place at this system came free in time.", retry_after=1.0)
            ) from None
        finally:
            self._waiting -= 1

    def _release(self) -> None:
        if self._places is not None:
            self._places.release()
