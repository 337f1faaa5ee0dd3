"""The store on PostgreSQL when connections are cut, the server dies, or a process is paused in a transaction."""

import asyncio
import signal
from contextlib import suppress
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.store.writers import writing

from levada.store import Statement, StoreError, StoreUnknown, Unit, open_store
from levada.store._pgconnection import Connection
from levada.store.errors import StoreHindered, StoreNewer, StoreUnusable
from levada.store.postgres import PostgresSettings, PostgresStore, place_of
from levada.testing.link import Link
from levada.testing.servers.postgres import PostgresServer, postgres_server


def put(name, value="1"):
    return Unit([Statement("meta.set", {"name": name, "value": value}, 1)])


async def names(store, wanted):
    return [n for n in wanted if await store.read("meta.get", {"name": n})]


async def cut_off(dsn, like="%"):
    """End the store's connections from the server's side."""
    admin = await asyncpg.connect(dsn)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'levada' AND datname = current_database() AND query LIKE $1", like,
    )  # fmt: skip
    await admin.close()


async def test_connections_cut_again_and_again_nothing_acknowledged_is_lost(database, closing):
    store = await closing(open_store(database))
    async with writing(store, put, tasks=8) as writers:
        for _ in range(10):
            await writers.more(40)
            await cut_off(database)
    assert await names(store, writers.acknowledged) == writers.acknowledged
    # The server itself stayed, so it could be asked.
    assert writers.unknown == []


class Drops:
    """Stands before the server and drops the connection when a message passes, before or after handing it on."""

    def __init__(self, dsn, word, *, after):
        self.server = urlsplit(dsn)
        self.word = word
        self.after = after
        self.times = 0

    async def __aenter__(self):
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = self.listening.sockets[0].getsockname()[1]
        return self.server._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()

    async def __aexit__(self, *_):
        self.listening.close()

    async def serve(self, reader, writer):
        onward = await asyncio.open_connection(self.server.hostname, self.server.port)
        back = asyncio.ensure_future(self.hand_on(onward[0], writer))
        try:
            while data := await reader.read(1 << 16):
                if self.word in data and self.times:
                    self.times -= 1
                    back.cancel()
                    if self.after:
                        onward[1].write(data)
                        await onward[1].drain()
                        # Until the server has answered, which nobody hears.
                        await onward[0].read(1)
                    break
                onward[1].write(data)
        except ConnectionError:
            return
        finally:
            back.cancel()
            onward[1].close()
            writer.close()

    async def hand_on(self, reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("after", [False, True], ids=["before the server had it", "after the server did it"])
async def test_a_commit_whose_answer_is_lost_happens_once_and_is_acknowledged(database, closing, after):
    dropping = Drops(database, b"COMMIT", after=after)
    async with dropping as dsn:
        store = await closing(open_store(dsn))
        await store.commit(Unit([Statement("call.flush", {"process": "p", "batch": 0})]))
        dropping.times = 1
        count = {"minute": 1, "environment": "e", "consumer": "c", "client": "", "operation": "o"}
        add = Statement("call.add_part", {**count, "kind": "k", "name": "n", "n": 1}, 1)
        outcomes = await asyncio.gather(*(store.commit(Unit([add])) for _ in range(20)))
        assert all(o.committed for o in outcomes)
        assert dropping.times == 0
        (row,) = await store.read("call.read_parts", {"since": 0, "until": 9})
        assert row["n"] == 20


@pytest.mark.parametrize("word", [b"levada_meta", b"BEGIN"])
async def test_a_connection_lost_before_the_commit_is_made_anew(database, closing, word):
    dropping = Drops(database, word, after=True)
    async with dropping as dsn:
        store = await closing(open_store(dsn))
        dropping.times = 2
        assert (await store.commit(put("a"))).committed
        assert dropping.times == 0
        assert await names(store, ["a"]) == ["a"]


async def test_a_store_closes_though_the_server_does_not_answer(database):
    async with Link.to(database) as link:
        store = await PostgresStore(link.url(database), settings=PostgresSettings(patience=0.5)).open()
        admin = await asyncpg.connect(database)
        await admin.execute("BEGIN; LOCK TABLE levada_meta")
        waiting = asyncio.create_task(store.commit(put("b")))
        async with asyncio.timeout(10):
            while not await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        link.hold()
        async with asyncio.timeout(3):
            await store.close()
            with pytest.raises(StoreUnknown):
                await waiting
        await admin.close()
        await link.heal()


async def test_who_listens_keeps_a_connection_that_stands(database, closing):
    async with Link.to(database) as link:
        settings = PostgresSettings(network=0.1)
        store = await closing(PostgresStore(link.url(database), settings=settings).open())
        async with store.listen("said"):
            async with asyncio.timeout(10):
                while link.connections < 2:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            assert (link.connections, link.taken) == (2, 2)


async def test_who_listens_notices_a_connection_that_was_lost_without_a_word(database, closing):
    other = await closing(open_store(database))
    async with Link.to(database) as link:
        settings = PostgresSettings(network=0.5)
        store = await closing(PostgresStore(link.url(database), settings=settings).open())
        heard = asyncio.Event()

        async def hear(wakes):
            async for _ in wakes:
                heard.set()

        async with store.listen("said") as wakes:
            hearing = asyncio.create_task(hear(wakes))
            await heard.wait()  # it hears: connecting is a wake-up
            link.keep_open()
            await cut_off(database)
            heard.clear()
            async with asyncio.timeout(10):
                while not heard.is_set():
                    await other.commit(Unit(put("c").statements, ("said",)))
                    await asyncio.sleep(0.05)
            hearing.cancel()


@pytest.fixture(scope="module")
def own_server():
    """A server that may be killed."""
    with postgres_server(settings={"fsync": "off"}) as server:
        if not server.owned:
            pytest.skip("LEVADA_TEST_POSTGRES names a server that must not be killed")
        yield server


async def test_a_power_cut_of_the_server_loses_nothing_acknowledged(own_server: PostgresServer, closing):
    dsn = own_server.database()
    store = await closing(PostgresStore(dsn, settings=PostgresSettings(patience=30)).open())
    async with writing(store, put, tasks=8) as writers:
        for _ in range(2):
            await writers.more(100)
            own_server.kill()
            await asyncio.to_thread(own_server.start)
    assert await names(store, writers.acknowledged) == writers.acknowledged
    assert len(writers.unknown) <= 16


async def test_a_server_that_stays_away_is_told_within_patience(own_server: PostgresServer):
    store = await PostgresStore(own_server.database(), settings=PostgresSettings(patience=0.3)).open()
    own_server.stop(signal.SIGINT)
    try:
        with pytest.raises(StoreError):
            await store.commit(put("a"))
        with pytest.raises(StoreError):
            await store.read("meta.get", {"name": "a"})
    finally:
        await asyncio.to_thread(own_server.start)
    assert await back(store) == ["a"]
    await store.close()


async def back(store):
    """What is there once the store takes a unit again: on a busy machine a connection may outlast its patience."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreHindered):
                assert (await store.commit(put("a"))).committed
                return await names(store, ["a"])
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("trouble", ["stopped", "halted"])
async def test_once_a_server_is_known_to_be_away_all_but_one_are_told_at_once(
    own_server: PostgresServer, trouble: str
):
    store = await PostgresStore(own_server.database(), settings=PostgresSettings(patience=1.0)).open()
    loop = asyncio.get_running_loop()

    async def told() -> float:
        began = loop.time()
        with pytest.raises(StoreHindered):
            await store.commit(put("a"))
        with pytest.raises(StoreHindered):
            await store.read("meta.get", {"name": "a"})
        return loop.time() - began

    if trouble == "stopped":
        own_server.stop(signal.SIGINT)
    else:
        await (
            store._end()
        )  # as if the network had cut them: what is halted takes new connections and says nothing
        own_server.halt()
    try:
        first = await asyncio.gather(*(told() for _ in range(20)))
        assert 0.5 < max(first) < 6  # they wait together, not one after the other
        later = [await told() for _ in range(10)]
        assert sorted(later)[len(later) // 2] < 0.5
        crowd = await asyncio.gather(*(told() for _ in range(50)))
        assert sorted(crowd)[len(crowd) // 2] < 0.6
    finally:
        await asyncio.to_thread(own_server.start if trouble == "stopped" else own_server.go_on)
    assert await back(store) == ["a"]
    await store.close()


async def test_who_is_paused_in_a_transaction_loses_its_locks(database, closing):
    settings = PostgresSettings(idle=0.3)
    store = await closing(open_store(database))
    await store.commit(put("a"))
    paused = await PostgresStore(database, settings=settings).open()
    # As a process that was stopped between two statements.
    await paused._writer.raw.execute("BEGIN; UPDATE levada_meta SET value = 'paused' WHERE name = 'a'")
    assert (await asyncio.wait_for(store.commit(put("a", "2")), 5)).committed
    assert (await store.read("meta.get", {"name": "a"})) == [{"value": "2"}]
    assert (await paused.commit(put("b"))).committed
    await paused.close()


async def test_who_is_paused_in_a_transaction_loses_its_locks_before_its_lease_is_over(database, closing):
    paused = await closing(open_store(database, lease=1.0))
    store = await closing(open_store(database))
    await store.commit(put("a"))
    await paused._writer.raw.execute("BEGIN; UPDATE levada_meta SET value = 'paused' WHERE name = 'a'")
    async with asyncio.timeout(1.0):
        assert (await store.commit(put("a", "2"))).committed
    assert (await paused.commit(put("b"))).committed


async def test_two_processes_that_lock_in_opposite_order_both_commit(database, closing):
    stores = [await closing(open_store(database)) for _ in range(2)]
    await stores[0].commit(Unit([*put("a").statements, *put("b").statements]))

    async def many(store, order):
        for _ in range(30):
            unit = Unit([s for name in order for s in put(name).statements])
            assert (await store.commit(unit)).committed

    await asyncio.gather(*(many(s, o) for s, o in zip(stores, ("ab", "ba"), strict=True) for _ in range(4)))


@pytest.mark.parametrize(
    ("state", "hindered"),
    [("53100", True), ("57014", True), ("25006", True), ("22003", False), ("P0001", False)],
)
async def test_what_hinders_the_store_is_told_from_what_a_unit_does_wrong(database, closing, state, hindered):
    store = await closing(open_store(database))
    admin = await asyncpg.connect(database)
    await admin.execute(
        f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{state}'; END $$;"
        f"CREATE TRIGGER trouble BEFORE INSERT ON levada_meta EXECUTE FUNCTION trouble()"
    )
    await admin.close()
    with pytest.raises(StoreError, match="trouble") as told:
        await store.commit(put("a"))
    assert isinstance(told.value, StoreHindered) == hindered


async def test_the_clock_is_the_databases(database, closing):
    store = await closing(open_store(database))
    connection = await asyncpg.connect(database)
    theirs = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    await connection.close()
    assert 0 <= await store.now() - theirs < 5_000_000


@pytest.fixture
def set_clock(monkeypatch):
    """Sets the server's clock, as all of its connections tell it."""
    real, by = Connection.run, 0

    async def run(self, query, params, now=0):
        rows, count = await real(self, query, params, now)
        if query.name in ("store.clock", "store.begin"):
            rows = [{**row, "now": row["now"] + by} for row in rows]
        return rows, count

    def set_(micros):
        nonlocal by
        by = micros

    monkeypatch.setattr(Connection, "run", run)
    return set_


async def test_time_goes_on_where_the_servers_clock_is_set_back(database, closing, set_clock):
    """It once stood until the clock was there again: no timer came due, no lease ended, a new process was taken for dead."""
    store = await closing(open_store(database))
    await store.commit(
        Unit([Statement("log.topic_create", {"topic": "t", "partitions": 1, "retention": None})])
    )
    declared = {"name": "s", "topics": "[]", "pattern": None}
    await store.commit(Unit([Statement("subscription.create", declared)]))
    await store.commit(Unit([Statement("subscription.claim", {"name": "s", "holder": "h", "lease": 0})]))
    before = await store.now()
    set_clock(-3_600_000_000)
    await asyncio.sleep(0.4)
    times = [await store.now()]
    for _ in range(3):
        (row,) = (await store.commit(Unit([Statement("store.time")]))).rows[0]
        times += [row["now"], await store.now()]
    assert times == sorted(times)
    assert before + 300_000 < times[0] < before + 2_000_000
    # A process that begins now lives in the same time.
    other = await closing(open_store(database))
    assert abs(await other.now() - await store.now()) < 1_000_000
    # Once the clock is right again, it alone is the time.
    set_clock(60_000_000)
    assert await store.now() > before + 60_000_000


async def test_many_open_an_empty_database_at_once(database):
    stores = await asyncio.gather(*(open_store(database) for _ in range(6)))
    for n, store in enumerate(stores):
        assert (await store.commit(put(str(n)))).committed
        await store.close()


async def test_a_newer_store_is_refused(database):
    await (await open_store(database)).close()
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO levada_migration VALUES (9001, 'later', 0)")
    await connection.close()
    with pytest.raises(StoreNewer, match="9001"):
        await open_store(database)


async def test_a_schema_that_changes_under_a_prepared_query_is_followed(database, closing):
    store = await closing(open_store(database))
    await store.commit(
        Unit([Statement("log.topic_create", {"topic": "t", "partitions": 1, "retention": None})])
    )
    assert await store.read("subscription.list") == []
    await store.commit(Unit([Statement("subscription.list")]))
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE levada_subscription ADD COLUMN later text")
    await connection.close()
    assert await store.read("subscription.list") == []
    assert (await store.commit(Unit([Statement("subscription.list")]))).committed


@pytest.mark.parametrize(
    "url", ["postgresql://nobody:secret@127.0.0.1:1/none", "postgresql://u:secret@no.such.host.invalid/x"]
)
async def test_what_cannot_be_reached_is_told_without_its_password(url):
    with pytest.raises(StoreUnusable) as caught:
        await open_store(url)
    assert "secret" not in str(caught.value)
    assert "[store] url" in str(caught.value)
    assert "[Errno" not in str(caught.value)


def test_a_place_is_shown_without_password_and_options():
    assert place_of("postgresql://ann:p%40ss@db:5432/levada?password=x") == "postgresql://ann@db:5432/levada"


async def test_a_connection_told_that_it_ends_is_not_used_once_more(database, closing):
    """The driver raises an error that is none of the server's then; it once ended the readers of events for good."""
    async with Link.to(database) as link:
        link.keep_open()
        store = await closing(open_store(link.url(database)))
        assert (await store.commit(put("a"))).committed
        assert await names(store, ["a"]) == ["a"]
        await cut_off(database)
        while link.ended < 2:
            await asyncio.sleep(0.01)
        assert await names(store, ["a"]) == ["a"]
        assert (await store.commit(put("b"))).committed
        assert await names(store, ["a", "b"]) == ["a", "b"]


async def test_wake_ups_are_heard_again_after_a_defect(database, closing, monkeypatch):
    store = await closing(open_store(database))
    heard = store._hear_once
    times = 0

    async def fails_first():
        nonlocal times
        times += 1
        if times == 1:
            raise AttributeError("transport")
        await heard()

    monkeypatch.setattr(store, "_hear_once", fails_first)
    other = await closing(open_store(database))
    async with store.listen("here") as wakes, asyncio.timeout(10):
        while times < 2:
            await asyncio.sleep(0.01)
        await other.commit(Unit(put("a").statements, ("here",)))
        assert await anext(wakes) == "here"


async def test_a_defect_of_the_writer_fails_its_group_and_the_next_is_written(database, closing, monkeypatch):
    store = await closing(open_store(database))

    async def fails(*_):
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr("levada.store.postgres.transact", fails)
    outcomes = await asyncio.gather(*(store.commit(put(str(n))) for n in range(600)), return_exceptions=True)
    failed = [isinstance(o, StoreUnknown) for o in outcomes]
    assert any(failed)
    assert not all(failed)
    assert await names(store, [str(n) for n in range(600)]) == [str(n) for n in range(600) if not failed[n]]
    assert (await store.commit(put("later"))).committed
