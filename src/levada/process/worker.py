"""Workers: they claim runs, perform their steps, watch timers, and take over from the dead.

Every clock is the store's. A worker lives under one lease; each unit it commits begins by
looking whether the lease still stands (durability, rule 11), so a worker that was paused
beyond it writes nothing any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct

from levada._errors import LevadaError
from levada.app.context import InRun, in_run
from levada.process._actor import Actor, Lost
from levada.process._errors import HandlerFailed, HandlerMissing
from levada.process._missing import mend_of
from levada.process._protocol import Handler, Performer, Publisher, Seal
from levada.process._rows import CHANNEL, RunRow, guard, leave_lane, touch_lane
from levada.process._told import place_of, told
from levada.store.errors import StoreClosed, StoreError
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["EPOCH", "RESTORED", "Settings", "Worker", "missing_handlers"]

EPOCH, RESTORED = "epoch", "restored"
"""What the store knows of backups that were restored: how many, and when the last one was (microseconds UTC)."""

log = logging.getLogger("levada.process")


class Settings(Struct, frozen=True):
    """How a worker works. Times are seconds.

    Attributes:
        runs: How many runs it has in memory at once (waiting runs are not in memory).
        lease: How long after its last sign of life its runs go to another worker. It renews at a
            third of this; shorten it to recover sooner, never below a few seconds of a busy loop.
        poll: How often it looks by itself; wake-ups come besides.
        timers: How many due timers it closes in one transaction.
    """

    runs: int = 256
    lease: float = 15.0
    poll: float = 0.5
    timers: int = 500


class Worker:
    """Performs runs of the handlers it is given. Several may share a store, in any processes.

    Args:
        store: Where runs and journals are. The worker does not close it.
        handlers: All versions of all handlers that this deployment has.
        performer: Makes the calls.
        publisher: Turns publish steps into statements.
        seals: Gives what keeps a run of a handler closed, by the run's id; None: no run knows of persons.
    """

    def __init__(
        self,
        store: Store,
        handlers: Iterable[Handler],
        performer: Performer,
        publisher: Publisher,
        settings: Settings | None = None,
        seals: Callable[[Handler, str], Seal] | None = None,
    ) -> None:
        self.store = store
        self.seals = seals
        self.performer = performer
        self.publisher = publisher
        self.settings = settings or Settings()
        self.id = ""
        self.epoch = 0
        self.restored = 0
        self.fences = 0
        self.draining = False
        self._handlers = {handler.id.code: handler for handler in handlers}
        self._codes = json.dumps(sorted(self._handlers))
        self._actors: dict[str, Actor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._unsure = False
        self._looked = 0.0

    # -- life

    async def serve(self) -> None:
        """Work until `drain` has finished, or until cancelled: then what is in flight is left to recovery."""
        try:
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(self._renewing()), group.create_task(self._listening())]
                await self._working()
                for task in background:
                    task.cancel()
        finally:
            await self.kill()
            # Served anew, it is another worker: what this one held goes on once its lease is over.
            self.id = ""

    async def drain(self) -> None:
        """Take nothing new, bring calls in flight to their end, give everything back."""
        self.draining = True
        for actor in self._actors.values():
            actor.nudge()
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await asyncio.sleep(0)  # let them be taken off the list
        if self.id:
            try:
                await self.store.commit(Unit([Statement("runs.worker_end", self._me())], (CHANNEL,)))
            except StoreError as error:  # what it held goes on once its lease is over
                log.warning("worker_without_store", extra={"worker": self.id, "error": str(error)})
            self.id = ""
        self._changed.set()

    async def kill(self) -> None:
        """Drop everything in memory, as a crash would."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> int | None:
        """Work until nothing can proceed at the store's present time.

        For the test kit and virtual time; not beside `serve`.

        Returns:
            When something can next proceed, microseconds UTC; None: never by itself.
        """
        while True:
            busy = bool(self._tasks)  # what ends during the turn may have woken something behind it
            moved = await self.turn()
            if self._tasks:
                await self._until_changed(self.settings.poll)
            elif not moved and not busy:
                due: int | None = (await self.store.read("runs.next_due"))[0]["due"]
                return due

    # -- background

    async def _working(self) -> None:
        while not (self.draining and not self._tasks):
            moved = False
            try:
                moved = not self.draining and await self.turn()
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("worker_without_store", extra={"worker": self.id, "error": str(error)})
            if not moved:
                await self._until_changed(self.settings.poll)

    async def _until_changed(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    async def _listening(self) -> None:
        async with self.store.listen(CHANNEL) as wakes:
            async for _ in wakes:
                self._changed.set()

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(self.settings.lease / 3)
            try:
                await self.renew()
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("worker_without_store", extra={"worker": self.id, "error": str(error)})

    async def renew(self) -> None:
        """Lengthen the lease. A worker that was taken for dead drops its runs and begins anew."""
        if not self.id:
            return
        outcome = await self.store.commit(
            Unit([Statement("runs.worker_renew", self._me() | {"lease": self._lease()}, 1)])
        )
        if not outcome.committed:
            log.warning("worker_lease_lost", extra={"worker": self.id, "runs": len(self._actors)})
            self.id = ""
            await self.kill()

    # -- one turn

    async def turn(self) -> bool:
        """Look once after everything: the dead, timers, wake-ups, runs to claim. Whether anything moved."""
        await self._begin()
        freed = await self.store.commit(
            Unit([Statement("runs.workers_expire"), Statement("runs.orphans"), Statement("runs.hurry")])
        )
        timers = await self._timers()
        woken = await self._wake()
        await self._closed_waits()
        await self._forgotten()
        claimed = await self._claim()
        return bool(freed.rows[1]) or timers or woken or claimed

    async def _begin(self) -> None:
        if self.id:
            return
        rows = await self.store.read("meta.get", {"name": RESTORED})
        # A backup has rewound the fences of runs, and may be restored twice: those after a restoring
        # begin at its time, and so are higher than all before.
        self.fences = self.restored = int(rows[0]["value"]) if rows else 0
        self.id, self.epoch = uuid4().hex, await self.store.now()
        params: dict[str, Any] = self._me() | {"lease": self._lease(), "host": socket.gethostname()}
        await self.store.commit(Unit([Statement("runs.worker_begin", params, 1)]))

    async def _timers(self) -> bool:
        outcome = await self.store.commit(Unit([Statement("runs.waits_due", {"n": self.settings.timers})]))
        return bool(outcome.rows[0])

    async def _wake(self) -> bool:
        rows = await self.store.read("runs.woken", {"n": self.settings.timers})
        units: dict[str, list[Statement]] = {}
        for row in rows:  # one unit a lane: order of waking is order in the lane
            statements = units.setdefault(row["lane"] or row["id"], [])
            statements += [*touch_lane(row["lane"]), Statement("runs.wake", {"run": row["id"]})]
        await asyncio.gather(*(self.store.commit(Unit(statements)) for statements in units.values()))
        return bool(rows)

    async def _closed_waits(self) -> None:
        if not self._actors:
            return
        for row in await self.store.read("runs.waits_of_worker", {"worker": self.id}):
            actor = self._actors.get(row["run"])
            if actor is not None:
                actor.closed(row["step"], row["event"], row["value"])

    async def _forgotten(self) -> None:
        """Take up what was claimed by a commit whose answer was lost: as long as this worker lives, nobody else does.

        It may have been made after all had given it up, so this is also looked for once a lease.
        """
        now = asyncio.get_running_loop().time()
        if not self._unsure and now - self._looked < self.settings.lease:
            return
        for row in await self.store.read("runs.of_worker", {"worker": self.id}):
            if row["id"] not in self._tasks:
                self._begin_run(RunRow.of(row))
        self._unsure, self._looked = False, now

    async def _claim(self) -> bool:
        room = self.settings.runs - len(self._tasks)
        if room <= 0 or self.draining:
            return False
        claim = Statement("runs.claim", {"worker": self.id, "codes": self._codes, "n": room})
        self._unsure = True
        outcome = await self.store.commit(Unit([Statement("runs.worker_guard", self._me(), 1), claim]))
        self._unsure = False
        if not outcome.committed:
            self.id = ""
            return True
        rows = sorted(outcome.rows[1], key=_due)
        for row in rows:
            self._begin_run(RunRow.of(row))
        return bool(rows)

    # -- runs in memory

    def _begin_run(self, row: RunRow) -> None:
        if row.id in self._tasks:  # it came back before its former task had quite ended
            self._tasks[row.id].add_done_callback(lambda _: self._begin_run(row))
            return
        self._tasks[row.id] = task = asyncio.create_task(self._drive(row))
        task.add_done_callback(lambda _: self._ended(row.id))

    def _ended(self, run: str) -> None:
        self._tasks.pop(run, None)
        self._actors.pop(run, None)
        self._changed.set()

    async def _drive(self, row: RunRow) -> None:
        """Keep a run going until it leaves memory; the store's troubles only delay it."""
        in_run.set(InRun(row.id, row.traceparent))
        current: RunRow | None = row
        fresh, pause = row.fence == 1, 0.05
        while True:
            try:
                current = current or await self._mine(row.id)
                if current is None or await self._live(current, fresh=fresh):
                    return
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("run_reloads", extra={"run": row.id, "error": str(error)})
            except Exception as error:
                # A defect of ours: it may delay a run, and be read; it may not leave it with a worker that forgot it.
                log.error("run_reloads", extra={"run": row.id, "error": repr(error)}, exc_info=error)
            if self.draining:  # not read again: it goes on elsewhere, once this worker has ended
                return
            current, fresh = None, False
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)

    async def _live(self, row: RunRow, *, fresh: bool) -> bool:
        """Whether it has left memory for good; False: a unit was refused, look whether it is ours still."""
        handler = self._handlers[row.code]
        seal = None if self.seals is None else self.seals(handler, row.id)
        self._actors[row.id] = actor = Actor(self, row, handler, fresh=fresh, seal=seal)
        try:
            await actor.live()
        except Lost:
            log.warning("run_lost", extra={"run": row.id, "worker": self.id})
            return False
        except Exception as error:
            if isinstance(error, StoreError):
                raise
            await self._stick(row, error, seal)  # nothing of it is lost: the run is stuck with the error
        return True

    async def _mine(self, run: str) -> RunRow | None:
        """A run as it is now, if this worker still has it."""
        rows = await self.store.read("runs.one", {"run": run})
        return RunRow.of(rows[0]) if rows and rows[0]["worker"] == self.id else None

    async def _stick(self, row: RunRow, error: Exception, seal: Seal | None) -> None:
        problem = error if isinstance(error, LevadaError) else HandlerFailed(error=told(error))
        reason = problem.message if seal is None else seal.said(problem.message)
        # A traceback repeats what the exception says, which may be personal.
        shown = None if seal is not None and seal.private else error
        self.stuck(row, problem, reason, place_of(error), shown)
        stick = Statement(
            "runs.stick",
            {"run": row.id, "worker": self.id, "problem": problem.code, "reason": reason},
            1,
        )
        await self.store.commit(Unit([guard(row.id, self.id, self.epoch), *leave_lane(row.lane, stick)]))

    # -- what an actor asks of its host

    def warn(self, run: RunRow, what: str) -> None:
        """Tell whoever watches the logs."""
        log.warning("run_long", extra={"run": run.id, "code": run.code, "what": what})

    def stuck(
        self, run: RunRow, problem: LevadaError, reason: str, place: str, error: Exception | None = None
    ) -> None:
        """Tell whoever watches the logs that a run is stuck, why, and where in the user's code."""
        told = {
            "run": run.id,
            "handler": run.code,
            "step": problem.values.get("step"),
            "at": place,
            "error": f"{problem.code}: {reason}",
        }
        log.error("run_stuck", extra={k: v for k, v in told.items() if v}, exc_info=error)

    def _me(self) -> dict[str, Any]:
        return {"worker": self.id, "epoch": self.epoch}

    def _lease(self) -> int:
        return round(self.settings.lease * 1_000_000)


def _due(row: Row) -> tuple[int, str]:
    return row["due"], row["id"]


async def missing_handlers(store: Store, handlers: Sequence[Handler]) -> None:
    """Check that every run that has not ended still finds its code: what a deployment asks first.

    Raises:
        HandlerMissing: Some version is needed that these handlers lack.
    """
    have = {handler.id.code for handler in handlers}
    needed = [row for row in await store.read("runs.codes_open") if row["code"] not in have]
    if needed:
        raise HandlerMissing(
            handlers=", ".join(f"{row['code']} ({row['runs']})" for row in needed),
            mend="; ".join(mend_of(row["code"], have) for row in needed),
        )
