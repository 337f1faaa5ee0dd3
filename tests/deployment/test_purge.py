"""What is past its time goes; what a rule of durability needs stays, however old it is."""

import pytest
from tests.deployment.test_backup import Paid, Placed

from levada.contract.event import event_type
from levada.deployment.purge import DAY, Purged, RetentionSection, purge, purgeable
from levada.store import VirtualClock, open_store
from levada.store.control import Audit
from levada.store.lease import Lease
from levada.store.protocol import Statement, Unit

KEPT = RetentionSection(events=30, runs=10, arrivals=10)


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request, tmp_path):
    """A store whose rows are made as old as a test wants them."""
    if request.param == "sqlite":
        clock = VirtualClock()
        store = await open_store(f"sqlite:{tmp_path / 'levada.db'}", clock=clock)
    else:
        clock = None
        store = await open_store(request.getfixturevalue("database"))
    yield World(store, clock, request)
    await store.close()


class World:
    def __init__(self, store, clock, request):
        self.store, self.clock, self.request = store, clock, request

    async def age(self, days):
        """Make all that is there older."""
        if self.clock is not None:
            self.clock.time += round(days * DAY)
            return
        import asyncpg

        db = await asyncpg.connect(self.request.getfixturevalue("database"))
        by = round(days * DAY)
        for table, columns in {
            "levada_run": ("created", "changed", "since"), "levada_arrived": ("taken_in", "at"),
            "levada_log": ("appended", "at"), "levada_arrival_key": ("seen",), "levada_wait": ("made",),
            "levada_partition": ("last",), "levada_inbox": ("at",),
        }.items():  # fmt: skip
            await db.execute(f"UPDATE {table} SET " + ", ".join(f"{c} = {c} - {by}" for c in columns))
        await db.close()

    async def run(self, name, state, subscription="shop/x"):
        values = dict.fromkeys(("event", "topic", "part", "pos", "key", "lane", "since"))
        values |= {"run": name, "keyed": name, "code": "c/1", "type": "", "generation": 0, "across": 0}
        values |= {"input": b"{}", "initiator": "t", "traceparent": "", "subscription": subscription}
        entry = {"run": name, "seq": 0, "kind": "known", "step": "/0", "operation": "o", "arguments": b"{}"}
        entry |= {"value": b"1", "type": "", "event": None, "attempt": 0, "format": 1}
        begin = {"worker": "w", "epoch": 1, "lease": 60_000_000, "host": "h"}
        await self.store.commit(Unit([Statement("runs.worker_begin", begin)])) if name == "r-0" else None
        await self.store.commit(
            Unit([Statement("runs.add", values, 1), Statement("runs.journal_add", entry, 1)])
        )
        if state != "scheduled":
            await self.store.commit(
                Unit([Statement("runs.claim", {"worker": "w", "codes": '["c/1"]', "n": 99})])
            )
            done = {"run": name, "worker": "w", "state": state, "result": None}
            assert (await self.store.commit(Unit([Statement("runs.finish", done, 1)]))).committed

    async def arrive(self, key):
        named = {"type": event_type(Paid).type, "key": key}
        taken = named | {"event": f"e-{key}", "data": b"{}", "at": await self.store.now()}
        await self.store.commit(Unit([Statement("runs.wait_key", named), Statement("runs.arrive", taken)]))

    async def runs(self):
        return sorted(
            r["id"] for r in await self.store.read("runs.list", {"state": None, "before": 1 << 60, "n": 9999})
        )


async def test_ended_runs_go_with_their_journals_and_open_ones_never(world):
    await world.run("r-0", "done", None)
    await world.run("r-1", "compensated", None)
    await world.run("r-2", "scheduled", None)
    await world.age(9)
    assert await purge(world.store, KEPT) == Purged(0, 0, 0)
    await world.age(2)
    assert await purgeable(world.store, KEPT) == Purged(0, 2, 0)
    assert await purge(world.store, KEPT) == Purged(0, 2, 0)
    assert await world.runs() == ["r-2"]
    assert await world.store.read("runs.journal", {"run": "r-0"}) == []
    assert len(await world.store.read("runs.journal", {"run": "r-2"})) == 1


async def test_a_run_of_an_event_stays_as_long_as_the_log_could_make_it_anew(world):
    from levada.events.log import Log

    log = Log(world.store)
    await log.create(event_type(Placed).topic)
    await world.run("r-0", "done")
    await world.age(29)
    assert (await purge(world.store, KEPT)).runs == 0
    forever = RetentionSection(events=0, runs=10)
    await world.age(2)
    assert (await purge(world.store, forever)).runs == 0
    assert (await purge(world.store, KEPT)).runs == 1


async def test_an_arrival_stays_while_a_run_that_is_older_may_wait_for_it(world):
    await world.run("r-0", "scheduled")
    await world.arrive("o-1")
    await world.age(400)
    assert await purge(world.store, KEPT) == Purged(0, 0, 0)
    await world.store.commit(Unit([Statement("runs.claim", {"worker": "w", "codes": '["c/1"]', "n": 9})]))
    done = {"run": "r-0", "worker": "w", "state": "done", "result": None}
    assert (await world.store.commit(Unit([Statement("runs.finish", done, 1)]))).committed
    assert (await purge(world.store, KEPT)).arrivals == 1


async def test_an_arrival_stays_as_long_as_a_replay_of_the_log_could_make_a_run_that_waits_for_it(world):
    from levada.events.log import Log

    await Log(world.store).create(event_type(Placed).topic)
    await world.arrive("o-1")
    await world.age(29)
    assert (await purge(world.store, KEPT)).arrivals == 0
    await world.age(2)
    assert (await purge(world.store, RetentionSection(events=0, arrivals=10))).arrivals == 0
    assert (await purgeable(world.store, KEPT)).arrivals == 1
    assert (await purge(world.store, KEPT)).arrivals == 1


async def test_more_than_one_batch_and_one_cleaner_at_a_time(world):
    await world.run("r-0", "done", None)
    for n in range(1, 620):
        await world.arrive(f"o-{n}")
    await world.age(11)
    other = Lease(world.store, "purge", "another", seconds=60)
    assert await other.take()
    assert await purge(world.store, KEPT) is None
    await other.release()
    assert await purge(world.store, KEPT) == Purged(0, 1, 619)
    assert await purge(world.store, KEPT) == Purged(0, 0, 0)


async def test_the_audit_stays_for_good(world):
    await Audit(world.store).add(who="anna", action="test", target="x")
    await world.age(10_000)
    await purge(world.store, KEPT)
    assert await Audit(world.store).verify() == 1
