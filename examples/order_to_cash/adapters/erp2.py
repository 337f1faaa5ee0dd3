"""The ERP's replacement: REST and JSON, other names, UUIDs, cents. The same promises, not a line of a consumer differs."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from examples.order_to_cash.adapters.pieces import by_product
from examples.order_to_cash.contracts import (
    CreditExceeded,
    Customer,
    CustomerBlocked,
    CustomerNotFound,
    Customers,
    Hold,
    OutOfStock,
    Piece,
    Reservation,
    Stock,
)

from levada import Protect, coalesced, current, effect, resource
from levada.connect.errors import RemoteFault
from levada.connect.http import Http

AT_ONCE = 8
"""Requests of one order at a time."""


def _error(fault: RemoteFault) -> str:
    try:
        return str(msgspec.json.decode(fault.reason)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return fault.fault


def _key(part: str = "") -> str | None:
    key = current().key
    return None if key is None else f"{key}{part}"


class Erp2Customers(Customers, protect=Protect(concurrency=16)):
    """Customers and their credit in the new ERP."""

    api: Http = resource("erp2")

    async def customer(self, account: str) -> Customer:
        party = await self._party(account)
        return Customer(account, party["country"], party["onHold"])

    async def _party(self, account: str) -> dict[str, Any]:
        found = await self._parties(account)
        if found is None:
            raise CustomerNotFound(account=account)
        return found

    @coalesced
    async def _parties(self, accounts: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        found = await self.api.get("/v1/parties", params={"number": list(accounts)})
        return {str(p["number"]): p for p in found["items"]}

    @effect.passes_key
    async def hold(self, account: str, order: str, amount: Decimal) -> Hold:
        party = await self._party(account)
        body = {"partyId": party["id"], "amountCents": int(amount * 100), "memo": order}
        try:
            made = await self.api.post("/v1/authorizations", body, key=_key())
        except RemoteFault as fault:
            code = _error(fault)
            if code == "party_on_hold":
                raise CustomerBlocked(account=account) from None
            if code == "credit_exceeded":
                raise CreditExceeded(account=account) from None
            raise
        return Hold(made["id"], order, amount)

    @effect.passes_key
    async def release(self, id: str) -> None:
        await self.api.post(f"/v1/authorizations/{id}/release", key=_key())

    @effect.passes_key
    async def settle(self, id: str) -> None:
        await self.api.post(f"/v1/authorizations/{id}/capture", key=_key())


class Erp2Stock(Stock, protect=Protect(concurrency=16)):
    """Stock in the new ERP, an allocation for each article."""

    api: Http = resource("erp2")

    @effect.passes_key
    async def reserve(self, order: str, pieces: tuple[Piece, ...]) -> Reservation:
        wanted = by_product(pieces)
        ids: dict[str, str] = {}
        skus = list(wanted)
        for start in range(0, len(skus), 50):
            found = await self.api.get("/v1/items", params={"sku": skus[start : start + 50]})
            ids |= {i["sku"]: i["id"] for i in found["items"]}
        if unknown := sorted(set(skus) - set(ids)):
            raise OutOfStock(product=unknown[0])
        places = asyncio.Semaphore(AT_ONCE)

        async def allocate(sku: str) -> str | None:
            async with places:
                body = {"itemId": ids[sku], "pieces": wanted[sku], "memo": order}
                try:
                    await self.api.post("/v1/allocations", body, key=_key(f":{sku}"))
                except RemoteFault as fault:
                    if _error(fault) != "out_of_stock":
                        raise
                    return sku
            return None

        short = [sku for sku in await asyncio.gather(*(allocate(sku) for sku in skus)) if sku is not None]
        if short:
            # What was allocated is given back; a later order with this number would allocate anew.
            await self._each(order, "release")
            raise OutOfStock(product=", ".join(short))
        return Reservation(order, sum(wanted.values()))

    @effect.passes_key
    async def release(self, order: str) -> None:
        await self._each(order, "release")

    @effect.passes_key
    async def ship(self, order: str) -> None:
        await self._each(order, "capture")

    async def _each(self, order: str, action: str) -> None:
        found = await self.api.get("/v1/allocations", params={"memo": order})
        places = asyncio.Semaphore(AT_ONCE)

        async def end(item: dict[str, Any]) -> None:
            async with places:
                await self.api.post(f"/v1/allocations/{item['id']}/{action}", key=_key(f":{item['id']}"))

        await asyncio.gather(*(end(item) for item in found["items"] if item["state"] == "active"))
