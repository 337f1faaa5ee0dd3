"""The example's input: a real retailer's invoices, read, classified, matched, and what is right for each."""

from examples.order_to_cash.orders.accounts import ONE_TIME, Account, account_of, accounts
from examples.order_to_cash.orders.classify import Classified, Kind, Wart, classify, is_charge
from examples.order_to_cash.orders.expected import Expected, State, expected
from examples.order_to_cash.orders.feed import FeedError, read
from examples.order_to_cash.orders.matching import Credit, CreditedLine, match
from examples.order_to_cash.orders.model import Invoice, Line

__all__ = [
    "ONE_TIME", "Account", "Classified", "Credit", "CreditedLine", "Expected", "FeedError", "Invoice", "Kind",
    "Line", "State", "Wart", "account_of", "accounts", "classify", "expected", "is_charge", "match", "read",
]  # fmt: skip
