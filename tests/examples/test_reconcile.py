"""The reconciliation finds each way in which a network can be wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from examples.order_to_cash.demo.reconcile import Reconciliation, reconcile
from examples.order_to_cash.orders import Invoice, Line, expected

Made = dict[str, Any]


def line(number: int, product: str, quantity: int, price: str = "1.50") -> Line:
    return Line(number, product, "", quantity, Decimal(price), number)


def invoice(number: str, *lines: Line) -> Invoice:
    return Invoice(number, datetime(2010, 12, 1, tzinfo=UTC), "17850", "United Kingdom", lines)


INVOICES = (
    invoice("1", line(1, "85123A", 6), line(2, "POST", 1)),
    invoice("2", line(1, "22423", 2)),
    invoice("C3", line(1, "22423", -1)),
)


@pytest.fixture
def right() -> Made:
    """A network in which all is well."""
    return {
        "states": {
            "1": {"state": "cash received", "amount": "10.50"},
            "2": {"state": "awaiting payment", "amount": "3.00"},
            "C3": {"state": "credited", "amount": "-1.50"},
        },
        "billing": [
            {"reference": "1", "kind": "invoice", "total": "10.50"},
            {"reference": "2", "kind": "invoice", "total": "3.00"},
            {"reference": "C3-1", "kind": "credit", "total": "1.50"},
        ],
        "payments": [
            {"reference": "1", "amount": "10.50", "status": "paid"},
            {"reference": "2", "amount": "3.00", "status": "open"},
        ],
        "dispatches": [
            {"number": "1", "part": 1, "lines": [[1, "85123A", 6]]},
            {"number": "2", "part": 1, "lines": [[1, "22423", 2]]},
        ],
        "duplicate_requests": [],
    }


def judged(made: Made, stuck: dict[str, str] | None = None) -> Reconciliation:
    holdings = {
        "billing": {"invoices": made["billing"]},
        "payments": {"requests": made["payments"]},
        "warehouse": {"dispatches": made["dispatches"], "duplicate_requests": made["duplicate_requests"]},
    }
    return reconcile(INVOICES, expected(INVOICES), made["states"], stuck or {}, holdings)


def test_all_is_well(right: Made) -> None:
    result = judged(right)
    assert result.agrees, result.faults
    assert (result.billed, result.credited, result.paid) == (
        Decimal("13.50"),
        Decimal("1.50"),
        Decimal("10.50"),
    )


def test_what_is_parked_with_a_reason_is_a_fair_answer(right: Made) -> None:
    del right["billing"][1], right["payments"][1], right["dispatches"][1]
    result = judged(right, {"2": "billing is down. Resolve it with: levada runs resume r-1"})
    assert result.agrees
    assert result.states["parked or stuck with a reason"] == 1


WRONG: dict[str, tuple[Callable[[Made], Any], str]] = {
    "an order is unknown": (lambda m: m["states"].pop("1"), "does not know it"),
    "an order is nobody's": (lambda m: m["states"].update(X={"state": "x", "amount": "1"}), "not in the file"),
    "on its way for ever": (lambda m: m["states"]["1"].update(state="being fulfilled"), "is 'being fulfilled'"),
    "another amount": (lambda m: m["states"]["1"].update(amount="10.51"), "amounts to 10.51"),
    "invoiced twice": (lambda m: m["billing"].append(m["billing"][0]), "has 2 invoices"),
    "invoiced never": (lambda m: m["billing"].pop(0), "has 0 invoices"),
    "a penny too much": (lambda m: m["billing"][0].update(total="10.51"), "was invoiced 10.51"),
    "asked for more": (lambda m: m["payments"][0].update(amount="11.00"), "11.00 were asked for"),
    "nobody asked": (lambda m: m["payments"].pop(1), "nobody was asked"),
    "called paid": (lambda m: m["payments"][0].update(status="open"), "is called paid and was not"),
    "credited twice": (lambda m: m["billing"].append(m["billing"][2]), "stands 2 times in billing"),
    "credited too little": (lambda m: m["billing"][2].update(total="1.49"), "was credited 1.49"),
    "dispatched twice": (lambda m: m["dispatches"].append(copy.deepcopy(m["dispatches"][0])), "2 dispatches of part 1"),
    "dispatched never": (lambda m: m["dispatches"].pop(0), "dispatched of line 1 is not what was sold"),
    "too few sent": (lambda m: m["dispatches"][0].update(lines=[[1, "85123A", 5]]), "dispatched of line 1"),
    "something else sent": (lambda m: m["dispatches"][0]["lines"].append([2, "POST", 1]), "dispatched of line 2"),
    "asked differently": (lambda m: m["duplicate_requests"].append({"number": "1", "differs": True}), "asked twice, differently"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_each_fault_is_found(right: Made, wrong: str) -> None:
    change, told = WRONG[wrong]
    change(right)
    result = judged(right)
    assert not result.agrees
    assert any(told in fault for fault in result.faults), result.faults
