"""Backups of the store, and what restoring one means: a new epoch.

A restored store is behind the systems: steps that it does not know of may have been done.
Runs that are older than the restoring take every unsafe call for one of unknown outcome, which is
repeated under its key or looked up, and is stuck where the system recognises no repeat.
"""

from __future__ import annotations

import asyncio
import glob
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError
from levada.deployment.personal._vault import BLANK
from levada.process.worker import EPOCH, RESTORED
from levada.store import Store, schema
from levada.store._sqlite_file import FileLock
from levada.store.control import Audit
from levada.store.protocol import Row, Statement, Unit
from levada.store.sqlite import SqliteStore

__all__ = [
    "BackupElsewhere",
    "BackupUnusable",
    "Reopened",
    "backup",
    "check",
    "open_epoch",
    "restore",
    "writable",
]


class BackupElsewhere(LevadaError, code="LV1223"):
    """The store is PostgreSQL, which is {verb} with its own tools: {tools}."""


class BackupUnusable(LevadaError, code="LV1224"):
    """{place} cannot be {verb}: {reason}"""


class Reopened(Struct, frozen=True):
    """A store in its new epoch. ``at``: microseconds UTC; ``runs``: those open, with their states."""

    epoch: int
    at: int
    runs: Sequence[dict[str, Any]]
    forgotten: int
    aside: str | None = None


async def backup(store: Store, file: Path) -> dict[str, Any]:
    """Write a copy of a SQLite store as it is at one moment, while it is used; mode 0600, whole or not at all.

    Raises:
        BackupElsewhere: The store is PostgreSQL.
        BackupUnusable: The file is there, or cannot be written.
    """
    if not isinstance(store, SqliteStore):
        raise BackupElsewhere(
            verb="backed up", tools="pg_dump -Fc; after pg_restore run `levada db restored --why …`"
        )
    try:
        size = await asyncio.to_thread(_written, store.path, file)
    except (OSError, sqlite3.Error) as error:
        raise BackupUnusable(place=file, verb="written", reason=f"{error}.") from None
    return {"file": str(file), "bytes": size}


def writable(file: Path) -> None:
    """Look whether a backup can be written there.

    Raises:
        BackupUnusable: There is such a file, or no such folder.
    """
    if file.exists():
        raise BackupUnusable(place=file, verb="written", reason="There is such a file. Choose another name.")
    if not file.absolute().parent.is_dir():
        raise BackupUnusable(place=file, verb="written", reason="There is no such folder. Make it first.")


def _written(path: str, file: Path) -> int:
    writable(file)
    _copy(path, file)
    return file.stat().st_size


def _copy(path: str, file: Path) -> None:
    half = file.with_name(f".{file.name}.half")
    half.unlink(missing_ok=True)
    os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(half)) as target:
            source.backup(target, pages=1024)
            target.execute("PRAGMA journal_mode=DELETE")
        _sync(half)
        half.replace(file)
        _sync(file.parent)
    finally:
        half.unlink(missing_ok=True)


async def restore(path: Path, file: Path, *, who: str, why: str) -> Reopened:
    """Put a backup in the place of a SQLite store, and open a new epoch in it.

    The store that was there stays beside it. Killed at any moment, there is the old store or
    the new one in its new epoch, never a backup that passes for the store.

    Raises:
        StoreLocked: A deployment runs on the store.
        BackupUnusable: The backup is no whole store, or cannot be put there.
    """
    await check(file)
    half = path.with_name(f".{path.name}.half")
    lock = FileLock(str(path))
    lock.take()
    try:
        forgotten = await asyncio.to_thread(_forgotten, path)
        last = await asyncio.to_thread(_last_epoch, path)
        _remove(half)
        await _to_its_end(_copy, str(file), half)
        store = await SqliteStore(str(half)).open()
        try:
            found = await open_epoch(
                store, who=who, why=why, source=str(file), forgotten=forgotten, last=last
            )
            await store.wipe()
        finally:
            await store.close()
        aside = await asyncio.to_thread(_swap, path, half, found.epoch)
        return Reopened(found.epoch, found.at, found.runs, found.forgotten, aside)
    except (OSError, sqlite3.Error) as error:
        raise BackupUnusable(place=file, verb="restored", reason=f"{error}.") from None
    finally:
        _remove(half)
        lock.release()


async def _to_its_end(work: Callable[..., None], *arguments: Any) -> None:
    """On a thread; who is cancelled waits for it, so that what it writes can be removed."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _remove(half: Path) -> None:
    """What a restoring has begun; nothing of it once it is in place."""
    for name in (half, *_beside(half), half.with_name(f"{half.name}.lock")):
        name.unlink(missing_ok=True)


async def open_epoch(
    store: Store, *, who: str, why: str, source: str, forgotten: Sequence[str] = (), last: int = 0
) -> Reopened:
    """Open a new epoch in a store that was restored, before anything works on it; audited.

    Args:
        store: The store, as it was when the backup was made.
        who: Who restores.
        why: Why.
        source: Where the backup came from.
        forgotten: Ids of keys that were destroyed since the backup: they are destroyed again.
        last: The latest epoch there was since the backup, as far as it is known.
    """
    rows = await store.read("meta.get", {"name": EPOCH})
    before = max(last, int(rows[0]["value"]) if rows else 0)
    now = await store.now()
    change = [
        Statement("meta.set", {"name": EPOCH, "value": str(before + 1)}),
        Statement("meta.set", {"name": RESTORED, "value": str(now)}),
        *(Statement("subject.forget", {"id": key, "blank": BLANK}) for key in forgotten),
    ]
    await Audit(store).commit(
        Unit(change), who=who, action="db.restore", target=source, why=why,
        before={"epoch": before}, after={"epoch": before + 1, "forgotten": list(forgotten)},
    )  # fmt: skip
    runs = [r for r in await store.read("runs.open") if r["since"] < now]
    return Reopened(before + 1, now, runs, len(forgotten))


async def check(file: Path) -> None:
    """Look whether a backup is a whole store that this program can read.

    Raises:
        StoreUnusable, BackupUnusable: It is not.
    """
    status = await schema.status(f"sqlite:{file}")
    if not status.applied:
        raise BackupUnusable(place=file, verb="restored", reason="It is no store of Levada's.")
    if status.newer:
        raise BackupUnusable(place=file, verb="restored", reason="A newer Levada wrote it; upgrade first.")
    said = await asyncio.to_thread(_damage, file)
    if said != "ok":
        raise BackupUnusable(
            place=file, verb="restored", reason=f"It is damaged: {said}. Use another backup."
        )


def _damage(file: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return str(said)


def _forgotten(path: Path) -> list[str]:
    """The keys that the store in place has destroyed; none where it cannot tell any more."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path)) as db:
            rows: list[Row] = [
                {"id": row[0]}
                for row in db.execute("SELECT id FROM levada_subject_key WHERE forgotten IS NOT NULL")
            ]
    except sqlite3.Error:
        return []
    return [row["id"] for row in rows]


def _last_epoch(path: Path) -> int:
    """The latest epoch that the store in place tells of, or those that were put aside before it."""
    aside = [
        found.name.rpartition("-")[2] for found in path.parent.glob(f"{glob.escape(path.name)}.before-*")
    ]
    last = max((int(text) for text in aside if text.isdecimal()), default=0)
    if not path.exists():
        return last
    try:
        with closing(sqlite3.connect(path)) as db:
            row = db.execute("SELECT value FROM levada_meta WHERE name = ?", (EPOCH,)).fetchone()
    except sqlite3.Error:
        return last
    return last if row is None else max(last, int(row[0]))


def _swap(path: Path, half: Path, epoch: int) -> str | None:
    """Put the new file in place; never is there none."""
    aside: Path | None = None
    if path.exists():
        try:
            with closing(sqlite3.connect(path)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # damaged: that is why it is replaced
        aside = path.with_name(f"{path.name}.before-{epoch}")
        aside.hardlink_to(path)
        for suffix in ("-wal", "-shm"):
            old = path.with_name(f"{path.name}{suffix}")
            if old.exists():
                old.replace(aside.with_name(f"{aside.name}{suffix}"))
    half.replace(path)
    _sync(path.parent)
    return None if aside is None else str(aside)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
