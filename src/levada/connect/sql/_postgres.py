"""PostgreSQL through asyncpg."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from levada.connect._timing import budget
from levada.connect.errors import ConnectError, ExtraMissing, OutcomeUnknown, SecretMissing, Unavailable
from levada.connect.secrets import Secret, without
from levada.connect.sql._session import Row
from levada.connect.sql._settings import SqlSettings
from levada.connect.sql.errors import Conflict, Duplicate, SqlRefused

try:
    import asyncpg
except ImportError:
    raise ExtraMissing(what="PostgreSQL", extra="postgres") from None

__all__ = ["PostgresBackend"]

# Sessions are changed by few statements; after these alone the server-side reset is worth its round trip.
_PLAIN = re.compile(r"\s*(?:select|insert|update|delete|with|merge|values)\b", re.IGNORECASE)
_SESSION = re.compile(r"pg_(?:try_)?advisory_lock|set_config|pg_notify|dblink|;\s*\S", re.IGNORECASE)
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection may raise; the last one where the server has ended it, which is not seen yet."""
_LOST_STATES = ("08", "57P01", "57P02", "57P03")


@lru_cache(maxsize=4096)
def leaves_session(sql: str) -> bool:
    """Whether a statement certainly leaves the session as it was."""
    return _PLAIN.match(sql) is not None and _SESSION.search(sql) is None


class _Connection(asyncpg.Connection):
    levada_touched = True
    """Whether its session may have been changed since it was lent last."""


class PostgresBackend:
    """A pool of connections."""

    dialect = "postgresql"

    def __init__(self, name: str, settings: SqlSettings) -> None:
        self.name = name
        self.settings = settings
        self._url = Secret(settings.url)
        self._password = Secret(settings.password) if settings.password else None
        self._pool: Any = None

    async def start(self) -> None:
        """Make the pool; connections are opened when they are needed."""
        s = self.settings
        self._pool = await asyncpg.create_pool(
            connect=self._connect,
            min_size=s.idle,
            max_size=s.pool,
            reset=self._reset,
            connection_class=_Connection,
        )

    async def stop(self) -> None:
        """Wait for connections in use, a while; then close all."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), self.settings.timeout)
        except TimeoutError:
            pool.terminate()

    def facts(self) -> dict[str, int | float | str]:
        """Figures of the pool."""
        if self._pool is None:
            return {}
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return {"limit": self.settings.pool, "open": size, "in_use": size - idle}

    def safe(self, error: BaseException) -> str:
        """What an error says, without secrets."""
        secrets = [s.reveal() for s in (self._url, self._password) if s is not None]
        text = without(str(error) or type(error).__name__, *secrets)
        return text if text.endswith((".", "!", "?")) else f"{text}."

    async def _connect(self, *_: Any, **kwargs: Any) -> Any:
        # Called for each new connection, so that a rotated secret is taken up without a restart.
        s = self.settings
        kwargs.pop("loop", None)
        return await asyncpg.connect(
            self._url.reveal(),
            password=self._password.reveal() if self._password else None,
            timeout=s.connect_timeout,  # pyright: ignore[reportArgumentType] - a float in fact
            statement_cache_size=s.statement_cache,
            server_settings={"application_name": f"levada:{self.name}"},
            **kwargs,
        )

    async def _reset(self, connection: Any) -> None:
        if self.settings.reset == "always" or connection.levada_touched:
            query = connection.get_reset_query()
            if query:
                await connection.execute(query)

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[PostgresDriver]:
        """A connection of the pool, for a block."""
        proxy = await self._acquire()
        # The connection itself: the pool empties the proxy as soon as the server hangs up,
        # and every question to the proxy is then an error of its own.
        raw: Any = proxy._con
        driver = PostgresDriver(self, raw)
        try:
            yield driver
        finally:
            await self._release(proxy, raw, touched=driver.touched)

    async def _release(self, proxy: Any, raw: Any, *, touched: bool) -> None:
        raw.levada_touched = touched
        try:
            if raw.is_closed() or raw.is_in_transaction():
                raw.terminate()  # one whose transaction could not be ended is not lent again
            await self._pool.release(proxy)
        except _FAILURES:
            # What was to be committed is committed by now: a connection that dies on its way back changes nothing.
            raw.terminate()

    async def _acquire(self) -> Any:
        limit = budget(self.settings.acquire_timeout)
        try:
            return await self._pool.acquire(timeout=limit)
        except TimeoutError:
            facts = self.facts()
            full = facts.get("in_use") == self.settings.pool
            reason = (
                f"all {self.settings.pool} connections were in use for {limit:.3g} s; `pool` may be too small."
                if full
                else f"no connection within {limit:.3g} s."
            )
            raise Unavailable(resource=self.name, reason=reason) from None
        except SecretMissing:
            raise
        except (*_FAILURES, ValueError) as error:
            # A wrong DSN ends up here, too; its text would show the password in a chained error.
            raise Unavailable(resource=self.name, reason=self.safe(error)) from None


class PostgresDriver:
    """One connection in use."""

    dialect = "postgresql"
    __slots__ = ("_backend", "_con", "in_transaction", "touched")

    def __init__(self, backend: PostgresBackend, connection: Any) -> None:
        self._backend = backend
        self._con = connection
        self.in_transaction = False
        self.touched = False

    async def begin(self, isolation: str | None = None) -> None:
        """Begin a transaction."""
        self.in_transaction = True  # whatever becomes of this statement, it changes nothing
        try:
            await self._con.execute(
                f"BEGIN ISOLATION LEVEL {isolation}" if isolation else "BEGIN", timeout=self._limit()
            )
        except Exception as error:
            raise self._failed(error) from error

    async def commit(self) -> None:
        """Commit; a connection lost meanwhile is an unknown outcome."""
        try:
            tag = await self._con.execute("COMMIT", timeout=max(self._limit(), 1.0))
        except Exception as error:
            raise self._failed(error, committing=True) from error
        self.in_transaction = False
        if tag == "ROLLBACK":
            # PostgreSQL answers a COMMIT of a failed transaction so; taken for success, the change would be lost.
            raise SqlRefused(
                resource=self._backend.name,
                fault="25P02",
                reason="a statement had failed and its error was caught, so all of the transaction was rolled back.",
            )

    async def rollback(self) -> None:
        """Roll back, if the connection still stands."""
        try:
            if not self._con.is_closed():
                await self._con.execute("ROLLBACK", timeout=self._backend.settings.connect_timeout)
                self.in_transaction = False
        except _FAILURES:
            self._con.terminate()  # the server rolls back what it no longer hears of

    async def run(self, sql: str, args: Sequence[Any]) -> int:
        """Run a statement; how many rows it changed."""
        self._note(sql)
        try:
            tag: str = await self._con.execute(sql, *args, timeout=self._limit())
        except Exception as error:
            raise self._failed(error) from error
        last = tag.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def rows(self, sql: str, args: Sequence[Any]) -> list[Row]:
        """The rows of a statement."""
        self._note(sql)
        try:
            found = await self._con.fetch(sql, *args, timeout=self._limit())
        except Exception as error:
            raise self._failed(error) from error
        return [dict(row) for row in found]

    async def many(self, sql: str, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the argument lists."""
        self._note(sql)
        try:
            await self._con.executemany(sql, args, timeout=self._limit())
        except Exception as error:
            raise self._failed(error) from error

    def _note(self, sql: str) -> None:
        if not self.touched and not leaves_session(sql):
            self.touched = True

    def _limit(self) -> float:
        return budget(self._backend.settings.timeout)

    def _failed(self, error: Exception, *, committing: bool = False) -> Exception:
        if isinstance(error, ConnectError):
            return error
        name, state = self._backend.name, str(getattr(error, "sqlstate", None) or "")
        reason = self._backend.safe(error)
        lost = self._con.is_closed() or isinstance(error, OSError) or state.startswith(_LOST_STATES)
        if state.startswith(_LOST_STATES) or isinstance(error, asyncpg.InternalClientError):
            self._con.terminate()  # it may not be seen closed for long, and would be lent again
        if isinstance(error, TimeoutError):
            reason, lost = "no answer in time.", True
        if isinstance(error, asyncpg.PostgresError) and not lost:
            if state == "23505":
                return Duplicate(resource=name, fault=state, reason=reason)
            kind = Conflict if state in ("40001", "40P01", "55P03") else SqlRefused
            return kind(resource=name, fault=state, reason=reason)
        if not lost and not isinstance(error, asyncpg.InternalClientError):
            return error  # a wrong argument, found before anything was sent
        unsent = isinstance(error, asyncpg.InternalClientError) and str(error).startswith(
            "cannot switch to state"
        )
        if not unsent and (committing or not self.in_transaction):
            return OutcomeUnknown(resource=name, reason=reason)
        return Unavailable(resource=name, reason=reason)
