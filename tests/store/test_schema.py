"""The state of a schema is told without changing it, and old stores with data in them are brought up to date."""

import sqlite3

import pytest

from levada.store import Statement, Unit, open_store
from levada.store import _queries as named
from levada.store.errors import StoreUnusable
from levada.store.schema import migrate, status


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'levada.db'}"
    return request.getfixturevalue("database")


@pytest.fixture
def knows_less(monkeypatch):
    """Makes this program an older one: it knows the first n migrations."""
    real = named.migrations

    def make(n):
        monkeypatch.setattr("levada.store.schema.migrations", lambda dialect: real(dialect)[:n])

    return make


@pytest.mark.parametrize("known", [1, 2, 3])
async def test_a_store_of_every_earlier_version_is_upgraded_with_its_data(
    url, known, knows_less, monkeypatch
):
    knows_less(known)
    old = await open_store(url)
    await old.commit(Unit([Statement("meta.set", {"name": "kept", "value": "yes"})]))
    await old.close()
    monkeypatch.undo()
    before = await status(url)
    assert [a.number for a in before.applied] == list(range(1, known + 1))
    assert len(before.pending) >= 1
    after = await migrate(url)
    assert (after.pending, after.newer) == ([], False)
    assert [a.name for a in after.applied][: len(before.applied)] == [a.name for a in before.applied]
    new = await open_store(url)
    assert await new.read("meta.get", {"name": "kept"}) == [{"value": "yes"}]
    await new.close()


async def test_the_status_of_a_store_in_use(url, closing):
    await closing(open_store(url))
    told = await status(url)
    assert told.pending == []
    assert told.applied[0].at > 1_600_000_000_000_000


async def test_a_store_of_a_newer_program_shows_as_newer(url, knows_less):
    await (await open_store(url)).close()
    knows_less(2)
    assert (await status(url)).newer


async def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreUnusable):
        await status(f"sqlite:{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


async def test_an_empty_database_has_everything_pending(database):
    told = await status(database)
    assert told.applied == []
    assert told.pending[0] == "0001_meta"


async def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "levada.db"
    await (await open_store(f"sqlite:{path}")).close()
    real = named.migrations("sqlite")
    broken = named.Migration(
        real[-1].number + 1, "broken", "CREATE TABLE half (n integer);\nCREATE NONSENSE;\n"
    )
    monkeypatch.setattr("levada.store.schema.migrations", lambda dialect: (*real, broken))
    with pytest.raises(StoreUnusable):
        await open_store(f"sqlite:{path}")
    monkeypatch.undo()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    db.close()
    await (await open_store(f"sqlite:{path}")).close()
