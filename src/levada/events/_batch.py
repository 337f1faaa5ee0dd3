"""What one step of a subscription will commit: deliveries, positions, inbox, and what is put aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from levada.events.delivery import Delivery, Park, Retry, Sink
from levada.events.filter import Filter, FilterFailed
from levada.events.log import Record, RecordUnreadable
from levada.events.subscription import Subscription
from levada.store.errors import StoreError
from levada.store.protocol import Statement

__all__ = ["Batch"]

RETRIES = 12
"""How often a sink may ask for another attempt before the event is parked."""


class Batch:
    """Collects statements; ``owners`` tells for each which event it belongs to."""

    def __init__(
        self, sub: Subscription, wanted: Filter | None, sink: Sink, doomed: Mapping[str, str]
    ) -> None:
        fence = {"name": sub.name, "epoch": sub.epoch, "generation": sub.generation}
        self.sub, self.wanted, self.sink = sub, wanted, sink
        self.doomed = doomed  # delivery id -> why the store does not take it
        self.statements: list[Statement] = [Statement("subscription.fence", fence, 1)]
        self.owners: list[str | None] = [None]
        self.closed: set[str] = set()
        self.seen: set[str] = set()
        self.moved = 0

    def add(self, owner: str | None, *statements: Statement) -> None:
        """Add statements that belong to one delivery, or to the step itself."""
        self.statements += statements
        self.owners += [owner] * len(statements)

    def move(self, topic: str, part: int, was: int, to: int) -> None:
        """Move a position."""
        values = {"subscription": self.sub.name, "topic": topic, "part": part, "was": was, "next": to}
        self.add(None, Statement("subscription.move", values, 1))
        self.moved += to - was

    async def drain(self, row: Mapping[str, Any]) -> None:
        """Try one event that was put aside."""
        if row["key"] is not None and row["key"] in self.closed:
            return
        record = Record.of(row)
        try:
            delivery = self._delivery(record, row["generation"], bool(row["again"]), row["attempts"])
            taken = await self._take(delivery)
        except RecordUnreadable as error:
            self._aside_again(row, _Aside("unreadable", error.message))
        except _Aside as aside:
            self._aside_again(row, aside)
        else:
            self.add(delivery.id, Statement("parked.take", {"id": row["id"]}, 1), *taken)

    async def read(self, row: Mapping[str, Any]) -> None:
        """Take one event of the log in, or say why not."""
        record = Record.of(row)
        if row["known"] or record.event_id in self.seen:
            return
        self.seen.add(record.event_id)
        try:
            delivery = self._delivery(record, self.sub.generation, self.sub.again, 0)
            if self.wanted is not None and not self.wanted.match(delivery.event):
                return
            self._hold_back(row, delivery)
            taken = await self._take(delivery)
        except RecordUnreadable as error:
            self._aside(record, _Aside("unreadable", error.message))
        except FilterFailed as error:
            self._aside(record, _Aside("filter", error.message))
        except _Aside as aside:
            self._aside(record, aside)
        else:
            self.add(delivery.id, self._inbox(record), *taken)

    def _hold_back(self, row: Mapping[str, Any], delivery: Delivery) -> None:
        key = row["key"]
        if key is not None and (row["closed"] or key in self.closed):
            raise _Aside("behind", "an earlier event of its key stands aside", state="queued")
        if delivery.event.at < self.sub.inbox_floor and self.sub.begun < self.sub.inbox_floor:
            raise _Aside("too old", "it may have been taken in before: the inbox no longer knows its time")

    def _delivery(self, record: Record, generation: int, again: bool, attempts: int) -> Delivery:
        return Delivery(
            self.sub.name, generation, again, record.envelope(),
            record.topic, record.part, record.pos, record.appended, attempts,
        )  # fmt: skip

    async def _take(self, delivery: Delivery) -> Sequence[Statement]:
        if (why := self.doomed.get(delivery.id)) is not None:
            raise _Aside("refused", why)
        try:
            taken = self.sink.take(delivery)
            return taken if isinstance(taken, Sequence) else await taken
        except StoreError:
            raise  # the sink looked something up: that is no fault of the event
        except Park as park:
            raise _Aside(park.reason, park.detail) from None
        except Retry as retry:
            if delivery.attempts + 1 >= RETRIES:
                raise _Aside("tried too often", retry.detail) from None
            raise _Aside("retry", retry.detail, retry.after) from None
        except Exception as error:
            # A poison event may not stop the others: it is put aside with what the sink said.
            raise _Aside("error", f"{type(error).__name__}: {error}") from error

    def _inbox(self, record: Record) -> Statement:
        values = {
            "subscription": self.sub.name,
            "generation": self.sub.generation,
            "event_id": record.event_id,
        }
        return Statement("inbox.add", values, 1)

    def _aside(self, record: Record, aside: _Aside) -> None:
        from_log = {name: getattr(record, name) for name in Record.__struct_fields__ if name != "at"}
        values: dict[str, Any] = {
            **from_log,
            **aside.fate(attempts=0 if aside.state == "queued" else 1),
            "id": _parked_id(self.sub, record),
            "subscription": self.sub.name,
            "generation": self.sub.generation,
            "again": int(self.sub.again),
        }
        self._close(record.key)
        self.add(None, self._inbox(record), Statement("parked.add", values, 1))

    def _aside_again(self, row: Mapping[str, Any], aside: _Aside) -> None:
        fate = aside.fate(attempts=row["attempts"] + 1)
        self._close(row["key"])
        self.add(None, Statement("parked.again", {"id": row["id"], **fate}, 1))

    def _close(self, key: str | None) -> None:
        if key is not None:
            self.closed.add(key)


class _Aside(Exception):
    """Why an event is not taken now, and what becomes of it."""

    def __init__(
        self, reason: str, detail: str, after: float | None = None, state: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.after = reason, detail, after
        self.state = state or ("parked" if after is None else "retry")

    def fate(self, attempts: int) -> dict[str, Any]:
        """As columns."""
        return {
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail[:4000],
            "attempts": attempts,
            "delay": int((self.after or 0) * 1_000_000),
        }


def _parked_id(sub: Subscription, record: Record) -> str:
    """Short enough to be typed, and unlike any other: subscription, place and generation."""
    return f"{sub.name}:{record.topic}:{record.part}:{record.pos}:{sub.generation}"
