"""Gathers concurrent calls into batches, one batch under way for each free place."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Coalescer(Generic[K, V]):
    """Turns ``many(keys) -> mapping`` into ``one(key)``.

    The first key leaves at the next turn of the loop, with all that came in the same
    turn; while a batch is under way, further keys gather for the next.
    """

    __slots__ = ("_instance", "_largest", "_method", "_tasks", "_under_way", "_waiting")

    def __init__(
        self, method: Callable[[Any, Sequence[K]], Awaitable[Mapping[K, V]]], instance: Any, largest: int
    ) -> None:
        self._method = method
        self._instance = instance
        self._largest = largest
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._under_way = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, key: K) -> V | None:
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[key] = loop.create_future()
            if not self._under_way:
                self._under_way = True
                # A batch serves many callers: it runs as none of them.
                task = loop.create_task(self._work(), context=contextvars.Context())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        # One caller that gives up must not take the answer from the others.
        return await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                try:
                    found = await self._method(self._instance, list(batch))
                except Exception as error:
                    for future in batch.values():
                        if not future.done():
                            future.set_exception(error)
                            future.exception()
                    continue
                except BaseException:
                    for future in batch.values():
                        future.cancel()
                    raise
                for key, future in batch.items():
                    if not future.done():
                        future.set_result(found.get(key))
        finally:
            self._under_way = False

    def _take(self) -> dict[K, asyncio.Future[V | None]]:
        if len(self._waiting) <= self._largest:
            batch, self._waiting = self._waiting, {}
            return batch
        keys = list(self._waiting)[: self._largest]
        return {k: self._waiting.pop(k) for k in keys}
