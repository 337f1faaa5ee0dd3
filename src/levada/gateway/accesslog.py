"""Reads the gateway's access log as call records, while it is written and across its rotation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["AccessLog", "Call", "parse"]

LONGEST = 65_536
"""Bytes of a line; what is longer is no line of ours."""


class Call(Struct, frozen=True, kw_only=True):
    """One request as the gateway saw it.

    ``minute``: minutes since 1970-01-01 UTC. ``consumer``, ``plan``: empty where no key was good. ``product``,
    ``operation``, ``template``: empty where no operation is served. ``status``: 0 where the client left before the answer.
    ``fault``: ``caller``, ``declared`` or ``provider``, empty where it went well. ``us``: microseconds from the
    first byte in to the last byte out.
    """

    minute: int
    consumer: str = ""
    plan: str = ""
    product: str = ""
    operation: str = ""
    template: str = ""
    method: str = ""
    status: int = 0
    problem: str = ""
    fault: str = ""
    us: int = 0
    request: str = ""


class _Line(Struct):
    at: str
    status: int | None = None
    consumer: str | None = None
    route: str | None = None
    method: str | None = None
    problem: str | None = None
    fault: str | None = None
    us: int | str | None = None
    request: str | None = None


_DECODER = msgspec.json.Decoder(_Line)


def parse(line: bytes) -> Call | None:
    """The call of a line; None where it is no whole line of an access log."""
    try:
        found = _DECODER.decode(line)
        minute = int(float(found.at) // 60)
        us = int(found.us or 0)
    except (msgspec.DecodeError, ValueError, OverflowError):
        return None
    consumer, _, rest = (found.consumer or "").partition("/")
    operation, product, template = _route(found.route or "")
    status = found.status or 0
    return Call(
        minute=minute,
        consumer=consumer,
        plan=rest.rpartition("/")[2],
        product=product,
        operation=operation,
        template=template,
        method=found.method or "",
        status=status,
        problem=found.problem or "",
        fault=found.fault or _fault(status),
        us=max(0, us),
        request=found.request or "",
    )


def _route(name: str) -> tuple[str, str, str]:
    """Operation, product and template of a route's name; empty where the gateway itself answers."""
    operation, _, rest = name.partition(" ")
    product, _, template = rest.partition(" ")
    return (operation, product, template) if template else ("", "", "")


def _fault(status: int) -> str:
    """Whose fault it is where no header tells: the client that left, or a provider that broke off."""
    if 0 < status < 400:
        return ""
    return "provider" if status >= 500 else "caller"


class AccessLog:
    """Follows an access log from a position. For one reader; calls must not be concurrent.

    A half line is read once it is whole. A file that was renamed is read to its end before the new one. What is no
    line of ours is counted in ``bad`` and left out.

    Args:
        path: The file; it need not be there yet.
        position: ``(inode, offset)`` of an earlier reader, to go on where it stopped; None: from the start.
    """

    def __init__(self, path: Path, position: tuple[int, int] | None = None) -> None:
        self._path = path
        self._inode, self._offset = position or (0, 0)
        self._file: int | None = None
        self.bad = 0

    @property
    def position(self) -> tuple[int, int]:
        """Up to where calls were handed out, to be kept with what was made of them."""
        return self._inode, self._offset

    def read(self, limit: int = 10_000) -> list[Call]:
        """The calls written since, at most about ``limit``; empty: none yet. Does not wait."""
        calls: list[Call] = []
        while len(calls) < limit and self._open():
            if not self._take(calls) and not self._next():
                break
        return calls

    def close(self) -> None:
        """Let go of the file; may be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> bool:
        if self._file is not None:
            return True
        for path in (self._path, *self._earlier()):
            try:
                file = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            if self._inode in (0, os.fstat(file).st_ino):
                self._use(file)
                return True
            os.close(file)
        # What the position is of has gone: on with what is there.
        try:
            file = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        self._offset = 0
        self._use(file)
        return True

    def _earlier(self) -> Iterator[Path]:
        if self._inode:
            yield from sorted(self._path.parent.glob(f"{self._path.name}.*"))

    def _use(self, file: int) -> None:
        self._file = file
        found = os.fstat(file)
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._inode, self._offset = found.st_ino, 0

    def _take(self, calls: list[Call]) -> bool:
        """Read on in the open file; whether there were whole lines."""
        assert self._file is not None
        if os.fstat(self._file).st_size < self._offset:  # cut to nothing in place
            self._offset = 0
        chunk = os.pread(self._file, 1 << 20, self._offset)
        end = chunk.rfind(b"\n") + 1
        if not end and len(chunk) > LONGEST:
            self._offset += len(chunk)
            self.bad += 1
            return True
        for line in chunk[:end].splitlines():
            call = parse(line) if len(line) <= LONGEST else None
            if call is None:
                self.bad += 1
            else:
                calls.append(call)
        self._offset += end
        return end > 0

    def _next(self) -> bool:
        """Go on in the file that now has the name, if it is another."""
        assert self._file is not None
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return False
        if inode == self._inode:
            return False
        self.close()
        self._inode = self._offset = 0
        return True
