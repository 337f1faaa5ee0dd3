"""The store on PostgreSQL: one writing connection with group commit, others for reads.

Many processes share it. Time is the database's. A process that is paused or cut off
holds nothing up: the server ends its transaction, and with it its locks, before the
lease of its worker ends (durability, rule 11).
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from levada.store._outage import Outage
from levada.store._pgconnection import Connection, PostgresSettings, driver, failures, told
from levada.store._pggroup import CommitLost, NeedsAlone, channels_of, transact
from levada.store._waking import Wakes
from levada.store.clock import CarriedClock
from levada.store.errors import StoreClosed, StoreError, StoreHindered, StoreUnknown, StoreUnusable
from levada.store.protocol import Outcome, Row, Unit, Value
from levada.store.schema import pending

__all__ = ["PostgresSettings", "PostgresStore", "applied", "place_of"]

_log = logging.getLogger(__name__)

GROUP = 256
"""Units in one transaction at most."""

OLDEST = 15
"""The oldest PostgreSQL that is tried and supported."""

TOLD = 4
"""The migration that makes the last of the tables by which a store knows the latest time that was told."""

AGAIN = 5
"""How often a unit that lost against another process's is tried again."""

_Job = tuple[Unit, "asyncio.Future[Outcome]"]


def place_of(url: str) -> str:
    """A URL that may be shown: without its password, however that is written."""
    scheme, slashes, rest = url.partition("://")
    said, at, place = rest.rpartition("@")
    return f"{scheme}{slashes}{said.partition(':')[0]}{at}{re.split('[?#]', place)[0]}"


class PostgresStore:
    """Keeps :class:`levada.store.Store` in a database of PostgreSQL 15 or later.

    Args:
        url: ``postgresql://user@host/database``; what follows ``?`` goes to the driver (``sslmode``).
        settings: Time-outs and sizes.
    """

    dialect = "postgresql"

    def __init__(self, url: str, *, settings: PostgresSettings | None = None) -> None:
        self.url = url
        self.settings = settings or PostgresSettings()
        self._jobs: deque[_Job] = deque()
        self._some = asyncio.Event()
        self._closed = False
        self._last = 0
        self._clock = CarriedClock()
        self._writer: Connection | None = None
        self._outage = Outage(self.settings.patience)
        self._idle: list[Connection] = []
        self._reading = asyncio.Semaphore(self.settings.readers)
        self._wakes = Wakes()
        self._task: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def open(self) -> PostgresStore:
        """Connect, bring the schema up to date, begin to write.

        Raises:
            StoreNewer: A newer program has written it.
            StoreUnusable: It cannot be reached, read or written.
        """
        try:
            self._writer = await Connection.open(self.url, self.settings)
            version = self._writer.raw.get_server_version()
            if version.major < OLDEST:
                raise StoreUnusable(
                    place=place_of(self.url),
                    reason=f"It is PostgreSQL {version.major}; use {OLDEST} or later.",
                )
            if await _migrate(self._writer, place_of(self.url)) >= TOLD:
                self._clock.carry((await self._writer.one("store.latest"))["at"])
        except failures() as error:
            await self._end()
            raise _unusable(self.url, error) from error
        except (ValueError, OverflowError):
            await self._end()
            raise _unreadable(self.url) from None
        except StoreError:
            await self._end()
            raise
        self._task = asyncio.get_running_loop().create_task(self._write(), name="levada store")
        return self

    # -- writing ----------------------------------------------------------------------

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; returns once it is durable, or refused."""
        if self._closed:
            raise StoreClosed
        if self._task is None or self._task.done():
            raise StoreError(reason="The writer has ended. Start the process anew.")
        if self._writer is None and self._outage.refuses:
            raise StoreHindered(reason="Its server has been away for a while; it is asked again in a moment.")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._jobs.append((unit, future))
        self._some.set()
        # A caller that gives up does not take its unit back: it commits or not by itself.
        return await asyncio.shield(future)

    async def _write(self) -> None:
        while self._jobs or not self._closed:
            if not self._jobs:
                self._some.clear()
                await self._some.wait()
                continue
            group = [self._jobs.popleft() for _ in range(min(GROUP, len(self._jobs)))]
            try:
                await self._group(group)
            except Exception as error:
                # A defect of ours. What became of the group nobody knows; nobody may wait for ever, and the next
                # ones are written on a new connection.
                _log.exception("store_writer_failed")
                self._lose()
                for _, future in group:
                    _fail(future, StoreUnknown(reason=f"The writer failed: {error!r}."))
            except BaseException as error:
                reason = f"The writer has ended: {error!r}."
                for _, future in group:
                    _fail(future, StoreUnknown(reason=reason))
                for _, future in self._jobs:
                    _fail(future, StoreError(reason=reason))
                self._jobs.clear()
                raise

    async def _group(self, group: Sequence[_Job], tried: int = 0) -> None:
        """One transaction for all; on an error each half by itself, so that it reaches its own unit alone."""
        pg = driver()
        units = [unit for unit, _ in group]
        try:
            outcomes = await self._transact(units)
        except (StoreUnknown, ConnectionError) as error:
            for _, future in group:
                _fail(future, told(error))
            return
        except (
            pg.PostgresError,
            pg.InterfaceError,
            NeedsAlone,
            StoreError,
            ValueError,
            TypeError,
            OverflowError,
        ) as error:
            if len(group) > 1:
                middle = len(group) // 2
                await self._group(group[:middle])
                await self._group(group[middle:])
            elif tried < AGAIN and isinstance(
                error, (pg.DeadlockDetectedError, pg.SerializationError, pg.InvalidCachedStatementError)
            ):
                await self._group(group, tried + 1)
            else:
                _fail(group[0][1], told(error))
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
        self._wakes.wake(channels_of(units, outcomes))

    async def _transact(self, units: Sequence[Unit]) -> list[Outcome]:
        """Run units, on a new connection if the old one is lost before its COMMIT.

        Raises:
            ConnectionError: The server stayed away; nothing was committed.
            StoreUnknown: It was lost while committing, and nobody can tell.
        """
        loop = asyncio.get_running_loop()
        deadline = self._outage.deadline()
        while True:
            connection = await self._connected(deadline)
            try:
                return await transact(connection, units, self._new_time)
            except CommitLost as error:
                self._lose()
                if await self._committed(error):
                    return error.outcomes
            except Exception as error:
                if isinstance(error, driver().InvalidCachedStatementError):
                    self._lose()
                if not connection.lost(error):
                    raise
                self._lose()
                if loop.time() > deadline:
                    raise ConnectionError(str(error) or type(error).__name__) from error

    async def _connected(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        pause = 0.02
        while self._writer is None:
            try:
                self._writer = await self._outage.attempt(self._connect)
            except failures() as error:
                if loop.time() + pause > deadline:
                    raise ConnectionError(f"The server cannot be reached: {error}") from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
        return self._writer

    async def _connect(self) -> Connection:
        return await Connection.open(self.url, self.settings)

    def _lose(self) -> None:
        if self._writer is not None:
            self._writer.drop()
            self._writer = None

    async def _committed(self, lost: CommitLost) -> bool:
        """Ask the server what became of a transaction.

        Only the same start of the same server is believed: after a failover the number
        may belong to somebody else's transaction.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.patience
        fate, server = "in progress", lost.server
        while fate == "in progress" and server == lost.server and loop.time() < deadline:
            try:
                row = await (await self._connected(deadline)).one("store.fate", xact=lost.xact)
                fate, server = row["fate"], row["server"]
            except failures():
                self._lose()
            if fate == "in progress":
                await asyncio.sleep(0.02)
        if server != lost.server or fate not in ("committed", "aborted"):
            raise StoreUnknown(reason="The server was started anew meanwhile, or does not answer.") from lost
        return fate == "committed"

    # -- reading ----------------------------------------------------------------------

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """The rows of a named query that changes nothing."""
        return await self._read(query, params or {})

    async def now(self) -> int:
        """The database's clock, in microseconds since 1970-01-01 UTC."""
        rows = await self._read("store.clock", {})
        return self._time(rows[0]["now"])

    def _time(self, told: int) -> int:
        """The store's time, where the server's clock told this; never back, even if that one was set."""
        self._last = max(self._last, self._clock.told(told))
        return self._last

    def _new_time(self, told: int) -> int:
        """As `_time`, later than all before: of a transaction."""
        last = self._last
        self._last = max(last + 1, self._time(told))
        return self._last

    async def _read(self, name: str, params: Mapping[str, Value]) -> Sequence[Row]:
        """On a connection that is free, once more on a new one if it was lost: reading twice is fine."""
        if self._closed:
            raise StoreClosed
        pg = driver()
        async with self._reading:
            for attempt in (1, 2):
                connection: Connection | None = None
                try:
                    fresh = attempt == 2 or not self._idle
                    connection = await self._outage.attempt(self._connect) if fresh else self._idle.pop()
                    query = connection.query(name)
                    now = (await connection.one("store.clock"))["now"] if "now" in query.names else 0
                    rows, _ = await connection.run(query, params, self._time(now) if now else self._last)
                except (*failures(), StoreError, ValueError) as error:
                    usable = connection is not None and not connection.lost(error)
                    stale = isinstance(error, pg.InvalidCachedStatementError)
                    if connection is not None and usable and not stale:
                        self._idle.append(connection)
                    elif connection is not None:
                        connection.drop()
                    if isinstance(error, StoreError):
                        raise
                    if attempt == 2 or (usable and not stale):
                        raise told(error) from error
                except BaseException:
                    # Cancelled in the middle of an answer.
                    if connection is not None:
                        connection.drop()
                    raise
                else:
                    self._idle.append(connection)
                    return rows
        raise AssertionError("the second attempt returns or raises")

    # -- waking -----------------------------------------------------------------------

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Wake-ups for channels, from any process."""
        if self._hearing is None and not self._closed:
            self._hearing = asyncio.get_running_loop().create_task(self._hear(), name="levada store ears")
        return self._wakes.listen(*channels)

    async def _hear(self) -> None:
        while True:
            try:
                await self._hear_once()
            except Exception as error:
                if not isinstance(error, failures()):
                    _log.exception("store_wakes_unheard")
            await asyncio.sleep(0.2)

    async def _hear_once(self) -> None:
        """Hear what other processes say, until the connection is lost."""
        connection = await self._connect()
        self._outage.over()
        gone = asyncio.Event()
        try:
            connection.raw.add_termination_listener(_setting(gone))
            await connection.raw.add_listener("levada", self._heard)
            # Something may have been said while nobody heard.
            self._wakes.wake_all()
            await self._until_gone(connection, gone)
        finally:
            connection.drop()

    async def _until_gone(self, connection: Connection, gone: asyncio.Event) -> None:
        """Who only listens hears nothing of a connection that was lost on the way: it asks from time to time."""
        while not gone.is_set():
            try:
                async with asyncio.timeout(self.settings.network):
                    await gone.wait()
            except TimeoutError:
                await connection.raw.execute("SELECT 1", timeout=self.settings.network)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        self._wakes.wake([payload])

    # -- ending -----------------------------------------------------------------------

    async def close(self) -> None:
        """Finish what was accepted, then let go of the connections. Calling it twice is fine.

        Of what the server has not answered within ``patience`` nobody knows.
        """
        if self._closed:
            return
        self._closed = True
        self._some.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self.settings.patience)
            if not self._task.done():
                self._lose()  # else the statement would be taken back first, by a server that does not answer
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        await self._end()

    async def _end(self) -> None:
        connections = [c for c in (self._writer, *self._idle) if c is not None]
        self._writer = None
        self._idle.clear()
        for connection in connections:
            connection.drop()


async def _migrate(connection: Connection, place: str) -> int:
    """Bring the schema up to date; the number of its last migration."""
    async with connection.raw.transaction():
        await connection.one("schema.lock")
        await connection.raw.execute(connection.query("schema.create").text)
        done, _ = await connection.run(connection.query("schema.done"), {})
        last = max((row["number"] for row in done), default=0)
        for migration in pending(place, "postgresql", [row["number"] for row in done]):
            await connection.raw.execute(migration.text)
            now = (await connection.one("store.clock"))["now"]
            named: Mapping[str, Value] = {"number": migration.number, "name": migration.name}
            await connection.run(connection.query("schema.add"), named, now)
            last = migration.number
    return last


async def applied(url: str) -> Sequence[Row]:
    """The migrations of a database, none if it is not a store yet.

    Raises:
        StoreUnusable: It cannot be reached or read.
    """
    try:
        connection = await Connection.open(url, PostgresSettings())
        try:
            there, _ = await connection.run(connection.query("schema.there"), {})
            return (await connection.run(connection.query("schema.done"), {}))[0] if there else []
        finally:
            connection.drop()
    except failures() as error:
        raise _unusable(url, error) from error
    except (ValueError, OverflowError):
        raise _unreadable(url) from None


def _unreadable(url: str) -> StoreUnusable:
    """The URL itself is wrong. What the driver says quotes it, and with it parts of the password."""
    reason = "its URL is not one: the port is a number to 65535, and / # ? @ : in a password are written as %2F %23 %3F %40 %3A."
    return StoreUnusable(place=place_of(url), reason=reason)


def _unusable(url: str, error: Exception) -> StoreUnusable:
    said = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        said = os.strerror(error.errno) if error.errno > 0 else error.strerror or said
    reason = f"{said.rstrip('.')}. Look whether its server is up, and whether [store] url is right."
    return StoreUnusable(place=place_of(url), reason=reason)


def _setting(event: asyncio.Event) -> Callable[[object], None]:
    return lambda _connection: event.set()


def _fail(future: asyncio.Future[Outcome], error: StoreError) -> None:
    if not future.done():
        future.set_exception(error)
        # Whoever asked may have gone.
        future.exception()
