"""A connection that can be troubled: everything sent over it passes a door of ours on the way to a real server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Link"]


class Link:
    """A TCP forwarder to ``host:port`` whose connections can be held up, cut and refused. Use ``async with``.

    What has been sent to the server stays sent: a cut loses answers, as a real one does.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._left: int | None = None
        self._told = asyncio.Event()
        self._told.set()
        self.host = "127.0.0.1"
        self.port = 0
        self.connections = 0
        """How many are open now."""
        self.most = 0
        """How many were open at once."""
        self.taken = 0
        """How many have been opened."""
        self.ended = 0
        """How many the server has ended by itself."""

    @classmethod
    def to(cls, url: str) -> Link:
        """A link to where a URL leads."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 0)

    def url(self, url: str) -> str:
        """The same URL, led over this link."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{self.host}:{self.port}"))

    def hold(self) -> None:
        """Let requests through, and keep every answer back."""
        self._open.clear()

    def cut_after(self, answers: int) -> None:
        """Let so many pieces of answers through, over all connections, then cut them all; new ones are cut, too."""
        self._left = answers

    def keep_open(self) -> None:
        """Hand on what the server says at its end of a connection, never that it has closed it: as a lost packet does."""
        self._told.clear()

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def refuse(self) -> None:
        """Cut everything, and let nobody connect."""
        await self._close()
        self.cut()

    async def heal(self) -> None:
        """Be an ordinary connection again."""
        self._left = None
        self._told.set()
        self._open.set()
        if self._server is None:
            await self._listen()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._taken, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.taken += 1
        self.most = max(self.most, self.connections)
        self._writers.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            with contextlib.suppress(OSError):
                back, onward = await asyncio.open_connection(*self._target)
                self._writers.add(onward)
                await asyncio.wait(
                    {
                        asyncio.create_task(self._requests(reader, onward)),
                        asyncio.create_task(self._answers(back, writer)),
                    },
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            self.connections -= 1
            for one in (writer, onward):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()
            self._tasks.discard(task)

    async def _requests(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                onward.write(piece)
                await onward.drain()

    async def _answers(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await back.read(65536):
                await self._open.wait()
                if self._left is not None:
                    if self._left <= 0:
                        self.cut()
                        return
                    self._left -= 1
                writer.write(piece)
                await writer.drain()
        self.ended += 1
        await self._told.wait()
