"""A system's database, as a resource."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from levada._errors import LevadaError
from levada.connect.errors import NotStarted, SettingsError
from levada.connect.resource import Health, settings_of
from levada.connect.secrets import Secret, mask
from levada.connect.sql._session import Driver, Session, Transaction
from levada.connect.sql._settings import SqlSettings
from levada.connect.sql.errors import StoreFileRefused

__all__ = ["Database", "from_settings"]

_ISOLATION = frozenset({"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"})


class _Driver(Driver, Protocol):
    async def begin(self, isolation: str | None = None) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...


class _Backend(Protocol):
    dialect: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def facts(self) -> dict[str, int | float | str]: ...

    def lease(self) -> AbstractAsyncContextManager[_Driver]: ...


class Database:
    """A database of a system: PostgreSQL through asyncpg, any other dialect through SQLAlchemy Core.

    ``begin`` and ``connection`` may be called concurrently; each takes a connection of the pool.
    Use it as ``async with Database(url) as db``, or call ``start`` and ``stop``.

    Args:
        url: A URL or a reference; or settings.
        name: Its name in messages.
        forbidden_urls: URLs of SQLite files that are not to be opened: those of Levada's own store.
    """

    def __init__(
        self, url: str | SqlSettings, *, name: str = "database", forbidden_urls: Collection[str] = ()
    ) -> None:
        self.settings = url if isinstance(url, SqlSettings) else SqlSettings(url=url)
        self.forbidden_urls = set(forbidden_urls)
        self._name = name
        self._backend: _Backend | None = None

    @property
    def name(self) -> str:
        """Its name in ``levada.toml``."""
        return self._name

    @property
    def dialect(self) -> str:
        """``postgresql``, ``sqlite`` or another name of SQLAlchemy's."""
        return dialect_of(Secret(self.settings.url).reveal())

    async def start(self) -> None:
        """Make the pool; no connection is opened yet unless ``idle`` says so. Calling it twice is fine."""
        if self._backend is not None:
            return
        backend = self._make()
        await backend.start()
        self._backend = backend

    async def stop(self) -> None:
        """Wait for what is under way, at most ``timeout`` seconds, and close all. Calling it twice is fine."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.stop()

    async def health(self) -> Health:
        """Whether ``SELECT 1`` is answered, and the figures of the pool."""
        began, detail = time.perf_counter(), ""
        try:
            async with asyncio.timeout(self.settings.connect_timeout + 1), self.connection() as connection:
                await connection.fetchval("SELECT 1 FROM dual" if self.dialect == "oracle" else "SELECT 1")
        except (LevadaError, TimeoutError) as error:
            detail = mask(str(error)) or "no answer in time"
        facts = self._backend.facts() if self._backend else {}
        return Health(self._name, "sql", not detail, time.perf_counter() - began, detail, facts)

    @asynccontextmanager
    async def begin(self, *, isolation: str | None = None) -> AsyncGenerator[Transaction]:
        """A transaction: committed when the block ends, rolled back on an exception.

        SQLite begins it with ``BEGIN IMMEDIATE``.

        Args:
            isolation: ``READ COMMITTED``, ``REPEATABLE READ`` or ``SERIALIZABLE``; None: the system's own.

        Raises:
            Unavailable: No connection, or it was lost before the commit. Nothing remains.
            OutcomeUnknown: The connection was lost while committing.
            SqlRefused: The database refused a statement or the commit; ``Duplicate`` and
                ``Conflict`` tell those that have a remedy.
            StoreFileRefused: It is the file of Levada's own store.
        """
        if isolation is not None and isolation.upper() not in _ISOLATION:
            raise ValueError(f"isolation is one of {', '.join(sorted(_ISOLATION))}, not {isolation!r}")
        async with self._ready().lease() as driver:
            await driver.begin(isolation)
            try:
                yield Transaction(driver)
            except BaseException:
                await asyncio.shield(driver.rollback())
                raise
            await driver.commit()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Session]:
        """A connection on which each statement commits by itself; for reading, above all."""
        async with self._ready().lease() as driver:
            yield Session(driver)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        url = self.settings.url
        return f"Database({self._name!r}, {url if Secret(url).named else mask(url)!r})"

    def _ready(self) -> _Backend:
        if self._backend is None:
            raise NotStarted(resource=self._name)
        self._refuse_store()
        return self._backend

    def _refuse_store(self) -> None:
        if not self.forbidden_urls:
            return
        own = sqlite_file(Secret(self.settings.url).reveal())
        if own is None:
            return
        for url in self.forbidden_urls:
            other = sqlite_file(url)
            if other is not None and (own.resolve() == other.resolve() or _same(own, other)):
                raise StoreFileRefused(resource=self._name)

    def _make(self) -> _Backend:
        if self.dialect == "postgresql":
            from levada.connect.sql._postgres import PostgresBackend

            return PostgresBackend(self._name, self.settings)
        from levada.connect.sql._alchemy import AlchemyBackend

        return AlchemyBackend(self._name, self.settings)


def from_settings(name: str, given: Mapping[str, Any]) -> Database:
    """A database from ``[resources.{name}]``."""
    settings: SqlSettings = settings_of(name, SqlSettings, given)
    if settings.pool < 1 or not 0 <= settings.idle <= settings.pool:
        raise SettingsError(
            resource=name, reason="`pool` is at least 1, and `idle` at most `pool`.", mend="Correct them."
        )
    if settings.reset not in ("when_needed", "always"):
        raise SettingsError(resource=name, reason="`reset` is when_needed or always.", mend="Choose one.")
    return Database(settings, name=name)


def dialect_of(url: str) -> str:
    """The dialect of a URL."""
    scheme = url.partition(":")[0].partition("+")[0].lower()
    return "postgresql" if scheme == "postgres" else scheme


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL (``sqlite:path``, ``sqlite:///path``), or None where there is none."""
    if dialect_of(url) != "sqlite":
        return None
    path = url.partition(":")[2].partition("?")[0]
    path = path.removeprefix("///")
    return None if path in ("", ":memory:") else Path(path)


def _same(one: Path, other: Path) -> bool:
    # Hard links: another name, the same file.
    return one.exists() and other.exists() and one.samefile(other)
