"""Sends the orders through the gateway, as a phone would: with a key each, again when it has to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import aiohttp
import msgspec
from examples.order_to_cash.orders import Invoice
from msgspec import Struct

__all__ = ["Sent", "send", "states"]

RETRIED = {409, 429, 500, 502, 503, 504}


class Sent(Struct):
    """What became of the sending."""

    accepted: int = 0
    refused: int = 0
    repeats: int = 0
    seconds: float = 0.0
    latencies: list[float] = []
    refusals: list[str] = []


def body_of(invoice: Invoice) -> bytes:
    """The order as the Storefront takes it."""
    lines = [
        {
            "number": n.number,
            "product": n.product,
            "text": n.description,
            "quantity": n.quantity,
            "price": str(n.price),
        }
        for n in invoice.lines
    ]
    return msgspec.json.encode(
        {
            "number": invoice.number,
            "placed_at": invoice.placed_at,
            "country": invoice.country,
            "customer": invoice.customer,
            "lines": lines,
        }
    )


async def send(
    url: str, key: str, invoices: Sequence[Invoice], progress: Callable[[int], None], *, at_once: int = 16
) -> Sent:
    """Send all; those of one customer one after another, since a cancellation follows its sale.

    An answer that is lost or says "not now" is asked for again under the same key.
    """
    groups: dict[str | None, list[Invoice]] = {}
    for invoice in invoices:
        groups.setdefault(invoice.customer, []).append(invoice)
    sent = Sent(latencies=[], refusals=[])
    places = asyncio.Semaphore(at_once)
    began = time.monotonic()
    async with aiohttp.ClientSession(
        headers={"x-api-key": key, "content-type": "application/json"}
    ) as session:

        async def one_after_another(group: list[Invoice]) -> None:
            for invoice in group:
                async with places:
                    await _one(session, f"{url}/sales/storefront/v1/orders", invoice, sent)
                progress(sent.accepted + sent.refused)

        async with asyncio.TaskGroup() as tasks:
            # The longest group first: it decides how long all takes.
            for group in sorted(groups.values(), key=len, reverse=True):
                tasks.create_task(one_after_another(group))
    sent.seconds = time.monotonic() - began
    return sent


async def _one(session: aiohttp.ClientSession, url: str, invoice: Invoice, sent: Sent) -> None:
    data = body_of(invoice)
    pause = 0.05
    while True:
        began = time.monotonic()
        answer = b""
        try:
            async with session.post(
                url,
                data=data,
                headers={"idempotency-key": invoice.number},
                timeout=aiohttp.ClientTimeout(total=20),
            ) as response:
                answer = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            status = 503
        if status not in RETRIED:
            sent.latencies.append(time.monotonic() - began)
            if status < 300:
                sent.accepted += 1
            else:
                sent.refused += 1
                sent.refusals.append(
                    f"{invoice.number} was refused with {status}: {answer.decode(errors='replace')[:300]}"
                )
            return
        sent.repeats += 1
        await asyncio.sleep(pause)
        pause = min(2.0, pause * 2)


async def states(url: str, key: str) -> dict[str, dict[str, object]]:
    """What the Storefront says of every order, by number."""
    found: dict[str, dict[str, object]] = {}
    cursor: str | None = None
    async with aiohttp.ClientSession(headers={"x-api-key": key}) as session:
        while True:
            params = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
            async with session.get(f"{url}/sales/storefront/v1/orders", params=params) as response:
                if response.status != 200:
                    await asyncio.sleep(0.3)
                    continue
                page = msgspec.json.decode(await response.read())
            found |= {item["number"]: item for item in page["items"]}
            cursor = page.get("next")
            if cursor is None:
                return found
