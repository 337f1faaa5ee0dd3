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
