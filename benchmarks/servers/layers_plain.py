"""One plain ASGI function with msgspec that does the work of the layers: routing by hand, nothing else."""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct


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


encode = msgspec.json.Encoder().encode


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    assert scope["method"] == "GET"
    assert path.startswith("/bench/shop/v1/quote/")
    product = path[21:]
    who = Customer("c-1", "Anna", Decimal("1000.00"))
    stock = Stock(product, 7)
    price = Price(product, Decimal("10.50"))
    quote = Quote(who.id, product, price.amount, stock.quantity > 0 and price.amount <= who.limit)
    payload = encode(quote)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
