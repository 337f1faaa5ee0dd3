"""What the phone is given: one composition of the network for one channel."""

from examples.order_to_cash.contracts import (
    NewOrder,
    OrderAccepted,
    OrderBook,
    OrderNotFound,
    Orders,
    OrderStatus,
)

from levada import ExperienceAPI, Mobile, Page, http


class Storefront(ExperienceAPI, domain="sales", version="1.0", channels=[Mobile()]):
    """The shop of the phone: place orders, ask what has become of them."""

    orders: Orders
    book: OrderBook

    @http.post("/orders", status=202, scopes=["orders:write"], tool="Place an order or cancel one.")
    async def place(self, order: NewOrder) -> OrderAccepted:
        """Place an order or a cancellation."""
        return await self.orders.place(order)

    @http.get(
        "/orders/{number}/status",
        raises=[OrderNotFound],
        scopes=["orders:read"],
        tool="What has become of an order?",
    )
    async def status(self, number: str) -> OrderStatus:
        """What has become of an order."""
        return await self.book.order(number)

    @http.get("/orders", scopes=["orders:read"])
    async def search(
        self, state: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[OrderStatus]:
        """Orders of a state, or all, page by page."""
        return await self.book.orders(state, cursor, limit)
