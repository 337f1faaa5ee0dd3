"""Wakes listeners of channels: each has a box that keeps a channel's name once, until it is taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

__all__ = ["Wakes"]


class _Box:
    """What waits for one listener. Only its own loop touches it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._channels: dict[str, None] = {}
        self._some = asyncio.Event()

    def put(self, channels: Iterable[str]) -> None:
        self._channels.update(dict.fromkeys(channels))
        self._some.set()

    async def taken(self) -> AsyncIterator[str]:
        while True:
            await self._some.wait()
            channel = next(iter(self._channels))
            del self._channels[channel]
            if not self._channels:
                self._some.clear()
            yield channel


class Wakes:
    """The listeners of a store in this process. May be called from any thread."""

    def __init__(self) -> None:
        self._boxes: dict[str, set[_Box]] = {}
        self._lock = threading.Lock()

    @property
    def channels(self) -> frozenset[str]:
        """The channels that somebody listens to."""
        with self._lock:
            return frozenset(self._boxes)

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncGenerator[AsyncIterator[str]]:
        """The wake-ups for channels while the block lasts."""
        box = _Box()
        with self._lock:
            for channel in set(channels):
                self._boxes.setdefault(channel, set()).add(box)
        try:
            yield box.taken()
        finally:
            with self._lock:
                for channel in set(channels):
                    self._boxes[channel].discard(box)
                    if not self._boxes[channel]:
                        del self._boxes[channel]

    def wake(self, channels: Iterable[str]) -> None:
        """Wake who listens to any of these."""
        told: dict[_Box, list[str]] = {}
        with self._lock:
            for channel in channels:
                for box in self._boxes.get(channel, ()):
                    told.setdefault(box, []).append(channel)
        for box, found in told.items():
            if not box.loop.is_closed():
                box.loop.call_soon_threadsafe(box.put, found)

    def wake_all(self) -> None:
        """Wake everybody: something may have been missed."""
        self.wake(self.channels)
