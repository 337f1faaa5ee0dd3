"""The objects behind the ports of an implementation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from levada.app.context import Context, _current
from levada.app.errors import NoStore
from levada.app.runtime import Runtime
from levada.contract.event import Event, EventType
from levada.contract.ports import Transaction

__all__ = ["AwaitsPort", "PublishesPort"]


class PublishesPort:
    """Publishes events of one type for one implementation."""

    __slots__ = ("_runtime", "kind", "place")

    def __init__(self, kind: EventType, place: str) -> None:
        self.kind = kind
        self.place = place
        self._runtime: Runtime | None = None

    def attach(self, runtime: Runtime | None) -> None:
        """From now on events go to this runtime."""
        self._runtime = runtime

    async def __call__(self, event: Event, tx: Transaction | None = None, /) -> None:
        """Publish an event: to the outbox with a transaction, as a step in a run, held back in a call, else at once."""
        if type(event) is not self.kind.cls:
            raise TypeError(f"{self.place} publishes {self.kind.cls.__name__}, not {type(event).__name__}")
        if (why := self.kind.misfit(event)) is not None:
            # It would stand in the log for good, and nobody could read it.
            raise TypeError(f"{self.place} publishes a {self.kind.cls.__name__} that is none: {why}")
        context = _current.get()
        if context.run is not None:
            await context.run.publish(self.kind, event)
            return
        if self._runtime is None:
            raise NoStore(what=f"Publishing {self.kind.type}")
        if tx is not None:
            await self._runtime.outbox(self.kind, event, tx, context)
        elif context.operation is None:
            # Outside of any call, as in an adapter's own task: there is nothing to wait for.
            await self._runtime.commit(Context(consumer=self.place, held=[(self.kind, event)]))
        elif context.held is None:
            context.held = [(self.kind, event)]
        else:
            context.held.append((self.kind, event))


class AwaitsPort:
    """Waits for events of one type in a run."""

    __slots__ = ("kind", "place")

    def __init__(self, kind: EventType, place: str) -> None:
        self.kind = kind
        self.place = place

    async def __call__(self, *, key: object, timeout: timedelta | None = None) -> Any:
        """The oldest event of this key that the run has not taken; None after the time-out."""
        run = _current.get().run
        if run is None:
            raise RuntimeError(
                f"{self.place} waits in a run alone; call it from a handler or an operation marked durable=True"
            )
        return await run.wait(self.kind, str(key), timeout)
