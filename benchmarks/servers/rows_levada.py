"""A row by key as JSON from PostgreSQL, with concurrent reads coalesced."""

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from levada import App, Problem, Settings, SystemAPI, coalesced, http, resource
from levada.connect.sql import Database, SqlSettings


class Item(Struct, frozen=True):
    id: int
    name: str
    price: Decimal
    stock: int


class ItemNotFound(Problem, status=404, detail="No item {id}."):
    """No item has this id."""

    id: int


class Items(SystemAPI, domain="bench", version="1.0"):
    @http.get("/items/{id}", raises=[ItemNotFound])
    @abstractmethod
    async def item(self, id: int) -> Item: ...


class SqlItems(Items):
    db: Database = resource("db")

    async def item(self, id: int) -> Item:
        if (found := await self._items(id)) is None:
            raise ItemNotFound(id=id)
        return found

    @coalesced
    async def _items(self, ids: Sequence[int]) -> Mapping[int, Item]:
        async with self.db.connection() as connection:
            rows = await connection.fetch("SELECT id, name, price, stock FROM item WHERE id = ANY($1)", ids)
        return {row["id"]: Item(row["id"], row["name"], row["price"], row["stock"]) for row in rows}


app = App(
    SqlItems,
    resources={"db": Database(SqlSettings(url=os.environ.get("BENCH_DSN", "postgresql://none"), pool=4))},
    settings=Settings(environment="bench"),
)
