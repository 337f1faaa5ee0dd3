"""The reconciliation: every invoice in exactly one state, to the penny, and nothing twice in any system.

It is judged by the rows of the legacy systems and by the file, never by what the network
says of itself alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from examples.order_to_cash.orders import Expected, Invoice, State, is_charge
from msgspec import Struct

__all__ = ["Reconciliation", "Row", "reconcile"]

PARKED = str(State.PARKED)


class Row(Struct, frozen=True):
    """One invoice of the input: its state, its amount here and there, and what does not agree."""

    number: str
    state: str
    expected: tuple[str, ...]
    amount: Decimal
    in_file: Decimal
    faults: tuple[str, ...]
    reason: str = ""


class Reconciliation(Struct, frozen=True):
    """The whole: it agrees if there are no faults."""

    rows: tuple[Row, ...]
    states: dict[str, int]
    faults: tuple[str, ...]
    total_in_file: Decimal
    billed: Decimal
    credited: Decimal
    paid: Decimal

    @property
    def agrees(self) -> bool:
        """Whether every invoice is in a right state, amounts agree, and nothing stands twice."""
        return not self.faults


def reconcile(
    invoices: Sequence[Invoice],
    expected: Mapping[str, Expected],
    states: Mapping[str, Mapping[str, Any]],
    stuck: Mapping[str, str],
    holdings: Mapping[str, Mapping[str, Any]],
) -> Reconciliation:
    """Compare the file with what the network says and with what the systems hold.

    Args:
        invoices: The input.
        expected: The oracle, made from the file alone.
        states: What the Storefront says, by number.
        stuck: Orders whose run is stuck or whose event is parked, with the reason and the command.
        holdings: What billing, the warehouse and payments hold.
    """
    documents = _by_reference(holdings["billing"]["invoices"])
    payments = {r["reference"]: r for r in holdings["payments"]["requests"]}
    dispatches = Counter((d["number"], d["part"]) for d in holdings["warehouse"]["dispatches"])
    goods: dict[str, Counter[tuple[int, str]]] = {}
    for d in holdings["warehouse"]["dispatches"]:
        sent = goods.setdefault(d["number"], Counter())
        sent.update({(line, product): quantity for line, product, quantity in d["lines"]})
    rows = [
        _row(i, expected[i.number], states.get(i.number), stuck.get(i.number), documents, payments, goods.get(i.number, Counter()))
        for i in invoices
    ]  # fmt: skip
    faults = [f"{row.number}: {fault}" for row in rows for fault in row.faults]
    faults += [
        f"{number}: {count} dispatches of part {part}"
        for (number, part), count in dispatches.items()
        if count > 1
    ]
    known = {i.number for i in invoices}
    faults += [
        f"{number}: the network has an order that is not in the file"
        for number in states
        if number not in known
    ]
    faults += [
        f"{r['number']}: the warehouse was asked twice, differently"
        for r in holdings["warehouse"]["duplicate_requests"]
        if r["differs"]
    ]
    kinds = [d for found in documents.values() for d in found]
    return Reconciliation(
        rows=tuple(rows),
        states=dict(Counter(row.state for row in rows)),
        faults=tuple(faults),
        total_in_file=sum((i.total for i in invoices), Decimal()),
        billed=sum((_amount(d) for d in kinds if d["kind"] == "invoice"), Decimal()),
        credited=sum((_amount(d) for d in kinds if d["kind"] != "invoice"), Decimal()),
        paid=sum((Decimal(r["amount"]) for r in payments.values() if r["status"] == "paid"), Decimal()),
    )


def _by_reference(documents: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        lowered = {k.lower(): v for k, v in document.items()}
        found.setdefault(lowered["reference"], []).append(lowered)
    return found


def _amount(document: Mapping[str, Any]) -> Decimal:
    return Decimal(str(document["total"]))


def _row(
    invoice: Invoice,
    right: Expected,
    said: Mapping[str, Any] | None,
    stuck: str | None,
    documents: Mapping[str, list[dict[str, Any]]],
    payments: Mapping[str, Mapping[str, Any]],
    sent: Counter[tuple[int, str]],
) -> Row:
    allowed = tuple(sorted(str(state) for state in right.right))
    if said is None:
        return Row(
            invoice.number, "unknown", allowed, Decimal(), right.amount, ("the network does not know it",)
        )
    state = PARKED if stuck is not None else str(said["state"])
    faults: list[str] = []
    if state not in allowed and state != PARKED:
        faults.append(f"is {state!r}, right is {' or '.join(allowed)}")
    amount = Decimal(str(said["amount"]))
    if amount != right.amount:
        faults.append(f"amounts to {amount}, in the file to {right.amount}")
    if state != PARKED:
        faults += (
            _sale(invoice.number, state, right, documents, payments) + _goods(invoice, state, sent)
            if not invoice.cancels
            else _credit(invoice.number, right, documents)
        )
    return Row(
        invoice.number,
        state,
        allowed,
        amount,
        right.amount,
        tuple(faults),
        stuck or str(said.get("reason") or right.reason),
    )


def _sale(
    number: str,
    state: str,
    right: Expected,
    documents: Mapping[str, list[dict[str, Any]]],
    payments: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    invoices = documents.get(number, [])
    billed = state in (str(State.CASH_RECEIVED), str(State.AWAITING_PAYMENT))
    if not billed:
        return [f"is {state!r} and was invoiced"] if invoices else []
    faults: list[str] = []
    if len(invoices) != 1:
        faults.append(f"has {len(invoices)} invoices in billing")
    elif _amount(invoices[0]) != right.amount:
        faults.append(f"was invoiced {_amount(invoices[0])}, in the file are {right.amount}")
    request = payments.get(number)
    if request is None:
        faults.append("nobody was asked to pay it")
    elif Decimal(request["amount"]) != right.amount:
        faults.append(f"{request['amount']} were asked for, in the file are {right.amount}")
    elif state == str(State.CASH_RECEIVED) and request["status"] != "paid":
        faults.append("is called paid and was not")
    return faults


def _goods(invoice: Invoice, state: str, sent: Counter[tuple[int, str]]) -> list[str]:
    """What the warehouse sent is what was sold, line by line, and nothing where nothing was sold."""
    sold = Counter(
        {
            (line.number, line.product): line.quantity
            for line in invoice.lines
            if line.quantity > 0 and not is_charge(line.product)
        }
    )
    if state not in (str(State.CASH_RECEIVED), str(State.AWAITING_PAYMENT)):
        return [f"is {state!r} and goods were dispatched"] if sent else []
    differing = sorted(line for line, _ in (sold - sent) | (sent - sold))
    return (
        [f"what was dispatched of line {', '.join(map(str, differing))} is not what was sold"]
        if differing
        else []
    )


def _credit(number: str, right: Expected, documents: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    notes = [
        d for reference, found in documents.items() if reference.rpartition("-")[0] == number for d in found
    ]
    faults = [
        f"{r} stands {len(f)} times in billing"
        for r, f in documents.items()
        if r.rpartition("-")[0] == number and len(f) > 1
    ]
    total = sum((_amount(d) for d in notes), Decimal())
    if total != -right.amount:
        faults.append(f"was credited {total}, in the file are {-right.amount}")
    return faults
