"""The store of another process, through the Unix socket of the process that owns the file.

A commit whose connection was lost is unknown and is not repeated by itself: units are
conditional, and only who made one knows how to look for it. (A token for each unit,
kept by the owner, would double its writes for an event as rare as its death.) What had
not been sent yet waits for the owner to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from levada._errors import LevadaError
from levada.store import _frames
from levada.store._serving import StoreServer
from levada.store._waking import Wakes
from levada.store.errors import StoreClosed, StoreError, StoreUnknown
from levada.store.protocol import Outcome, Row, Unit, Value

__all__ = ["SocketStore", "StoreServer"]

_Answer = tuple[str, bytes]


class SocketStore:
    """Keeps :class:`levada.store.Store` through the socket of the owner.

    When the owner goes away, commits under way are unknown, reads wait for it to come
    back (at most ``patience`` seconds), and listeners are woken once it has.
    """

    dialect = "sqlite"

    def __init__(self, path: str, *, patience: float = 30.0) -> None:
        self._path = path
        self._patience = patience
        self._number = 0
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._wakes = Wakes()
        self._listening: dict[int, tuple[str, ...]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def open(self) -> SocketStore:
        """Connect; waits for the owner as long as ``patience``."""
        await self._connection()
        return self

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; StoreUnknown if the owner went away meanwhile."""
        return _frames.outcome(await self._ask("commit", unit, again=False))

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
        async with self._wakes.listen(*channels) as wakes:
            await self._ask("listen", list(channels), again=True, number=number)
            self._listening[number] = channels
            try:
                yield wakes
            finally:
                del self._listening[number]
                if self._writer is not None and not self._writer.is_closing():
                    self._writer.write(_frames.encoded(number, "unlisten", None))

    async def close(self) -> None:
        """Wait for the answers that are due, then close; the owner goes on."""
        if self._closed:
            return
        self._closed = True
        if self._waiting and self._writer is not None and not self._writer.is_closing():
            await asyncio.wait(list(self._waiting.values()), timeout=self._patience)
        if self._writer is not None:
            self._writer.close()
        for task in (self._returning, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # -- asking -----------------------------------------------------------------------

    async def _ask(self, kind: str, payload: Any, *, again: bool, number: int = 0) -> bytes:
        if not number:
            self._number += 1
            number = self._number
        frame = _frames.encoded(number, kind, payload)
        while True:
            writer = await self._connection()
            answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
            self._waiting[number] = answer
            answer.add_done_callback(lambda done: self._answered(number, done))
            writer.write(frame)
            try:
                how, told = await asyncio.shield(answer)
            except ConnectionError as error:
                if again and not self._closed:
                    continue
                raise StoreUnknown(reason=f"{error}.") from error
            if how == "ok":
                return told
            raise _error(how, *_frames.failed(told))

    def _answered(self, number: int, answer: asyncio.Future[_Answer]) -> None:
        if self._waiting.get(number) is answer:
            del self._waiting[number]
        if not answer.cancelled():
            # Whoever asked may have gone.
            answer.exception()

    # -- the connection ---------------------------------------------------------------

    async def _connection(self) -> asyncio.StreamWriter:
        if self._closed:
            raise StoreClosed
        if self._writer is not None and not self._writer.is_closing():
            return self._writer
        async with self._connecting:
            if self._writer is not None and not self._writer.is_closing():
                return self._writer
            reader, self._writer = await self._connect()
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(
                self._read_answers(reader, self._writer), name="levada store socket"
            )
            for number, channels in self._listening.items():
                self._writer.write(_frames.encoded(number, "listen", list(channels)))
            # What was said meanwhile was missed.
            self._wakes.wake_all()
            return self._writer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = asyncio.get_running_loop().time() + self._patience
        pause = 0.01
        while True:
            try:
                return await asyncio.open_unix_connection(self._path, limit=1 << 20)
            except OSError as error:
                if self._closed:
                    raise StoreClosed from error
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise StoreError(
                        reason=f"Its owner does not listen at {self._path} ({error}). Is it running?"
                    ) from error
                await asyncio.sleep(pause)
                pause = min(0.5, pause * 2)

    async def _read_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, kind, payload = await _frames.receive(reader)
                if kind == "wake":
                    self._wakes.wake([_frames.text(payload)])
                    continue
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result((kind, payload))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            writer.close()
            for answer in list(self._waiting.values()):
                if not answer.done():
                    answer.set_exception(ConnectionError("the owner of the store went away"))
            if self._listening and not self._closed:
                self._returning = asyncio.get_running_loop().create_task(self._again())

    async def _again(self) -> None:
        """Who only listens asks for nothing, so the connection comes back by itself."""
        while not self._closed:
            try:
                await self._connection()
            except StoreClosed:
                return
            except StoreError:
                continue
            return


def _error(how: str, code: str, message: str) -> StoreError:
    kind = StoreUnknown if how == "unknown" else LevadaError.codes.get(code, StoreError)
    return (kind if issubclass(kind, StoreError) else StoreError)(message)
