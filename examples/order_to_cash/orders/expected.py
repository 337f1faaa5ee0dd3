"""The oracle of reconciliation: what has to become of each invoice, from the file alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from examples.order_to_cash.orders.accounts import account_of, accounts
from examples.order_to_cash.orders.classify import Kind, classify
from examples.order_to_cash.orders.matching import Credit, match
from examples.order_to_cash.orders.model import Invoice
from msgspec import Struct

__all__ = ["Expected", "State", "expected"]


class State(StrEnum):
    CASH_RECEIVED = "cash received"
    AWAITING_PAYMENT = "awaiting payment"
    CREDITED = "credited"
    CREDIT_WITHOUT_ORIGINAL = "credit without an original in the file"
    NOT_A_SALE = "not a sale"
    REJECTED = "rejected with a problem"
    PARKED = "parked or stuck with a reason"


class Expected(Struct, frozen=True):
    number: str
    amount: Decimal
    """Pounds to the penny; negative for a credit, 0 for what is not a sale."""
    right: frozenset[State]
    """The states that are right at the end. PARKED never is, but is a fair answer while a system is down."""
    reason: str
    originals: tuple[str, ...] = ()
    """For a credit: the sales that it takes back."""
    unmatched: Decimal = Decimal("0.00")
    """For a credit: the part without an original in the file."""


def expected(invoices: Sequence[Invoice]) -> dict[str, Expected]:
    """What is right for each invoice, by number.

    A sale is paid or awaits payment (which of the two is the customer's choice, the file does not tell);
    a sale of which a later cancellation takes back something may also end as credited; a sale to a
    blocked account is rejected. A cancellation with at least one original is credited as a whole, and tells the part without.
    """
    notes = match(invoices)
    credited = {number for credit in notes.values() for number in credit.originals}
    blocked = {account.customer for account in accounts(invoices) if account.blocked}
    return {invoice.number: _one(invoice, notes, credited, blocked) for invoice in invoices}


def _one(invoice: Invoice, notes: dict[str, Credit], credited: set[str], blocked: set[str]) -> Expected:
    found = classify(invoice)
    if found.kind is Kind.CANCELLATION:
        return _credit(invoice, notes[invoice.number])
    if found.kind is not Kind.SALE:
        return Expected(
            invoice.number, Decimal("0.00"), frozenset({State.NOT_A_SALE}), f"{found.kind}: {found.reason}"
        )
    if account_of(invoice) in blocked:
        reason = f"customer {invoice.customer} is blocked in the ERP"
        return Expected(invoice.number, invoice.total, frozenset({State.REJECTED}), reason)
    right = {State.CASH_RECEIVED, State.AWAITING_PAYMENT}
    if invoice.number in credited:
        right.add(State.CREDITED)
    return Expected(invoice.number, invoice.total, frozenset(right), found.reason)


def _credit(invoice: Invoice, credit: Credit) -> Expected:
    if not credit.originals:
        state, reason = State.CREDIT_WITHOUT_ORIGINAL, "no line has an earlier sale"
    else:
        state, reason = State.CREDITED, f"takes back from {', '.join(credit.originals)}"
    return Expected(
        invoice.number, invoice.total, frozenset({state}), reason, credit.originals, credit.unmatched
    )
