"""Where events become runs, and wake runs that wait.

A subscription asks `take` for statements and commits them in one unit with its position.
Taking an event in twice makes nothing new: a run's id derives from the event, the
subscription, its generation and the handler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from levada.process._ids import event_run, lane_of
from levada.process._protocol import Delivery, Handler
from levada.process._rows import CHANNEL, touch_lane
from levada.store.protocol import Statement

__all__ = ["WAKES", "ArrivalSink", "RunSink"]

WAKES = (CHANNEL,)
"""The channels to notify with the unit that holds what `take` returned."""


class RunSink:
    """Makes a run of each event of a subscription.

    By default the steps of a replay have the keys of the first time, so that systems
    recognise them: the delivery's ``seed`` says.

    Args:
        handler: The version that new runs begin with.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        """The statements that make the run."""
        code, event = self._handler.id.code, delivery.event
        lane = lane_of(delivery.subscription, event.key)
        params: dict[str, Any] = {
            "run": event_run(delivery.id, code),
            "keyed": event_run(delivery.seed, code),
            "code": code,
            "type": event.type,
            "event": event.id,
            "subscription": delivery.subscription,
            "generation": delivery.generation,
            "topic": delivery.topic,
            "part": delivery.part,
            "pos": delivery.pos,
            "key": event.key,
            "lane": lane,
            "across": int(self._handler.across_waits),
            "since": event.at,
            "input": event.data,
            "initiator": event.initiator or "",
            "traceparent": event.traceparent or "",
        }
        return [*touch_lane(lane), Statement("runs.add", params)]


class ArrivalSink:
    """Takes in events that handlers declare to await, from deployment on.

    An event without a key can wake nobody and is not kept.
    """

    def __init__(self, types: Iterable[str]) -> None:
        self._types = frozenset(types)

    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        """The statements that take it in and close what waits for it. (type, key) is locked first (durability, rule 5)."""
        event = delivery.event
        if event.key is None or event.type not in self._types:
            return []
        named: dict[str, Any] = {"type": event.type, "key": event.key}
        taken: dict[str, Any] = named | {"event": event.id, "data": event.data}
        return [
            Statement("runs.wait_key", named),
            Statement("runs.arrive", taken | {"at": event.at}),
            Statement("runs.arrive_close", taken),
        ]
