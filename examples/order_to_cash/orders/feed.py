"""Reads the retailer's feed: a CSV, plain or gzipped, one row per invoice line."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from examples.order_to_cash.orders.model import Invoice, Line

__all__ = ["COLUMNS", "FeedError", "read"]

COLUMNS = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
_NUMBER = re.compile(r"C?\d{6}")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4}) (\d{1,2}):(\d{2})")


class FeedError(ValueError):
    """A file that cannot be taken as it is: names the file, the line, the reason and the mend."""

    def __init__(self, path: Path, line: int, reason: str, mend: str) -> None:
        self.path, self.line, self.reason, self.mend = path, line, reason, mend
        super().__init__(f"{path}, line {line}: {reason}. {mend}")


class _Bad(Exception):
    def __init__(self, reason: str, mend: str) -> None:
        self.reason, self.mend = reason, mend
        super().__init__(reason)


def read(path: str | Path) -> list[Invoice]:
    """All invoices of a feed, in the order in which their numbers first appear.

    Nothing is dropped or merged: duplicates, empty descriptions, zero prices and
    negative quantities are all there.

    Raises:
        FeedError: the file, or one row of it, cannot be understood.
    """
    path = Path(path)
    heads: dict[str, tuple[datetime, str | None, str]] = {}
    lines: dict[str, list[Line]] = {}
    for at, row in _rows(path):
        try:
            number, head, line = _parse(row, at, lines)
        except _Bad as bad:
            raise FeedError(path, at, bad.reason, bad.mend) from None
        known = heads.setdefault(number, head)
        if known[1:] != head[1:]:
            raise FeedError(
                path, at,
                f"invoice {number} has customer {head[1]}, country {head[2]} here and {known[1]}, {known[2]} before",
                "An invoice has one customer and one country: correct the row or its invoice number.",
            )  # fmt: skip
        lines.setdefault(number, []).append(line)
    return [Invoice(number, *head, tuple(lines[number])) for number, head in heads.items()]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = _text(path)
    if text and not text.endswith("\n"):
        # A file cut off in mid-row may still parse, with a shorter country or a price of less digits.
        raise FeedError(
            path, text.count("\n") + 1, "the last line has no line end, the file seems cut off",
            "Fetch the file again; if it is whole, end it with a line break.",
        )  # fmt: skip
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        missing = [name for name in COLUMNS if name not in header]
        extra = [name for name in header if name not in COLUMNS]
        reason = (
            f"wrong columns: missing {missing}, unknown {extra}"
            if missing or extra
            else "columns in another order"
        )
        raise FeedError(path, 1, reason, f"The first line has to be {','.join(COLUMNS)}.")
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise FeedError(
                path, rows.line_num, f"not CSV: {error}", "Quote the field as RFC 4180 tells."
            ) from None
        yield rows.line_num, row


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (EOFError, gzip.BadGzipFile) as error:
        raise FeedError(path, 0, f"the gzip file is broken: {error}", "Fetch the file again.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FeedError(path, line, f"not UTF-8: {error.reason}", "Save the file as UTF-8.") from None


def _parse(
    row: list[str], at: int, lines: dict[str, list[Line]]
) -> tuple[str, tuple[datetime, str | None, str], Line]:
    if len(row) != len(COLUMNS):
        raise _Bad(
            f"{len(row)} fields instead of {len(COLUMNS)}", "Complete the row, or quote a field with commas."
        )
    number, product, description, quantity, date, price, customer, country = row
    if not _NUMBER.fullmatch(number):
        raise _Bad(f"invoice number {number!r}", "Six digits, with a C before them for a cancellation.")
    if not product:
        raise _Bad("no product code", "Fill in StockCode.")
    if not country:
        raise _Bad("no country", "Fill in Country.")
    if customer and not customer.isdecimal():
        raise _Bad(f"customer {customer!r} is not a number", "Give the customer's number, or leave it empty.")
    line = Line(
        len(lines.get(number, ())) + 1, product, description, _whole(quantity), _price(price), source_line=at
    )
    return number, (_when(date), customer or None, country), line


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text) or int(text) == 0:
        raise _Bad(f"quantity {text!r}", "A whole number other than 0.")
    return int(text)


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not re.fullmatch(r"\d{1,9}(\.\d{1,4})?", text) or not price.is_finite():
        raise _Bad(f"unit price {text!r}", "A number of at most four decimals with a point, not below 0.")
    return price


def _when(text: str) -> datetime:
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        month, day, year, hour, minute = map(int, found.groups())
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        raise _Bad(f"date {text!r}", "US style, month/day/year hour:minute, as in 12/31/10 8:26.") from None
