"""Brings the log to its subscribers: one reader a subscription, fenced, at its own pace."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from levada._errors import LevadaError
from levada.events._batch import Batch
from levada.events.delivery import Sink
from levada.events.filter import Filter
from levada.events.log import CHANNEL, Log
from levada.events.subscription import Subscription, Subscriptions, SubscriptionUnknown
from levada.store.errors import StoreError, StoreHindered, StoreUnknown
from levada.store.protocol import Outcome, Row, Statement, Unit

__all__ = ["Dispatcher", "LogGap", "Reader", "ReaderFenced"]

_log = logging.getLogger(__name__)
REFUSALS = 3
"""How often the store may refuse one delivery's statements before the event is parked."""


class ReaderFenced(LevadaError, code="LV1411"):
    """Another reader has taken subscription {name} over; this one has stopped."""


class LogGap(LevadaError, code="LV1412"):
    """Subscription {name} wants {topic}/{part}/{wanted}, but the log goes on at {found}: events are missing. Compare with a backup, then replay from {found} to go on."""


class Reader:
    """Reads one subscription and gives its events to a sink.

    Of all readers of one subscription, in any process, one reads at a time: who holds
    the epoch; each unit is refused to any other. ``lease`` (seconds): after how much
    silence another may take over. ``wakes``: channels of the store to wake with each
    unit, besides the sink's own. Not for concurrent use.
    """

    def __init__(
        self,
        log: Log,
        name: str,
        sink: Sink,
        *,
        batch: int = 256,
        lease: float = 30.0,
        wakes: Sequence[str] = (),
    ) -> None:
        self.log, self.name, self.sink = log, name, sink
        self.store = log.store
        self.batch, self.lease = batch, lease
        self.holder = str(uuid.uuid4())
        self.epoch: int | None = None
        self._wakes: Sequence[str] = (*wakes, *getattr(sink, "wakes", ()))
        self._subscriptions = Subscriptions(log)
        self._filter: tuple[str | None, Filter | None] = (None, None)
        self._alone = False
        self._refusals: dict[str, int] = {}
        self._doomed: dict[str, str] = {}

    async def claim(self, *, force: bool = False) -> bool:
        """Become the reader; False while another one lives. ``force`` does not ask."""
        lease = -1 if force else int(self.lease * 1_000_000)
        values = {"name": self.name, "holder": self.holder, "lease": lease}
        await self.store.commit(Unit([Statement("subscription.claim", values)]))
        sub = await self._subscriptions.get(self.name)
        self.epoch = sub.epoch if sub.holder == self.holder else None
        return self.epoch is not None

    async def release(self) -> None:
        """Let another take over without waiting for the lease."""
        if self.epoch is not None:
            values = {"name": self.name, "epoch": self.epoch}
            await self.store.commit(Unit([Statement("subscription.release", values)]))
            self.epoch = None

    async def step(self) -> int:
        """Take in the next batch; how many events were read or tried again.

        Raises:
            ReaderFenced: Another reader has taken over.
            LogGap: The log lacks events that this subscription has not read.
            StoreError: The store does not answer; nothing was moved.
        """
        sub = await self._subscriptions.get(self.name)
        if sub.epoch != self.epoch:
            self.epoch = None
            raise ReaderFenced(name=self.name)
        if sub.state != "active":
            await self._beat(sub)
            return 0
        batch = Batch(sub, self._wanted(sub), self.sink, self._doomed)
        limit = 1 if self._alone else self.batch
        drained = await self._drain(batch, limit)
        if not (self._alone and drained):
            await self._read(batch, limit)
        if len(batch.statements) == 1:
            await self._beat(sub)
            return 0
        return batch.moved + drained if await self._commit(batch) else 1

    async def until_idle(self) -> int:
        """Step until nothing is left that can be read now; how many events. For tests and tools."""
        total = 0
        while done := await self.step():
            total += done
        return total

    async def _drain(self, batch: Batch, limit: int) -> int:
        rows = await self.store.read("parked.due", {"subscription": self.name, "n": limit})
        for row in rows:
            await batch.drain(row)
        return len(rows)

    async def _read(self, batch: Batch, limit: int) -> None:
        pending = await self.store.read("subscription.pending", {"subscription": self.name})
        if self._alone:
            pending = pending[:1]
        share = max(1, limit // max(1, len(pending)))
        columns: list[Sequence[Row]] = []
        for place in pending:
            values = {"subscription": self.name, "topic": place["topic"], "part": place["part"]}
            more = {"from": place["next"], "n": share, "generation": batch.sub.generation}
            rows = await self.store.read("subscription.read", {**values, **more})
            if not rows or rows[0]["pos"] != place["next"]:
                found = rows[0]["pos"] if rows else place["head"]
                raise LogGap(
                    name=self.name,
                    topic=place["topic"],
                    part=place["part"],
                    wanted=place["next"],
                    found=found,
                )
            columns.append(rows)
            batch.move(place["topic"], place["part"], place["next"], rows[-1]["pos"] + 1)
        for row in _merged(columns):
            await batch.read(row)

    async def _commit(self, batch: Batch) -> bool:
        try:
            outcome = await self.store.commit(Unit(batch.statements, self._wakes))
        except StoreUnknown:
            return False  # the positions tell at the next step
        except StoreHindered:
            raise  # a disk that is almost full takes the fence alone, and that is no fault of an event
        except StoreError as error:
            await self._suspect(batch, error)
            return False
        if outcome.committed:
            self._alone = False
            self._refusals.clear()
            self._doomed.clear()
            return True
        self._refused(batch, outcome)
        return False

    def _refused(self, batch: Batch, outcome: Outcome) -> None:
        """The fence and the positions are read anew at the next step; a delivery's refusals are counted."""
        index = outcome.refused or 0
        if (owner := batch.owners[index]) is not None:
            self._count(owner, f"the store refused {batch.statements[index].query}")

    async def _suspect(self, batch: Batch, error: StoreError) -> None:
        """An error is a delivery's only if the store takes a unit without it; then it is found by going alone."""
        fence = await self.store.commit(Unit(batch.statements[:1]))
        if not fence.committed:
            return
        owners = {owner for owner in batch.owners if owner is not None}
        if not owners:
            raise error
        if len(owners) == 1:
            self._count(owners.pop(), str(error))
        self._alone = True

    def _count(self, owner: str, why: str) -> None:
        self._refusals[owner] = self._refusals.get(owner, 0) + 1
        if self._refusals[owner] >= REFUSALS:
            self._doomed[owner] = why

    async def _beat(self, sub: Subscription) -> None:
        """Keep the lease while there is nothing to do, with one write a third of it."""
        if await self.store.now() - sub.seen > self.lease * 1_000_000 / 3:
            await self.store.commit(
                Unit([Statement("subscription.beat", {"name": self.name, "epoch": self.epoch})])
            )

    def _wanted(self, sub: Subscription) -> Filter | None:
        if self._filter[0] != sub.pattern:
            self._filter = (sub.pattern, None if sub.pattern is None else Filter.from_json(sub.pattern))
        return self._filter[1]


class Dispatcher:
    """Runs a reader for each subscription of this process.

    ``poll`` (seconds): how often it looks without a wake-up from the store.
    ``troubles``: why a subscription does not go on, by its name.
    """

    def __init__(self, log: Log, sinks: Mapping[str, Sink], *, poll: float = 1.0, **reader: Any) -> None:
        self.log, self.poll = log, poll
        self.readers = {name: Reader(log, name, sink, **reader) for name, sink in sinks.items()}
        self._wakes = {name: asyncio.Event() for name in sinks}
        self._stopping = asyncio.Event()
        self.troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Dispatch until :meth:`stop`; a batch begun is finished. Cancelling loses nothing."""
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(self._listen())
            readers = [tasks.create_task(self._serve(reader)) for reader in self.readers.values()]
            await asyncio.wait(readers) if readers else await self._stopping.wait()
            listener.cancel()

    def stop(self) -> None:
        """Finish what was begun and return from :meth:`run`."""
        self._stopping.set()
        for wake in self._wakes.values():
            wake.set()

    async def _listen(self) -> None:
        async with self.log.store.listen(CHANNEL) as wakes:
            async for _ in wakes:
                for wake in self._wakes.values():
                    wake.set()

    async def _serve(self, reader: Reader) -> None:
        wake = self._wakes[reader.name]
        while not self._stopping.is_set():
            wake.clear()
            if not await self._advance(reader):
                await _wait(wake, self.poll)
        try:
            await reader.release()
        except StoreError as error:
            _log.warning("reader_not_released", extra={"subscription": reader.name, "error": str(error)})

    async def _advance(self, reader: Reader) -> bool:
        """Whether there may be more to do at once."""
        try:
            if reader.epoch is None and not await reader.claim():
                return False
            moved = await reader.step()
            self.troubles.pop(reader.name, None)
            return moved > 0
        except (ReaderFenced, LogGap, SubscriptionUnknown, StoreError) as error:
            # Nothing was moved: another reader has it, somebody has to look, or the store is away.
            self._tell(reader.name, str(error), None)
        except Exception as error:
            # A defect of ours may keep one subscription waiting, never the others.
            self._tell(reader.name, f"{type(error).__name__}: {error}", error)
        return False

    def _tell(self, name: str, trouble: str, defect: Exception | None) -> None:
        """Say a trouble once, not at every attempt."""
        if trouble != self.troubles.get(name):
            self.troubles[name] = trouble
            _log.warning("reader_troubled", extra={"subscription": name, "error": trouble}, exc_info=defect)


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return


def _merged(columns: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """The rows of all partitions by time of appending, each partition's in its order."""
    import heapq

    return list(heapq.merge(*columns, key=lambda row: (row["appended"], row["at"])))
