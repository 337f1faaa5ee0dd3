"""From the billing system's WSDL to a green test, and to real invoices through the generated adapter."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from examples.order_to_cash.legacy.billing import Billing as BillingSystem

from levada import App
from levada.connect.soap import Soap, SoapSettings

WSDL = Path(__file__).parents[3] / "examples/order_to_cash/legacy/billing.wsdl"


@pytest.fixture
async def billing(tmp_path):
    async with BillingSystem(tmp_path / "billing-books") as system:
        yield system


async def test_from_the_wsdl_to_real_invoices(billing, project, load):
    report = await asyncio.to_thread(project.adopt, billing.wsdl, "--domain", "finance")
    assert report["contract"] == "finance/Billing/v1"
    assert "1 skipped" in await asyncio.to_thread(project.tested)
    # With the variable of the report set, the generated test asks the real service, too.
    project.env |= report["environment"]
    assert "9 passed" in await asyncio.to_thread(project.tested)

    contract = load("billing.contract")
    soap = Soap(billing.wsdl, name="billing")
    async with App(load("billing.adapter").SoapBilling, resources={"billing": soap}) as app:
        api = app[contract.Billing]
        line = contract.Line(product="A", text="Tea", quantity=2, price=Decimal("2.55"))
        made = await api.create_invoice("o-1", "17850", "GBP", (line,))
        assert (made.number, made.total, made.credits) == ("R-700001", Decimal("5.10"), "")
        assert await api.get_invoice(made.number) == made
        credited = await api.credit_note("o-1", "17850", "GBP", (line,), made.number)
        assert await api.find_invoice_by_reference("o-1") == (made, credited)
        assert await api.find_invoice_by_reference("nobody's") == ()
        with pytest.raises(contract.BillingRefused, match="BAD_CURRENCY"):
            await api.create_invoice("o-2", "17850", "EUR", (line,))
    assert [d["Number"] for d in billing.all_invoices()] == ["R-700001", "R-700002"]


async def test_a_wsdl_in_a_file_serves_the_adapter_as_well(billing, project, load, tmp_path):
    file = tmp_path / "billing.wsdl"
    file.write_text(WSDL.read_text().replace("ADDRESS", f"{billing.address}/soap"))
    await asyncio.to_thread(project.adopt, str(file), "--domain", "finance", "--package", "books.billing")
    contract = load("books.billing.contract")
    settings = SoapSettings(url=str(file), service="Billing", port="BillingPort")
    async with App(load("books.billing.adapter").SoapBilling, resources={"billing": Soap(settings)}) as app:
        assert await app[contract.Billing].find_invoice_by_reference("o-1") == ()
    async with Soap(settings) as soap:
        assert (await soap.health()).ok
        await billing.fault(down=True)
        assert not (await soap.health()).ok


def test_what_is_undecided_is_marked_listed_and_strictly_an_error(project):
    report = project.adopt(str(WSDL))
    assert {d["kind"] for d in report["decide"]} == {"owner", "undo", "effect", "reading"}
    for each in report["decide"]:
        path, _, line = each["place"].rpartition(":")
        marked = (project.folder / path).read_text().splitlines()[int(line) - 1]
        assert f"# TO DECIDE ({each['kind']})" in marked
    effects = [d["about"] for d in report["decide"] if d["kind"] == "effect"]
    assert effects == ["create_invoice", "credit_note"]
    strict = project.levada("adopt", str(WSDL), "--force", "--strict")
    assert strict.returncode == 3
    assert "To decide (7" in strict.stdout
    assert strict.stdout.count("TO DECIDE") == 1


def test_the_code_is_formatted_clean_and_typed(project):
    project.adopt(str(WSDL), "--domain", "finance")
    project.checked()


def test_nothing_is_overwritten_without_force_and_a_dry_run_writes_nothing(project):
    dry = project.adopt(str(WSDL), "--dry-run")
    assert list(project.folder.iterdir()) == []
    assert dry["written"] is False
    assert "class SoapBilling(Billing" in dry["sources"]["billing/adapter.py"]
    project.adopt(str(WSDL))
    mine = project.folder / "billing/adapter.py"
    mine.write_text("# mine\n")
    (project.folder / "billing/__init__.py").write_text("# mine, too\n")
    refused = project.levada("adopt", str(WSDL))
    assert refused.returncode == 2
    assert "LV1823" in refused.stderr
    assert mine.read_text() == "# mine\n"
    project.adopt(str(WSDL), "--force")
    assert "class SoapBilling" in mine.read_text()
    assert (project.folder / "billing/__init__.py").read_text() == "# mine, too\n"
