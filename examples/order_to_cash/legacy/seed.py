"""The master data both ERPs are filled with: what the orders need, so that real ones can be met."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

from examples.order_to_cash.orders.accounts import Account, accounts
from examples.order_to_cash.orders.classify import Kind, classify, is_charge
from examples.order_to_cash.orders.model import Invoice
from msgspec import Struct

__all__ = ["Product", "Seed", "seed"]


class Product(Struct, frozen=True):
    code: str
    descriptions: tuple[str, ...]
    """At least one, the most frequent first."""
    price: Decimal
    """The price asked most often; the order's own price is what is billed."""
    stock: int
    """A fifth more than the orders need; 0 for charges."""
    charge: bool


class Seed(Struct, frozen=True):
    accounts: list[Account]
    products: list[Product]


def seed(invoices: Sequence[Invoice]) -> Seed:
    """Accounts and products of the orders; codes that differ by case are different products, as in the feed."""
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    prices: defaultdict[str, Counter[Decimal]] = defaultdict(Counter)
    needed: Counter[str] = Counter()
    for invoice in invoices:
        sale = classify(invoice).kind is Kind.SALE
        for line in invoice.lines:
            names[line.product][line.description] += bool(line.description.strip())
            prices[line.product][line.price] += line.price > 0
            needed[line.product] += line.quantity if sale else 0
    products = [
        Product(
            code,
            tuple(name for name, count in names[code].most_common() if count) or (code,),
            prices[code].most_common(1)[0][0],
            0 if is_charge(code) else needed[code] * 6 // 5 + 10,
            is_charge(code),
        )
        for code in sorted(names)
    ]
    return Seed(accounts(invoices), products)
