"""Billing: as a SOAP client from its WSDL sees it; repeats are visible; faults."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from examples.order_to_cash.legacy.billing import Billing
from examples.order_to_cash.orders import Kind, account_of, classify

zeep = pytest.importorskip("zeep")


@pytest.fixture
async def billing(tmp_path):
    async with Billing(tmp_path) as system:
        client = await asyncio.to_thread(zeep.Client, system.wsdl)

        def call(operation: str, **values):
            return asyncio.to_thread(getattr(client.service, operation), **values)

        yield system, call


def content(reference: str = "o-1", **more):
    lines = [{"Product": "A", "Text": "x", "Quantity": 2, "Price": Decimal("2.55")}]
    return {"Reference": reference, "Account": "17850", "Currency": "GBP", "Lines": {"Line": lines}, **more}


async def test_invoice_credit_find_get(billing):
    _, call = billing
    made = await call("CreateInvoice", **content())
    assert (made.Number, made.Total, made.LineCount) == ("R-700001", Decimal("5.10"), 1)
    assert (await call("GetInvoice", Number=made.Number)).Reference == "o-1"
    assert [one.Number for one in await call("FindInvoiceByReference", Reference="o-1")] == ["R-700001"]
    assert not await call("FindInvoiceByReference", Reference="o-2")
    note = await call("CreditNote", **content("C-1", Credits=made.Number))
    assert (note.Number, note.Credits, note.Kind) == ("R-700002", "R-700001", "credit note")
    with pytest.raises(zeep.exceptions.Fault, match="OVER_CREDIT"):
        await call("CreditNote", **content("C-2", Credits=made.Number))
    assert (await call("CreditNote", **content("C-3"))).Number == "R-700003"


async def test_real_invoices_to_the_penny(billing, invoices):
    system, call = billing
    sales = [one for one in invoices if classify(one).kind is Kind.SALE]
    longest = max(sales, key=lambda one: len(one.lines))
    assert len(longest.lines) == 675
    for sale in [*sales[:20], longest]:
        lines = [
            {
                "Product": line.product,
                "Text": line.description,
                "Quantity": line.quantity,
                "Price": line.price,
            }
            for line in sale.lines
        ]
        made = await call(
            "CreateInvoice",
            Reference=sale.number,
            Account=account_of(sale),
            Currency="GBP",
            Lines={"Line": lines},
        )
        assert (made.Total, made.LineCount) == (sale.total, len(lines))
    numbers = [int(one["Number"][2:]) for one in system.all_invoices()]
    assert numbers == list(range(700001, 700001 + len(numbers)))


async def test_faults_for_bad_input_leave_no_gap(billing):
    _, call = billing
    for code, values in {
        "BAD_REFERENCE": content(" "),
        "BAD_ACCOUNT": {**content(), "Account": "x"},
        "BAD_CURRENCY": {**content(), "Currency": "EUR"},
        "NO_LINES": {**content(), "Lines": {"Line": []}},
        "BAD_LINE": {
            **content(),
            "Lines": {"Line": [{"Product": "A", "Text": "", "Quantity": -1, "Price": 1}]},
        },
    }.items():
        with pytest.raises(zeep.exceptions.Fault, match=code):
            await call("CreateInvoice", **values)
    with pytest.raises(zeep.exceptions.Fault, match="UNKNOWN_DOCUMENT"):
        await call("GetInvoice", Number="R-1")
    assert (await call("CreateInvoice", **content())).Number == "R-700001"


async def test_drop_after_twice_and_down(billing):
    system, call = billing
    await system.fault(drop_after_next=1)
    with pytest.raises(OSError):
        await call("CreateInvoice", **content("dropped"))
    assert len(await call("FindInvoiceByReference", Reference="dropped")) == 1
    await system.fault(twice_next=1)
    await call("CreateInvoice", **content("twice"))
    assert system.duplicates() == {"twice": 2}
    await system.fault(down=True)
    with pytest.raises(OSError):
        await call("GetInvoice", Number="R-700001")
    await system.heal()
    assert (await call("GetInvoice", Number="R-700001")).Reference == "dropped"
