"""The SOAP connector against a real service: results, faults, what is known of an outcome."""

from __future__ import annotations

from decimal import Decimal

import pytest
from aiohttp import web
from examples.order_to_cash.legacy.billing import Billing

from levada.connect.errors import OutcomeUnknown, RemoteFault, Unavailable
from levada.connect.soap import Soap, SoapSettings

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>&b;</e:Body></e:Envelope>'
)
LINE = {"Product": "A", "Text": "x", "Quantity": 2, "Price": Decimal("2.55")}
CONTENT = {"Reference": "o-1", "Account": "17850", "Currency": "GBP", "Lines": {"Line": [LINE]}}


@pytest.fixture
async def billing(tmp_path):
    async with Billing(tmp_path) as system:
        yield system


async def test_a_result_is_plain_values(billing):
    async with Soap(billing.wsdl) as soap:
        made = await soap.call("CreateInvoice", **CONTENT)
        assert (made["Number"], made["Total"]) == ("R-700001", Decimal("5.10"))
        assert (await soap.health()).ok


async def test_a_fault_is_a_refusal_with_its_code(billing):
    async with Soap(billing.wsdl) as soap:
        with pytest.raises(RemoteFault) as caught:
            await soap.call("CreateInvoice", **{**CONTENT, "Currency": "EUR"})
    assert "BAD_CURRENCY" in str(caught.value)
    assert caught.value.outcome == "refused"
    assert not billing.all_invoices()


async def test_a_lost_answer_leaves_the_outcome_unknown_and_is_not_repeated(billing):
    async with Soap(billing.wsdl) as soap:
        await billing.fault(drop_after_next=1)
        with pytest.raises(OutcomeUnknown):
            await soap.call("CreateInvoice", **CONTENT)
    assert len(billing.all_invoices()) == 1  # it was done, once


async def test_a_service_that_is_down_did_nothing_and_is_used_again_when_it_is_back(billing):
    async with Soap(billing.wsdl) as soap:
        await billing.fault(down=True)
        assert not (await soap.health()).ok
        with pytest.raises(Unavailable):
            await soap.call("CreateInvoice", **CONTENT)
        await billing.heal()
        assert (await soap.call("CreateInvoice", **CONTENT))["Number"] == "R-700001"


async def test_a_wrong_wsdl_is_said_before_anything_is_done(billing):
    async with Soap(billing.wsdl.split("?")[0] + "-not-there?wsdl") as soap:
        with pytest.raises((RemoteFault, Unavailable), match=r"404|did not take"):
            await soap.call("CreateInvoice", **CONTENT)


async def test_a_page_that_is_no_wsdl_is_said_before_anything_is_done(billing):
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html><body>Welcome</body></html>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Soap(f"http://127.0.0.1:{runner.addresses[0][1]}/?wsdl") as soap:
            with pytest.raises(RemoteFault, match=r"no WSDL"):
                await soap.call("CreateInvoice", **CONTENT)
    finally:
        await runner.cleanup()


async def test_an_operation_that_the_wsdl_has_not_is_told_with_those_it_has(billing):
    async with Soap(billing.wsdl) as soap:
        with pytest.raises(RemoteFault, match=r"CreateInvoise.*CreateInvoice"):
            await soap.call("CreateInvoise", **CONTENT)
        with pytest.raises(RemoteFault, match=r"Acount"):
            await soap.call("GetInvoice", Acount="1")


async def test_an_entity_bomb_in_the_answer_is_not_expanded(billing):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=BOMB, content_type="text/xml")

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with Soap(SoapSettings(url=billing.wsdl, address=address)) as soap:
            with pytest.raises(OutcomeUnknown):
                await soap.call("CreateInvoice", **CONTENT)
    finally:
        await runner.cleanup()
