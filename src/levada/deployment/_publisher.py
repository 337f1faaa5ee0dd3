"""Makes envelopes of events, and the statements that publish them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from levada.contract.event import Event, EventType
from levada.deployment.personal import Personal
from levada.events.envelope import Envelope
from levada.events.log import CHANNEL, Log
from levada.process._protocol import RunInput
from levada.process._steps import Step
from levada.store.protocol import Statement

__all__ = ["StepPublisher", "envelope_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def envelope_of(
    kind: EventType,
    event: Event,
    *,
    event_id: str,
    source: str,
    now: int,
    traceparent: str | None,
    initiator: str | None,
    data: bytes,
    key_id: str | None,
) -> Envelope:
    """The envelope of an event; ``now`` in microseconds since 1970-01-01 UTC.

    ``data`` is the event as it is to be stored, ``key_id`` tells what its personal fields are sealed under.
    """
    return Envelope(
        id=event_id,
        source=source,
        type=kind.type,
        version=str(kind.version),
        time=_EPOCH + timedelta(microseconds=now),
        data=data,
        key_id=key_id,
        key=kind.key_of(event),
        traceparent=traceparent or None,
        initiator=initiator or None,
    )


class StepPublisher:
    """Publishes what runs publish, in the unit of their journal."""

    notify: Sequence[str] = (CHANNEL,)

    def __init__(self, log: Log, personal: Personal) -> None:
        self._log = log
        self._personal = personal

    def statements(self, step: Step, event_id: str, given: RunInput, now: int) -> Sequence[Statement]:
        """What commits together with the step's entry."""
        _, _, _, (kind, event) = step.payload
        data, key_id = self._personal.prepared(kind, event)
        envelope = envelope_of(
            kind,
            event,
            event_id=event_id,
            source=f"/runs/{given.run}",
            now=now,
            traceparent=given.traceparent,
            initiator=given.initiator,
            data=data,
            key_id=key_id,
        )
        return self._log.append_statements([envelope])
