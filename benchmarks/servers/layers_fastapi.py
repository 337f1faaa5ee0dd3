"""The same as FastAPI services that call each other with httpx; LAYER tells which one this process is."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

URLS: dict[str, str] = json.loads(os.environ.get("BIND", "{}"))
clients: dict[str, httpx.AsyncClient] = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    for name, url in URLS.items():
        clients[name] = httpx.AsyncClient(base_url=url)
    yield
    for client in clients.values():
        await client.aclose()


app = FastAPI(lifespan=lifespan)


class Customer(BaseModel):
    id: str
    name: str
    limit: Decimal


class Stock(BaseModel):
    product: str
    quantity: int


class Price(BaseModel):
    product: str
    amount: Decimal


class Quote(BaseModel):
    customer: str
    product: str
    amount: Decimal
    available: bool


@app.get("/bench/customers/v1/customers/{id}")
async def customer(id: str) -> Customer:
    return Customer(id=id, name="Anna", limit=Decimal("1000.00"))


@app.get("/bench/stocks/v1/stock/{product}")
async def stock(product: str) -> Stock:
    return Stock(product=product, quantity=7)


@app.get("/bench/prices/v1/prices/{product}")
async def price(product: str) -> Price:
    return Price(product=product, amount=Decimal("10.50"))


@app.get("/bench/quotes/v1/quotes/{customer}/{product}")
async def quotes(customer: str, product: str) -> Quote:
    who = Customer.model_validate_json(
        (await clients["customers"].get(f"/bench/customers/v1/customers/{customer}")).content
    )
    have = Stock.model_validate_json(
        (await clients["stocks"].get(f"/bench/stocks/v1/stock/{product}")).content
    )
    cost = Price.model_validate_json(
        (await clients["prices"].get(f"/bench/prices/v1/prices/{product}")).content
    )
    return Quote(
        customer=who.id,
        product=product,
        amount=cost.amount,
        available=have.quantity > 0 and cost.amount <= who.limit,
    )


@app.get("/bench/shop/v1/quote/{product}")
async def quote(product: str) -> Quote:
    answer = await clients["quotes"].get(f"/bench/quotes/v1/quotes/c-1/{product}")
    return Quote.model_validate_json(answer.content)
