"""What operators do with events, as structured data.

``also``: statements committed in the same unit as a change, for the audit row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.events.envelope import Envelope, EnvelopeMalformed
from levada.events.filter import Filter, FilterFailed
from levada.events.log import CHANNEL, Log, Record, RecordUnreadable
from levada.events.subscription import Position, Subscription, Subscriptions
from levada.store.protocol import Statement, Unit

__all__ = [
    "Admin",
    "Finding",
    "OutboxRowUnreadable",
    "Parked",
    "ParkedUnknown",
    "Seen",
    "Status",
    "Superseded",
    "WhyMissing",
]


class WhyMissing(LevadaError, code="LV1416"):
    """To {action} needs a reason, which goes into the audit. Say why."""


class ParkedUnknown(LevadaError, code="LV1417"):
    """There is no parked event {id}: it was resumed or skipped meanwhile, or never was."""


class OutboxRowUnreadable(LevadaError, code="LV1419"):
    """{id} is no event that could be published: {reason} Let its system put a right one into its outbox, then skip this one."""


class Superseded(LevadaError, code="LV1418"):
    """The replay of {name} was not begun: another one came first, or retention removed events it asked for. Look, and try again."""


class Seen(Struct, frozen=True):
    """One event of the log as people see it; ``attributes`` is None if it cannot be read."""

    topic: str
    part: int
    pos: int
    event_id: str
    key: str | None
    appended: int
    attributes: Mapping[str, Any] | None
    data: Any


class Parked(Struct, frozen=True):
    """An event put aside: ``state`` is ``parked`` (waits for somebody), ``retry`` or ``queued`` (behind another of its key)."""

    id: str
    subscription: str
    event_id: str
    key: str | None
    topic: str
    part: int
    pos: int
    generation: int
    state: str
    reason: str
    detail: str
    attempts: int
    due: int
    at: int
    behind: int = 0


class Status(Struct, frozen=True):
    """A subscription with its positions, its lag in events and what stands aside, by state."""

    subscription: Subscription
    positions: Sequence[Position]
    lag: int
    aside: Mapping[str, int]


class Finding(Struct, frozen=True):
    """What one subscription did with one event, and why.

    ``state``: ``taken``, ``parked``, ``retry``, ``queued``, ``not matched``, ``waiting``
    (still to be read), ``not subscribed``, ``unreadable`` or ``passed`` (it was before
    the subscription's start, or a second copy).
    """

    subscription: str
    state: str
    why: Sequence[str]


class Admin:
    """The verbs of ``levada events``. Methods may be called concurrently."""

    def __init__(self, log: Log) -> None:
        self.log, self.store = log, log.store
        self.subscriptions = Subscriptions(log)

    async def tail(self, topic: str, n: int = 20, since: Mapping[int, int] | None = None) -> Sequence[Seen]:
        """The last ``n`` events of a topic by time of appending, or the next ones from ``since`` (partition -> position)."""
        found: list[Record] = []
        for row in await self.store.read("log.partitions", {"topic": topic}):
            start = (
                max(row["first"], row["next"] - n) if since is None else since.get(row["part"], row["first"])
            )
            found += await self.log.read(topic, row["part"], start, n)
        found.sort(key=lambda record: (record.appended, record.at, record.part, record.pos))
        return [_seen(record) for record in (found[-n:] if since is None else found[:n])]

    async def tail_of(self, topic: str, key: str, n: int = 20) -> Sequence[Seen]:
        """The last ``n`` events of a key, oldest first."""
        return [_seen(record) for record in reversed(await self.log.of_key(topic, key, n))]

    async def status(self) -> Sequence[Status]:
        """All subscriptions."""
        aside: dict[str, dict[str, int]] = {}
        for row in await self.store.read("parked.counts"):
            aside.setdefault(row["subscription"], {})[row["state"]] = row["n"]
        found: list[Status] = []
        for sub in await self.subscriptions.list():
            positions = await self.subscriptions.positions(sub.name)
            found.append(Status(sub, positions, sum(p.lag for p in positions), aside.get(sub.name, {})))
        return found

    async def parked(
        self, subscription: str = "", *, n: int = 100, behind: bool = False, key: str | None = None
    ) -> Sequence[Parked]:
        """What stands aside, of a key or at all, oldest first; ``behind`` with what only waits behind another of its key."""
        asked: dict[str, Any] = {"subscription": subscription, "n": n, "all": int(behind)}
        name = "parked.list" if key is None else "parked.of_key"
        rows = await self.store.read(name, asked if key is None else {**asked, "key": key})
        return [_parked(row) for row in rows]

    async def resume(self, parked_id: str, *, also: Sequence[Statement] = ()) -> None:
        """Try a parked event again; when it is taken, what stands behind it follows in order.

        What a relay put aside is published, if it is an event by now.

        Raises:
            ParkedUnknown: It is not there.
            OutboxRowUnreadable: A relay put it aside, and it is no event still; it stays where it is.
        """
        rows = await self.store.read("parked.get", {"id": parked_id})
        if rows and not rows[0]["topic"]:  # no topic: nobody subscribes to it, so it is for nobody to try
            await self._publish(rows[0], also)
            return
        await self._change(parked_id, Statement("parked.resume", {"id": parked_id}, 1), also)

    async def _publish(self, row: Mapping[str, Any], also: Sequence[Statement]) -> None:
        try:
            event = Envelope.stored(bytes(row["head"]), bytes(row["data"]))
        except EnvelopeMalformed as error:
            raise OutboxRowUnreadable(id=row["id"], reason=error.message) from None
        await self.log.topics()
        await self.log.create(event.topic)
        publish = self.log.append_statements([event])
        await self._change(row["id"], Statement("parked.skip", {"id": row["id"]}, 1), [*publish, *also])

    async def skip(self, parked_id: str, why: str, *, also: Sequence[Statement] = ()) -> Parked:
        """Leave a parked event out for good; what stands behind it goes on. The event that was left out.

        Raises:
            WhyMissing, ParkedUnknown: No reason; or it is not there.
        """
        _need(why, "skip an event")
        rows = await self.store.read("parked.get", {"id": parked_id})
        await self._change(parked_id, Statement("parked.skip", {"id": parked_id}, 1), also)
        if not rows:
            raise ParkedUnknown(id=parked_id)
        return _parked(rows[0])

    async def pause(self, name: str, why: str, *, also: Sequence[Statement] = ()) -> None:
        """Stop a subscription; its position stays, and retention waits for it."""
        _need(why, "pause a subscription")
        await self._state(name, "paused", why, also)

    async def go_on(self, name: str, *, also: Sequence[Statement] = ()) -> None:
        """Let a paused subscription go on."""
        await self._state(name, "active", None, also)

    async def replay(
        self,
        name: str,
        why: str,
        *,
        since: int | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
        again: bool = False,
        also: Sequence[Statement] = (),
    ) -> int:
        """Give one subscription its events again, as a new generation; others go on undisturbed.

        From a time (``since``, microseconds UTC) or from positions by (topic, partition);
        from the beginning without either. Effects happen once, since step keys derive
        from the event; with ``again`` they happen anew. How many events it will read.

        Raises:
            WhyMissing, SubscriptionUnknown: No reason; no such subscription.
            Superseded: Another replay or the retention came in between; nothing was changed.
        """
        _need(why, "replay")
        sub = await self.subscriptions.get(name)
        values: dict[str, Any] = {"name": name, "generation": sub.generation, "again": int(again), "why": why}
        statements = [Statement("subscription.replay", values, 1)]
        count = 0
        for at in await self.subscriptions.positions(name):
            target = await self._target(at, since, positions)
            count += at.head - target
            place = {"topic": at.topic, "part": at.part}
            statements.append(Statement("log.lock", {**place, "pos": target}, 1))
            statements.append(
                Statement("subscription.seek", {**place, "subscription": name, "next": target}, 1)
            )
        if not (await self.store.commit(Unit([*statements, *also], (CHANNEL,)))).committed:
            raise Superseded(name=name)
        return count

    async def explain(self, event_id: str, subscription: str | None = None) -> Sequence[Finding]:
        """What each subscription did with an event, and why; empty if the log does not have it."""
        found: list[Finding] = []
        for record in await self.log.find(event_id):
            asked = [s for s in await self.subscriptions.list() if subscription in (None, s.name)]
            found += [await self._explain(sub, record) for sub in asked]
        return found

    async def unclaimed(self) -> Mapping[str, int]:
        """Topics that hold events and that nobody subscribes to, with how many."""
        return {row["topic"]: row["events"] for row in await self.store.read("log.unclaimed")}

    async def _target(
        self, at: Position, since: int | None, positions: Mapping[tuple[str, int], int] | None
    ) -> int:
        """Never ahead of where the subscription is: a replay leaves nothing out."""
        target = at.first
        if since is not None:
            target = await self.log.position_at(at.topic, at.part, since)
        elif positions is not None:
            target = positions.get((at.topic, at.part), at.next)
        return max(at.first, min(target, at.next))

    async def _explain(self, sub: Subscription, record: Record) -> Finding:
        if record.topic not in sub.topics:
            return Finding(sub.name, "not subscribed", [f"it reads {', '.join(sub.topics)}"])
        which = {"subscription": sub.name, "event_id": record.event_id}
        for row in await self.store.read("parked.event", which):
            return Finding(sub.name, row["state"], [f"{row['id']} {row['reason']}: {row['detail']}"])
        taken = await self.store.read("inbox.has", which)
        if taken:
            return Finding(
                sub.name, "taken", [f"generation {row['generation']} at {_when(row['at'])}" for row in taken]
            )
        places = {(p.topic, p.part): p for p in await self.subscriptions.positions(sub.name)}
        at = places[record.topic, record.part]
        missed = _misses(sub, record)
        if missed is not None:
            return missed
        if record.pos >= at.next:
            paused = [f"paused: {sub.why}"] if sub.state == "paused" else []
            return Finding(sub.name, "waiting", [f"{record.pos - at.next} events before it", *paused])
        return Finding(sub.name, "passed", ["it stands before where the subscription began to read"])

    async def _state(
        self, name: str, state: Literal["active", "paused"], why: str | None, also: Sequence[Statement]
    ) -> None:
        await self.subscriptions.get(name)
        change = Statement("subscription.state", {"name": name, "state": state, "why": why}, 1)
        await self.store.commit(Unit([change, *also], (CHANNEL,)))

    async def _change(self, parked_id: str, change: Statement, also: Sequence[Statement]) -> None:
        if not (await self.store.commit(Unit([change, *also], (CHANNEL,)))).committed:
            raise ParkedUnknown(id=parked_id)


def _misses(sub: Subscription, record: Record) -> Finding | None:
    if sub.pattern is None:
        return None
    try:
        misses = Filter.from_json(sub.pattern).explain(record.envelope())
    except (RecordUnreadable, FilterFailed) as error:
        return Finding(sub.name, "unreadable", [error.message])
    return Finding(sub.name, "not matched", [str(miss) for miss in misses]) if misses else None


def _need(why: str, action: str) -> None:
    if not why.strip():
        raise WhyMissing(action=action)


def _when(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).astimezone().isoformat(timespec="seconds")


def _parked(row: Mapping[str, Any]) -> Parked:
    return Parked(**{name: row.get(name, 0) for name in Parked.__struct_fields__})


def _seen(record: Record) -> Seen:
    place = (record.topic, record.part, record.pos, record.event_id, record.key, record.appended)
    try:
        event = record.envelope()
    except RecordUnreadable:
        return Seen(*place, None, None)
    try:
        data: Any = msgspec.json.decode(event.data) if event.is_json and event.data else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = None
    return Seen(*place, event.attributes(), data)
