"""Order to cash as a process: against fakes, with virtual time, with a crash wherever one can be."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from examples.order_to_cash.contracts import (
    Billing,
    CustomerBlocked,
    Customers,
    Dispatched,
    Document,
    Hold,
    Line,
    NewOrder,
    OrderBook,
    OrderNotFound,
    Orders,
    OrderStatus,
    OutOfStock,
    PaymentReceived,
    PaymentRequest,
    Payments,
    Piece,
    Reservation,
    Stock,
    Taken,
    Warehouse,
)
from examples.order_to_cash.process import (
    AWAITING,
    CASH,
    CREDITED,
    NOT_A_SALE,
    REJECTED,
    UNDELIVERED,
    WITHOUT,
    OrderToCash,
    total_of,
)

from levada import ProcessAPI, Publishes, http, testing

POT = Line(1, "22423", "REGENCY CAKESTAND", 2, Decimal("12.75"))
POSTAGE = Line(2, "POST", "POSTAGE", 1, Decimal("18.00"))
PRICE = Decimal("43.50")


def order(number: str, *lines: Line, customer: str | None = "12345") -> NewOrder:
    return NewOrder(
        number,
        datetime(2011, 1, 4, 10, tzinfo=UTC),
        "United Kingdom",
        lines or (POT, POSTAGE),
        customer,
    )


def back(quantity: int) -> Line:
    return Line(1, POT.product, POT.text, -quantity, POT.price)


class World(ProcessAPI, domain="outside", version="1.0"):
    """What happens outside: the warehouse sends, customers pay."""

    @http.post("/dispatches", status=204)
    @abstractmethod
    async def send(self, order: str, part: int = 1, parts: int = 1) -> None:
        """Tell that a part was sent."""

    @http.post("/payments", status=204)
    @abstractmethod
    async def pay(self, order: str, amount: Decimal = PRICE) -> None:
        """Tell that a customer has paid."""


class Outside(World):
    sent: Publishes[Dispatched]
    paid: Publishes[PaymentReceived]

    async def send(self, order: str, part: int = 1, parts: int = 1) -> None:
        await self.sent(Dispatched(order=order, dispatch=f"d-{order}-{part}", part=part, parts=parts))

    async def pay(self, order: str, amount: Decimal = PRICE) -> None:
        await self.paid(PaymentReceived(order=order, request=f"r-{order}", amount=amount))


class FakeCustomers(testing.Fake, Customers):
    def __init__(self) -> None:
        self.holds: dict[str, tuple[str, Decimal]] = {}

    async def hold(self, account: str, order: str, amount: Decimal) -> Hold:
        if account == "blocked":
            raise CustomerBlocked(account=account)
        state, _ = self.holds.setdefault(f"h-{order}", ("held", amount))
        assert state == "held", "what was released or used up is not held again"
        return Hold(f"h-{order}", order, amount)

    async def release(self, id: str) -> None:
        self.holds[id] = ("released", self.holds[id][1])

    async def settle(self, id: str) -> None:
        self.holds[id] = ("settled", self.holds[id][1])


class FakeStock(testing.Fake, Stock):
    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    async def reserve(self, order: str, pieces: tuple[Piece, ...]) -> Reservation:
        if any(piece.quantity > 1000 for piece in pieces):
            raise OutOfStock(product=pieces[0].product)
        self.rows.setdefault(order, "reserved")
        return Reservation(order, len(pieces))

    async def release(self, order: str) -> None:
        self.rows[order] = "released"

    async def ship(self, order: str) -> None:
        self.rows[order] = "shipped"


class FakeWarehouse(testing.Fake, Warehouse):
    def __init__(self) -> None:
        self.rows: dict[str, tuple[Piece, ...]] = {}

    async def dispatch(self, order: str, account: str, country: str, pieces: tuple[Piece, ...]) -> None:
        self.rows[order] = pieces


class FakeBilling(testing.Fake, Billing):
    """Recognises a reference, as the real one does not: what a repeat must not do is judged elsewhere."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Document, str | None]] = {}

    async def invoice(self, order: str, account: str, lines: tuple[Line, ...]) -> Document:
        new = Document(f"I{len(self.rows) + 1}", order, total_of(lines))
        return self.rows.setdefault(order, (new, None))[0]

    async def credit_note(
        self, reference: str, account: str, lines: tuple[Line, ...], credits: str | None = None
    ) -> Document:
        new = Document(f"N{len(self.rows) + 1}", reference, total_of(lines))
        return self.rows.setdefault(reference, (new, credits))[0]

    async def documents(self, reference: str) -> tuple[Document, ...]:
        return tuple(d for r, (d, _) in self.rows.items() if r == reference)


class FakePayments(testing.Fake, Payments):
    def __init__(self) -> None:
        self.rows: dict[str, Decimal] = {}

    async def request(self, reference: str, account: str, amount: Decimal) -> PaymentRequest:
        self.rows[reference] = amount
        return PaymentRequest(f"r-{reference}", reference, amount, False)


class FakeBook(testing.Fake, OrderBook):
    def __init__(self) -> None:
        self.rows: dict[str, OrderStatus] = {}
        self.claims: dict[str, str] = {}
        self.sold: dict[tuple[str | None, str], str] = {}

    async def open(
        self, number: str, kind: str, state: str, reason: str, account: str, amount: Decimal, order: NewOrder
    ) -> OrderStatus:
        if kind == "sale":
            for line in order.lines:
                self.sold.setdefault((order.customer, line.product), number)
        return self.rows.setdefault(number, OrderStatus(number, kind, state, amount, reason, None, 0))

    async def claim(self, number: str, by: str, state: str) -> bool:
        return self.claims.setdefault(number, by) == by

    async def take_back(
        self, number: str, customer: str | None, lines: tuple[Line, ...]
    ) -> tuple[Taken, ...]:
        return tuple(Taken(self.sold.get((customer, line.product)), (line,)) for line in lines)

    async def mark(
        self, number: str, state: str, reason: str = "", document: str | None = None, reminders: int = 0
    ) -> None:
        was = self.rows[number]
        document = document or was.document
        self.rows[number] = OrderStatus(number, was.kind, state, was.amount, reason, document, reminders)

    async def order(self, number: str) -> OrderStatus:
        if number not in self.rows:
            raise OrderNotFound(number=number)
        return self.rows[number]


class Systems:
    """The fakes behind one network; their rows are what counts."""

    def __init__(self) -> None:
        self.customers = FakeCustomers()
        self.stock = FakeStock()
        self.warehouse = FakeWarehouse()
        self.billing = FakeBilling()
        self.payments = FakePayments()
        self.book = FakeBook()

    def parts(self) -> list[object]:
        return [OrderToCash, Outside, self.customers, self.stock, self.warehouse, self.billing, self.payments, self.book]  # fmt: skip

    def state(self, number: str) -> str:
        return self.book.rows[number].state


@asynccontextmanager
async def selling() -> AsyncIterator[tuple[testing.Network, Systems]]:
    systems = Systems()
    async with testing.network(*systems.parts()) as net:  # type: ignore[arg-type] - classes and fakes
        yield net, systems


async def test_a_paid_order_ends_as_cash_received():
    async with selling() as (net, systems):
        assert (await net[Orders].place(order("1"))).state == "being fulfilled"
        await net.settle()
        assert systems.customers.holds == {"h-1": ("held", PRICE)}
        assert systems.warehouse.rows == {"1": (Piece(1, "22423", 2),)}  # postage is billed, never sent
        assert systems.billing.rows == {}
        await net[World].send("1")
        await net.settle()
        assert systems.stock.rows == {"1": "shipped"}
        assert systems.billing.rows["1"][0].amount == PRICE
        assert systems.payments.rows == {"1": PRICE}
        assert systems.state("1") == AWAITING
        await net[World].pay("1")
        assert await net.runs() == {"done": 1}
        assert systems.state("1") == CASH
        assert systems.customers.holds == {"h-1": ("settled", PRICE)}


async def test_an_unpaid_order_is_reminded_of_three_times_and_waits_as_long_as_it_takes():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net[World].send("1")
        seen: list[int] = []
        for days in (9, 2, 10, 10, 300):
            await net.advance(timedelta(days=days))
            seen.append(systems.book.rows["1"].reminders)
        assert seen == [0, 1, 2, 3, 3]
        assert systems.state("1") == AWAITING
        assert await net.runs() == {"waiting": 1}
        assert systems.customers.holds == {"h-1": ("held", PRICE)}
        await net[World].pay("1")
        assert await net.runs() == {"done": 1}
        assert (systems.state("1"), systems.book.rows["1"].reminders) == (CASH, 3)


async def test_a_part_payment_does_not_end_the_wait():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net[World].send("1")
        await net[World].pay("1", Decimal("10.00"))
        await net.settle()
        assert systems.state("1") == AWAITING
        assert systems.book.rows["1"].reason == "10.00 of 43.50 were paid"
        await net[World].pay("1")
        await net.settle()
        assert systems.state("1") == CASH


async def test_a_blocked_customer_is_rejected_and_nothing_was_touched():
    async with selling() as (net, systems):
        await net[Orders].place(order("1", customer="blocked"))
        assert await net.runs() == {"done": 1}
        assert systems.state("1") == REJECTED
        assert "blocked is blocked" in systems.book.rows["1"].reason
        assert not systems.stock.rows
        assert not systems.billing.rows


async def test_what_is_not_in_stock_gives_the_credit_back():
    async with selling() as (net, systems):
        await net[Orders].place(order("1", Line(1, "22423", "CAKESTAND", 5000, Decimal(1))))
        await net.settle()
        assert systems.state("1") == REJECTED
        assert systems.customers.holds["h-1"][0] == "released"


async def test_an_order_that_is_not_dispatched_in_fourteen_days_is_undone():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net.advance(timedelta(days=13))
        assert systems.stock.rows == {"1": "reserved"}
        await net.advance(timedelta(days=2))
        assert await net.runs() == {"compensated": 1}
        assert systems.state("1") == UNDELIVERED
        assert systems.stock.rows == {"1": "released"}
        assert systems.customers.holds == {"h-1": ("released", PRICE)}
        assert systems.billing.rows == {}


async def test_an_order_is_billed_when_its_last_part_was_sent_and_a_part_told_twice_is_one():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net[World].send("1", 1, 2)
        await net[World].send("1", 1, 2)
        await net.settle()
        assert systems.billing.rows == {}
        await net[World].send("1", 2, 2)
        await net.settle()
        assert systems.billing.rows["1"][0].amount == PRICE


async def test_a_payment_told_twice_and_before_the_invoice_counts_once():
    async with selling() as (net, systems):
        await net[World].pay("1")
        await net[World].pay("1")
        await net[Orders].place(order("1"))
        await net[World].send("1")
        assert await net.runs() == {"done": 1}
        assert systems.state("1") == CASH
        await net[World].pay("1")
        assert await net.runs() == {"done": 1}
        assert list(systems.billing.rows) == ["1"]


async def test_the_same_order_under_another_key_is_fulfilled_once():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net[Orders].place(order("1"))
        await net[World].send("1")
        await net[World].pay("1")
        assert await net.runs() == {"done": 2}
        assert systems.state("1") == CASH
        assert sum(c.operation.endswith("Customers/v1.hold") for c in net.calls) == 1


async def test_charges_alone_are_billed_without_a_warehouse():
    async with selling() as (net, systems):
        await net[Orders].place(order("1", POSTAGE))
        await net.settle()
        assert systems.state("1") == AWAITING
        assert not systems.warehouse.rows


async def test_a_cancellation_credits_the_invoice_of_its_original_and_waits_for_it():
    async with selling() as (net, systems):
        await net[Orders].place(order("1"))
        await net[Orders].place(order("C2", back(1)))
        await net.advance(timedelta(hours=1))
        assert systems.state("C2") == "being fulfilled"  # there is no invoice to credit yet
        await net[World].send("1")
        await net.advance(timedelta(hours=13))
        invoice = systems.billing.rows["1"][0]
        note, credited = systems.billing.rows["C2-1"]
        assert (note.amount, credited) == (Decimal("12.75"), invoice.number)
        assert systems.state("C2") == CREDITED
        assert systems.book.rows["C2"].reason == "takes back from 1"


async def test_a_cancellation_without_an_original_is_credited_and_says_so():
    async with selling() as (net, systems):
        await net[Orders].place(order("C2", back(2)))
        assert await net.runs() == {"done": 1}
        note, credited = systems.billing.rows["C2-1"]
        assert (note.amount, credited) == (Decimal("25.50"), None)
        assert systems.state("C2") == WITHOUT


async def test_a_cancellation_of_a_rejected_sale_waits_for_no_invoice():
    async with selling() as (net, systems):
        await net[Orders].place(order("1", customer="blocked"))
        await net[Orders].place(order("C2", back(2), customer="blocked"))
        await net.advance(timedelta(days=1))
        assert await net.runs() == {"done": 2}
        assert systems.billing.rows["C2-1"][1] is None


async def test_a_sale_that_is_none_starts_no_run():
    async with selling() as (net, systems):
        free = Line(1, "22423", "SAMPLE", 3, Decimal(0))
        assert (await net[Orders].place(order("1", free))).state == NOT_A_SALE
        assert (await net[Orders].place(order("2", back(3)))).state == NOT_A_SALE
        assert await net.runs() == {}
        assert systems.book.rows["1"].reason == "its total is 0.00"
        assert systems.book.rows["2"].reason == "a stock correction"
        assert not systems.customers.holds


async def test_the_worker_may_die_anywhere_between_the_order_and_its_cash():
    made: list[Systems] = []

    def parts():
        made.append(Systems())
        return made[-1].parts()

    async def scenario(net: testing.Network) -> None:
        await net[Orders].place(order("1"))
        await net[Orders].place(order("2"))
        await net[World].send("1")
        await net[World].pay("1")
        await net.advance(timedelta(days=15))
        systems = made[-1]
        assert await net.runs() == {"done": 1, "compensated": 1}
        assert (systems.state("1"), systems.state("2")) == (CASH, UNDELIVERED)
        assert systems.customers.holds == {"h-1": ("settled", PRICE), "h-2": ("released", PRICE)}
        assert systems.stock.rows == {"1": "shipped", "2": "released"}
        assert list(systems.billing.rows) == ["1"]
        assert systems.payments.rows == {"1": PRICE}

    assert await testing.at_every_crash(parts, scenario) > 10  # type: ignore[arg-type] - classes and fakes
