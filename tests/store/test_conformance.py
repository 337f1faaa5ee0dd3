"""Every store keeps the same promises."""

import pytest

from levada.store import open_store
from levada.store.socket import SocketStore, StoreServer
from levada.testing.conformance import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    async def store(self, tmp_path, closing):
        store = await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
        server = StoreServer(store, str(tmp_path / "s"))
        await server.start()
        yield store
        await server.stop()

    @pytest.fixture
    def reopen(self, store, tmp_path):
        """Another owner once the first has closed; through its socket before."""

        async def again():
            if store._closed:
                return await open_store(f"sqlite:{tmp_path / 'levada.db'}")
            return await open_store(f"unix:{tmp_path / 's'}")

        return again


class TestMemory(StoreConformance):
    survives = False

    @pytest.fixture
    async def store(self, tmp_path, closing):
        store = await closing(open_store("sqlite::memory:"))
        server = StoreServer(store, str(tmp_path / "s"))
        await server.start()
        yield store
        await server.stop()

    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: open_store(f"unix:{tmp_path / 's'}")


class TestSocket(StoreConformance):
    @pytest.fixture
    async def owner(self, tmp_path, closing):
        store = await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
        server = StoreServer(store, str(tmp_path / "s"))
        await server.start()
        yield store
        await server.stop()

    @pytest.fixture
    async def store(self, owner, tmp_path, closing):
        return await closing(SocketStore(str(tmp_path / "s"), patience=5).open())

    @pytest.fixture
    def reopen(self, owner, tmp_path):
        return lambda: open_store(f"unix:{tmp_path / 's'}")


class TestPostgres(StoreConformance):
    @pytest.fixture
    async def store(self, database, closing):
        return await closing(open_store(database))

    @pytest.fixture
    def reopen(self, database):
        return lambda: open_store(database)
