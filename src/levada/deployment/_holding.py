"""A caller's key stays with the call that has it, however long that takes."""

from __future__ import annotations

import asyncio
import contextlib

from levada.store.control import Idempotency
from levada.store.errors import StoreError

__all__ = ["Holding"]


class Holding:
    """Renews a key from a third of its lease on, until :meth:`end`. A call that ends before costs a timer alone."""

    def __init__(self, records: Idempotency, caller: str, operation: str, key: str, token: str) -> None:
        self._records = records
        self._place = {"caller": caller, "operation": operation, "key": key, "token": token}
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(records.lease / 3, self._begin)

    def end(self) -> None:
        """The call has ended."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._renewing(), name="levada key")

    async def _renewing(self) -> None:
        held = True
        while held:
            # A store that is away keeps nobody from trying again before the lease has run out.
            with contextlib.suppress(StoreError):
                held = await self._records.renew(**self._place)
            await asyncio.sleep(self._records.lease / 3)
