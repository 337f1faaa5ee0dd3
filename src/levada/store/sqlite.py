"""The embedded store: SQLite in WAL, one owner, one writer with group commit.

One process owns the file; every write goes through one thread, which puts the units
that are waiting into one transaction. With ``synchronous=FULL`` a group of 64 costs
about what a single commit costs (durability, rule 12).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

from levada.store._queries import queries
from levada.store._serving import StoreServer
from levada.store._sqlite_file import FileLock, check_writable, connect, keep_private
from levada.store._sqlite_group import FAILURES, Groups, run, told
from levada.store._waking import Wakes
from levada.store.clock import Clock, SteadyClock
from levada.store.errors import StoreClosed, StoreError, StoreUnusable
from levada.store.protocol import Outcome, Row, Statement, Unit, Value
from levada.store.schema import pending

__all__ = ["SqliteStore"]

log = logging.getLogger("levada.store")

GROUP = 256
"""Units in one transaction at most."""

READERS = 2
"""Connections for reading, each on a thread of its own."""

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
        self._wakes = Wakes()
        self._closed = False
        self._died: StoreError | None = None
        self._servers: list[StoreServer] = []
        self._lock = FileLock(path)
        self._last = 0
        self._writer: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="levada-read")
        self._reading: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()

    async def open(self) -> SqliteStore:
        """Own the file, bring its schema up to date, begin to write.

        Raises:
            StoreLocked: Another process owns it.
            StoreNewer: A newer program has written it.
            StoreUnusable: It cannot be read or written.
        """
        await asyncio.to_thread(self._open)
        if self.synchronous != "FULL" and self.path != ":memory:":
            log.warning("store_less_durable", extra={"path": self.path, "synchronous": self.synchronous})
        self._thread = threading.Thread(target=self._write, name="levada-write", daemon=True)
        self._thread.start()
        return self

    # -- opening ----------------------------------------------------------------------

    def _open(self) -> None:
        memory = self.path == ":memory:"
        if not memory:
            self._lock.take()
            keep_private(self.path)
        try:
            self._writer = connect(self.path, self.synchronous)
            check_writable(self._writer)
            self._migrate(self._writer)
            if not memory:
                for _ in range(READERS):
                    self._reading.put(connect(self.path, self.synchronous, read_only=True))
        except sqlite3.Error as error:
            self._let_go()
            raise StoreUnusable(
                place=self.path, reason=f"{error}. Is it a store of Levada's, and may it be written?"
            ) from error
        except StoreError:
            self._let_go()
            raise

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(self._queries["schema.create"].text)
        done = [row["number"] for row in db.execute(self._queries["schema.done"].text)]
        for migration in pending(self.path, "sqlite", done):
            for statement in _split(migration.text):
                db.execute(statement)
            named: Mapping[str, Value] = {"number": migration.number, "name": migration.name}
            run(db, self._queries, Statement("schema.add", named), self._clock.now())
        db.execute("COMMIT")
        kept, _ = run(db, self._queries, Statement("meta.get", {"name": "now"}), 0)
        self._last = int(kept[0]["value"]) if kept else 0
        if isinstance(self._clock, SteadyClock):
            self._clock.carry(self._last)

    # -- writing ----------------------------------------------------------------------

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; returns once it is durable, or refused."""
        if self._closed:
            raise StoreClosed
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._jobs.put((unit, loop, future))
        if self._died is not None:
            self._refuse_waiting()
        # A caller that gives up does not take its unit back: it commits or not by itself.
        return await future

    def _write(self) -> None:
        try:
            self._write_groups()
        except BaseException as error:
            # A defect of ours, or no memory: nobody may wait for ever, and nothing more is taken.
            self._died = StoreError(reason=f"The writer has ended: {error!r}. Start the process anew.")
            self._refuse_waiting()
            raise

    def _refuse_waiting(self) -> None:
        assert self._died is not None
        while not self._jobs.empty():
            with contextlib.suppress(queue.Empty):
                if (job := self._jobs.get_nowait()) is not None:
                    _answer([job], [self._died])

    def _write_groups(self) -> None:
        assert self._writer is not None
        groups = Groups(self._writer, self._queries)
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = False
            while len(group) < GROUP and not self._jobs.empty():
                # This thread alone takes jobs, so there is one.
                more = self._jobs.get()
                if more is None:
                    last = True
                    break
                group.append(more)
            self._group(groups, group)
            if last:
                return

    def _group(self, groups: Groups, group: Sequence[_Job]) -> None:
        """One transaction for all; if it fails as a whole, each half by itself."""
        self._last = now = max(self._last + 1, self._clock.now())
        try:
            outcomes = groups.transact([unit for unit, _, _ in group], now)
        except FAILURES as error:
            # Another program that keeps the file locked would be waited for again by each half.
            if len(group) == 1 or _busy(error):
                _answer(group, [told(error)] * len(group))
            else:
                middle = len(group) // 2
                self._group(groups, group[:middle])
                self._group(groups, group[middle:])
            return
        except BaseException as error:
            _answer(group, [StoreError(reason=f"The writer has ended: {error!r}.")] * len(group))
            raise
        _answer(group, outcomes)
        channels: set[str] = set()
        for (unit, _, _), outcome in zip(group, outcomes, strict=True):
            if unit.notify and isinstance(outcome, Outcome) and outcome.committed:
                channels.update(unit.notify)
        if channels:
            self._wakes.wake(channels)

    # -- reading ----------------------------------------------------------------------

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """The rows of a named query that changes nothing."""
        if self._closed:
            raise StoreClosed
        statement = Statement(query, params or {})
        if self.path == ":memory:":
            # Another connection would see another database.
            return (await self.commit(Unit([statement]))).rows[0]
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, statement)

    def _read(self, statement: Statement) -> Sequence[Row]:
        reader = self._reading.get()
        try:
            return run(reader, self._queries, statement, max(self._last, self._clock.now()))[0]
        except FAILURES as error:
            raise told(error) from error
        finally:
            self._reading.put(reader)

    async def now(self) -> int:
        """The store's clock, in microseconds since 1970-01-01 UTC."""
        return max(self._last, self._clock.now())

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Wake-ups for channels; merged while nobody takes them."""
        return self._wakes.listen(*channels)

    async def serve(self, path: str) -> None:
        """Let other processes of this machine in, through a socket at ``path``, until it is closed.

        Raises:
            StoreUnusable: The path is too long for a socket (about 100 bytes) or may not be written.
        """
        server = StoreServer(self, path)
        await server.start()
        self._servers.append(server)

    async def wipe(self) -> None:
        """Bring the write-ahead log into the file and empty it: what was overwritten is nowhere any more.

        Readers that are in the middle of something may put it off; the next checkpoint does the same.
        """
        if self.path != ":memory:":
            await asyncio.to_thread(self._wipe)

    def _wipe(self) -> None:
        db = connect(self.path, self.synchronous)
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()

    # -- ending -----------------------------------------------------------------------

    async def close(self) -> None:
        """Finish what was accepted, then let go of the file. Calling it twice is fine."""
        if self._closed:
            return
        for server in self._servers:
            await server.stop()
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._let_go()

    def _let_go(self) -> None:
        self._readers.shutdown(wait=True)
        while not self._reading.empty():
            self._reading.get().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.release()


def _busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _split(text: str) -> list[str]:
    """The statements of a script."""
    found: list[str] = []
    pending_text = ""
    for line in text.splitlines(keepends=True):
        pending_text += line
        if sqlite3.complete_statement(pending_text):
            found.append(pending_text)
            pending_text = ""
    return [s for s in found if s.strip()]


def _answer(group: Sequence[_Job], outcomes: Sequence[Outcome | StoreError]) -> None:
    """Tell all who wait, each loop woken once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], Outcome | StoreError]]] = {}
    for (_, loop, future), outcome in zip(group, outcomes, strict=True):
        loops.setdefault(loop, []).append((future, outcome))
    for loop, answers in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, answers)


def _tell(answers: Sequence[tuple[asyncio.Future[Outcome], Outcome | StoreError]]) -> None:
    for future, outcome in answers:
        # Whoever asked may have gone.
        if future.done():
            continue
        if isinstance(outcome, Outcome):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
