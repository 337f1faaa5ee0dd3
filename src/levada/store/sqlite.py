"""The embedded store: SQLite in WAL, one owner, one writer with group commit.

One process owns the file; every write goes through one thread, which puts the units
that are waiting into one transaction. With ``synchronous=FULL`` a group of 64 costs
about what a single commit costs (``durability``, rule 12).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from levada.store._queries import migrations, queries
from levada.store.clock import Clock, SteadyClock
from levada.store.errors import QueryUnknown, StoreClosed, StoreError, StoreLocked, StoreNewer, StoreUnusable
from levada.store.protocol import Outcome, Row, Statement, Unit, Value

__all__ = ["SqliteStore"]

GROUP = 256
"""Units in one transaction at most."""

_Job = tuple[Unit, asyncio.AbstractEventLoop, "asyncio.Future[Outcome]"]


class SqliteStore:
    """Keeps :class:`levada.store.Store` on one SQLite file, or in memory.

    Args:
        path: The file, on a local disk; ``:memory:`` for a private store that ends with it.
        clock: Tells ``:now``; tests turn it.
        synchronous: ``FULL`` (default: what was answered survives a power cut) or
            ``NORMAL`` (it survives the process, perhaps not the machine).
    """

    dialect = "sqlite"

    def __init__(self, path: str, *, clock: Clock | None = None, synchronous: str = "FULL") -> None:
        self.path = path
        self.synchronous = synchronous
        self._clock = clock or SteadyClock()
        self._queries = queries("sqlite")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._listeners: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str]]]] = {}
        self._closed = False
        self._lock: int | None = None
        self._last = 0
        self._writer: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="levada-read")
        self._reader: sqlite3.Connection | None = None

    async def open(self) -> SqliteStore:
        """Own the file, bring its schema up to date, begin to write.

        Raises:
            StoreLocked: Another process owns it.
            StoreNewer: A newer program has written it.
            StoreUnusable: It cannot be read or written.
        """
        await asyncio.to_thread(self._open)
        self._thread = threading.Thread(target=self._write, name="levada-write", daemon=True)
        self._thread.start()
        return self

    # -- opening ----------------------------------------------------------------------

    def _open(self) -> None:
        memory = self.path == ":memory:"
        if not memory:
            self._own()
        try:
            self._writer = self._connect()
            self._migrate(self._writer)
            if not memory:
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only=ON")
        except sqlite3.Error as error:
            self._release()
            raise StoreUnusable(
                place=self.path, reason=f"{error}. Is it a store of Levada's, and may it be written?"
            ) from error
        except StoreError:
            self._release()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self.synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection

    def _own(self) -> None:
        lock = Path(f"{self.path}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                place=self.path, reason=f"{error.strerror}. Choose a folder that may be written."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            self._lock = None
            raise StoreLocked(path=self.path, owner=owner) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _migrate(self, db: sqlite3.Connection) -> None:
        known = migrations("sqlite")
        db.execute(
            "CREATE TABLE IF NOT EXISTS levada_migration (number integer PRIMARY KEY, name text NOT NULL, at integer NOT NULL)"
        )
        done = {row[0] for row in db.execute("SELECT number FROM levada_migration")}
        newest = max((m.number for m in known), default=0)
        if done and max(done) > newest:
            raise StoreNewer(place=self.path, found=max(done), known=newest)
        for migration in known:
            if migration.number not in done:
                db.execute("BEGIN IMMEDIATE")
                for statement in _split(migration.text):
                    db.execute(statement)
                db.execute(
                    "INSERT INTO levada_migration VALUES (?, ?, ?)",
                    (migration.number, migration.name, self._clock.now()),
                )
                db.execute("COMMIT")
        row = db.execute("SELECT value FROM levada_meta WHERE name = 'now'").fetchone()
        self._last = int(row[0]) if row else 0

    # -- writing ----------------------------------------------------------------------

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; returns once it is durable, or refused."""
        if self._closed:
            raise StoreClosed
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._jobs.put((unit, loop, future))
        # A caller that gives up does not take its unit back: it commits or not by itself.
        return await asyncio.shield(future)

    def _write(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            group = [job]
            last = False
            while len(group) < GROUP:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            self._group(group)
            if last:
                return

    def _group(self, group: Sequence[_Job]) -> None:
        """One transaction for all; on an error each half by itself, so that it reaches its own unit alone."""
        try:
            outcomes = self._transaction([unit for unit, _, _ in group])
        except (sqlite3.Error, StoreError, OverflowError, ValueError) as error:
            if len(group) > 1:
                middle = len(group) // 2
                self._group(group[:middle])
                self._group(group[middle:])
                return
            told = error if isinstance(error, StoreError) else StoreError(reason=f"{error}.")
            _answer(group[0], None, told)
            return
        for job, outcome in zip(group, outcomes, strict=True):
            _answer(job, outcome, None)
        woken = {
            c
            for (unit, _, _), outcome in zip(group, outcomes, strict=True)
            if outcome.committed
            for c in unit.notify
        }
        for channel in woken:
            self._notify(channel)

    def _transaction(self, units: Sequence[Unit]) -> list[Outcome]:
        db = self._writer
        assert db is not None
        db.execute("BEGIN IMMEDIATE")
        try:
            self._last = now = max(self._last + 1, self._clock.now())
            outcomes = [self._unit(db, unit, now, alone=len(units) == 1) for unit in units]
            if any(outcome.committed for outcome in outcomes):
                db.execute("COMMIT")
            else:
                db.execute("ROLLBACK")
            return outcomes
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _unit(self, db: sqlite3.Connection, unit: Unit, now: int, *, alone: bool) -> Outcome:
        if not alone:
            db.execute("SAVEPOINT unit")
        rows: list[Sequence[Row]] = []
        for position, statement in enumerate(unit.statements):
            found, count = self._statement(db, statement, now)
            if statement.rows is not None and count != statement.rows:
                if not alone:
                    db.execute("ROLLBACK TO unit")
                    db.execute("RELEASE unit")
                return Outcome(refused=position)
            rows.append(found)
        if not alone:
            db.execute("RELEASE unit")
        return Outcome(rows=rows)

    def _statement(self, db: sqlite3.Connection, statement: Statement, now: int) -> tuple[Sequence[Row], int]:
        query = self._queries.get(statement.query)
        if query is None:
            raise QueryUnknown(query=statement.query, dialect=self.dialect)
        cursor = db.execute(query.text, {**statement.params, "now": now})
        if cursor.description is None:
            return (), cursor.rowcount
        found = [dict(row) for row in cursor.fetchall()]
        return found, len(found)

    # -- reading ----------------------------------------------------------------------

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """The rows of a named query that changes nothing."""
        if self._closed:
            raise StoreClosed
        if self.path == ":memory:":
            outcome = await self.commit(Unit([Statement(query, params or {})]))
            return outcome.rows[0]
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, self._read, query, params or {}
        )

    def _read(self, query: str, params: Mapping[str, Value]) -> Sequence[Row]:
        assert self._reader is not None
        try:
            return self._statement(
                self._reader, Statement(query, params), max(self._last, self._clock.now())
            )[0]
        except sqlite3.Error as error:
            raise StoreError(reason=f"{error}.") from error

    async def now(self) -> int:
        """The store's clock, in microseconds since 1970-01-01 UTC."""
        return max(self._last, self._clock.now())

    # -- waking -----------------------------------------------------------------------

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncGenerator[AsyncIterator[str]]:
        """Wake-ups for channels; merged while nobody takes them."""
        entry = (asyncio.get_running_loop(), asyncio.Queue[str](1))
        for channel in channels:
            self._listeners.setdefault(channel, set()).add(entry)
        try:
            yield _taken(entry[1])
        finally:
            for channel in channels:
                self._listeners.get(channel, set()).discard(entry)

    def _notify(self, channel: str) -> None:
        for loop, waiting in list(self._listeners.get(channel, ())):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_offer, waiting, channel)

    async def close(self) -> None:
        """Finish what was accepted, then let go of the file. Calling it twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._readers.shutdown(wait=True)
        if self._writer is not None:
            if self.path != ":memory:":
                self._writer.execute(
                    "INSERT INTO levada_meta (name, value) VALUES ('now', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (str(self._last),),
                )
                if self._reader is not None:
                    self._reader.close()
            self._writer.close()
        self._release()


def _split(text: str) -> list[str]:
    """The statements of a script."""
    found: list[str] = []
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return [s for s in found if s.strip()]


async def _taken(waiting: asyncio.Queue[str]) -> AsyncIterator[str]:
    while True:
        yield await waiting.get()


def _offer(waiting: asyncio.Queue[str], channel: str) -> None:
    if not waiting.full():
        waiting.put_nowait(channel)


def _answer(job: _Job, outcome: Outcome | None, error: Exception | None) -> None:
    _, loop, future = job

    def tell() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            # Whoever asked may have gone.
            future.exception()
        elif outcome is not None:
            future.set_result(outcome)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)
