import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from levada.connect import OutcomeUnknown, Unavailable, open_resource
from levada.connect.errors import NotStarted
from levada.connect.sql import Conflict, Database, Duplicate, SqlRefused, SqlSettings, StoreFileRefused
from levada.testing.link import Link


@pytest.fixture(params=["postgresql", "sqlite"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = (
        request.getfixturevalue("postgres_dsn")
        if request.param == "postgresql"
        else f"sqlite:{tmp_path}/erp.db"
    )
    async with Database(SqlSettings(url=url, pool=2, acquire_timeout=0.3), name="erp") as database:
        async with database.begin() as tx:
            await tx.execute("drop table if exists customer")
            await tx.execute("create table customer (id integer primary key, name text not null)")
        yield database


def q(db: Database, sql: str) -> str:
    for n in range(1, 1 + sql.count("?")):
        sql = sql.replace("?", f"${n}", 1) if db.dialect == "postgresql" else sql
    return sql


async def add(db: Database, id: int, name: str = "Ada") -> int:
    async with db.begin() as tx:
        return await tx.execute(q(db, "insert into customer values (?, ?)"), id, name)


async def count(db: Database) -> int:
    async with db.connection() as connection:
        return await connection.fetchval("select count(*) from customer")


async def test_statements_answer_rows_and_counts(db: Database):
    assert await add(db, 1) == 1
    async with db.begin() as tx:
        assert tx.dialect == db.dialect
        await tx.executemany(q(db, "insert into customer values (?, ?)"), [(2, "Ben"), (3, "Cy")])
        assert await tx.fetch("select * from customer order by id") == [
            {"id": 1, "name": "Ada"},
            {"id": 2, "name": "Ben"},
            {"id": 3, "name": "Cy"},
        ]
        assert await tx.fetchrow(q(db, "select name from customer where id = ?"), 2) == {"name": "Ben"}
        assert await tx.fetchrow(q(db, "select name from customer where id = ?"), 9) is None
        assert await tx.fetchval("select max(id) from customer") == 3
        assert await tx.execute("update customer set name = 'x'") == 3
        assert await tx.execute("delete from customer where id > 99") == 0


async def test_an_exception_rolls_back_and_the_connection_is_good_again(db: Database):
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            async with db.begin() as tx:
                await tx.execute("insert into customer values (7, 'Gone')")
                1 / 0
    assert await count(db) == 0


async def test_cancellation_rolls_back(db: Database):
    begun = asyncio.Event()

    async def work() -> None:
        async with db.begin() as tx:
            await tx.execute("insert into customer values (7, 'Gone')")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(db) == 0


async def test_statements_outside_of_a_transaction_commit_by_themselves(db: Database):
    async with db.connection() as connection:
        await connection.execute("insert into customer values (1, 'Ada')")
        assert await count(db) == 1


async def test_a_duplicate_is_told_from_other_refusals(db: Database):
    await add(db, 1)
    with pytest.raises(Duplicate):
        await add(db, 1)
    with pytest.raises(SqlRefused) as told:
        async with db.begin() as tx:
            await tx.execute("insert into customer values (2, null)")
    assert not isinstance(told.value, Duplicate)
    assert told.value.outcome == "refused"


async def test_an_exhausted_pool_is_unavailable_and_recovers(db: Database):
    async with db.connection(), db.connection():
        with pytest.raises(Unavailable, match="all 2 connections were in use"):
            async with db.connection():
                pass
    assert await count(db) == 0


async def test_more_tasks_than_connections_all_get_through(db: Database):
    db2 = Database(SqlSettings(url=db.settings.url, pool=2, acquire_timeout=20), name="erp")
    async with db2:
        await asyncio.gather(*(add(db2, n) for n in range(50)))
        assert await count(db2) == 50
        assert (await db2.health()).facts["open"] <= 2


async def test_health_says_what_is_wrong(tmp_path: Path, db: Database):
    assert (await db.health()).ok
    async with Database("postgresql://erp:hunter2@127.0.0.1:1/x", name="down") as down:
        health = await down.health()
    assert not health.ok
    assert "LV1601" in health.detail
    assert "hunter2" not in repr(health)


async def test_not_started_is_said():
    with pytest.raises(NotStarted):
        async with Database("sqlite:x.db").begin():
            pass


async def test_the_stores_own_file_is_refused(tmp_path: Path):
    store = tmp_path / "levada.db"
    store.touch()
    (tmp_path / "alias.db").hardlink_to(store)
    (tmp_path / "link.db").symlink_to(store)
    for name in ("levada.db", "alias.db", "link.db", "./levada.db"):
        async with Database(f"sqlite:{tmp_path}/{name}", forbidden_urls=[f"sqlite:///{store}"]) as db:
            with pytest.raises(StoreFileRefused):
                async with db.begin():
                    pass


async def test_placeholders_in_text_are_left_alone(tmp_path: Path):
    async with Database(f"sqlite:{tmp_path}/a.db") as db, db.connection() as connection:
        row = await connection.fetchrow("select '?', '$1', $2 as b, $1 as a, $2 as again -- ?", "A", "B")
        assert list(row.values()) == ["?", "$1", "B", "A", "B"]
        assert await connection.fetchval("select ? + ?", 1, 2) == 3


async def test_sqlite_takes_the_write_lock_at_the_beginning(tmp_path: Path):
    settings = SqlSettings(url=f"sqlite:{tmp_path}/a.db", acquire_timeout=0.1)
    async with Database(settings) as db, db.begin() as first:
        await first.execute("create table t (a)")
        with pytest.raises(Conflict):
            async with db.begin():
                pass


async def test_a_session_setting_does_not_leak_to_the_next_user(postgres_dsn: str):
    async with Database(SqlSettings(url=postgres_dsn, pool=1)) as db:
        async with db.connection() as connection:
            before = await connection.fetchval("show search_path")
            await connection.execute("set search_path to nowhere")
        async with db.connection() as connection:
            assert await connection.fetchval("show search_path") == before


async def test_a_caught_error_does_not_pass_for_a_commit(postgres_dsn: str):
    async with Database(postgres_dsn) as db:
        with pytest.raises(SqlRefused, match="25P02"):
            async with db.begin() as tx:
                with pytest.raises(SqlRefused):
                    await tx.execute("select 1/0")


async def _cut(db: Database, pid: int) -> None:
    async with db.connection() as other:
        await other.fetchval("select pg_terminate_backend($1)", pid)
        async with asyncio.timeout(5):
            while await other.fetchval("select count(*) from pg_stat_activity where pid = $1", pid):
                await asyncio.sleep(0.01)


async def test_a_connection_told_that_it_ends_is_lent_once_more_and_never_again(postgres_dsn: str):
    """The driver raises an error of its own for it, where the server's hanging up does not arrive."""
    async with Link.to(postgres_dsn) as link:
        link.keep_open()
        settings = SqlSettings(url=link.url(postgres_dsn), pool=1)
        async with Database(settings) as db, Database(postgres_dsn) as other:
            for begins in (db.begin, db.connection):
                async with begins() as connection:
                    pid = await connection.fetchval("select pg_backend_pid()")
                ended = link.ended
                await _cut(other, pid)
                while link.ended == ended:
                    await asyncio.sleep(0.01)
                with pytest.raises(Unavailable):
                    async with begins() as connection:
                        await connection.fetchval("select 1")
                async with begins() as connection:
                    assert await connection.fetchval("select 1") == 1
            await link.heal()


async def test_a_connection_lost_before_the_commit_did_nothing(postgres_dsn: str):
    async with Database(postgres_dsn) as db:
        with pytest.raises(Unavailable):
            async with db.begin() as tx:
                await _cut(db, await tx.fetchval("select pg_backend_pid()"))
                await tx.execute("select 1")
        async with db.begin() as tx:
            assert await tx.fetchval("select 1") == 1


async def test_a_connection_lost_at_the_commit_is_unknown(postgres_dsn: str):
    async with Database(postgres_dsn) as db:
        with pytest.raises(OutcomeUnknown):
            async with db.begin() as tx:
                await _cut(db, await tx.fetchval("select pg_backend_pid()"))


class Proxy:
    """Passes bytes on, and swallows what the server answers to a COMMIT before it drops the connection."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        server, to_server = await asyncio.open_connection(*self.target)
        committed = asyncio.Event()

        async def up() -> None:
            while data := await reader.read(65536):
                if b"COMMIT" in data:
                    committed.set()
                to_server.write(data)

        async def down() -> None:
            while data := await server.read(65536):
                if committed.is_set():
                    return  # the work is done, the answer is lost
                writer.write(data)

        async with asyncio.TaskGroup() as group:
            rising = group.create_task(up())
            await down()
            rising.cancel()
        writer.transport.abort()
        to_server.close()


async def test_a_connection_dropped_after_the_work_was_done_is_unknown_and_was_done(postgres_dsn: str):
    from urllib.parse import urlsplit

    parts = urlsplit(postgres_dsn)
    async with Database(postgres_dsn) as direct:
        async with direct.begin() as tx:
            await tx.execute("drop table if exists done; create table done (id int)")
        async with Proxy(parts.hostname, parts.port) as port:
            url = postgres_dsn.replace(f":{parts.port}", f":{port}").replace("localhost", "127.0.0.1")
            async with Database(url) as db:
                with pytest.raises(OutcomeUnknown) as told:
                    async with db.begin() as tx:
                        await tx.execute("insert into done values (1)")
                assert told.value.outcome == "unknown"
        async with direct.connection() as connection:
            assert await connection.fetchval("select count(*) from done") == 1


async def test_a_slow_statement_ends_at_its_time(postgres_dsn: str):
    async with Database(SqlSettings(url=postgres_dsn, timeout=0.2, pool=1)) as db:
        with pytest.raises(Unavailable):
            async with db.begin() as tx:
                await tx.execute("select pg_sleep(30)")
        with pytest.raises(OutcomeUnknown):
            async with db.connection() as connection:
                await connection.execute("select pg_sleep(30)")
        async with db.connection() as connection:
            assert await connection.fetchval("select 1") == 1


async def test_a_rotated_password_is_taken_up(postgres_dsn: str, tmp_path: Path):
    from urllib.parse import urlsplit

    parts = urlsplit(postgres_dsn)
    secret = tmp_path / "password"
    secret.write_text("wrong-but-trusted\n")
    url = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    db = open_resource("erp", {"url": url, "password": f"file:{secret}"})
    assert isinstance(db, Database)
    async with db:
        assert (await db.health()).ok
    secret.unlink()
    async with db:
        health = await db.health()
        assert not health.ok
        assert "LV1605" in health.detail
