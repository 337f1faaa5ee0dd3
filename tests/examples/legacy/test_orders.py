"""The feed: read without loss, classified, matched, and refused with a mend where it is broken."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from examples.order_to_cash.orders import (
    FeedError,
    Invoice,
    Kind,
    Line,
    State,
    Wart,
    accounts,
    classify,
    expected,
    match,
    read,
)

SLICE = Path(__file__).parents[3] / "examples/order_to_cash/data/online-retail-slice.csv.gz"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
ROW = "536365,85123A,HEART,6,12/1/10 8:26,2.55,17850,United Kingdom\r\n"


def test_slice_is_read_whole_and_to_the_penny():
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(SLICE.read_bytes()).decode())))
    invoices = read(SLICE)
    assert sum(len(invoice.lines) for invoice in invoices) == len(rows)
    exact = sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows)
    assert sum(invoice.total for invoice in invoices) == exact == Decimal("59974.45")


def test_slice_has_every_wart():
    invoices = read(SLICE)
    assert len(invoices) >= 300
    assert max(len(invoice.lines) for invoice in invoices) == 675
    kinds = Counter(classify(invoice).kind for invoice in invoices)
    warts = Counter(wart for invoice in invoices for wart in classify(invoice).warts)
    assert set(kinds) == set(Kind)
    assert set(warts) == set(Wart)
    assert min(*kinds.values(), *warts.values()) >= 10
    found = Counter(min(line.candidates, 2) for credit in match(invoices).values() for line in credit.lines)
    assert min(found[0], found[1], found[2]) >= 10


def test_every_invoice_has_a_right_outcome():
    invoices = read(SLICE)
    oracle = expected(invoices)
    assert oracle.keys() == {invoice.number for invoice in invoices}
    reached = {state for one in oracle.values() for state in one.right}
    assert reached == set(State) - {State.PARKED}
    for invoice in invoices:
        one = oracle[invoice.number]
        assert one.amount == (Decimal() if State.NOT_A_SALE in one.right else invoice.total)
    blocked = {account.customer for account in accounts(invoices) if account.blocked}
    assert not blocked & {invoice.customer for invoice in invoices if invoice.cancels}


def test_dates_are_us_style(tmp_path: Path):
    path = tmp_path / "feed.csv"
    path.write_text(HEADER + ROW, newline="")
    [invoice] = read(path)
    assert invoice.placed_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert invoice.lines[0].price == Decimal("2.55")


def test_equal_lines_stay_two(tmp_path: Path):
    path = tmp_path / "feed.csv"
    path.write_text(HEADER + ROW + ROW, newline="")
    [invoice] = read(path)
    assert [line.number for line in invoice.lines] == [1, 2]
    assert invoice.total == Decimal("30.60")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a,b\r\n", 1, "wrong columns"),
        (HEADER.replace("UnitPrice,CustomerID", "CustomerID,UnitPrice"), 1, "another order"),
        ("", 1, "wrong columns"),
        (HEADER + ROW + ROW.replace("12/1/10", "31/12/10"), 3, "date"),
        (HEADER + ROW.replace("12/1/10", "2/30/10"), 2, "date"),
        (HEADER + ROW + "536365,85123A,HE", 3, "cut off"),
        (HEADER + ROW + ROW[:30] + "\r\n" + ROW, 3, "fields"),
        (HEADER + ROW.replace(",6,", ",six,"), 2, "quantity"),
        (HEADER + ROW.replace("2.55", "NaN"), 2, "unit price"),
        (HEADER + ROW.replace("2.55", "-2.55"), 2, "unit price"),
        (HEADER + ROW.replace("17850", "x"), 2, "customer"),
        (HEADER + ROW.replace("536365", "A12"), 2, "invoice number"),
        (HEADER + ROW + ROW.replace("17850", "17851"), 3, "customer 17851"),
        (HEADER + ROW.replace("HEART", '"HEART'), 2, "not CSV"),
    ],
)
def test_broken_files_name_line_reason_and_mend(tmp_path: Path, text: str, line: int, reason: str):
    path = tmp_path / "feed.csv"
    path.write_text(text, newline="")
    with pytest.raises(FeedError, match=reason) as caught:
        read(path)
    assert (caught.value.line, caught.value.path) == (line, path)
    assert caught.value.mend
    assert str(path) in str(caught.value)


def test_cut_gzip_is_refused(tmp_path: Path):
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(SLICE.read_bytes()[:5000])
    with pytest.raises(FeedError, match="gzip"):
        read(path)


def invoice(number: str, *lines: tuple[str, int, str], customer: str | None = "1") -> Invoice:
    at = datetime(2010, 12, 1, tzinfo=UTC)
    made = tuple(Line(n, p, "X", q, Decimal(price), n) for n, (p, q, price) in enumerate(lines, 1))
    return Invoice(number, at, customer, "EIRE", made)


def test_several_candidates_exact_quantity_then_latest():
    sales = [invoice(f"50000{n}", ("10001", quantity, "2")) for n, quantity in enumerate((5, 3, 5, 9))]
    exact = match([*sales, invoice("C600000", ("10001", -5, "2"))])["C600000"].lines[0]
    assert (exact.original, exact.candidates) == ("500002", 3)
    part = match([*sales, invoice("C600000", ("10001", -4, "2"))])["C600000"].lines[0]
    assert part.original == "500003"


def test_nothing_is_credited_twice():
    notes = match(
        [
            invoice("500000", ("10001", 5, "2")),
            invoice("C600000", ("10001", -5, "2"), ("10001", -1, "2")),
            invoice("500001", ("10001", 5, "2")),
        ]
    )
    first, second = notes["C600000"].lines
    assert (first.original, second.original, second.candidates) == ("500000", None, 1)
    assert (notes["C600000"].matched, notes["C600000"].unmatched) == (Decimal("-10.00"), Decimal("-2.00"))
