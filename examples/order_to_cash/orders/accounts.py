"""Which accounts the invoices need, and what credit they have: the seed of the ERP and part of the oracle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from examples.order_to_cash.orders.classify import Kind, classify
from examples.order_to_cash.orders.model import Invoice
from msgspec import Struct

__all__ = ["ONE_TIME", "Account", "account_of", "accounts"]

ONE_TIME = "99000"
"""The collective account on which sales without a customer are booked, as accounting systems have it."""
_BLOCK_EVERY = 97


class Account(Struct, frozen=True):
    customer: str
    country: str
    limit: Decimal
    """Enough for everything the customer buys in the file, twice over, at least 1000."""
    blocked: bool
    """The ERP refuses it any credit: its orders are rejected."""


def account_of(invoice: Invoice) -> str:
    """The account that an invoice is booked on."""
    return invoice.customer or ONE_TIME


def accounts(invoices: Sequence[Invoice]) -> list[Account]:
    """All accounts, ordered by number.

    Customers whose number divides by 97 and who cancel nothing are blocked, so that some
    orders end as rejected: the file itself does not tell who was refused.
    """
    bought: defaultdict[str, Decimal] = defaultdict(Decimal)
    country: dict[str, str] = {}
    cancelling: set[str] = set()
    for invoice in invoices:
        account = account_of(invoice)
        country.setdefault(account, invoice.country)
        if classify(invoice).kind is Kind.SALE:
            bought[account] += invoice.total
        if invoice.cancels:
            cancelling.add(account)
    country.setdefault(ONE_TIME, "United Kingdom")
    return [
        Account(number, country[number], max(Decimal(1000), 2 * bought[number]),
                int(number) % _BLOCK_EVERY == 0 and number not in cancelling and number != ONE_TIME)
        for number in sorted(country, key=int)
    ]  # fmt: skip
