"""A store, an SQLite system database, and ways to make events."""

import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from levada.events.envelope import Envelope
from levada.store import Store, open_store
from levada.testing.servers.postgres import PostgresServer


class SqliteTx:
    """The outbox's ``Transaction`` over a plain sqlite3 connection."""

    dialect = "sqlite"

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    async def execute(self, sql: str, *args: Any) -> int:
        return self.db.execute(sql, args).rowcount

    async def fetch(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        cursor = self.db.execute(sql, args)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


class SqliteSystem:
    """A legacy system's database in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqliteTx]:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=1)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield SqliteTx(db)
            db.execute("COMMIT")
        finally:
            db.close()


class PostgresTx:
    """The outbox's ``Transaction`` over asyncpg."""

    dialect = "postgresql"

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def execute(self, sql: str, *args: Any) -> int:
        last = (await self.connection.execute(sql, *args)).rpartition(" ")[2]
        return int(last) if last.isdecimal() else 0

    async def fetch(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.connection.fetch(sql, *args)]


class PostgresSystem:
    """A legacy system's database on a real server."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresTx]:
        async with self.pool.acquire() as connection, connection.transaction():
            yield PostgresTx(connection)


@pytest.fixture
async def pg_system(postgres: str) -> AsyncIterator[PostgresSystem]:
    import asyncpg

    from levada.events.outbox import create_tables

    async with asyncpg.create_pool(postgres, min_size=1, max_size=10) as pool:
        made = PostgresSystem(pool)
        async with made.begin() as tx:
            await tx.execute("DROP TABLE IF EXISTS levada_outbox, levada_effect, orders")
            await create_tables(tx)
            await tx.execute("CREATE TABLE orders (id text PRIMARY KEY, total integer)")
        yield made


@pytest.fixture
async def connected(request: pytest.FixtureRequest, system: "SqliteSystem") -> AsyncIterator[Any]:
    """The same file through the connector that adapters use."""
    from levada.connect.sql import Database

    database = Database(f"sqlite:///{system.path}")
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
async def pg_connected(postgres: str, pg_system: PostgresSystem) -> AsyncIterator[Any]:
    """The same server through the connector that adapters use."""
    from levada.connect.sql import Database

    database = Database(postgres)
    await database.start()
    yield database
    await database.stop()


@pytest.fixture(params=["system", "pg_system", "connected", "pg_connected"])
def any_system(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def system(tmp_path: Path) -> SqliteSystem:
    from levada.events.outbox import create_tables

    made = SqliteSystem(tmp_path / "erp.db")
    async with made.begin() as tx:
        await create_tables(tx)
        await tx.execute("CREATE TABLE orders (id text PRIMARY KEY, total integer)")
    return made


@pytest.fixture
def make() -> Callable[..., Envelope]:
    """An event of type shop.OrderPlaced; ids count up."""
    ids = itertools.count(1)

    def one(key: str | None = "o-1", *, of: str = "shop.OrderPlaced", **fields: Any) -> Envelope:
        n = next(ids)
        data = fields.pop("data", {"n": n})
        return Envelope(
            id=fields.pop("id", f"e-{n}"),
            source="/shop/Orders",
            type=of,
            version="1.0",
            time=fields.pop("time", datetime.now(UTC)),
            key=key,
            data=data if isinstance(data, bytes) else msgspec.json.encode(data),
            **fields,
        )

    return one


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    if request.param == "sqlite":
        made = await open_store(f"sqlite:{tmp_path / 'levada.db'}?synchronous=NORMAL")
    else:
        made = await postgres_store(request.getfixturevalue("postgres"))
    yield made
    await made.close()


async def postgres_store(dsn: str) -> Store:
    """A store in a database of its own."""
    import asyncpg

    pytest.importorskip("levada.store.postgres", reason="the store on PostgreSQL is not there yet")
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP DATABASE IF EXISTS levada_events WITH (FORCE)")
    await connection.execute("CREATE DATABASE levada_events")
    await connection.close()
    return await open_store(dsn.rpartition("/")[0] + "/levada_events")


@pytest.fixture(scope="session")
def postgres(postgres: PostgresServer) -> str:
    """The DSN of a database for the tests of this folder."""
    return postgres.database()
