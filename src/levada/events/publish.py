"""Publishing outside a run: held back, then committed once, with the caller's idempotency record."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence

import msgspec

from levada._errors import LevadaError
from levada.events.envelope import Envelope
from levada.events.log import CHANNEL, Log
from levada.store.protocol import Statement

__all__ = ["Held", "HeldClosed", "event_id"]

_SPACE = uuid.UUID("0b9d2b6e-6a3e-5d0f-8f55-1c7f3b1c2a90")


class HeldClosed(LevadaError, code="LV1413"):
    """Event {type} was published after the call had ended. Await what publishes before the operation returns."""


def event_id(key: str | None, ordinal: int) -> str:
    """The id of the n-th event of a call: derived from the call's key, so that a repeat gives the same; else random.

    A random id is a UUIDv7. Without a key a caller's repeat is another call, and its
    events are other events.
    """
    return _uuid7() if key is None else str(uuid.uuid5(_SPACE, f"{ordinal}\n{key}"))


class Held:
    """The publishes of one call, held back until it ends well.

    ::

        held = Held(log, key)               # key: caller, operation and idempotency key, or None
        ...                                 # the operation publishes: held.publish(event)
        unit = Unit([*record, *held.statements()], held.notify)

    Nothing is published if ``statements`` is never committed. Not for concurrent loops.
    """

    def __init__(self, log: Log, key: str | None = None) -> None:
        self._log, self._key = log, key
        self._events: list[Envelope] = []
        self._closed = False

    @property
    def events(self) -> Sequence[Envelope]:
        """What is held, in order."""
        return tuple(self._events)

    @property
    def notify(self) -> Sequence[str]:
        """The channels to wake with the unit."""
        return (CHANNEL,) if self._events else ()

    def publish(self, event: Envelope) -> Envelope:
        """Hold an event back; the event with its id, which replaces any that it had.

        Raises:
            HeldClosed: The call has ended.
        """
        if self._closed:
            raise HeldClosed(type=event.type)
        named = msgspec.structs.replace(event, id=event_id(self._key, len(self._events)))
        self._events.append(named)
        return named

    def statements(self) -> Sequence[Statement]:
        """Statements that publish all that is held; nothing can be added afterwards.

        Raises:
            TopicUnknown: A topic was not made.
        """
        self._closed = True
        return self._log.append_statements(self._events)

    def discard(self) -> None:
        """Publish nothing: the call failed."""
        self._closed = True
        self._events.clear()


def _uuid7() -> str:
    """RFC 9562: 48 bits of milliseconds, then random bits."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))
