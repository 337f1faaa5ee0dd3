"""From a system's outbox to the log: nothing lost, nothing twice.

The relay's position moves in the unit that appends, and only for the relay that holds
the epoch and read from that very position. A relay that dies in between has done
nothing; two relays cannot both append.

PostgreSQL gives out ids before it commits, so a row with a lower id may appear later.
Rows are therefore read in windows of transaction ids: all transactions below the
snapshot's xmin are finished, and what they wrote is complete. SQLite has one writer:
its ids are the order of commits.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError
from levada.events.envelope import Envelope, EnvelopeMalformed
from levada.events.log import CHANNEL, Log
from levada.events.outbox import Database, Transaction
from levada.events.outbox._queries import queries
from levada.store.errors import StoreError, StoreUnknown
from levada.store.protocol import Row, Statement, Unit

__all__ = ["Place", "Relay", "RelayFenced", "RelayRewound"]

_log = logging.getLogger(__name__)
_HELD_MEND = "An open transaction holds back all later events: see pg_stat_activity and pg_prepared_xacts"


class RelayFenced(LevadaError, code="LV1414"):
    """Another relay has taken over the outbox {name}; this one has stopped."""


class RelayRewound(LevadaError, code="LV1415"):
    """The database behind the outbox {name} is older than what was relayed (it gives {found}, {stored} was reached): it was restored or replaced. Reconcile, then give the relay a new name."""


class Place(Struct, frozen=True):
    """How far a relay is: the window of transactions [low, high), and the last id within it.

    A database without transaction ids has ``low`` = ``high`` = 0.
    """

    low: int = 0
    high: int = 0
    last_id: int = 0


class Relay:
    """Moves one outbox to the log. Not for concurrent use.

    ``alarm`` (seconds): the age of the oldest open transaction at which a warning is
    logged, since it holds all later events back; ``age`` has the figure, and
    ``trouble`` says why :meth:`run` cannot go on, if so.
    ``keep`` (seconds): how long rows stay in the outbox that are in the log.
    ``lease`` (seconds): after how much silence another relay may take over.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        log: Log,
        *,
        batch: int = 500,
        lease: float = 30.0,
        alarm: float = 30.0,
        keep: float = 0.0,
    ) -> None:
        self.name, self.database, self.log = name, database, log
        self.batch, self.lease, self.alarm, self.keep = batch, lease, alarm, keep
        self.holder = str(uuid.uuid4())
        self.epoch: int | None = None
        self.place = Place()
        self.age = 0.0
        self.trouble: str | None = None
        self._stored = Place()
        self._held: tuple[int, float] | None = None
        self._beaten = 0.0
        self._wake = asyncio.Event()
        self._stopping = False

    async def claim(self, *, force: bool = False) -> bool:
        """Become the relay of this name; False while another lives. ``force`` does not ask."""
        store = self.log.store
        lease = -1 if force else int(self.lease * 1_000_000)
        claim = Statement("relay.claim", {"name": self.name, "holder": self.holder, "lease": lease})
        await store.commit(Unit([Statement("relay.create", {"name": self.name}), claim]))
        row = await self._load()
        self.epoch = row["epoch"] if row["holder"] == self.holder else None
        return self.epoch is not None

    async def release(self) -> None:
        """Let another take over without waiting for the lease."""
        if self.epoch is not None:
            await self.log.store.commit(
                Unit([Statement("relay.release", {"name": self.name, "epoch": self.epoch})])
            )
            self.epoch = None

    async def step(self) -> int:
        """Move the next batch; how many events, 0 when there is nothing to be moved now.

        Raises:
            RelayFenced: Another relay has taken over.
            RelayRewound: The outbox is older than the position.
            StoreError: The store does not answer; nothing was moved.
        """
        if self.epoch is None and not await self.claim():
            raise RelayFenced(name=self.name)
        async with self.database.begin() as tx:
            read = self._window if tx.dialect == "postgresql" else self._tail
            rows, after = await read(tx)
        if rows:
            await self._append(rows, after)
        else:
            # What is empty is passed over in memory; the next rows carry it to the store.
            self.place = after
            await self._beat()
        return len(rows)

    async def until_idle(self) -> int:
        """Step until the outbox has nothing that can be moved; how many events."""
        total = 0
        while done := await self.step():
            total += done
        return total

    async def clean(self, limit: int = 10_000) -> int:
        """Delete rows of the outbox that are in the log for good, at most ``limit``; how many."""
        await self._load()
        place = self._stored
        async with self.database.begin() as tx:
            sql = queries(tx.dialect)["clean"]
            if tx.dialect == "postgresql":
                return await tx.execute(sql, place.low, place.high, place.last_id, limit, self.keep)
            return await tx.execute(sql, place.last_id, f"-{self.keep:.3f} seconds", limit)

    async def run(self, *, poll: float = 0.2, clean_every: float = 60.0) -> None:
        """Relay until :meth:`stop`, looking every ``poll`` seconds or when woken."""
        loop = asyncio.get_running_loop()
        cleaned = loop.time()
        while not self._stopping:
            self._wake.clear()
            moved = await self._advance()
            if not moved and loop.time() - cleaned > clean_every:
                cleaned = loop.time()
                moved = await self._cleaned()
            if not moved:
                await _wait(self._wake, poll)
        try:
            await self.release()
        except StoreError as error:
            self._tell(str(error))

    def wake(self) -> None:
        """Say that there is something to be relayed."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the batch begun and return from :meth:`run`."""
        self._stopping = True
        self._wake.set()

    async def _advance(self) -> int:
        try:
            if self.epoch is None and not await self.claim():
                return 0
            moved = await self.step()
            self.trouble = None
            return moved
        except (LevadaError, OSError) as error:
            # The store, or the system's database, may be away: nothing was moved, and nothing is lost.
            self._tell(str(error))
        except Exception as error:
            # A defect, ours or a driver's: nothing was moved here, either, and the next attempt may be better.
            self._tell(f"{type(error).__name__}: {error}", error)
        return 0

    async def _cleaned(self) -> int:
        try:
            return await self.clean() if self.epoch is not None else 0
        except (LevadaError, OSError) as error:
            self._tell(str(error))
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}", error)
        return 0

    def _tell(self, trouble: str, defect: Exception | None = None) -> None:
        """Say a trouble once, not at every attempt."""
        if trouble != self.trouble:
            self.trouble = trouble
            _log.warning("relay_troubled", extra={"relay": self.name, "error": trouble}, exc_info=defect)

    async def _window(self, tx: Transaction) -> tuple[Sequence[Row], Place]:
        """Rows of the window begun, or of the next one up to the present horizon."""
        sql, place = queries(tx.dialect), self.place
        for _ in range(2):
            if place.low == place.high:
                (found,) = await tx.fetch(sql["horizon"])
                self._watch(found["high"], found["top"])
                if found["high"] < place.high:
                    raise RelayRewound(name=self.name, found=found["high"], stored=place.high)
                place = Place(place.high, found["high"], 0)
            rows = await tx.fetch(sql["window"], place.low, place.high, place.last_id, self.batch)
            if len(rows) == self.batch:
                return rows, Place(place.low, place.high, rows[-1]["id"])
            done = Place(place.high, place.high, 0)
            if rows or place.last_id == 0:
                return rows, done
            place = done
        return [], place

    async def _tail(self, tx: Transaction) -> tuple[Sequence[Row], Place]:
        """Rows behind the last id, where ids are the order of commits."""
        sql, last = queries(tx.dialect), self.place.last_id
        (given,) = await tx.fetch(sql["given"])
        if given["high"] < last:
            raise RelayRewound(name=self.name, found=given["high"], stored=last)
        rows = await tx.fetch(sql["window"], last, self.batch)
        return rows, Place(last_id=rows[-1]["id"] if rows else last)

    def _watch(self, high: int, top: int) -> None:
        """How long the horizon has stood still below transactions that are newer."""
        now = asyncio.get_running_loop().time()
        if high >= top:
            self._held, self.age = None, 0.0
        elif self._held is None or self._held[0] != high:
            self._held, self.age = (high, now), 0.0
        else:
            before, self.age = self.age, now - self._held[1]
            if before < self.alarm <= self.age:
                held = {"relay": self.name, "transaction": high, "seconds": round(self.age)}
                _log.warning("relay_held", extra={**held, "mend": _HELD_MEND})

    async def _append(self, rows: Sequence[Mapping[str, Any]], after: Place) -> None:
        events: list[Envelope] = []
        aside: list[Statement] = []
        for row in rows:
            try:
                events.append(Envelope.stored(_bytes(row["head"]), _bytes(row["data"])))
            except EnvelopeMalformed as error:
                aside.append(self._parked(row, error.message))
        known = {topic.name for topic in await self.log.topics()} if self._new(events) else set[str]()
        for topic in self._new(events) - known:
            await self.log.create(topic)
        was = {f"was_{name}": getattr(self._stored, name) for name in Place.__struct_fields__}
        to = {name: getattr(after, name) for name in Place.__struct_fields__}
        move = Statement("relay.move", {"name": self.name, "epoch": self.epoch, **was, **to}, 1)
        try:
            outcome = await self.log.store.commit(
                Unit([move, *aside, *self.log.append_statements(events)], (CHANNEL,))
            )
        except StoreUnknown:
            await self._load()  # what was committed is told by the stored position
            raise
        if outcome.committed:
            self._stored = self.place = after
            return
        row = await self._load()
        if row["epoch"] != self.epoch:
            self.epoch = None
            raise RelayFenced(name=self.name)

    def _new(self, events: Sequence[Envelope]) -> set[str]:
        return {event.topic for event in events if not self.log.has(event.topic)}

    def _parked(self, row: Mapping[str, Any], why: str) -> Statement:
        """A row that is no event, put in by somebody else's code: shown as parked, and the others go on."""
        values = {
            "id": f"relay/{self.name}:{row['id']}",
            "subscription": f"relay/{self.name}",
            "generation": 1,
            "again": 0,
            "event_id": row["event_id"],
            "key": None,
            "topic": "",
            "part": 0,
            "pos": row["id"],
            "state": "parked",
            "reason": "unreadable",
            "detail": why,
            "attempts": 1,
            "delay": 0,
            "appended": 0,
            "head": _bytes(row["head"]),
            "data": _bytes(row["data"]),
            "format": row["format"],
        }
        return Statement("parked.add", values, 1)

    async def _load(self) -> Row:
        (row,) = await self.log.store.read("relay.get", {"name": self.name})
        self._stored = self.place = Place(row["low"], row["high"], row["last_id"])
        return row

    async def _beat(self) -> None:
        """Keep the lease while there is nothing to move, with one write a third of it."""
        now = asyncio.get_running_loop().time()
        if now - self._beaten > self.lease / 3:
            self._beaten = now
            beat = Statement("relay.beat", {"name": self.name, "epoch": self.epoch}, 1)
            if not (await self.log.store.commit(Unit([beat]))).committed:
                self.epoch = None
                raise RelayFenced(name=self.name)


def _bytes(value: Any) -> bytes:
    """SQLite gives back text where somebody else's code has put text."""
    return value.encode() if isinstance(value, str) else bytes(value)


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
