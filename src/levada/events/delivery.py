"""What a subscription hands over, and to whom."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Sequence
from typing import Protocol

from msgspec import Struct

from levada.events.envelope import Envelope
from levada.store.protocol import Statement

__all__ = ["Delivery", "Park", "Retry", "Sink"]

_SPACE = uuid.UUID("5d3b5a52-3f0e-5c6c-9a3e-0d0c8f6f6d11")


class Delivery(Struct, frozen=True):
    """One event for one subscription.

    ``generation`` counts the replays of the subscription, from 1. ``again``: whether
    this generation was asked to have its effects anew. ``appended``: microseconds
    since 1970-01-01 UTC. ``attempts``: how often it was tried before.
    """

    subscription: str
    generation: int
    again: bool
    event: Envelope
    topic: str
    part: int
    pos: int
    appended: int
    attempts: int = 0

    @property
    def id(self) -> str:
        """Stable, and another one in each generation: the identity of what is made of it."""
        return _named(self.subscription, self.event.id, self.generation)

    @property
    def seed(self) -> str:
        """What step keys derive from: the same in every generation, unless it is ``again``."""
        return _named(self.subscription, self.event.id, self.generation if self.again else 0)


def _named(subscription: str, event_id: str, generation: int) -> str:
    return str(uuid.uuid5(_SPACE, f"{generation}\n{subscription}\n{event_id}"))


class Sink(Protocol):
    """Where deliveries go.

    ``take`` is called for one delivery at a time, in the order of each key. What it
    returns commits in one unit with the subscription's position and inbox, so that
    it happens once. The unit may be refused and the delivery given again: ``take``
    itself must change nothing that lasts. It may block the subscription, never
    another one. Any exception but :class:`Retry` parks the event, unless it is the
    store that does not answer. A sink with an attribute ``wakes`` has these channels
    of the store woken with each unit.
    """

    def take(self, delivery: Delivery, /) -> Sequence[Statement] | Awaitable[Sequence[Statement]]:
        """The statements that take the delivery in; none is allowed.

        Raises:
            Park: The event cannot become anything: put it aside with the reason.
            Retry: Not now: give it again later; later events of its key wait behind it.
        """
        ...


class Park(Exception):
    """Raised by a sink: put this event aside. ``reason`` is a short stable word, ``detail`` for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Retry(Exception):
    """Raised by a sink: give this event again after ``after`` seconds."""

    def __init__(self, after: float, detail: str = "") -> None:
        super().__init__(after, detail)
        self.after, self.detail = after, detail
