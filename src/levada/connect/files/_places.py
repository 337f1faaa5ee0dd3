"""Where files lie: a folder of this machine, or a folder behind SFTP."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from levada.connect._timing import budget
from levada.connect.errors import ConnectError, OutcomeUnknown, Unavailable
from levada.connect.files._rename import rename_new
from levada.connect.files.errors import AlreadyThere, FileRefused, Gone

if TYPE_CHECKING:
    from levada.connect.files._settings import DropSettings

__all__ = ["Entry", "Folder", "Place", "lost"]

T = TypeVar("T")

_FOR_NOW = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE})
"""What passes: there is room again, the disk is back. Nothing was done, and it may be tried again."""


class Entry(Struct, frozen=True):
    """A file as listed: its size in bytes, its time of change in seconds since 1970."""

    name: str
    size: int
    modified: float


class Place(Protocol):
    """A folder with files. Paths are relative, with ``/``. May be used concurrently."""

    async def start(self) -> None:
        """Make ready."""
        ...

    async def stop(self) -> None:
        """Let go."""
        ...

    async def entries(self, folder: str) -> list[Entry]:
        """The files of a folder; none where there is no such folder."""
        ...

    async def entry(self, path: str) -> Entry | None:
        """One file, or None."""
        ...

    async def read(self, path: str) -> bytes:
        """All of a file; a link is none."""
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Write a new file and bring it to the disk; what could not be written whole is removed again."""
        ...

    async def move(self, path: str, to: str, *, unique: bool = False) -> None:
        """Rename in one step. Fails with ``AlreadyThere`` rather than replace, with ``Gone`` where there is none.

        ``unique``: nobody else makes a file of that name.
        """
        ...

    async def remove(self, path: str) -> None:
        """Remove a file; none there is fine."""
        ...

    async def folder(self, path: str) -> None:
        """Make a folder; one there already is fine."""
        ...


class Folder:
    """A folder of this machine."""

    def __init__(self, name: str, root: Path, settings: DropSettings) -> None:
        self._name = name
        self._root = root
        self._timeout = settings.timeout
        self._free = asyncio.Semaphore(settings.pool)

    async def start(self) -> None:
        """Nothing to make ready."""

    async def stop(self) -> None:
        """Nothing to let go."""

    async def entries(self, folder: str) -> list[Entry]:
        """The files of a folder."""

        def work() -> list[Entry]:
            found: list[Entry] = []
            with os.scandir(self._root / folder) as each:
                for one in each:
                    try:
                        # A link may lead to what its writer could not read himself.
                        if one.is_file(follow_symlinks=False):
                            status = one.stat(follow_symlinks=False)
                            found.append(Entry(one.name, status.st_size, status.st_mtime))
                    except FileNotFoundError:
                        continue  # taken by another meanwhile
            return found

        if folder and not await self._do((self._root / folder).is_dir, safe=True):
            return []
        return await self._do(work, safe=True)

    async def entry(self, path: str) -> Entry | None:
        """One file, or None."""

        def work() -> Entry | None:
            try:
                status = (self._root / path).lstat()
            except FileNotFoundError:
                return None
            return Entry(path, status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None

        return await self._do(work, safe=True)

    async def read(self, path: str) -> bytes:
        """All of a file."""

        def work() -> bytes:
            # Not blocking: what was a file may have become a pipe.
            handle = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise OSError(errno.EINVAL, "it is not a plain file", path)
                return file.read()

        return await self._do(work, safe=True)

    async def write(self, path: str, data: bytes) -> None:
        """Write a new file and bring it to the disk."""

        def work() -> None:
            place = self._root / path
            with place.open("xb") as file:
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    place.unlink(missing_ok=True)
                    raise

        await self._do(work)

    async def move(self, path: str, to: str, *, unique: bool = False) -> None:
        """Rename in one step, never over another file."""

        def work() -> None:
            source, target = self._root / path, self._root / to
            rename_new(source, target, unique=unique)
            _to_disk(target.parent)
            if source.parent != target.parent:
                _to_disk(source.parent)

        await self._do(work)

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self._do(lambda: (self._root / path).unlink(missing_ok=True))

    async def folder(self, path: str) -> None:
        """Make a folder."""
        await self._do(lambda: (self._root / path).mkdir(exist_ok=True))

    async def _do(self, work: Callable[[], T], *, safe: bool = False) -> T:
        limit, begun = budget(self._timeout), False
        try:
            async with asyncio.timeout(limit), self._free:
                begun = True
                return await asyncio.to_thread(work)
        except TimeoutError:
            reason = f"no answer within {limit:.3g} s."
            raise lost(self._name, reason, safe or not begun) from None
        except FileNotFoundError as error:
            raise Gone(resource=self._name, fault="ENOENT", reason=f"{_short(error)}.") from None
        except FileExistsError as error:
            raise AlreadyThere(resource=self._name, fault="EEXIST", reason=f"{_short(error)}.") from None
        except OSError as error:
            reason = f"{error.strerror or error}."
            if error.errno in _FOR_NOW:
                raise Unavailable(resource=self._name, reason=reason) from None
            fault = errno.errorcode.get(error.errno or 0, "refused")
            raise FileRefused(resource=self._name, fault=fault, reason=reason) from None


def lost(name: str, reason: str, nothing_done: bool) -> ConnectError:
    """What is known when there was no answer."""
    return (Unavailable if nothing_done else OutcomeUnknown)(resource=name, reason=reason)


def _short(error: OSError) -> str:
    return Path(str(error.filename2 or error.filename or "file")).name


def _to_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
