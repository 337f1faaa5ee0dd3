"""A network in a test: no server, no broker, time under control, crashes where they are wanted."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct

from levada.app import App, Caller, Settings
from levada.app.binding import Bind
from levada.app.context import Context, _current
from levada.contract import API, Event, event_type
from levada.contract.api import ContractClass
from levada.deployment.personal import Masters
from levada.deployment.runtime import RuntimeSettings, StoreRuntime
from levada.process.worker import Worker
from levada.store import Outcome, Row, Statement, Store, Unit, VirtualClock, open_store
from levada.store.passing import PassingStore

__all__ = ["Call", "Network", "at_every_crash", "network"]

A = TypeVar("A", bound=API)
E = TypeVar("E", bound=Event)
log = logging.getLogger("levada.testing")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Call(Struct, frozen=True):
    """A call that crossed a contract's border: who called which operation with what."""

    consumer: str
    operation: str
    arguments: dict[str, Any]


class Network:
    """An assembled network under test; made by :func:`network`.

    Attributes:
        calls: Every call that crossed a border, in order.
        store: The real embedded store behind it, in memory.
    """

    def __init__(self, app: App, store: Store, clock: VirtualClock, crash: _Crash | None) -> None:
        self.app = app
        self.store = store
        self.calls: list[Call] = []
        self._clock = clock
        self._crash = crash
        self._told: set[tuple[str, int]] = set()
        master = secrets.token_bytes(32)
        self._runtime = StoreRuntime(
            app, store, RuntimeSettings(virtual=True), masters=Masters(lambda: master)
        )
        app.observe(
            lambda consumer, operation, arguments: self.calls.append(Call(consumer, operation, arguments))
        )

    def __getitem__(self, contract: ContractClass[A]) -> A:
        """Call an API of the network, as the caller that it was made with."""
        return self.app[contract]

    @property
    def now(self) -> datetime:
        """The network's time."""
        return _EPOCH + timedelta(microseconds=self._clock.time)

    async def start(self) -> None:
        """Assemble the runtime; ``async with`` does it."""
        await self.app.start()
        self._arm()

    async def settle(self) -> None:
        """Let everything happen that can happen now: relays, subscriptions, runs."""
        await self._settle()

    async def advance(self, duration: timedelta) -> None:
        """Let time pass; timers fire in their order, each at its time."""
        target = self._clock.time + duration // timedelta(microseconds=1)
        while (due := await self._settle()) is not None and due <= target:
            self._clock.time = max(self._clock.time, due)
        self._clock.time = max(self._clock.time, target)
        await self._settle()

    async def publish(self, event: Event) -> None:
        """Publish an event as another API would that is not part of this network.

        Raises:
            TypeError: Nothing in this network handles, awaits or publishes events of this type.
        """
        kind = event_type(type(event))
        if kind.type not in (known := self._events()):
            read = ", ".join(sorted(known)) or "none"
            raise TypeError(f"nothing in this network handles or awaits {kind.type}; events here: {read}")
        await self._runtime.commit(Context(consumer="test", held=[(kind, event)]))

    def _events(self) -> set[str]:
        """The types of events that this network handles, awaits or publishes."""
        found: set[str] = set()
        for local in self.app.plan.locals:
            part = local.implementation
            kinds = [*part.publishes.values(), *part.awaits.values()]
            kinds += [event_type(handler.spec.event) for handler in part.handlers.values()]
            found |= {kind.type for kind in kinds}
        return found

    async def published(self, kind: type[E]) -> Sequence[E]:
        """The events of a type that the log has, in the order of their partitions."""
        known = event_type(kind)
        await self._settle()
        found: list[Any] = []
        for row in await self.store.read("log.partitions", {"topic": known.topic}):
            records = await self._runtime.log.read(known.topic, row["part"], row["first"], 100_000)
            for r in records:
                clear = await self._runtime.personal.opened(known, r.data)
                found.append((r.appended, r.pos, known.decode(clear)))
        return [event for _, _, event in sorted(found, key=lambda f: (f[0], f[1]))]

    async def runs(self) -> Mapping[str, int]:
        """How many runs are in each state."""
        await self._settle()
        counts: dict[str, int] = {}
        for row in await self.store.read("runs.counts"):
            counts[row["state"]] = counts.get(row["state"], 0) + row["runs"]
        return counts

    async def reasons(self) -> Sequence[str]:
        """Why runs do not go on: one text for each that is stuck, or waits until it tries a step again."""
        await self._settle()
        return [
            f"{row['code']}: {row['reason']}"
            for state in ("stuck", "scheduled")
            for row in await self._runs_in(state)
            if row["reason"]
        ]

    async def restart(self) -> None:
        """Drop all that is in memory, as kill -9 does, and begin anew on the same store."""
        worker = self._worker
        await worker.kill()
        if worker.id:
            # The lease of the dead ends; the test does not wait for it.
            ended = Statement("runs.worker_end", {"worker": worker.id, "epoch": worker.epoch})
            await self.store.commit(Unit([ended]))
        self._runtime.worker = Worker(
            worker.store,
            self._runtime.codes,
            worker.performer,
            worker.publisher,
            worker.settings,
            worker.seals,
        )

    @property
    def _worker(self) -> Worker:
        worker = self._runtime.worker
        assert worker is not None
        return worker

    def _arm(self) -> None:
        if self._crash is not None:
            self._worker.store = self._crash.around(self.store)

    async def _settle(self) -> int | None:
        dispatcher = self._runtime.dispatcher
        assert dispatcher is not None
        due: int | None = None
        moved = True
        while moved:
            moved = False
            for relay in self._runtime.relays:
                moved |= bool(await relay.until_idle())
            for reader in dispatcher.readers.values():
                if reader.epoch is None:
                    await reader.claim(force=True)
                moved |= bool(await reader.until_idle())
            before = await self._commits()
            due = await self._work()
            moved |= await self._commits() != before
        await self._tell_stuck()
        return due

    async def _tell_stuck(self) -> None:
        """Log why runs are stuck, once each; pytest shows it below a test that fails."""
        for row in await self._runs_in("stuck"):
            if (row["id"], row["changed"]) not in self._told:
                self._told.add((row["id"], row["changed"]))
                log.error("a run is stuck: %s: %s", row["code"], row["reason"])

    async def _runs_in(self, state: str) -> Sequence[Row]:
        until = await self.store.now()
        rows = await self.store.read("runs.list", {"state": state, "before": until, "n": 1000})
        return list(reversed(rows))

    async def _commits(self) -> int:
        rows = await self.store.read("log.topics")
        return sum(row["ever"] for row in rows)

    async def _work(self) -> int | None:
        while True:
            crash = self._crash
            settling = asyncio.ensure_future(self._worker.settle())
            waits: set[asyncio.Future[Any]] = {settling}
            crashed = None if crash is None or crash.done else asyncio.ensure_future(crash.reached.wait())
            if crashed is not None:
                waits.add(crashed)
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if crashed is not None and crashed.done() and crash is not None:
                settling.cancel()
                await asyncio.gather(settling, return_exceptions=True)
                crash.done = True
                await self.restart()
                continue
            if crashed is not None:
                crashed.cancel()
            return settling.result()


@asynccontextmanager
async def network(
    *parts: type[API] | API,
    bind: Mapping[Any, Bind] | None = None,
    resources: Mapping[str, Any] | None = None,
    caller: Caller | None = None,
    _crash: _Crash | None = None,
) -> AsyncGenerator[Network]:
    """A network of these classes and fakes, on an embedded store in memory, with virtual time.

    ::

        async with testing.network(OrderToCash, stock, fake(Customers, …)) as net:
            await net[Orders].place(NewOrder(...))
            await net.advance(timedelta(days=31))

    Values cross each border in their wire form, whether they would have to or not.

    Args:
        parts: Implementations and fakes, classes or instances.
        bind: As in :class:`levada.App`.
        resources: As in :class:`levada.App`.
        caller: Who calls; default: a test caller with every scope.
    """
    who = caller or Caller(subject="test", scopes=frozenset({"*"}), environment="test", method="test")
    clock = VirtualClock()
    store = await open_store("sqlite::memory:", clock=clock)
    app = App(*parts, bind=bind, resources=resources, settings=Settings(environment="test", wire=True))
    net = Network(app, store, clock, _crash)
    token = _current.set(Context(caller=who))
    try:
        await net.start()
        yield net
    finally:
        _current.reset(token)
        await app.stop()
        await store.close()


class _Crash:
    """A crash at one boundary: before or after the n-th commit of the worker."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.reached = asyncio.Event()
        self.done = False

    def around(self, store: Store) -> Store:
        return _CrashingStore(store, self)

    async def boundary(self) -> None:
        self.count += 1
        if self.count == self.at and not self.done:
            self.reached.set()
            # Nothing goes on after a crash: whoever waits here is dropped.
            await asyncio.Event().wait()


class _CrashingStore(PassingStore):
    """The store as a worker sees it that is going to die."""

    def __init__(self, store: Store, crash: _Crash) -> None:
        super().__init__(store)
        self._crash = crash

    async def commit(self, unit: Unit) -> Outcome:
        if not _changes_runs(unit):
            return await self._store.commit(unit)
        await self._crash.boundary()
        outcome = await self._store.commit(unit)
        await self._crash.boundary()
        return outcome


def _changes_runs(unit: Unit) -> bool:
    """Looking for work is no boundary: nothing has happened in between."""
    idle = {
        "runs.workers_expire",
        "runs.orphans",
        "runs.hurry",
        "runs.waits_due",
        "runs.worker_guard",
        "runs.claim",
    }
    return not all(s.query in idle for s in unit.statements)


async def at_every_crash(
    parts: Callable[[], Sequence[type[API] | API]],
    scenario: Callable[[Network], Awaitable[None]],
    *,
    most: int = 500,
) -> int:
    """Play a scenario again and again, with a crash at one more boundary each time.

    The scenario's own assertions judge; they have to hold wherever the worker died.

    Args:
        parts: Makes the network's parts anew for each play.
        scenario: What happens, and what has to be true in the end.
        most: More boundaries than this are an error: the scenario is too long.

    Returns:
        At how many boundaries it was crashed.
    """
    for at in itertools.count(1):
        if at > most:
            raise AssertionError(f"the scenario has more than {most} boundaries; make it shorter")
        crash = _Crash(at)
        async with network(*parts(), _crash=crash) as net:
            await scenario(net)
        if not crash.reached.is_set():
            return at - 1
    raise AssertionError("unreachable")
