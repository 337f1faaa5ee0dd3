"""Billing: a SOAP service that does not recognise a repeat, but can be asked by reference."""

from decimal import Decimal
from typing import Any

from examples.order_to_cash.contracts import Billing, BillingRefused, Document, Line

from levada import Protect, effect, resource
from levada.connect.errors import RemoteFault
from levada.connect.soap import Soap


class SoapBilling(Billing, protect=Protect(concurrency=8, failures=5, pause=0.5)):
    """Invoices and credit notes over SOAP. A document's reference tells a repeat: each has one of its own."""

    soap: Soap = resource("billing")

    async def _invoice_by_key(
        self, _key: str, order: str, _account: str, _lines: tuple[Line, ...]
    ) -> Document | None:
        return await self._first(order, "invoice")

    async def _note_by_key(
        self, _key: str, reference: str, _account: str, _lines: tuple[Line, ...], _credits: str | None = None
    ) -> Document | None:
        return await self._first(reference, "credit note")

    @effect.lookup(_invoice_by_key)
    async def invoice(self, order: str, account: str, lines: tuple[Line, ...]) -> Document:
        return await self._create("CreateInvoice", order, account, lines)

    @effect.lookup(_note_by_key)
    async def credit_note(
        self, reference: str, account: str, lines: tuple[Line, ...], credits: str | None = None
    ) -> Document:
        return await self._create(
            "CreditNote", reference, account, lines, **({"Credits": credits} if credits else {})
        )

    async def documents(self, reference: str) -> tuple[Document, ...]:
        return tuple(_document(d) for d in await self._find(reference))

    async def _first(self, reference: str, kind: str) -> Document | None:
        found = [d for d in await self._find(reference) if d["Kind"] == kind]
        return _document(found[0]) if found else None

    async def _find(self, reference: str) -> list[dict[str, Any]]:
        found = await self.soap.call("FindInvoiceByReference", Reference=reference)
        return list(found or ())

    async def _create(
        self, operation: str, reference: str, account: str, lines: tuple[Line, ...], **more: str
    ) -> Document:
        described = [
            {"Product": n.product, "Text": n.text or n.product, "Quantity": n.quantity, "Price": n.price}
            for n in lines
        ]
        try:
            made = await self.soap.call(
                operation,
                Reference=reference,
                Account=account,
                Currency="GBP",
                Lines={"Line": described},
                **more,
            )
        except RemoteFault as fault:
            raise BillingRefused(why=fault.reason.partition(":")[0]) from None
        return _document(made[0] if isinstance(made, list) else made)


def _document(found: dict[str, Any]) -> Document:
    return Document(found["Number"], found["Reference"], Decimal(found["Total"]))
