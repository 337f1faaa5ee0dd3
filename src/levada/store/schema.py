"""Which migrations a store has, for ``levada db status`` and ``levada db migrate``."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from levada.store._queries import Migration, migrations, queries
from levada.store._sqlite_file import of_another
from levada.store.errors import StoreNewer, StoreUnusable

__all__ = ["Applied", "SchemaStatus", "migrate", "pending", "status"]


class Applied(Struct, frozen=True):
    """A migration that was applied. ``at``: microseconds since 1970-01-01 UTC."""

    number: int
    name: str
    at: int


class SchemaStatus(Struct, frozen=True):
    """The schema of a store beside what this program knows.

    ``applied``: what the store has. ``pending``: what opening it would apply, as
    ``NNNN_name``. ``newer``: it was written by a newer program, and is refused.
    """

    place: str
    dialect: str
    applied: Sequence[Applied]
    pending: Sequence[str]
    newer: bool


def pending(place: str, dialect: str, done: Sequence[int]) -> list[Migration]:
    """The migrations to apply, in order.

    Raises:
        StoreNewer: The store has one that this program does not know.
    """
    known = migrations(dialect)
    newest = max(m.number for m in known)
    if done and max(done) > newest:
        raise StoreNewer(place=place, found=max(done), known=newest)
    return [m for m in known if m.number not in done]


async def status(url: str) -> SchemaStatus:
    """The schema of a store, which may be in use; nothing is changed.

    Raises:
        StoreUnusable: There is no such store, or it cannot be read.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        path = Path(rest.partition("?")[0].removeprefix("//"))
        return _status(str(path), "sqlite", await asyncio.to_thread(_sqlite_done, path))
    if scheme in ("postgresql", "postgres"):
        from levada.store.postgres import applied, place_of

        return _status(place_of(url), "postgresql", await applied(url))
    # Not the URL itself: it may hold a password.
    raise StoreUnusable(
        place=f"{scheme}:…", reason="Name the database itself: sqlite:PATH or postgresql://…."
    )


async def migrate(url: str) -> SchemaStatus:
    """Apply what is pending; the status after it. Opening a store does the same."""
    from levada.store.opening import open_store

    await (await open_store(url)).close()
    return await status(url)


def _sqlite_done(path: Path) -> Sequence[Mapping[str, Any]]:
    if not path.exists():
        raise StoreUnusable(place=path, reason="There is no such file.")
    named = queries("sqlite")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            db.row_factory = sqlite3.Row
            if db.execute(named["schema.there"].text).fetchone() is None:
                return []
            return [dict(row) for row in db.execute(named["schema.done"].text)]
        finally:
            db.close()
    except sqlite3.Error as error:
        told = of_another(str(path)) or f"{error}. Is it a store of Levada's?"
        raise StoreUnusable(place=path, reason=told) from error


def _status(place: str, dialect: str, done: Sequence[Mapping[str, Any]]) -> SchemaStatus:
    applied = [Applied(row["number"], row["name"], row["at"]) for row in done]
    numbers = [a.number for a in applied]
    known = migrations(dialect)
    return SchemaStatus(
        place=place,
        dialect=dialect,
        applied=applied,
        pending=[f"{m.number:04d}_{m.name}" for m in known if m.number not in numbers],
        newer=bool(numbers) and max(numbers) > max(m.number for m in known),
    )
