"""What each invoice is, by rules a person can read; the first that fits decides."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum

from examples.order_to_cash.orders.model import Invoice
from msgspec import Struct

__all__ = ["CHARGES", "Classified", "Kind", "Wart", "classify", "is_charge"]

CHARGES = frozenset({"POST", "DOT", "C2", "M", "D", "S", "AMAZONFEE", "BANK CHARGES"})
"""Codes that no shelf holds: postage, carriage, manual amounts, discounts, fees. They are billed, never dispatched."""
_GOODS = re.compile(r"\d{5}[A-Za-z]{0,2}|DCGS\d+[A-Za-z]?")


def is_charge(product: str) -> bool:
    """Whether a code is billed only. DCGS codes look like charges and are goods (a sun-jar light)."""
    return product in CHARGES or not _GOODS.fullmatch(product)


class Kind(StrEnum):
    SALE = "sale"
    CANCELLATION = "cancellation"
    STOCK_CORRECTION = "stock correction"
    NOT_A_SALE = "not a sale"


class Wart(StrEnum):
    ZERO_PRICE = "zero-price line"
    NO_CUSTOMER = "no customer"
    CHARGES = "charges as lines"
    ONLY_CHARGES = "nothing to dispatch"
    DUPLICATES = "a product stands twice"
    NO_DESCRIPTION = "line without description"


class Classified(Struct, frozen=True):
    kind: Kind
    reason: str
    warts: frozenset[Wart]


def classify(invoice: Invoice) -> Classified:
    """The kind of an invoice, why, and what else is odd about it."""
    return Classified(*_kind(invoice), _warts(invoice))


def _kind(invoice: Invoice) -> tuple[Kind, str]:
    if invoice.cancels:
        return Kind.CANCELLATION, "the number starts with C"
    if all(line.quantity < 0 for line in invoice.lines):
        return Kind.STOCK_CORRECTION, "every quantity is negative and the number has no C"
    if invoice.total <= 0:
        return Kind.NOT_A_SALE, f"the total is {invoice.total}, which nobody owes"
    return Kind.SALE, f"the total is {invoice.total}"


def _warts(invoice: Invoice) -> frozenset[Wart]:
    products = [line.product for line in invoice.lines]
    charges = [is_charge(product) for product in products]
    found = {
        Wart.ZERO_PRICE: any(line.price == Decimal() for line in invoice.lines),
        Wart.NO_CUSTOMER: invoice.customer is None,
        Wart.CHARGES: any(charges),
        Wart.ONLY_CHARGES: all(charges),
        Wart.DUPLICATES: len(set(products)) < len(products),
        Wart.NO_DESCRIPTION: any(not line.description.strip() for line in invoice.lines),
    }
    return frozenset(wart for wart, there in found.items() if there)
