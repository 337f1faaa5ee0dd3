"""Call records of a process into the store, and the first success of each consumer as a fact."""

from __future__ import annotations

import asyncio

import msgspec

from levada.app import App
from levada.store import Store, StoreError, StoreUnknown
from levada.store.control import CallCounts, Calls, Facts

__all__ = ["Records"]


class Records:
    """Hands in what an app's recorder has counted. May be called concurrently."""

    def __init__(self, app: App, store: Store) -> None:
        self._recorder = app.recorder
        self._calls = Calls(store)
        self._facts = Facts(store, app.settings.environment)
        self._environment = app.settings.environment
        self._known: set[tuple[str, str]] = set()
        self._waiting: list[CallCounts] = []
        self._lock = asyncio.Lock()

    async def flush(self) -> None:
        """Hand in everything that was counted since the last time.

        Raises:
            StoreError: The store did not take it; it is kept for the next time.
        """
        async with self._lock:
            self._waiting += [
                CallCounts(**msgspec.structs.asdict(record)) for record in self._recorder.drain()
            ]
            # What is still unknown of an earlier hand-in is settled first; until then these wait here.
            await self._calls.add([])
            counts, self._waiting = self._waiting, []
            try:
                await self._calls.add(counts)
            except (StoreUnknown, asyncio.CancelledError):
                # The next hand-in settles it: kept here too they would count twice.
                raise
            except StoreError:
                self._waiting = counts + self._waiting
                raise
            await self._first_successes(counts)

    async def _first_successes(self, counts: list[CallCounts]) -> None:
        for one in counts:
            consumer = one.consumer or one.client
            api = one.operation.rpartition(".")[0]
            if not one.ok or not consumer or (consumer, api) in self._known:
                continue
            await self._facts.add(
                "first_success",
                api=api,
                consumer=consumer,
                once=f"first_success {self._environment} {consumer} {api}",
            )
            self._known.add((consumer, api))
