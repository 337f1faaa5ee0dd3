"""From subscriptions to runs: events of the log as the process package takes them in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from levada.contract.event import EventType
from levada.deployment.personal import Personal
from levada.events.delivery import Delivery, Park
from levada.process._protocol import Delivery as RunDelivery
from levada.store.protocol import Statement

__all__ = ["ToRuns"]


class _Takes(Protocol):
    async def take(self, delivery: RunDelivery) -> Sequence[Statement]: ...


class ToRuns:
    """A subscription's sink that hands its events to the process package.

    ``kind``: what its events have to be. One that does not fit its class is parked, since
    no run could be made of it.
    """

    def __init__(self, sink: _Takes, kind: EventType | None, personal: Personal) -> None:
        self._sink, self._kind, self._personal = sink, kind, personal

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        """The statements that make the run, or that wake those that wait."""
        event = delivery.event
        if self._kind is not None:
            # What reaches the run stays sealed; it is opened for the look alone.
            clear = await self._personal.opened(self._kind, event.data)
            try:
                self._kind.decode(clear)
            except msgspec.DecodeError as error:
                why = _unfit(self._kind, error)
                raise Park("schema", f"{event.type} {event.id} does not fit its contract: {why}") from None
        return await self._sink.take(delivery)


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
