"""What the domains promise; all that a consumer ever imports. Nothing of any system is in here."""

from abc import abstractmethod
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from levada import Event, OrderKey, Page, Problem, ProcessAPI, SystemAPI, http, undoes

# -- values ----------------------------------------------------------------------------


Sold = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
"""A quantity as it was sold; what a system could not keep is refused at the door, with 400."""


class Line(Struct, frozen=True):
    """One line of an order as it was sold; quantities are negative in a cancellation."""

    number: int
    product: str
    text: str
    quantity: Sold
    price: Decimal


class NewOrder(Struct, frozen=True):
    """An order or a cancellation as the channel sends it. Without a customer it is a cash sale."""

    number: str
    placed_at: datetime
    country: str
    lines: tuple[Line, ...]
    customer: str | None = None


class OrderAccepted(Struct, frozen=True):
    """What the channel is told at once."""

    number: str
    state: str


class OrderStatus(Struct, frozen=True):
    """What has become of an order. ``amount``: pounds; negative for a credit."""

    number: str
    kind: str
    state: str
    amount: Decimal
    reason: str
    document: str | None
    reminders: int


class Hold(Struct, frozen=True):
    """Credit that is reserved for an order."""

    id: str
    order: str
    amount: Decimal


class Piece(Struct, frozen=True):
    """Goods of an order."""

    line: int
    product: str
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


class Reservation(Struct, frozen=True):
    """Goods that are kept for an order."""

    order: str
    pieces: int


class Document(Struct, frozen=True):
    """An invoice or a credit note of billing."""

    number: str
    reference: str
    amount: Decimal


class PaymentRequest(Struct, frozen=True):
    """What a customer was asked to pay."""

    id: str
    reference: str
    amount: Decimal
    paid: bool


class Taken(Struct, frozen=True):
    """The part of a cancellation that takes back from one sale; ``original`` None: no sale was found."""

    original: str | None
    lines: tuple[Line, ...]


class Customer(Struct, frozen=True):
    """A customer of record, as others may see it."""

    account: str
    country: str
    blocked: bool


# -- problems --------------------------------------------------------------------------


class CustomerBlocked(Problem, status=409, detail="Customer {account} is blocked."):
    """The customer gets no credit."""

    account: str


class CreditExceeded(Problem, status=409, detail="The credit of customer {account} does not suffice."):
    """The customer's credit does not suffice."""

    account: str


class OutOfStock(Problem, status=409, detail="Of {product} there is not enough in stock."):
    """Not enough in stock."""

    product: str


class CustomerNotFound(Problem, status=404, detail="No customer has the account {account}."):
    """No customer has this account."""

    account: str


class OrderNotFound(Problem, status=404, detail="No order {number}."):
    """No order has this number."""

    number: str


class BillingRefused(Problem, status=422, detail="Billing refused: {why}."):
    """Billing does not take the document."""

    why: str


# -- System APIs -----------------------------------------------------------------------


class Customers(SystemAPI, domain="sales", version="1.0"):
    """Customers of record and their credit."""

    @http.get("/customers/{account}", raises=[CustomerNotFound])
    @abstractmethod
    async def customer(self, account: str) -> Customer:
        """The customer of an account."""

    @http.post("/customers/{account}/holds", status=201, raises=[CustomerBlocked, CreditExceeded])
    @abstractmethod
    async def hold(self, account: str, order: str, amount: Decimal) -> Hold:
        """Reserve part of the customer's credit for an order."""

    @http.delete("/holds/{id}", final=True)
    @abstractmethod
    async def release(self, id: str) -> None:
        """Give a hold back."""

    @http.post("/holds/{id}/settlement", status=204, final=True)
    @abstractmethod
    async def settle(self, id: str) -> None:
        """Use a hold up: the order was paid."""

    @undoes(hold)
    async def undo_hold(self, held: Hold) -> None:
        """Release what was held."""
        await self.release(held.id)


class Stock(SystemAPI, domain="fulfilment", version="1.0"):
    """Goods on the shelves."""

    @http.post("/reservations/{order}", status=201, raises=[OutOfStock])
    @abstractmethod
    async def reserve(self, order: str, pieces: tuple[Piece, ...]) -> Reservation:
        """Keep goods for an order, all or none."""

    @http.delete("/reservations/{order}", final=True)
    @abstractmethod
    async def release(self, order: str) -> None:
        """Give the goods of an order back."""

    @http.post("/reservations/{order}/shipment", status=204, final=True)
    @abstractmethod
    async def ship(self, order: str) -> None:
        """Take the goods of an order out of stock: they were dispatched."""

    @undoes(reserve)
    async def undo_reserve(self, reserved: Reservation) -> None:
        """Give back what was reserved."""
        await self.release(reserved.order)


class Warehouse(SystemAPI, domain="fulfilment", version="1.0"):
    """The warehouse that packs and sends. It tells by the event Dispatched."""

    @http.put("/orders/{order}", final=True, status=204)
    @abstractmethod
    async def dispatch(self, order: str, account: str, country: str, pieces: tuple[Piece, ...]) -> None:
        """Have the goods of an order sent."""


class Billing(SystemAPI, domain="finance", version="1.0"):
    """Invoices and credit notes."""

    @http.post("/invoices", status=201, raises=[BillingRefused])
    @abstractmethod
    async def invoice(self, order: str, account: str, lines: tuple[Line, ...]) -> Document:
        """Invoice an order."""

    @http.post("/credit-notes", status=201, raises=[BillingRefused], final=True)
    @abstractmethod
    async def credit_note(
        self, reference: str, account: str, lines: tuple[Line, ...], credits: str | None = None
    ) -> Document:
        """Credit lines (quantities positive), of the invoice ``credits`` where there is one."""

    @http.get("/documents/{reference}")
    @abstractmethod
    async def documents(self, reference: str) -> tuple[Document, ...]:
        """All documents with a reference, oldest first."""

    @undoes(invoice)
    async def undo_invoice(self, issued: Document, order: str, account: str, lines: tuple[Line, ...]) -> None:
        """Credit the whole invoice."""
        await self.credit_note(f"{order}-undone", account, lines, issued.number)


class Payments(SystemAPI, domain="finance", version="1.0"):
    """Requests to pay. What was paid is told by the event PaymentReceived."""

    @http.post("/payment-requests", status=201, final=True)
    @abstractmethod
    async def request(self, reference: str, account: str, amount: Decimal) -> PaymentRequest:
        """Ask a customer to pay."""


class OrderBook(SystemAPI, domain="sales", version="1.0"):
    """The sales domain's own book of orders: what was ordered, and what has become of it."""

    @http.put("/orders/{number}", status=201, final=True)
    @abstractmethod
    async def open(
        self, number: str, kind: str, state: str, reason: str, account: str, amount: Decimal, order: NewOrder
    ) -> OrderStatus:
        """Enter an order. An order that is there stays as it is."""

    @http.post("/orders/{number}/claim", final=True)
    @abstractmethod
    async def claim(self, number: str, by: str, state: str) -> bool:
        """Begin to work on an order; False if somebody else has begun already."""

    @http.post("/orders/{number}/takings", final=True)
    @abstractmethod
    async def take_back(
        self, number: str, customer: str | None, lines: tuple[Line, ...]
    ) -> tuple[Taken, ...]:
        """Find the sales that a cancellation takes back from, and keep what was found."""

    @http.post("/orders/{number}/state", status=204, final=True)
    @abstractmethod
    async def mark(
        self, number: str, state: str, reason: str = "", document: str | None = None, reminders: int = 0
    ) -> None:
        """Write down what has become of an order."""

    @http.get("/orders/{number}", raises=[OrderNotFound])
    @abstractmethod
    async def order(self, number: str) -> OrderStatus:
        """One order."""

    @http.get("/orders")
    @abstractmethod
    async def orders(
        self, state: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[OrderStatus]:
        """Orders by number, of one state or all."""


# -- events ----------------------------------------------------------------------------


class OrderPlaced(Event, version="1.0", domain="sales"):
    """A sale was accepted. ``term``: seconds that the customer has to pay before each reminder."""

    order: OrderKey[str]
    account: str
    country: str
    total: Decimal
    term: float
    lines: tuple[Line, ...]


class OrderCancelled(Event, version="1.0", domain="sales"):
    """A cancellation was accepted; ``taken`` tells what it takes back from which sale."""

    order: OrderKey[str]
    account: str
    total: Decimal
    taken: tuple[Taken, ...]


class Dispatched(Event, version="1.0", domain="fulfilment"):
    """The warehouse has sent a part of an order."""

    order: OrderKey[str]
    dispatch: str
    part: int
    parts: int


class PaymentReceived(Event, version="1.0", domain="finance"):
    """A customer has paid."""

    order: OrderKey[str]
    request: str
    amount: Decimal


# -- Process API -----------------------------------------------------------------------


class Orders(ProcessAPI, domain="sales", version="1.0"):
    """Orders from placing to payment."""

    @http.post("/orders", status=202, scopes=["orders:write"])
    @abstractmethod
    async def place(self, order: NewOrder) -> OrderAccepted:
        """Accept an order or a cancellation; what follows goes on by itself."""
