"""What an app asks of the part that holds events and runs.

The app knows contracts and calls, not tables: events and processes, which are built
on it, attach a runtime.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from levada.app.context import Context
from levada.contract.event import Event, EventType
from levada.contract.operation import Operation
from levada.contract.ports import Transaction

__all__ = ["Runtime"]


class Runtime(Protocol):
    """Holds what must not be lost. One runtime serves one app; used from its event loop."""

    async def start(self) -> None:
        """Begin to relay, dispatch and work. Called after the adapters have started."""
        ...

    async def stop(self) -> None:
        """Finish the steps under way, let go of leases. Called before the adapters stop."""
        ...

    async def outbox(self, kind: EventType, event: Event, tx: Transaction, context: Context) -> None:
        """Write an event to the outbox of a system's database, in the transaction of its change."""
        ...

    async def commit(self, context: Context) -> None:
        """Commit the events that an operation held back; durable when it returns."""
        ...

    async def once(
        self,
        context: Context,
        name: str,
        operation: Operation,
        arguments: tuple[Any, ...],
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Do a keyed call once: its events and its answer commit together, a repeat is answered from them.

        Raises:
            KeyReused: The key came before with other arguments.
            Conflict: A call with this key is in flight.
        """
        ...

    async def begin(
        self, context: Context, name: str, operation: Operation, arguments: tuple[Any, ...]
    ) -> Any:
        """Begin a durable operation as a run, and wait for its result."""
        ...
