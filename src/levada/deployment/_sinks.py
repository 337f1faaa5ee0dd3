"""From subscriptions to runs: events of the log as the process package takes them in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from levada.contract.event import EventType
from levada.deployment.personal import Personal
from levada.events.delivery import Delivery, Park, Retry
from levada.process._protocol import Delivery as RunDelivery
from levada.store.protocol import Statement

__all__ = ["ToRuns"]


class _Takes(Protocol):
    async def take(self, delivery: RunDelivery) -> Sequence[Statement]: ...


class ToRuns:
    """A subscription's sink that hands its events to the process package.

    ``kind``: what its events have to be. One that does not fit its class is parked, since
    no run could be made of it. So is one of another topic that a former handler of this name took
    and had not read at ``since``, when this one was deployed (microseconds UTC).
    """

    def __init__(self, sink: _Takes, kind: EventType | None, personal: Personal, since: int = 0) -> None:
        self._sink, self._kind, self._personal, self._since = sink, kind, personal, since

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        """The statements that make the run, or that wake those that wait."""
        event = delivery.event
        if self._kind is not None:
            if event.topic != self._kind.topic:
                self._aside(delivery, self._kind)
                return ()
            # What reaches the run stays sealed; it is opened for the look alone.
            clear = await self._personal.opened(self._kind, event.data)
            try:
                self._kind.decode(clear)
            except msgspec.DecodeError as error:
                why = _unfit(self._kind, error)
                raise Park("schema", f"{event.type} {event.id} does not fit its contract: {why}") from None
        return await self._sink.take(delivery)

    def _aside(self, delivery: Delivery, kind: EventType) -> None:
        """Put an event of another topic aside, unless it is none of this handler's."""
        event = delivery.event
        why = f"this handler takes {kind.topic}: resume it in a deployment whose handler takes {event.topic}, or skip it"
        if delivery.appended < self._since:
            raise Park("other event", why)
        if event.type == kind.type:  # of a process of another version, which may read it yet
            raise Retry(_OTHERS, why)


_OTHERS = 5.0
"""Seconds after which an event of another major is tried again: in a rolling deployment by whoever reads then."""


def _unfit(kind: EventType, error: Exception) -> str:
    """Why an event does not fit, which is kept in clear: of a personal field only where, the decoder may quote it."""
    cause = error.__cause__
    if kind.personal and cause is not None:  # what an upcaster or the class itself raises says what it likes
        where = str(error).removesuffix(f": {cause}")
        return where if where != str(error) else f"its own code refuses it: {type(cause).__name__}"
    at = re.search(r"`\$\.(\w+)", str(error))
    return (
        f"the value of {at[1]}" if at is not None and at[1] in map(kind.wire, kind.personal) else str(error)
    )
