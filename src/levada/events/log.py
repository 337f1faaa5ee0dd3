"""The store's own log: topics of partitions, in which the order of positions is the order of commits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError
from levada.events.envelope import Envelope, EnvelopeMalformed
from levada.store.protocol import Statement, Store, Unit

__all__ = [
    "CHANNEL",
    "PARTITIONS",
    "Log",
    "Record",
    "RecordUnreadable",
    "Topic",
    "TopicUnknown",
    "partition_of",
]

CHANNEL = "log"
"""The store's channel that is woken when events were appended."""

PARTITIONS = 8
"""Partitions of a topic by default.

A partition is what concurrent appenders queue for (its row is locked until the
commit) and what a reader keeps a position of. With 8, a handful of appending
processes seldom meet, and an idle subscription costs 8 rows; more would buy nothing
in one store, whose commits go through one disk. It cannot change later, since
the order of a key is kept by its partition.
"""


class TopicUnknown(LevadaError, code="LV1406"):
    """There is no topic {topic} in the log. Make it first with log.create()."""


class RecordUnreadable(LevadaError, code="LV1407"):
    """The event {event_id} at {topic}/{part}/{pos} cannot be read: {reason}. It is parked for those who subscribe to it."""


class Topic(Struct, frozen=True):
    """A topic: ``retention`` in microseconds, None keeps events for good."""

    name: str
    partitions: int
    retention: int | None
    events: int = 0


class Record(Struct, frozen=True):
    """One event where it stands in the log; ``appended`` in microseconds since 1970-01-01 UTC."""

    topic: str
    part: int
    pos: int
    event_id: str
    key: str | None
    at: int
    appended: int
    head: bytes
    data: bytes
    format: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Record:
        """The record of a row of the log."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    def envelope(self) -> Envelope:
        """The event itself.

        Raises:
            RecordUnreadable: What is stored is no event, or of a newer format.
        """
        try:
            return Envelope.stored(self.head, self.data)
        except EnvelopeMalformed as error:
            raise RecordUnreadable(
                event_id=self.event_id, topic=self.topic, part=self.part, pos=self.pos, reason=error.message
            ) from None


def partition_of(event: Envelope, partitions: int) -> int:
    """The partition of an event: by its key; by its id, which spreads, where it has none."""
    return _partition(event.id if event.key is None else event.key, partitions)


def _partition(key: str, partitions: int) -> int:
    return zlib.crc32(key.encode()) % partitions


class Log:
    """The log of a store. Its methods may be called concurrently."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._topics: dict[str, Topic] = {}

    @classmethod
    async def open(cls, store: Store) -> Log:
        """The log of a store, with the topics that it has by now."""
        log = cls(store)
        await log.topics()
        return log

    async def topics(self) -> Sequence[Topic]:
        """All topics, read anew."""
        rows = await self.store.read("log.topics")
        found = [Topic(r["topic"], r["partitions"], r["retention"], r["events"]) for r in rows]
        self._topics.update({topic.name: topic for topic in found})
        return found

    def has(self, topic: str) -> bool:
        """Whether a topic is known to have been made."""
        return topic in self._topics

    async def create(
        self, topic: str, *, partitions: int = PARTITIONS, retention: int | None = None
    ) -> Topic:
        """Make a topic unless it exists; ``retention`` in microseconds. The number of partitions stays."""
        if topic not in self._topics:
            made = Statement(
                "log.topic_create", {"topic": topic, "partitions": partitions, "retention": retention}
            )
            parts = [
                Statement("log.partition_create", {"topic": topic, "part": p}) for p in range(partitions)
            ]
            await self.store.commit(Unit([made, *parts]))
            await self.topics()
        return self._topics[topic]

    def append_statements(self, events: Iterable[Envelope]) -> Sequence[Statement]:
        """Statements that append events, for a unit of the caller's; wake :data:`CHANNEL` with it.

        Events of one partition get successive positions in the order given.
        Partitions are locked in one order, so that units do not deadlock.

        Raises:
            TopicUnknown: The topic was not made, or after this log was opened by another process.
        """
        groups: dict[tuple[str, int], list[Envelope]] = {}
        for event in events:
            topic = self._topics.get(event.topic)
            if topic is None:
                raise TopicUnknown(topic=event.topic)
            groups.setdefault((topic.name, partition_of(event, topic.partitions)), []).append(event)
        statements: list[Statement] = []
        for (topic, part), group in sorted(groups.items(), key=lambda item: item[0]):
            place = {"topic": topic, "part": part}
            statements.append(Statement("log.reserve", {**place, "n": len(group)}, 1))
            statements += [
                Statement("log.append", {**place, "back": len(group) - i, **_columns(event)}, 1)
                for i, event in enumerate(group)
            ]
        return statements

    async def append(self, events: Iterable[Envelope]) -> None:
        """Append events in a unit of their own; makes topics that are missing."""
        events = list(events)
        for topic in {event.topic for event in events} - self._topics.keys():
            await self.create(topic)
        if events:
            outcome = await self.store.commit(Unit(self.append_statements(events), (CHANNEL,)))
            if not outcome.committed:
                raise TopicUnknown(topic=", ".join(sorted({event.topic for event in events})))

    async def read(self, topic: str, part: int, start: int = 0, limit: int = 500) -> Sequence[Record]:
        """Events of one partition from a position on."""
        place = {"topic": topic, "part": part, "from": start, "n": limit}
        return [Record.of(row) for row in await self.store.read("log.read", place)]

    async def of_key(self, topic: str, key: str, limit: int = 500) -> Sequence[Record]:
        """The last events of a key, newest first; none where the topic is not known."""
        if (known := self._topics.get(topic)) is None:
            return []
        asked = {"topic": topic, "part": _partition(key, known.partitions), "key": key, "n": limit}
        return [Record.of(row) for row in await self.store.read("log.of_key", asked)]

    async def find(self, event_id: str) -> Sequence[Record]:
        """Where an event stands; more than once if it was published more than once."""
        return [Record.of(row) for row in await self.store.read("log.event", {"event_id": event_id})]

    async def position_at(self, topic: str, part: int, time: int) -> int:
        """The first position of a partition appended at or after a time (microseconds UTC)."""
        rows = await self.store.read("log.partitions", {"topic": topic})
        bounds = next(row for row in rows if row["part"] == part)
        low, high = bounds["first"], bounds["next"]
        while low < high:
            middle = (low + high) // 2
            found = await self.store.read("log.appended_at", {"topic": topic, "part": part, "pos": middle})
            if found and found[0]["appended"] >= time:
                high = middle
            else:
                low = middle + 1
        return low

    async def trim(self, topic: str, retention: int | None = None) -> int:
        """Delete events older than the topic's retention that every subscription has read; how many.

        ``retention`` (microseconds) is used instead where it is given.

        A subscription that lags or is paused holds its events back: its lag has to be watched.
        """
        kept = self._topics[topic].retention if retention is None else retention
        if kept is None:
            return 0
        until, deleted = await self.store.now() - kept, 0
        for row in await self.store.read("log.partitions", {"topic": topic}):
            place = {"topic": topic, "part": row["part"]}
            held = (await self.store.read("log.held", place))[0]["next"]
            upto = await self.position_at(topic, row["part"], until)
            upto = upto if held is None else min(upto, held)
            if upto <= row["first"]:
                continue
            outcome = await self.store.commit(
                Unit(
                    [
                        Statement("log.lock", {**place, "pos": upto}, 1),
                        Statement("log.trimmed", {**place, "upto": upto}, 1),
                        Statement("log.trim", {**place, "upto": upto}),
                    ]
                )
            )
            deleted += upto - row["first"] if outcome.committed else 0
        return deleted


def _columns(event: Envelope) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "key": event.key,
        "at": event.at,
        "head": event.head(),
        "data": event.data,
        "format": event.format,
    }
