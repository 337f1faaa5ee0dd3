"""Any dialect that SQLAlchemy knows, each connection on a thread of its own.

A blocking driver never runs in the event loop, and a connection is only ever used by the
thread that opened it (SQLite insists, others are the better for it).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar

from levada.connect._timing import budget
from levada.connect.errors import (
    ConnectError,
    ExtraMissing,
    NotStarted,
    OutcomeUnknown,
    SettingsError,
    Unavailable,
)
from levada.connect.secrets import Secret, without
from levada.connect.sql._session import Row
from levada.connect.sql._settings import SqlSettings
from levada.connect.sql.errors import Conflict, Duplicate, SqlRefused

try:
    import sqlalchemy as sa
    from sqlalchemy import event, exc
    from sqlalchemy.pool import NullPool
except ImportError:
    raise ExtraMissing(what="A database other than PostgreSQL", extra="sql") from None

__all__ = ["AlchemyBackend", "translated"]

T = TypeVar("T")
_AUTOCOMMIT = "AUTOCOMMIT"
# Quoted text and comments are passed over; what is left are placeholders.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\d+)|(\?)|(%)", re.DOTALL)


@lru_cache(maxsize=2048)
def translated(sql: str, style: str) -> tuple[str, tuple[int, ...]]:
    """``sql`` with ``?`` or ``$n`` in the driver's own paramstyle, and which argument stands at each place."""
    order: list[int] = []

    def place(match: re.Match[str]) -> str:
        if match[3]:
            return "%%" if style in ("format", "pyformat") else "%"
        if match[1] is None and match[2] is None:
            text = match[0]
            return text.replace("%", "%%") if style in ("format", "pyformat") else text
        order.append(int(match[1]) - 1 if match[1] else len(order))
        if style == "qmark":
            return "?"
        return f":{len(order)}" if style in ("numeric", "named") else "%s"

    return _TOKEN.sub(place, sql), tuple(order)


class _Worker:
    """A thread and the connection that it alone uses."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="levada-sql")
        self.connection: sa.Connection | None = None

    async def do(self, work: Callable[[sa.Connection], T]) -> T:
        """Run work on the thread. One that is cancelled goes on there; what follows queues behind it."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, lambda: work(self._connected()))

    def _connected(self) -> sa.Connection:
        if self.connection is None or self.connection.closed:
            self.connection = self.engine.connect()
        return self.connection

    def drop(self) -> None:
        """Close the connection; runs on the thread."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class AlchemyBackend:
    """A pool of threads with a connection each, of at most ``pool``."""

    def __init__(self, name: str, settings: SqlSettings) -> None:
        self.name = name
        self.settings = settings
        self._url = Secret(settings.url)
        self._password = Secret(settings.password) if settings.password else None
        self.dialect = self._url.reveal().partition(":")[0].partition("+")[0].lower()
        self._engine: sa.Engine | None = None
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._free = asyncio.Semaphore(self._limit)

    @property
    def _limit(self) -> int:
        # Each connection to :memory: would be a database of its own.
        return 1 if self.dialect == "sqlite" and ":memory:" in self._url.reveal() else self.settings.pool

    async def start(self) -> None:
        """Make the engine; nothing is opened yet."""
        try:
            url = sa.make_url(normal(self._url.reveal()))
            arguments = {"timeout": self.settings.acquire_timeout} if self.dialect == "sqlite" else {}
            engine = await asyncio.to_thread(
                sa.create_engine, url, poolclass=NullPool, connect_args=arguments, hide_parameters=True
            )
        except (exc.ArgumentError, ImportError) as error:
            reason = (
                "its driver is not installed."
                if isinstance(error, ImportError)
                else "`url` is not a database URL."
            )
            raise SettingsError(
                resource=self.name, reason=reason, mend="See SQLAlchemy's dialects."
            ) from None
        event.listen(engine, "do_connect", self._fresh)
        if self.dialect == "sqlite":
            event.listen(engine, "begin", _immediate)
        self._engine = engine

    async def stop(self) -> None:
        """Wait for what is under way on the threads, and close all."""
        self._engine = None
        loop = asyncio.get_running_loop()
        for worker in list(self._all):
            await loop.run_in_executor(worker.thread, worker.drop)
            worker.thread.shutdown(wait=False)
        self._all.clear()
        self._idle.clear()

    def facts(self) -> dict[str, int | float | str]:
        """Figures of the pool."""
        return {"limit": self._limit, "open": len(self._all), "in_use": len(self._all) - len(self._idle)}

    def _fresh(self, _dialect: Any, _record: Any, _args: list[Any], named: dict[str, Any]) -> None:
        # For each new connection, so that a rotated secret is taken up.
        if self._password is not None:
            named["password"] = self._password.reveal()

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[AlchemyDriver]:
        """A connection, for a block."""
        limit = budget(self.settings.acquire_timeout)
        try:
            async with asyncio.timeout(limit):
                await self._free.acquire()
        except TimeoutError:
            reason = f"all {self._limit} connections were in use for {limit:.3g} s; `pool` may be too small."
            raise Unavailable(resource=self.name, reason=reason) from None
        worker: _Worker | None = None
        try:
            worker = self._idle.pop() if self._idle else self._hire()
            yield AlchemyDriver(self, worker)
        finally:
            if worker is not None and worker in self._all:
                self._idle.append(worker)
            self._free.release()

    def _hire(self) -> _Worker:
        if self._engine is None:
            raise NotStarted(resource=self.name)
        worker = _Worker(self._engine)
        self._all.add(worker)
        return worker

    def failed(self, error: Exception, *, transaction: bool, committing: bool = False) -> Exception:
        """The error as one of ours."""
        if isinstance(error, ConnectError) or not isinstance(error, exc.SQLAlchemyError):
            return error
        original = getattr(error, "orig", None)
        secrets = [s.reveal() for s in (self._url, self._password) if s is not None]
        reason = without(str(original or error).rstrip("."), *secrets) + "."
        code = _code_of(original)
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            kind = OutcomeUnknown if committing or not transaction else Unavailable
            return kind(resource=self.name, reason=reason)
        if code in ("SQLITE_CANTOPEN", "SQLITE_NOTADB"):
            return Unavailable(resource=self.name, reason=reason)
        if code in ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT", "40001", "40P01"):
            return Conflict(resource=self.name, fault=code, reason=reason)
        if isinstance(error, exc.IntegrityError) and re.search(r"(?i)unique|duplicate", reason):
            return Duplicate(resource=self.name, fault=code, reason=reason)
        return SqlRefused(resource=self.name, fault=code, reason=reason)


class AlchemyDriver:
    """One connection in use."""

    __slots__ = ("_backend", "_transaction", "_worker", "dialect")

    def __init__(self, backend: AlchemyBackend, worker: _Worker) -> None:
        self._backend = backend
        self._worker = worker
        self._transaction = False
        self.dialect = backend.dialect

    async def begin(self, isolation: str | None = None) -> None:
        """Begin a transaction."""

        def work(connection: sa.Connection) -> None:
            level = (
                isolation if isolation and self.dialect != "sqlite" else connection.default_isolation_level
            )
            connection.execution_options(isolation_level=level)
            connection.begin()

        try:
            await self._do(work, connecting=True)
        except BaseException:
            await asyncio.shield(self.rollback())
            raise
        self._transaction = True

    async def commit(self) -> None:
        """Commit; a connection lost meanwhile is an unknown outcome."""
        await self._do(lambda connection: connection.commit(), committing=True)
        self._transaction = False

    async def rollback(self) -> None:
        """Roll back; a connection that cannot is closed, which does the same."""

        def work() -> None:
            try:
                if self._worker.connection is not None:
                    self._worker.connection.rollback()
            except exc.SQLAlchemyError:
                self._worker.drop()

        await asyncio.get_running_loop().run_in_executor(self._worker.thread, work)
        self._transaction = False

    async def run(self, sql: Any, args: Sequence[Any]) -> int:
        """Run a statement; how many rows it changed."""
        return await self._do(lambda connection: max(0, self._execute(connection, sql, args).rowcount))

    async def rows(self, sql: Any, args: Sequence[Any]) -> list[Row]:
        """The rows of a statement."""

        def work(connection: sa.Connection) -> list[Row]:
            result = self._execute(connection, sql, args)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        return await self._do(work)

    async def many(self, sql: Any, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the argument lists, all of them or (in a transaction) none."""

        def work(connection: sa.Connection) -> None:
            text, order = translated(sql, connection.dialect.paramstyle)
            connection.exec_driver_sql(text, [tuple(each[i] for i in order) for each in args])

        await self._do(work)

    def _execute(self, connection: sa.Connection, sql: Any, args: Sequence[Any]) -> sa.CursorResult[Any]:
        if not isinstance(sql, str):
            return connection.execute(sql, *args)  # an expression of SQLAlchemy Core
        text, order = translated(sql, connection.dialect.paramstyle)
        if order and max(order) >= len(args):
            raise TypeError(
                f"the statement has {max(order) + 1} placeholders, but {len(args)} arguments were given"
            )
        return connection.exec_driver_sql(text, tuple(args[i] for i in order))

    async def _do(
        self, work: Callable[[sa.Connection], T], *, committing: bool = False, connecting: bool = False
    ) -> T:
        backend, transaction = self._backend, self._transaction

        def on_thread(connection: sa.Connection) -> T:
            if transaction or connecting:
                return work(connection)
            connection.execution_options(isolation_level=_AUTOCOMMIT)
            try:
                return work(connection)
            finally:
                connection.rollback()  # ends SQLAlchemy's own idea of a transaction

        limit = budget(backend.settings.timeout)
        try:
            async with asyncio.timeout(limit):
                return await self._worker.do(on_thread)
        except TimeoutError:
            # The thread still waits; the rollback that follows queues behind it.
            kind = OutcomeUnknown if committing or not (transaction or connecting) else Unavailable
            raise kind(resource=backend.name, reason=f"no answer within {limit:.3g} s.") from None
        except exc.SQLAlchemyError as error:
            raise backend.failed(
                error, transaction=transaction or connecting, committing=committing
            ) from None


def normal(url: str) -> str:
    """``sqlite:path`` as SQLAlchemy writes it."""
    if url.startswith("sqlite:") and not url.startswith("sqlite://"):
        return "sqlite:///" + url.removeprefix("sqlite:")
    return url


def _immediate(connection: sa.Connection) -> None:
    # A deferred transaction that reads first and then writes can fail without remedy.
    if connection.get_execution_options().get("isolation_level") != _AUTOCOMMIT:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _code_of(original: Any) -> str:
    for attribute in ("sqlstate", "pgcode", "sqlite_errorname"):
        found = getattr(original, attribute, None)
        if found:
            return str(found)
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    return str(arguments[0]) if arguments and isinstance(arguments[0], int) else type(original).__name__
