"""The side of the socket that owns the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import msgspec

from levada.store import _frames
from levada.store.errors import StoreError, StoreUnknown, StoreUnusable
from levada.store.protocol import Store

__all__ = ["StoreServer"]

_LAST = 10.0
"""Seconds for the last answers when the owner stops."""


class StoreServer:
    """Serves a store to other processes of this machine. Does not close the store.

    The socket has mode 0600: whoever may open it may read and write the store.
    """

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._server: asyncio.Server | None = None
        self._peers: set[_Peer] = set()

    async def start(self) -> None:
        """Begin to serve; a socket left over by a dead owner is replaced.

        Raises:
            StoreUnusable: The path is too long for a socket (about 100 bytes) or may not be written.
        """
        try:
            self._server = await asyncio.start_unix_server(self._serve, sock=_bound(self._path))
        except OSError as error:
            raise StoreUnusable(
                place=self._path, reason=f"{error}. Choose a shorter path in a folder that may be written."
            ) from error

    async def stop(self) -> None:
        """Answer what was asked, then close. Calling it twice is fine."""
        server, self._server = self._server, None
        if server is None:
            return
        _remove(self._path)
        server.close()
        for peer in list(self._peers):
            await peer.end()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _Peer(self._store, reader, writer)
        self._peers.add(peer)
        try:
            await peer.serve()
        finally:
            self._peers.discard(peer)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()


def _bound(path: str) -> socket.socket:
    """A socket under a name that nobody else may open."""
    _remove(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before the name exists, so that at no moment somebody else may open it.
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(path)
        Path(path).chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


class _Peer:
    """One process at the other end."""

    def __init__(self, store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._answering: set[asyncio.Task[None]] = set()
        self._listening: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answer until the other side goes; what it asked for before is still done."""
        try:
            while True:
                self._take(*await _frames.receive(self._reader))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            for task in self._listening.values():
                task.cancel()
            self._writer.close()

    async def end(self) -> None:
        """Give the answers that are due, take nothing more."""
        transport = self._writer.transport
        if isinstance(transport, asyncio.Transport):
            with contextlib.suppress(RuntimeError):
                transport.pause_reading()
        for task in self._listening.values():
            task.cancel()
        if self._answering:
            # Not longer: one that reads nothing must not keep the owner alive.
            await asyncio.wait(self._answering, timeout=_LAST)
        self._writer.close()

    def _take(self, number: int, kind: str, payload: bytes) -> None:
        create = asyncio.get_running_loop().create_task
        if kind == "listen":
            self._listening[number] = create(self._listen(number, payload), name="levada store listener")
        elif kind == "unlisten":
            if task := self._listening.pop(number, None):
                task.cancel()
        else:
            # Not awaited: what comes in meanwhile joins the same group.
            task = create(self._one(number, kind, payload), name=f"levada store {kind}")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _one(self, number: int, kind: str, payload: bytes) -> None:
        try:
            self._send(number, "ok", await self._answer(kind, payload))
        except StoreError as error:
            how = "unknown" if isinstance(error, StoreUnknown) else "error"
            self._send(number, how, (error.code, error.message))
        except msgspec.DecodeError as error:
            self._send(number, "error", ("LV1301", f"The question is not understood: {error}."))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def _answer(self, kind: str, payload: bytes) -> Any:
        if kind == "commit":
            return await self._store.commit(_frames.unit(payload))
        if kind == "read":
            return await self._store.read(*_frames.asked(payload))
        if kind == "now":
            return await self._store.now()
        raise msgspec.DecodeError(f"unknown kind {kind}")

    async def _listen(self, number: int, payload: bytes) -> None:
        async with self._store.listen(*_frames.channels(payload)) as wakes:
            # From here on no wake-up is missed, and who asked may go on.
            self._send(number, "ok", None)
            async for channel in wakes:
                self._send(number, "wake", channel)

    def _send(self, number: int, kind: str, payload: Any) -> None:
        if not self._writer.is_closing():
            self._writer.write(_frames.encoded(number, kind, payload))
