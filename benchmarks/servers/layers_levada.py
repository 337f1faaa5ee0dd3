"""Experience -> Process -> three System calls with Levada; LAYERS tells which of them this process serves."""

import json
import os
from abc import abstractmethod
from decimal import Decimal

from msgspec import Struct

from levada import App, ExperienceAPI, ProcessAPI, Settings, SystemAPI, http


class Customer(Struct, frozen=True):
    id: str
    name: str
    limit: Decimal


class Stock(Struct, frozen=True):
    product: str
    quantity: int


class Price(Struct, frozen=True):
    product: str
    amount: Decimal


class Quote(Struct, frozen=True):
    customer: str
    product: str
    amount: Decimal
    available: bool


class Customers(SystemAPI, domain="bench", version="1.0"):
    @http.get("/customers/{id}")
    @abstractmethod
    async def customer(self, id: str) -> Customer: ...


class Stocks(SystemAPI, domain="bench", version="1.0"):
    @http.get("/stock/{product}")
    @abstractmethod
    async def stock(self, product: str) -> Stock: ...


class Prices(SystemAPI, domain="bench", version="1.0"):
    @http.get("/prices/{product}")
    @abstractmethod
    async def price(self, product: str) -> Price: ...


class Quotes(ProcessAPI, domain="bench", version="1.0"):
    @http.get("/quotes/{customer}/{product}")
    @abstractmethod
    async def quote(self, customer: str, product: str) -> Quote: ...


class OurCustomers(Customers):
    async def customer(self, id: str) -> Customer:
        return Customer(id, "Anna", Decimal("1000.00"))


class OurStocks(Stocks):
    async def stock(self, product: str) -> Stock:
        return Stock(product, 7)


class OurPrices(Prices):
    async def price(self, product: str) -> Price:
        return Price(product, Decimal("10.50"))


class OurQuotes(Quotes):
    customers: Customers
    stocks: Stocks
    prices: Prices

    async def quote(self, customer: str, product: str) -> Quote:
        who = await self.customers.customer(customer)
        stock = await self.stocks.stock(product)
        price = await self.prices.price(product)
        return Quote(who.id, product, price.amount, stock.quantity > 0 and price.amount <= who.limit)


class Shop(ExperienceAPI, domain="bench", version="1.0"):
    quotes: Quotes

    @http.get("/quote/{product}")
    async def quote(self, product: str) -> Quote:
        return await self.quotes.quote("c-1", product)


class Handler(ExperienceAPI, domain="bench", version="1.0", name="Single"):
    """One handler that does the same work."""

    @http.get("/quote/{product}")
    async def quote(self, product: str) -> Quote:
        who = Customer("c-1", "Anna", Decimal("1000.00"))
        stock = Stock(product, 7)
        price = Price(product, Decimal("10.50"))
        return Quote(who.id, product, price.amount, stock.quantity > 0 and price.amount <= who.limit)


PARTS = {
    "customers": OurCustomers,
    "stocks": OurStocks,
    "prices": OurPrices,
    "quotes": OurQuotes,
    "shop": Shop,
    "single": Handler,
}
app = App(
    *(PARTS[p] for p in os.environ["LAYERS"].split(",")),
    bind=json.loads(os.environ.get("BIND", "{}")),
    settings=Settings(environment="bench", identity="a secret of the benchmark that is long enough"),
)
