"""Tasks that commit without a pause while a test troubles the store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from levada.store import Store, StoreUnknown, Unit


class Writers:
    """What became of their commits, by name."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.over = False

    async def more(self, n: int) -> None:
        """Wait until so many more are acknowledged."""
        seen = len(self.acknowledged)
        async with asyncio.timeout(20):
            while len(self.acknowledged) < seen + n:
                await asyncio.sleep(0.005)

    async def write(self, store: Store, task: int, unit: Callable[[str], Unit]) -> None:
        n = 0
        while not self.over:
            n += 1
            name = f"{task}-{n}"
            try:
                assert (await store.commit(unit(name))).committed
                self.acknowledged.append(name)
            except StoreUnknown:
                self.unknown.append(name)


@asynccontextmanager
async def writing(store: Store, unit: Callable[[str], Unit], tasks: int) -> AsyncIterator[Writers]:
    """So many tasks that commit one unit after the other; at the end each has heard of its last one."""
    writers = Writers()
    async with asyncio.TaskGroup() as group:
        for task in range(tasks):
            group.create_task(writers.write(store, task, unit))
        yield writers
        writers.over = True
