"""``@effect.table`` in adapters as people write them: what a block changes is undone with it, keyed or not."""

from abc import abstractmethod
from time import monotonic

import pytest

from levada import Problem, SystemAPI, effect, http, resource
from levada.app import App, Caller, Context
from levada.app.context import _current
from levada.connect.sql import Database
from levada.contract.standard import InternalError, KeyReused
from levada.deployment import StoreRuntime
from levada.deployment.purge import DAY, RetentionSection
from levada.store import Statement, Unit, open_store


class Empty(Problem, status=409, detail="There is no {item}."):
    """There is none."""

    item: str


class Shelf(SystemAPI, domain="shop", version="1.0"):
    """A shelf."""

    @http.post("/takes/{how}", raises=[Empty])
    @abstractmethod
    async def take(self, how: str) -> list[str]:
        """Take something."""


class SqlShelf(Shelf):
    db: Database = resource("shelf")

    @effect.table
    async def take(self, how: str) -> list[str]:
        done: list[str] = []
        for part in how.split(","):
            try:
                await self._one(part)
            except Empty:
                continue
            done.append(part)
        if how.endswith("misshapen"):
            return {"not": "a list"}  # type: ignore[return-value]
        if how.endswith("refused"):
            raise Empty(item=how)
        return done

    async def _one(self, part: str) -> None:
        async with self.db.begin() as tx:
            await tx.execute(f"INSERT INTO taken VALUES ('{part}')")
            if part == "within":
                await self._one("inner")
                await self._swallowed("bad inner")
            if part.startswith("bad"):
                raise Empty(item=part)

    async def _swallowed(self, part: str) -> None:
        try:
            await self._one(part)
        except Empty:
            return


@pytest.fixture(params=["sqlite", "postgresql"])
async def shelf(request, tmp_path):
    url = (
        f"sqlite:{tmp_path / 'shelf.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("database")
    )
    db = Database(url)
    async with db, db.begin() as tx:
        await tx.execute("CREATE TABLE taken (part text)")
    app = App(SqlShelf, resources={"shelf": db})
    runtimes[:] = [StoreRuntime(app, await open_store("sqlite::memory:"), owns=True)]
    async with app:
        yield app[Shelf], db


runtimes: list[StoreRuntime] = []


async def take(shelf, how, key):
    token = _current.set(Context(deadline=monotonic() + 10, caller=Caller(subject="anna"), key=key))
    try:
        return await shelf.take(how)
    finally:
        _current.reset(token)


async def taken(db):
    async with db.connection() as connection:
        return sorted(row["part"] for row in await connection.fetch("SELECT part FROM taken"))


@pytest.mark.parametrize(
    "how", ["bad", "bad,a", "a,bad", "a,bad,b", "bad,bad", "a,b,c", "within,bad", "bad,within"]
)
async def test_what_a_block_raises_undoes_the_block_alone_and_a_repeat_changes_nothing(shelf, how):
    api, db = shelf
    good = [part for part in how.split(",") if part != "bad"]
    for _ in range(3):
        assert await take(api, how, "k-1") == good
    assert await taken(db) == sorted([*good, *(["inner"] if "within" in good else [])])


async def test_what_the_operation_raises_undoes_all_of_it(shelf):
    api, db = shelf
    for _ in range(2):
        with pytest.raises(Empty):
            await take(api, "a,bad,refused", "k-1")
    assert await taken(db) == []
    assert await take(api, "a", "k-2") == ["a"]


async def test_a_result_that_does_not_fit_the_contract_undoes_the_change_and_is_not_kept(shelf):
    api, db = shelf
    for _ in range(2):
        with pytest.raises(InternalError):
            await take(api, "a,misshapen", "k-1")
    assert await taken(db) == []
    async with db.connection() as connection:
        assert await connection.fetch("SELECT key FROM levada_effect") == []


async def test_a_key_that_comes_with_other_arguments_is_the_callers_mistake(shelf):
    api, db = shelf
    assert await take(api, "a", "k-1") == ["a"]
    with pytest.raises(KeyReused):
        await take(api, "b", "k-1")
    assert await taken(db) == ["a"]


async def age(db, days):
    """Make what was recorded older."""
    older = (
        f"at - interval '{days} days'"
        if db.dialect == "postgresql"
        else f"strftime('%Y-%m-%dT%H:%M:%fZ', at, '-{days} days')"
    )
    async with db.begin() as tx:
        await tx.execute(f"UPDATE levada_effect SET at = {older}")


async def begin_run(store, days):
    values = dict.fromkeys(("event", "subscription", "topic", "part", "pos", "key", "lane"))
    values |= {
        "run": "r",
        "keyed": "r",
        "code": "c/1",
        "type": "",
        "generation": 0,
        "across": 0,
        "input": b"{}",
    }
    values |= {"initiator": "t", "traceparent": "", "since": await store.now() - days * DAY}
    assert (await store.commit(Unit([Statement("runs.add", values, 1)]))).committed


@pytest.mark.parametrize(
    ("kept", "days", "open_since", "forgotten"),
    [
        (RetentionSection(), 0, None, 0),
        (RetentionSection(), 89, None, 0),
        (RetentionSection(), 92, None, 1),
        (RetentionSection(), 92, 100, 0),
        (RetentionSection(), 92, 10, 1),
        (RetentionSection(effects=0), 9000, None, 0),
        (RetentionSection(effects=5, events=5), 7, None, 1),
        (RetentionSection(events=0), 9000, None, 1),
    ],
)
async def test_results_are_kept_as_long_as_a_run_or_a_replay_may_repeat_the_call(
    shelf, kept, days, open_since, forgotten
):
    api, db = shelf
    await take(api, "a", "k-1")
    await age(db, days)
    if open_since is not None:
        await begin_run(runtimes[0].store, open_since)
    assert await runtimes[0].forget_effects(kept) == forgotten
    await take(api, "a", "k-1")
    assert await taken(db) == ["a"] * (1 + forgotten)


async def test_results_stay_for_good_where_the_log_does(shelf):
    api, db = shelf
    await runtimes[0].log.create("shop.Sold.v1")
    await take(api, "a", "k-1")
    await age(db, 9000)
    assert await runtimes[0].forget_effects(RetentionSection(events=0)) == 0
