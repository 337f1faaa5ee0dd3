"""The file of an embedded store: who owns it, and whether it may be used."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import sqlite3
from pathlib import Path

from levada.store._queries import queries
from levada.store.errors import StoreLocked, StoreUnusable

__all__ = ["FileLock", "check_writable", "connect", "filesystem", "keep_private", "of_another"]

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
            if not _may_write(self._path) and (told := of_another(self._path)) is not None:
                # Before there is a lock of ours, which would keep its owner out.
                raise StoreUnusable(place=self._path, reason=told)
            self._fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _give_to_owner(self._fd, self._path)
        except OSError as error:
            told = of_another(self._path) or f"{error.strerror}. Choose a folder that may be written."
            raise StoreUnusable(place=self._path, reason=told) from error
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


def keep_private(path: str) -> None:
    """Make the file for its user alone, for events lie in it; SQLite gives what it keeps beside it the same mode.

    One that everybody may read, as former versions made it, is closed; what a group was given stays given.
    """
    with contextlib.suppress(OSError):  # what cannot be made is told by SQLite
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for name in (path, f"{path}-wal", f"{path}-shm"):
        with contextlib.suppress(OSError):
            if Path(name).stat().st_mode & 0o007:
                Path(name).chmod(0o600)


def of_another(path: str) -> str | None:
    """That a store, or its lock, is another user's, with what to do; None: it is ours, or there is none."""
    if (owner := _owner(path)) is not None:
        return (
            f"It belongs to the user {owner}, and this is {_name(os.geteuid())}. "
            f"Commands are run as the user of the deployment: sudo -u {owner} levada …."
        )
    if (owner := _owner(f"{path}.lock")) is not None:
        return (
            f"{path}.lock belongs to the user {owner}, who has run a command here. "
            f"Remove it while nobody uses the store."
        )
    return None


def _owner(path: str) -> str | None:
    """The user who owns a file, if it is another one."""
    try:
        uid = Path(path).stat().st_uid
    except OSError:
        return None
    return None if uid == os.geteuid() else _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _may_write(path: str) -> bool:
    effective = os.access in os.supports_effective_ids
    return not Path(path).exists() or os.access(path, os.R_OK | os.W_OK, effective_ids=effective)


def _give_to_owner(lock: int, path: str) -> None:
    """A lock that root has made for the store of somebody: it is to be opened by its owner."""
    if os.geteuid() == 0 and Path(path).exists():
        of = Path(path).stat()
        os.fchown(lock, of.st_uid, of.st_gid)


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
