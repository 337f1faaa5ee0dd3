"""The runtime of an app on a store: relays, subscriptions, workers, and what an operation commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError
from levada.app import App, Context
from levada.app.effects import digest_of
from levada.app.outcome import Refusal
from levada.contract.event import Event, EventType
from levada.contract.operation import Operation
from levada.contract.ports import Transaction
from levada.contract.standard import Conflict, DeadlineExceeded, KeyReused
from levada.deployment import _codec
from levada.deployment._effects import SystemEffects
from levada.deployment._handlers import Code, Declined, codes_of
from levada.deployment._holding import Holding
from levada.deployment._performer import ProxyPerformer
from levada.deployment._publisher import StepPublisher, envelope_of
from levada.deployment._sinks import ToRuns
from levada.deployment.forms import keep_forms
from levada.deployment.personal import Masters, Personal
from levada.deployment.purge import RetentionSection, effects_before
from levada.events import outbox
from levada.events.dispatcher import Dispatcher
from levada.events.log import Log
from levada.events.publish import Held, event_id
from levada.events.relay import Relay
from levada.events.subscription import Subscriptions
from levada.process.sink import WAKES, ArrivalSink, RunSink
from levada.process.start import start
from levada.process.worker import Settings as WorkerSettings
from levada.process.worker import Worker, missing_handlers
from levada.store.control import Idempotency
from levada.store.errors import StoreClosed
from levada.store.protocol import Row, Store, Unit
from levada.store.sqlite import SqliteStore

__all__ = ["RuntimeSettings", "StoreRuntime"]

log = logging.getLogger("levada.runtime")

_ENDED = frozenset({"done", "compensated", "stuck"})
_FIRST, _DAILY = 600.0, 86_400.0
_LAST = 2.0
"""Seconds that a stop waits for what gives back subscriptions and outboxes."""
_ALONE = 30.0
"""Seconds of a lease that nobody waits for."""
_BEFORE = 0.2
"""Seconds before the deadline at which a waiting call is answered that its run goes on."""


class RuntimeSettings(Struct, frozen=True, kw_only=True):
    """How a process takes part in the work on its store.

    Attributes:
        work: Whether it performs runs. False: it only serves, others work.
        dispatch: Whether it reads subscriptions and relays outboxes. Several processes may: one
            at a time holds each.
        poll: Seconds between looks without a wake-up. Default 0.5.
        worker: How its worker works. Its lease is also that of subscriptions and relays, where several processes may
            hold them.
        outbox_keep: Seconds that outboxes keep what is in the log. Default 7 days.
        retention: How long the results of calls are kept in systems' databases. None, the default: for good.
        drain: Seconds that a stop waits for steps under way; what takes longer is left to recovery. Default 30.
        virtual: The test kit drives it by :meth:`StoreRuntime.settle`; nothing runs by itself.
    """

    work: bool = True
    dispatch: bool = True
    poll: float = 0.5
    worker: WorkerSettings = WorkerSettings()
    outbox_keep: float = 7 * 86_400.0
    retention: RetentionSection | None = None
    drain: float = 30.0
    virtual: bool = False


class StoreRuntime:
    """Keeps :class:`levada.app.Runtime` on a store. One for an app; it closes the store only if it ``owns`` it."""

    def __init__(
        self,
        app: App,
        store: Store,
        settings: RuntimeSettings | None = None,
        *,
        owns: bool = False,
        masters: Masters | None = None,
    ) -> None:
        self.app = app
        self.store = store
        self.settings = settings or RuntimeSettings()
        self.codes: list[Code] = codes_of(app)
        self._owns = owns
        self.personal = Personal(app, store, masters)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.log = Log(store)
        self.subscriptions = Subscriptions(self.log)
        # Of a process that died. What its attempt did is keyed, and its commit is refused once it was taken over.
        self.records = Idempotency(store, lease=max(10_000_000, int(self.settings.worker.lease * 2_000_000)))
        self.relays: list[Relay] = []
        self._systems: list[Any] = []
        self._forgets: asyncio.Task[None] | None = None
        self.dispatcher: Dispatcher | None = None
        self.worker: Worker | None = None
        app.attach(self, SystemEffects())

    # -- life -------------------------------------------------------------------------

    async def start(self) -> None:
        """Make what is missing in the stores, then begin to relay, dispatch and work."""
        await self.personal.check()
        await self.log.topics()
        await self._topics()
        await self._outboxes()
        sinks = await self._sinks()
        await self._tell_left(sinks)
        await missing_handlers(self.store, self.codes)
        await keep_forms(self.app, self.store)
        self.dispatcher = Dispatcher(
            self.log, sinks, poll=self.settings.poll, wakes=WAKES, lease=self._reading_lease
        )
        self.worker = Worker(
            self.store,
            self.codes,
            ProxyPerformer(),
            StepPublisher(self.log, self.personal),
            self.settings.worker,
            self.personal.seals,
        )
        if self.settings.virtual:
            return
        if self.settings.dispatch and isinstance(self.store, SqliteStore):
            # Who owns the file is alone: whoever held these before is dead, and nobody has to wait for its lease.
            for holder in (*self.dispatcher.readers.values(), *self.relays):
                await holder.claim(force=True)
        loop = asyncio.get_running_loop()
        if self.settings.dispatch:
            self._keep("levada dispatcher", self.dispatcher.run)
            for relay in self.relays:
                self._keep(f"levada relay {relay.name}", relay.run)
            if self.settings.retention is not None and self._systems:
                forgetting = self._forgetting(self.settings.retention)
                self._forgets = loop.create_task(forgetting, name="levada effects")
        if self.settings.work and self.codes:
            self._keep("levada worker", self.worker.serve)

    def _keep(self, name: str, serve: Callable[[], Awaitable[None]]) -> None:
        """Serve in the background until it is stopped; a defect in it is logged, and it begins anew."""
        self._tasks.append(asyncio.get_running_loop().create_task(_kept(name, serve), name=name))

    @property
    def _reading_lease(self) -> float:
        """How long subscriptions and relays of a silent process are left to it; each renews at a third of this."""
        # Who owns the file is alone and does not ask; a heartbeat for nothing would cost it a write to the disk.
        return _ALONE if isinstance(self.store, SqliteStore) else self.settings.worker.lease

    async def stop(self) -> None:
        """Finish what is under way, give the rest back; what does not end in time goes on elsewhere once its lease is over."""
        if self.dispatcher is not None:
            self.dispatcher.stop()
        for relay in self.relays:
            relay.stop()
        if self._forgets is not None:
            self._forgets.cancel()
            await asyncio.gather(self._forgets, return_exceptions=True)
        if self.worker is not None and not self.settings.virtual:
            await self._drained(self.worker)
        if self._tasks:
            # Their last commit may wait for a store that does not answer.
            await asyncio.wait(self._tasks, timeout=_LAST)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._owns:
            await self.store.close()

    async def _drained(self, worker: Worker) -> None:
        try:
            async with asyncio.timeout(self.settings.drain):
                await worker.drain()
        except TimeoutError:
            log.warning("steps_cut_by_stop", extra={"worker": worker.id, "drain": self.settings.drain})

    async def _topics(self) -> None:
        for local in self.app.plan.locals:
            for kind in local.implementation.publishes.values():
                await self.log.create(kind.topic)

    async def _outboxes(self) -> None:
        """The outbox and effect tables in the databases of adapters, and a relay for each outbox."""
        for name, resource in self.app.resources.items():
            if not hasattr(resource, "begin"):
                continue
            users = [
                local.implementation
                for local in self.app.plan.locals
                if any(reference.name == name for reference, _ in local.implementation.resources.values())
            ]
            publishes = any(u.publishes for u in users)
            if not publishes and not any(e.kind == "table" for u in users for e in u.effects.values()):
                continue
            self._systems.append(resource)
            async with resource.begin() as tx:
                await outbox.create_tables(tx)
            if publishes:
                relay = Relay(
                    name, resource, self.log, keep=self.settings.outbox_keep, lease=self._reading_lease
                )
                self.relays.append(relay)

    async def _forgetting(self, kept: RetentionSection) -> None:
        """Once a day, since a table without an index on its times is read as a whole."""
        pause = _FIRST
        while True:
            await asyncio.sleep(pause)
            pause = _DAILY
            try:
                await self.forget_effects(kept)
            except (LevadaError, OSError) as error:
                log.warning("effects_kept_longer", extra={"reason": str(error)})

    async def forget_effects(self, kept: RetentionSection) -> int:
        """Delete the results of calls that nobody can repeat any more from the systems' databases; how many."""
        before, forgotten = await effects_before(self.store, kept), 0
        for system in self._systems if before else ():
            found = 1
            while found:
                async with system.begin() as tx:
                    found = await outbox.forget(tx, before)
                forgotten += found
        return forgotten

    async def _sinks(self) -> dict[str, ToRuns]:
        sinks: dict[str, ToRuns] = {}
        for local in self.app.plan.locals:
            implementation = local.implementation
            for name in implementation.handlers:
                kind = next(c.event for c in self._versions(local, name))
                assert kind is not None
                present = next(iter(self._versions(local, name)))
                subscription = f"{local.contract.id}/{name}"
                # From its deployment on: what happened before is replayed if somebody asks for it.
                await self.subscriptions.declare(subscription, [kind.topic], start="latest")
                sinks[subscription] = ToRuns(RunSink(present), kind, self.personal, await self.store.now())
            if implementation.awaits:
                kinds = list(implementation.awaits.values())
                subscription = f"{local.contract.id}/arrivals"
                await self.subscriptions.declare(
                    subscription, sorted({k.topic for k in kinds}), start="latest"
                )
                sinks[subscription] = ToRuns(ArrivalSink({k.type for k in kinds}), None, self.personal)
        return sinks

    async def _tell_left(self, sinks: Collection[str]) -> None:
        """Say which subscriptions of these APIs have events that no handler reads any more: renamed, or taken out."""
        ours = tuple(f"{local.contract.id}/" for local in self.app.plan.locals)
        for sub in await self.subscriptions.list():
            if sub.name in sinks or not sub.name.startswith(ours):
                continue
            unread = sum(position.lag for position in await self.subscriptions.positions(sub.name))
            if unread:
                log.warning(
                    "subscription_without_handler", extra={"subscription": sub.name, "unread": unread}
                )

    def _versions(self, local: Any, name: str) -> Sequence[Code]:
        return [c for c in self.codes if c.local is local and c.id.handler == name and c.durable is None]

    # -- what operations commit ---------------------------------------------------------

    async def outbox(self, kind: EventType, event: Event, tx: Transaction, context: Context) -> None:
        """Write an event to the outbox of a system's database, in the transaction of its change."""
        key = None if context.key is None else f"{context.operation}\n{context.key}"
        context.published += 1
        data, key_id = await self.personal.sealed(kind, event)
        envelope = envelope_of(
            kind,
            event,
            event_id=event_id(key, context.published),
            source=f"/{context.consumer}",
            now=await self.store.now(),
            traceparent=context.traceparent,
            initiator=context.caller.subject,
            data=data,
            key_id=key_id,
        )
        await outbox.append(tx, [envelope])

    async def commit(self, context: Context) -> None:
        """Commit the events that an operation without a key held back."""
        held = await self._hold(context, None)
        await self.store.commit(Unit(held.statements(), held.notify))

    async def _hold(self, context: Context, key: str | None) -> Held:
        held = Held(self.log, key)
        now = await self.store.now()
        events, context.held = context.held or [], None
        for kind, event in events:
            data, key_id = await self.personal.sealed(kind, event)
            held.publish(
                envelope_of(
                    kind,
                    event,
                    event_id="",
                    source=f"/{context.operation or context.consumer}",
                    now=now,
                    traceparent=context.traceparent,
                    initiator=context.caller.subject,
                    data=data,
                    key_id=key_id,
                )
            )
        return held

    async def once(
        self,
        context: Context,
        name: str,
        operation: Operation,
        arguments: tuple[Any, ...],
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Do a keyed call once; a repeat is answered from its record (durability, rule 10)."""
        assert context.key is not None
        caller = context.caller.client or context.caller.subject
        digest = digest_of(operation, arguments)
        taken = await self.records.begin(caller=caller, operation=name, key=context.key, digest=digest)
        if taken.state == "mismatch":
            raise Refusal(KeyReused())
        if taken.state == "in_flight":
            raise Refusal(Conflict())
        if taken.state == "done":
            response = b"null" if taken.response is None else taken.response
            return _codec.decode_result(operation, await self.personal.answered(response, name, context.key))
        holding = Holding(self.records, caller, name, context.key, taken.token)
        try:
            result = await call()
            response = await self.personal.answer(
                operation, arguments, result, context.held or (), name, context.key
            )
            held = await self._hold(context, f"{caller}\n{name}\n{context.key}")
            done = self.records.done(
                caller=caller,
                operation=name,
                key=context.key,
                token=taken.token,
                response=response,
            )
            outcome = await self.store.commit(Unit([*done, *held.statements()], held.notify))
            if not outcome.committed:
                raise Refusal(
                    Conflict(
                        reason="Another attempt with this idempotency key was quicker; ask again for its answer."
                    )
                )
        except BaseException:
            await self.records.release(caller=caller, operation=name, key=context.key, token=taken.token)
            raise
        finally:
            holding.end()
        return result

    async def begin(
        self, context: Context, name: str, operation: Operation, arguments: tuple[Any, ...]
    ) -> Any:
        """Begin a durable operation as a run, and wait for its end as long as the deadline allows."""
        contract_id = name.rpartition(".")[0]
        code = next(c for c in self.codes if c.durable is operation and c.local.contract.id == contract_id)
        key = context.key or event_id(None, 0)
        started = await start(
            self.store,
            code,
            caller=context.caller.client or context.caller.subject,
            key=key,
            data=code.arguments(arguments),
            initiator=context.caller.subject,
            traceparent=context.traceparent,
            seals=self.personal.seals,
        )
        if operation.status == 202 and operation.shape == "none":
            return None
        row = await self._ended(started.run, context.deadline)
        if row is None:
            raise DeadlineExceeded(
                reason=f"The run {started.run} goes on; ask again with the same idempotency key for its result."
            )
        if row["result"] is not None and self.personal.seals is not None:
            row = {**row, "result": await self.personal.seals(code, row["id"]).open(bytes(row["result"]))}
        return _answer(operation, row)

    async def _ended(self, run: str, deadline: float) -> Row | None:
        """A run once it has ended or stuck; None: it had not, shortly before the deadline."""
        if self.settings.virtual and self.worker is not None:
            await self.worker.settle()
        pause = 0.005
        while True:
            row = (await self.store.read("runs.one", {"run": run}))[0]
            if row["state"] in _ENDED:
                return row
            left = deadline - monotonic() - _BEFORE
            if left <= 0 or self.settings.virtual:
                return None
            # Not by wake-ups: each of n waiting calls would look at every change of n runs.
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, self.settings.poll)


def _answer(operation: Operation, row: Row) -> Any:
    """What an ended run answers the call that began it."""
    if row["state"] == "done" and row["result"] is not None:
        return _codec.decode_result(operation, bytes(row["result"]))
    reason = row["reason"] or ""
    if reason.startswith(Declined.MARK):
        raise _codec.decode_problem(operation, reason.removeprefix(Declined.MARK).encode())
    raise Conflict(reason=f"The run {row['id']} is {row['state']}: {reason or 'an operator has ended it'}.")


async def _kept(name: str, serve: Callable[[], Awaitable[None]]) -> None:
    pause = 0.1
    while True:
        try:
            return await serve()
        except Exception as error:
            if _only_closed(error):
                return None
            log.error("background_task_failed", extra={"task": name, "pause": pause}, exc_info=error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 10.0)


def _only_closed(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.split(StoreClosed)[1] is None
    return isinstance(error, StoreClosed)
