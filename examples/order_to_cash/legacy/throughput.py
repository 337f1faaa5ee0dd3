"""How much each system takes: ``python -m examples.order_to_cash.legacy.throughput [FEED]`` (client and system share a process)."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import asyncssh
from examples.order_to_cash.legacy.billing import NAMESPACE, Billing
from examples.order_to_cash.legacy.erp import Erp
from examples.order_to_cash.legacy.erp2 import Erp2
from examples.order_to_cash.legacy.orderfile import OrderLine, order_text
from examples.order_to_cash.legacy.payments import Payments
from examples.order_to_cash.legacy.warehouse import PASSWORD, USER, Warehouse
from examples.order_to_cash.orders import Invoice, Kind, account_of, classify, read
from lxml import etree

_AT_ONCE = 16


async def main() -> None:
    default = Path(__file__).parents[1] / "data" / "online-retail-slice.csv.gz"
    invoices = read(sys.argv[1] if len(sys.argv) > 1 else default)
    sales = [one for one in invoices if classify(one).kind is Kind.SALE]
    for measure in (_erp, _erp2, _billing, _warehouse, _payments):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o755)  # noqa: PTH101 - PostgreSQL's own user has to reach it
            await measure(Path(folder), invoices, sales)


async def _rate(name: str, items: Sequence[Any], work: Callable[[Any], Awaitable[Any]]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Any) -> None:
        async with gate:
            await work(item)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))
    print(f"{name}: {len(items) / (time.perf_counter() - begun):.0f}/s")


async def _erp(folder: Path, invoices: Sequence[Invoice], sales: Sequence[Invoice]) -> None:
    async with (
        Erp(folder, orders=invoices) as system,
        asyncpg.create_pool(system.address, max_size=_AT_ONCE) as pool,
    ):

        async def hold(sale: Invoice) -> None:
            async with pool.acquire() as db, db.transaction():
                await db.execute(
                    "INSERT INTO kreditvormerk (kd_nr, betrag, auftrag_nr) VALUES (99000, $1, $2)",
                    Decimal("0.01"),
                    sale.number,
                )

        await _rate("erp, holds of one account in transactions", sales, hold)


async def _erp2(folder: Path, invoices: Sequence[Invoice], sales: Sequence[Invoice]) -> None:
    async with Erp2(folder, orders=invoices) as system, aiohttp.ClientSession(system.address) as http:
        async with http.get("/v1/parties", params={"number": "99000"}) as answer:
            party = (await answer.json())["items"][0]["id"]

        async def hold(sale: Invoice) -> None:
            body = {"partyId": party, "amountCents": 1, "memo": sale.number}
            async with http.post(
                "/v1/authorizations", json=body, headers={"Idempotency-Key": sale.number}
            ) as answer:
                answer.raise_for_status()

        await _rate("erp2, authorizations", sales, hold)


async def _billing(folder: Path, invoices: Sequence[Invoice], sales: Sequence[Invoice]) -> None:
    del invoices
    async with Billing(folder) as system, aiohttp.ClientSession() as http:
        headers = {"Content-Type": "text/xml", "SOAPAction": f'"{NAMESPACE}/CreateInvoice"'}

        async def bill(body: bytes) -> None:
            async with http.post(f"{system.address}/soap", data=body, headers=headers) as answer:
                answer.raise_for_status()

        bodies = [_soap(sale) for sale in sales]
        await _rate("billing, all sales", bodies, bill)
        await _rate("billing, the longest invoice", [max(bodies, key=len)] * 10, bill)


def _soap(sale: Invoice) -> bytes:
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    root = etree.Element(f"{{{envelope}}}Envelope")
    call = etree.SubElement(etree.SubElement(root, f"{{{envelope}}}Body"), f"{{{NAMESPACE}}}CreateInvoice")
    for name, value in (("Reference", sale.number), ("Account", account_of(sale)), ("Currency", "GBP")):
        etree.SubElement(call, name).text = value
    lines = etree.SubElement(call, "Lines")
    for line in sale.lines:
        element = etree.SubElement(lines, "Line")
        values = {
            "Product": line.product,
            "Text": line.description,
            "Quantity": line.quantity,
            "Price": line.price,
        }
        for name, value in values.items():
            etree.SubElement(element, name).text = str(value)
    return etree.tostring(root)


async def _warehouse(folder: Path, invoices: Sequence[Invoice], sales: Sequence[Invoice]) -> None:
    del invoices
    async with (
        Warehouse(folder, delay=(0, 0)) as system,
        asyncssh.connect(system.host, system.port, username=USER, password=PASSWORD, known_hosts=None, config=[], agent_path=None) as ssh,
        ssh.start_sftp_client() as files,
    ):  # fmt: skip

        async def order(sale: Invoice) -> None:
            lines = [OrderLine(line.number, line.product, line.quantity) for line in sale.lines]
            async with files.open(f"/in/{sale.number}.part", "w") as file:
                await file.write(order_text(sale.number, account_of(sale), sale.country, lines))
            await files.posix_rename(f"/in/{sale.number}.part", f"/in/{sale.number}.csv")
            # Dispatched, or the next does not begin: what counts is what comes out.
            while not (system.files / "out" / f"D-{sale.number}-1.csv").exists():  # noqa: ASYNC110 - another system: only its file tells
                await asyncio.sleep(0.005)

        await _rate("warehouse, orders dispatched", sales, order)


async def _payments(folder: Path, invoices: Sequence[Invoice], sales: Sequence[Invoice]) -> None:
    del invoices
    async with Payments(folder, delay=(0, 0)) as system, aiohttp.ClientSession(system.address) as http:

        async def ask(sale: Invoice) -> None:
            body = {"reference": sale.number, "customer": account_of(sale), "amount": str(sale.total)}
            async with http.post("/payment-requests", json=body) as answer:
                answer.raise_for_status()

        await _rate("payments, requests", sales, ask)


if __name__ == "__main__":
    asyncio.run(main())
