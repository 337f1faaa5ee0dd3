"""Where files lie: a folder of this machine, or a folder behind SFTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from levada.connect._timing import budget
from levada.connect.errors import OutcomeUnknown, Unavailable
from levada.connect.files.errors import AlreadyThere, FileRefused, Gone

__all__ = ["Entry", "Folder", "Place"]

T = TypeVar("T")


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
        """All of a file."""
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Write a new file and bring it to the disk."""
        ...

    async def move(self, path: str, to: str) -> None:
        """Rename in one step. Fails with ``AlreadyThere`` rather than replace, with ``Gone`` where there is none."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file; none there is fine."""
        ...

    async def folder(self, path: str) -> None:
        """Make a folder; one there already is fine."""
        ...


class Folder:
    """A folder of this machine."""

    def __init__(self, name: str, root: Path, timeout: float) -> None:
        self._name = name
        self._root = root
        self._timeout = timeout

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
                        if one.is_file():
                            status = one.stat()
                            found.append(Entry(one.name, status.st_size, status.st_mtime))
                    except FileNotFoundError:
                        continue  # taken by another meanwhile
            return found

        if folder and not await self._do((self._root / folder).is_dir):
            return []
        return await self._do(work)

    async def entry(self, path: str) -> Entry | None:
        """One file, or None."""

        def work() -> Entry | None:
            try:
                status = (self._root / path).stat()
            except FileNotFoundError:
                return None
            return Entry(path, status.st_size, status.st_mtime)

        return await self._do(work)

    async def read(self, path: str) -> bytes:
        """All of a file."""
        return await self._do((self._root / path).read_bytes)

    async def write(self, path: str, data: bytes) -> None:
        """Write a new file and bring it to the disk."""

        def work() -> None:
            with (self._root / path).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

        await self._do(work)

    async def move(self, path: str, to: str) -> None:
        """Rename in one step, never over another file."""

        def work() -> None:
            source, target = self._root / path, self._root / to
            # rename() would replace the target; a link fails if there is one.
            target.hardlink_to(source)
            try:
                source.unlink()
            except FileNotFoundError:
                # Another linked it first and has it: what we made is a second name of its file.
                target.unlink()
                raise
            _to_disk(target.parent)

        await self._do(work)

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self._do(lambda: (self._root / path).unlink(missing_ok=True))

    async def folder(self, path: str) -> None:
        """Make a folder."""
        await self._do(lambda: (self._root / path).mkdir(exist_ok=True))

    async def _do(self, work: Callable[[], T]) -> T:
        return await guarded(self._name, asyncio.to_thread(work), budget(self._timeout))


async def guarded(name: str, work: Awaitable[T], limit: float) -> T:
    """Await work on files, its errors as ours."""
    try:
        async with asyncio.timeout(limit):
            return await work
    except TimeoutError:
        raise OutcomeUnknown(resource=name, reason=f"no answer within {limit:.3g} s.") from None
    except FileNotFoundError as error:
        raise Gone(resource=name, fault="ENOENT", reason=f"{_short(error)}.") from None
    except FileExistsError as error:
        raise AlreadyThere(resource=name, fault="EEXIST", reason=f"{_short(error)}.") from None
    except OSError as error:
        kind: Any = FileRefused if error.errno is not None else Unavailable
        raise kind(resource=name, fault=str(error.errno), reason=f"{error.strerror or error}.") from error


def _short(error: OSError) -> str:
    return Path(str(error.filename2 or error.filename or "file")).name


def _to_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
