"""The store of another process, through the Unix socket of the process that owns the file.

Frames are a length (4 bytes, big-endian) and MessagePack: ``[id, kind, payload]``
asked, ``[id, kind, payload]`` answered; many may be in flight. The socket has mode
0600: whoever may open it may read and write the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from levada.store.errors import StoreClosed, StoreError, StoreUnknown, StoreUnusable
from levada.store.protocol import Outcome, Row, Statement, Store, Unit, Value

__all__ = ["SocketStore", "StoreServer"]

_LENGTH = struct.Struct(">I")
_LARGEST = 256 << 20
_encode = msgspec.msgpack.Encoder().encode
_frame = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
# A union of text and bytes cannot be typed; MessagePack itself tells them apart.
_unit = msgspec.msgpack.Decoder(tuple[list[tuple[str, dict[str, Any], int | None]], list[str]])
_outcome = msgspec.msgpack.Decoder(Outcome)
_asked = msgspec.msgpack.Decoder(tuple[str, dict[str, Any]])
_names = msgspec.msgpack.Decoder(list[str])
_failed = msgspec.msgpack.Decoder(tuple[str, str])


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()


async def _receive(reader: asyncio.StreamReader) -> tuple[int, str, msgspec.Raw]:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _LARGEST:
        raise ConnectionError("a frame of the store's socket is too large")
    return _frame.decode(await reader.readexactly(length))


def _send(writer: asyncio.StreamWriter, number: int, kind: str, payload: Any) -> None:
    body = _encode((number, kind, payload))
    writer.write(_LENGTH.pack(len(body)) + body)


class StoreServer:
    """Serves a store to other processes of this machine. Does not close the store."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Begin to serve; a socket left over by a dead owner is replaced.

        Raises:
            StoreUnusable: The path is too long for a socket (about 100 bytes) or may not be written.
        """
        _remove(self._path)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        except OSError as error:
            raise StoreUnusable(
                place=self._path, reason=f"{error}. Choose a shorter path in a folder that may be written."
            ) from error
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Answer what was asked, then close."""
        if self._server is not None:
            self._server.close()
        for task in [t for t in self._tasks if not t.get_name().startswith("listen")]:
            await asyncio.gather(task, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()
        _remove(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own: set[asyncio.Task[None]] = set()
        self._writers.add(writer)
        try:
            while True:
                number, kind, payload = await _receive(reader)
                # A Raw refers to the frame; the task may outlive it.
                task = asyncio.create_task(
                    self._one(writer, number, kind, bytes(payload)), name=f"{kind} {number}"
                )
                for tasks in (own, self._tasks):
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            self._writers.discard(writer)
            for task in [t for t in own if t.get_name().startswith("listen")]:
                task.cancel()
            writer.close()

    async def _one(self, writer: asyncio.StreamWriter, number: int, kind: str, payload: bytes) -> None:
        try:
            if kind == "commit":
                answer: Any = await self._store.commit(_unit_of(payload))
            elif kind == "read":
                query, params = _asked.decode(payload)
                answer = await self._store.read(query, params)
            elif kind == "now":
                answer = await self._store.now()
            else:
                await self._listen(writer, number, _names.decode(payload))
                return
        except StoreError as error:
            _send(
                writer,
                number,
                "unknown" if isinstance(error, StoreUnknown) else "error",
                (error.code, error.message),
            )
            return
        if not writer.is_closing():
            _send(writer, number, "ok", answer)
            await writer.drain()

    async def _listen(self, writer: asyncio.StreamWriter, number: int, channels: list[str]) -> None:
        async with self._store.listen(*channels) as wakes:
            # From here on no wake-up is missed, and who asked may go on.
            _send(writer, number, "wake", channels[0])
            async for channel in wakes:
                if writer.is_closing():
                    return
                _send(writer, number, "wake", channel)


class SocketStore:
    """Keeps :class:`levada.store.Store` through the socket of the owner.

    When the owner goes away, commits under way are unknown, reads wait for it to come
    back (at most ``patience`` seconds), and listeners are woken once.
    """

    dialect = "sqlite"

    def __init__(self, path: str, *, patience: float = 30.0) -> None:
        self._path = path
        self._patience = patience
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[str, bytes]]] = {}
        self._listeners: dict[int, tuple[tuple[str, ...], asyncio.Queue[str]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def open(self) -> SocketStore:
        """Connect; waits for the owner as long as ``patience``."""
        await self._connection()
        return self

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; StoreUnknown if the owner went away meanwhile."""
        return _outcome.decode(await self._ask("commit", unit, again=False))

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """The rows of a named query that changes nothing."""
        return msgspec.msgpack.decode(await self._ask("read", (query, dict(params or {})), again=True))

    async def now(self) -> int:
        """The store's clock."""
        return msgspec.msgpack.decode(await self._ask("now", None, again=True))

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncGenerator[AsyncIterator[str]]:
        """Wake-ups from any process of the store."""
        self._number += 1
        number = self._number
        waiting: asyncio.Queue[str] = asyncio.Queue(1)
        self._listeners[number] = (channels, waiting)
        try:
            _send(await self._connection(), number, "listen", list(channels))
            await waiting.get()
            yield _taken(waiting)
        finally:
            del self._listeners[number]

    async def close(self) -> None:
        """Close the connection; the owner goes on."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _ask(self, kind: str, payload: Any, *, again: bool) -> bytes:
        while True:
            writer = await self._connection()
            self._number += 1
            number = self._number
            future: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()
            self._waiting[number] = future
            try:
                _send(writer, number, kind, payload)
                await writer.drain()
                how, answer = await future
            except ConnectionError as error:
                if again:
                    continue
                raise StoreUnknown(reason=f"{error or 'its owner went away'}.") from error
            finally:
                self._waiting.pop(number, None)
            if how == "ok":
                return answer
            code, message = _failed.decode(answer)
            if how == "unknown":
                raise StoreUnknown(message, reason=message, remote=code)
            raise StoreError(message, reason=message, remote=code)

    async def _connection(self) -> asyncio.StreamWriter:
        if self._closed:
            raise StoreClosed
        if self._writer is not None and not self._writer.is_closing():
            return self._writer
        async with self._connecting:
            if self._writer is not None and not self._writer.is_closing():
                return self._writer
            reader, self._writer = await self._connect()
            self._reading = asyncio.create_task(
                self._read_answers(reader, self._writer), name="levada store socket"
            )
            for number, (channels, waiting) in self._listeners.items():
                # Its answer is a wake-up: what was missed meanwhile is looked for once.
                _send(self._writer, number, "listen", list(channels))
            return self._writer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = asyncio.get_running_loop().time() + self._patience
        pause = 0.01
        while True:
            try:
                return await asyncio.open_unix_connection(self._path, limit=1 << 20)
            except (FileNotFoundError, ConnectionError) as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise StoreError(
                        reason=f"its owner does not listen at {self._path} ({error}). Is it running?"
                    ) from error
                await asyncio.sleep(pause)
                pause = min(0.5, pause * 2)

    async def _read_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, kind, payload = await _receive(reader)
                if kind == "wake":
                    if number in self._listeners:
                        _offer(self._listeners[number][1], msgspec.msgpack.decode(payload, type=str))
                    continue
                future = self._waiting.get(number)
                if future is not None and not future.done():
                    future.set_result((kind, bytes(payload)))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            writer.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the owner of the store went away"))


def _unit_of(payload: bytes) -> Unit:
    statements, notify = _unit.decode(payload)
    return Unit([Statement(*parts) for parts in statements], notify)


async def _taken(waiting: asyncio.Queue[str]) -> AsyncIterator[str]:
    while True:
        yield await waiting.get()


def _offer(waiting: asyncio.Queue[str], channel: str) -> None:
    if not waiting.full():
        waiting.put_nowait(channel)
