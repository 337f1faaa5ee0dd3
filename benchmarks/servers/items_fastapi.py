"""The same with FastAPI, validating input and output."""

from decimal import Decimal

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    id: str
    name: str
    price: Decimal
    quantity: int
    tags: list[str]


@app.get("/bench/items/v1/items/{id}")
async def item(id: str) -> Item:
    return Item(
        id=id, name="Regency teacake plates", price=Decimal("10.50"), quantity=3, tags=["green", "set"]
    )


@app.post("/bench/items/v1/items")
async def add(item: Item) -> Item:
    return item
