"""The demo's page fits a phone: what is wide moves within itself."""

from __future__ import annotations

import re
from decimal import Decimal

from examples.order_to_cash.demo.page import page
from examples.order_to_cash.demo.reconcile import Reconciliation, Row
from examples.order_to_cash.demo.report import Facts

PENNY = Decimal("0.01")


def made(latency: float) -> str:
    row = Row("1", "cash received", ("cash received",), PENNY, PENNY, ())
    result = Reconciliation((row,), {"cash received": 1}, (), PENNY, PENNY, Decimal(0), PENNY)
    call = {
        "operation": "sales/Orders/v1.place",
        "consumer": "gateway",
        "latency": [0, 1],
        "ok": 1,
        "caller": 0,
        "declared": 0,
        "provider": 0,
    }
    facts = Facts("orders.csv", 1, 1, "old", 1, 2.0, 1.0, 1.0, 0, (), [latency], (), [call], {}, [])
    return page(result, facts)


def test_what_is_wider_than_a_phone_moves_within_itself() -> None:
    body = made(0.02)
    for wide in re.finditer(r"<table><thead><tr><th>(Operation|Invoice)|<svg viewBox", body):
        assert body[: wide.start()].endswith("</summary>") or re.search(
            r'<div class="wide"[^>]*>$', body[: wide.start()]
        ), wide[0]


def test_a_time_has_the_unit_that_it_is_read_in() -> None:
    assert "<strong>20 ms</strong>" in made(0.02)
    assert "<strong>2.1 s</strong>" in made(2.131)
