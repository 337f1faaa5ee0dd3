"""Named readers of topics, each with a position of its own per partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.events.filter import Filter
from levada.events.log import CHANNEL, Log
from levada.store.protocol import Statement, Unit

__all__ = ["Position", "Subscription", "SubscriptionUnknown", "Subscriptions"]


class SubscriptionUnknown(LevadaError, code="LV1410"):
    """There is no subscription {name}. `levada events subscriptions` lists those there are."""


class Subscription(Struct, frozen=True):
    """A subscription as it stands; times in microseconds since 1970-01-01 UTC.

    ``state``: ``active`` or ``paused``, with ``why``. ``begun``: when the present
    generation began. ``inbox_floor``: what was taken in before is no longer known.
    """

    name: str
    topics: tuple[str, ...]
    pattern: str | None
    state: str
    why: str | None
    generation: int
    again: bool
    begun: int
    inbox_floor: int
    epoch: int
    holder: str
    seen: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Subscription:
        """The subscription of a row."""
        values: dict[str, Any] = {name: row[name] for name in cls.__struct_fields__}
        topics = msgspec.json.decode(row["topics"], type=tuple[str, ...])
        values |= {"topics": topics, "again": bool(row["again"])}
        return cls(**values)


class Position(Struct, frozen=True):
    """How far a subscription is in one partition: ``next`` to read, of ``head`` appended."""

    topic: str
    part: int
    next: int
    first: int
    head: int
    moved: int

    @property
    def lag(self) -> int:
        """How many events are still to be read."""
        return self.head - self.next


class Subscriptions:
    """The subscriptions of a log. Methods may be called concurrently."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.store = log.store

    async def declare(
        self,
        name: str,
        topics: Sequence[str],
        pattern: Filter | None = None,
        start: Literal["earliest", "latest"] = "earliest",
    ) -> Subscription:
        """Make a subscription, or bring an existing one to these topics and this pattern.

        Topics that are missing are made. ``start`` is where it begins in a topic that
        it did not read before; positions that it has stay. A topic that is no longer named is
        read on where something in it is unread, so that nothing goes by unseen, and as long as
        another major of its type is read, which older processes may publish still.
        """
        for topic in topics:
            await self.log.create(topic)
        before = await self.store.read("subscription.get", {"name": name})
        dropped = set(Subscription.of(before[0]).topics) - set(topics) if before else set[str]()
        kept = await self._kept(name, dropped, topics)
        dropped -= kept
        topics = [*topics, *kept]
        listed = msgspec.json.encode(sorted(set(topics))).decode()
        values = {"name": name, "topics": listed, "pattern": None if pattern is None else pattern.to_json()}
        statements = [Statement("subscription.create", values), Statement("subscription.declare", values, 1)]
        statements += [
            Statement("subscription.drop_topic", {"subscription": name, "topic": topic})
            for topic in sorted(dropped)
        ]
        for topic in sorted(set(topics)):
            for row in await self.store.read("log.partitions", {"topic": topic}):
                place = {"topic": topic, "part": row["part"], "latest": int(start == "latest")}
                statements.append(Statement("subscription.place", {"subscription": name, **place}))
        await self.store.commit(Unit(statements, (CHANNEL,)))
        return await self.get(name)

    async def _kept(self, name: str, dropped: set[str], topics: Sequence[str]) -> set[str]:
        """Which of the topics that are no longer named are read on."""
        types = {_type_of(topic) for topic in topics}
        unread = {p.topic for p in await self.positions(name) if p.lag} if dropped else set[str]()
        return {topic for topic in dropped if topic in unread or _type_of(topic) in types}

    async def get(self, name: str) -> Subscription:
        """One subscription.

        Raises:
            SubscriptionUnknown: There is none of this name.
        """
        rows = await self.store.read("subscription.get", {"name": name})
        if not rows:
            raise SubscriptionUnknown(name=name)
        return Subscription.of(rows[0])

    async def list(self) -> Sequence[Subscription]:
        """All subscriptions by name."""
        return [Subscription.of(row) for row in await self.store.read("subscription.list")]

    async def positions(self, name: str) -> Sequence[Position]:
        """The positions of one subscription, by topic and partition."""
        rows = await self.store.read("subscription.positions", {"subscription": name})
        return [Position(**{field: row[field] for field in Position.__struct_fields__}) for row in rows]

    async def remove(self, name: str) -> None:
        """Forget a subscription with its positions, inbox and parked events."""
        parts = ("remove", "remove_positions", "remove_inbox")
        statements = [Statement(f"subscription.{part}", {"name": name}) for part in parts]
        await self.store.commit(Unit([*statements, Statement("parked.remove", {"name": name})]))

    async def clean_inbox(self, name: str, keep: int) -> int:
        """Forget what was taken in more than ``keep`` microseconds ago; the time up to which it is forgotten.

        ``keep`` has to be as long as the retention of the topics. What is still to be
        read holds the cleaning back, so that only a second copy can be too old.
        """
        before = await self.store.now() - keep
        for position in await self.positions(name):
            if position.lag:
                place = {"topic": position.topic, "part": position.part, "pos": position.next}
                rows = await self.store.read("log.appended_at", place)
                before = min([before, *(row["appended"] for row in rows)])
        values = {"subscription": name, "before": before}
        await self.store.commit(Unit([Statement("inbox.floor", values), Statement("inbox.clean", values)]))
        return before


def _type_of(topic: str) -> str:
    """The type of a topic's events, without the major."""
    return topic.rpartition(".v")[0]
