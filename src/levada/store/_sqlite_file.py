"""The file of an embedded store: who owns it, and whether it may be used."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from levada.store._queries import queries
from levada.store.errors import StoreLocked, StoreUnusable

__all__ = ["FileLock", "check_writable", "connect", "filesystem"]

REMOTE = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ncpfs",
        "davfs",
    ]
    + [
        f"fuse.{name}"
        for name in ("sshfs", "s3fs", "glusterfs", "ceph", "rclone", "davfs2", "gcsfuse", "blobfuse")
    ]
)
"""Filesystems whose locks or whose fsync do not keep what SQLite needs."""


class FileLock:
    """The ownership of a store's file: a lock on ``PATH.lock`` that ends with its process, however it ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self) -> None:
        """Own the file.

        Raises:
            StoreLocked: Another process, or another store of this one, owns it.
            StoreUnusable: The folder may not be written, or is not on a local disk.
        """
        lock = Path(f"{self._path}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            kind = filesystem(lock.parent.resolve())
            if kind in REMOTE:
                raise StoreUnusable(
                    place=self._path,
                    reason=f"It lies on {kind}, where SQLite loses data. Choose a local disk, or PostgreSQL.",
                )
            self._fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                place=self._path, reason=f"{error.strerror}. Choose a folder that may be written."
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._fd, 20, 0).decode(errors="replace").strip() or "unknown"
            self.release()
            raise StoreLocked(path=self._path, owner=owner) from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError as error:
            self.release()
            raise StoreUnusable(
                place=self._path, reason=f"{error.strerror}. Make room on the disk."
            ) from error

    def release(self) -> None:
        """Give it up; a second call does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def filesystem(folder: Path, mounts: str | None = None) -> str:
    """The kind of filesystem that a folder lies on; empty where that cannot be told.

    ``mounts``: the system's table of mounts, as in ``/proc/self/mounts``.
    """
    if mounts is None:
        table = Path("/proc/self/mounts")
        if not table.exists():
            return ""
        mounts = table.read_text(errors="replace")
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def connect(path: str, synchronous: str, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection as the store uses it; may be handed from thread to thread."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.row_factory = sqlite3.Row
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    else:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def check_writable(connection: sqlite3.Connection) -> None:
    """Fail now and not at the first unit.

    Raises:
        sqlite3.OperationalError: The file may not be written.
    """
    # BEGIN IMMEDIATE alone is granted on a file that is read-only.
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(queries("sqlite")["store.check"].text)
    finally:
        connection.execute("ROLLBACK")
