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

    Args:
        handler: The version that new runs begin with.
        again: Whether a replay makes effects anew. By default its steps have the keys of the first
            time, so that systems recognise them.
    """

    def __init__(self, handler: Handler, *, again: bool = False) -> None:
        self._handler = handler
        self._again = again

    def take(self, event: Delivery) -> Sequence[Statement]:
        """The statements that make the run; none of them raises."""
        code = self._handler.id.code
        run = event_run(event.subscription, event.generation, event.event_id, code)
        first = event_run(event.subscription, 0, event.event_id, code)
        lane = lane_of(event.subscription, event.key)
        params: dict[str, Any] = {
            "run": run,
            "keyed": run if self._again else first,
            "code": code,
            "type": event.type,
            "event": event.event_id,
            "subscription": event.subscription,
            "generation": event.generation,
            "topic": event.topic,
            "part": event.partition,
            "pos": event.offset,
            "key": event.key,
            "lane": lane,
            "across": int(self._handler.across_waits),
            "since": event.time,
            "input": event.data,
            "initiator": event.initiator,
            "traceparent": event.traceparent,
        }
        return [*touch_lane(lane), Statement("runs.add", params)]


class ArrivalSink:
    """Takes in events that handlers declare to await, from deployment on.

    An event without a key can wake nobody and is not kept.
    """

    def __init__(self, types: Iterable[str]) -> None:
        self._types = frozenset(types)

    def take(self, event: Delivery) -> Sequence[Statement]:
        """The statements that take it in and close what waits for it. Locks (type, key) first (rule 5)."""
        if event.key is None or event.type not in self._types:
            return []
        named: dict[str, Any] = {"type": event.type, "key": event.key}
        taken: dict[str, Any] = named | {"event": event.event_id, "data": event.data}
        return [
            Statement("runs.wait_key", named),
            Statement("runs.arrive", taken | {"at": event.time}),
            Statement("runs.arrive_close", taken),
        ]
