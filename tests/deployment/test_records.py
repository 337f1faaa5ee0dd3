"""Call records are handed in once, whatever the store answers."""

import pytest

from levada import SystemAPI, http
from levada.app import App
from levada.deployment.serve_records import Records
from levada.store import StoreError, StoreUnknown, open_store
from levada.store.control import Calls, Facts


class Stock(SystemAPI, domain="shop", version="1.0"):
    """Stock."""

    @http.get("/stock/{item}")
    async def level(self, item: str) -> int:
        """Level."""
        return len(item)


class Faulty:
    """A store whose next commits fail: refused, or done with the answer lost."""

    def __init__(self, store):
        self._store = store
        self.faults = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def commit(self, unit):
        fault = self.faults.pop(0) if self.faults else None
        if fault is StoreError:
            raise StoreError(reason="full.")
        outcome = await self._store.commit(unit)
        if fault is StoreUnknown:
            raise StoreUnknown(reason="lost.")
        return outcome


@pytest.mark.parametrize("fault", [StoreError, StoreUnknown])
async def test_each_call_counts_once_after_a_fault(fault):
    store = Faulty(await open_store("sqlite::memory:"))
    app = App(Stock)
    records = Records(app, store)
    async with app:
        await app[Stock].level("a")
        store.faults = [fault]
        with pytest.raises(fault):
            await records.flush()
        await app[Stock].level("b")
        await records.flush()
        await records.flush()
    counts = await Calls(store).read(0, 1 << 40)
    assert sum(c.ok for c in counts if c.operation == "shop/Stock/v1.level") == 2
    await store.close()


async def test_the_first_success_of_a_consumer_is_one_fact():
    store = await open_store("sqlite::memory:")
    app = App(Stock)
    for _ in range(2):  # a second process begins without knowing what the first one noted
        records = Records(app, store)
        app.recorder.cell("shop/Front/v1", "acme", "shop/Stock/v1.level").add(0.001)
        await records.flush()
    facts = await Facts(store, "development").read("first_success")
    assert [(f.api, f.consumer) for f in facts] == [("shop/Stock/v1", "shop/Front/v1")]
    await store.close()
