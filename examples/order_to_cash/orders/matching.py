"""Finds for each line of a cancellation the sale that it takes back.

A line fits an earlier sale line (earlier in the file) of the same customer, product and price
that sold at least as many pieces. Of several, those with enough pieces not yet credited
remain; of these one with exactly the quantity comes first, then the latest sale. A sale line is
never credited for more pieces than it sold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from examples.order_to_cash.orders.classify import Kind, classify
from examples.order_to_cash.orders.model import PENNY, Invoice, Line
from msgspec import Struct

__all__ = ["Credit", "CreditedLine", "match"]


class CreditedLine(Struct, frozen=True):
    line: Line
    original: str | None
    """Number of the sale, or None: a credit without an original in the file."""
    original_line: int | None
    candidates: int
    """How many sale lines fit before looking at what had been credited already."""


class Credit(Struct, frozen=True):
    """A cancellation with what it takes back."""

    number: str
    lines: tuple[CreditedLine, ...]

    @property
    def originals(self) -> tuple[str, ...]:
        """The sales it refers to, in the order of its lines."""
        return tuple(dict.fromkeys(line.original for line in self.lines if line.original is not None))

    @property
    def matched(self) -> Decimal:
        """The part, as a negative amount, that has an original."""
        return self._sum(found=True)

    @property
    def unmatched(self) -> Decimal:
        """The part, as a negative amount, that has none."""
        return self._sum(found=False)

    def _sum(self, *, found: bool) -> Decimal:
        amounts = (line.line.amount for line in self.lines if (line.original is not None) is found)
        return sum(amounts, Decimal()).quantize(PENNY, "ROUND_HALF_UP")


@dataclass
class _Sold:
    invoice: str
    line: int
    quantity: int
    left: int


def match(invoices: Iterable[Invoice]) -> dict[str, Credit]:
    """The cancellations by number; the order of ``invoices`` is the order of time."""
    sold: defaultdict[tuple[str | None, str, Decimal], list[_Sold]] = defaultdict(list)
    notes: dict[str, Credit] = {}
    for invoice in invoices:
        if invoice.cancels:
            lines = tuple(_take(line, sold[_key(invoice, line)]) for line in invoice.lines)
            notes[invoice.number] = Credit(invoice.number, lines)
        elif classify(invoice).kind is Kind.SALE:
            for line in invoice.lines:
                if line.quantity > 0:
                    entry = _Sold(invoice.number, line.number, line.quantity, line.quantity)
                    sold[_key(invoice, line)].append(entry)
    return notes


def _key(invoice: Invoice, line: Line) -> tuple[str | None, str, Decimal]:
    return invoice.customer, line.product, line.price


def _take(line: Line, sold: list[_Sold]) -> CreditedLine:
    wanted = -line.quantity
    fitting = [entry for entry in sold if entry.quantity >= wanted]
    free = [entry for entry in fitting if entry.left >= wanted]
    if not free:
        return CreditedLine(line, None, None, len(fitting))
    exact = [entry for entry in free if entry.quantity == wanted]
    chosen = (exact or free)[-1]
    chosen.left -= wanted
    return CreditedLine(line, chosen.invoice, chosen.line, len(fitting))
