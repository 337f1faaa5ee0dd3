"""Order to cash: the business logic across the systems, durable at every line."""

import os
import re
from datetime import timedelta
from decimal import Decimal

from examples.order_to_cash.contracts import (
    Billing,
    BillingRefused,
    CreditExceeded,
    CustomerBlocked,
    Customers,
    Dispatched,
    Line,
    NewOrder,
    OrderAccepted,
    OrderBook,
    OrderCancelled,
    OrderPlaced,
    Orders,
    OutOfStock,
    PaymentReceived,
    Payments,
    Piece,
    Stock,
    Warehouse,
)

from levada import Awaits, Publishes, handles, run

ONE_TIME = "99000"
"""The collective account of sales without a customer."""

AWAITING, CASH, CREDITED = "awaiting payment", "cash received", "credited"
WITHOUT, NOT_A_SALE, REJECTED = (
    "credit without an original in the file",
    "not a sale",
    "rejected with a problem",
)
FULFILLING = "being fulfilled"
UNDELIVERED, REFUSED = "not delivered", "refused by billing"

DISPATCH_WITHIN = timedelta(days=14)
REMINDERS = 3
PENNY = Decimal("0.01")


def term() -> float:
    """Seconds that a customer has to pay before each reminder: ten days; the demo makes seconds of them."""
    return float(os.environ.get("PAYMENT_TERM_SECONDS", "864000"))


def total_of(lines: tuple[Line, ...]) -> Decimal:
    """The exact sum, rounded once, half up, to the penny."""
    return sum((line.quantity * line.price for line in lines), Decimal()).quantize(PENNY, "ROUND_HALF_UP")


_GOODS = re.compile(r"\d{5}[A-Za-z]{0,2}|DCGS\d+[A-Za-z]?")


def is_charge(product: str) -> bool:
    """Postage, fees and manual amounts: billed, never dispatched."""
    return not _GOODS.fullmatch(product)


class OrderToCash(Orders):
    """From an order to its cash, or to a credit note, or to the reason why not."""

    customers: Customers
    stock: Stock
    warehouse: Warehouse
    billing: Billing
    payments: Payments
    book: OrderBook
    placed: Publishes[OrderPlaced]
    cancelled: Publishes[OrderCancelled]
    dispatched: Awaits[Dispatched]
    payment: Awaits[PaymentReceived]

    async def place(self, order: NewOrder) -> OrderAccepted:
        account = order.customer or ONE_TIME
        total = total_of(order.lines)
        if order.number.startswith("C"):
            return await self._cancel(order, account, total)
        if total <= 0 or all(line.quantity < 0 for line in order.lines):
            reason = (
                "a stock correction"
                if all(line.quantity < 0 for line in order.lines)
                else f"its total is {total}"
            )
            await self.book.open(order.number, "other", NOT_A_SALE, reason, account, Decimal("0.00"), order)
            return OrderAccepted(order.number, NOT_A_SALE)
        await self.book.open(order.number, "sale", FULFILLING, "", account, total, order)
        await self.placed(
            OrderPlaced(
                order=order.number,
                account=account,
                country=order.country,
                total=total,
                term=term(),
                lines=order.lines,
            )
        )
        return OrderAccepted(order.number, FULFILLING)

    async def _cancel(self, order: NewOrder, account: str, total: Decimal) -> OrderAccepted:
        await self.book.open(order.number, "cancellation", FULFILLING, "", account, total, order)
        taken = await self.book.take_back(order.number, order.customer, order.lines)
        await self.cancelled(OrderCancelled(order=order.number, account=account, total=total, taken=taken))
        return OrderAccepted(order.number, FULFILLING)

    @handles(OrderPlaced)
    async def fulfil(self, order: OrderPlaced) -> None:
        """Hold credit, reserve, dispatch, invoice, collect. Each call is a step; a crash goes on here."""
        if not await self.book.claim(order.order, str(await run.uuid()), FULFILLING):
            return  # the same order came twice, under another key
        try:
            hold = await self.customers.hold(order.account, order.order, order.total)
        except (CustomerBlocked, CreditExceeded) as refused:
            await self.book.mark(order.order, REJECTED, str(refused))
            return
        pieces = goods(order.lines)
        if pieces:
            try:
                await self.stock.reserve(order.order, pieces)
            except OutOfStock as refused:
                await self.customers.release(hold.id)
                await self.book.mark(order.order, REJECTED, str(refused))
                return
            await self.warehouse.dispatch(order.order, order.account, order.country, pieces)
            await self._sent(order.order)
            await self.stock.ship(order.order)
        try:
            invoice = await self.billing.invoice(order.order, order.account, order.lines)
        except BillingRefused as refused:
            # The goods are gone: a person decides, with the credit still held.
            await self.book.mark(order.order, REFUSED, str(refused))
            return
        await self.payments.request(order.order, order.account, invoice.amount)
        await self.book.mark(order.order, AWAITING, "", invoice.number)
        await self._collect(order, hold.id, invoice.number)

    async def _sent(self, order: str) -> None:
        sent: set[int] = set()
        parts = 1
        while len(sent) < parts:
            told = await self.dispatched(key=order, timeout=DISPATCH_WITHIN)
            if told is None:
                await self.book.mark(order, UNDELIVERED, "the warehouse did not dispatch it in time")
                raise run.Compensate("the warehouse did not dispatch it in time")
            sent.add(told.part)
            parts = told.parts

    async def _collect(self, order: OrderPlaced, hold: str, invoice: str) -> None:
        """Wait for the money: with reminders first, then as long as it takes."""
        reminders = 0
        while True:
            patience = timedelta(seconds=order.term) if reminders < REMINDERS else None
            paid = await self.payment(key=order.order, timeout=patience)
            if paid is None:
                reminders += 1
                await self.book.mark(
                    order.order, AWAITING, f"reminder {reminders} was sent", invoice, reminders
                )
            elif paid.amount < order.total:
                await self.book.mark(
                    order.order, AWAITING, f"{paid.amount} of {order.total} were paid", invoice, reminders
                )
            else:
                await self.customers.settle(hold)
                await self.book.mark(order.order, CASH, "", invoice, reminders)
                return

    @handles(OrderCancelled)
    async def credit(self, order: OrderCancelled) -> None:
        """A credit note for each sale that is taken back from, and one for what has no original."""
        if not await self.book.claim(order.order, str(await run.uuid()), FULFILLING):
            return
        notes: list[str] = []
        for number, taken in enumerate(order.taken, 1):
            lines = tuple(
                Line(line.number, line.product, line.text, -line.quantity, line.price)
                for line in taken.lines
                if line.price > 0
            )
            if total_of(lines) <= 0:
                continue
            invoice = None if taken.original is None else await self._invoice_of(taken.original)
            try:
                note = await self.billing.credit_note(
                    f"{order.order}-{number}", order.account, lines, invoice
                )
            except BillingRefused as refused:
                await self.book.mark(order.order, REFUSED, str(refused), ", ".join(notes) or None)
                return
            notes.append(note.number)
        originals = [taken.original for taken in order.taken if taken.original is not None]
        state = CREDITED if originals else WITHOUT
        reason = f"takes back from {', '.join(originals)}" if originals else "no line has an earlier sale"
        await self.book.mark(order.order, state, reason, ", ".join(notes) or None)

    async def _invoice_of(self, original: str) -> str | None:
        """The number of a sale's invoice; waits until there is one, None if there never will be."""
        pause = timedelta(seconds=1)
        while not (documents := await self.billing.documents(original)):
            if (await self.book.order(original)).state in (REJECTED, UNDELIVERED, REFUSED):
                return None
            await run.sleep(pause)
            pause = min(pause * 2, timedelta(hours=6))
        return documents[0].number


def goods(lines: tuple[Line, ...]) -> tuple[Piece, ...]:
    """What a shelf holds of an order's lines."""
    return tuple(
        Piece(line.number, line.product, line.quantity)
        for line in lines
        if line.quantity > 0 and not is_charge(line.product)
    )
