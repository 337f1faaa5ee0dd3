"""From subscriptions to runs: events of the log as the process package takes them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from levada.events.delivery import Delivery, Park
from levada.process._protocol import Delivery as RunDelivery
from levada.store.protocol import Statement

__all__ = ["ToRuns"]


class _Takes(Protocol):
    async def take(self, delivery: RunDelivery) -> Sequence[Statement]: ...


class ToRuns:
    """A subscription's sink that hands its events to the process package.

    ``check`` decodes an event and raises where it does not fit its class: such an event
    is parked, since no run could be made of it.
    """

    def __init__(self, sink: _Takes, check: msgspec.json.Decoder[object] | None = None) -> None:
        self._sink = sink
        self._check = check

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        """The statements that make the run, or that wake those that wait."""
        event = delivery.event
        if self._check is not None:
            try:
                self._check.decode(event.data)
            except msgspec.DecodeError as error:
                raise Park("schema", f"{event.type} {event.id} does not fit its contract: {error}") from None
        return await self._sink.take(delivery)
