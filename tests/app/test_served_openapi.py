"""The document is served, and what is served keeps to the document: schemathesis tries it."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from msgspec import Meta, Struct

from levada import App, Page, Problem, Settings, SystemAPI, effect, http
from levada.contract import contract_of
from levada.contract.openapi import openapi


class Item(Struct, frozen=True):
    id: str
    price: Decimal
    at: datetime
    tags: tuple[str, ...] = ()


class NewItem(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    count: Annotated[int, Meta(ge=0, le=1000)]
    note: str | None = None


class NoItem(Problem, status=404, detail="No item {id}."):
    """No such item."""

    id: str


class Items(SystemAPI, domain="shop", version="1.0"):
    """All kinds of operations."""

    @http.get("/items/{id}", raises=[NoItem])
    @abstractmethod
    async def item(self, id: str) -> Item: ...

    @http.get("/numbered/{number}")
    @abstractmethod
    async def numbered(self, number: UUID) -> Item: ...

    @http.get("/items")
    @abstractmethod
    async def items(
        self,
        cursor: str | None = None,
        limit: Annotated[int, Meta(ge=1, le=5)] = 2,
        tags: tuple[str, ...] = (),
    ) -> Page[Item]: ...

    @http.get("/every")
    @abstractmethod
    def every(self, flag: bool = False) -> AsyncIterator[Item]: ...

    @http.post("/items", status=201)
    @abstractmethod
    async def add(self, item: NewItem) -> Item: ...

    @http.post("/items/{id}/moves", status=202, raises=[NoItem])
    @abstractmethod
    async def move(self, id: str, to: str, count: int = 1) -> None: ...

    @http.delete("/items/{id}")
    @abstractmethod
    async def remove(self, id: str) -> None: ...

    @http.post("/secret", scopes=["secret"])
    @abstractmethod
    async def secret(self, text: str, times: int) -> str: ...

    @http.put("/pictures/{id}")
    @abstractmethod
    async def picture(self, id: str, content: bytes) -> int: ...

    @http.get("/pictures/{id}")
    @abstractmethod
    async def pictured(self, id: str) -> bytes: ...


def _made(id: str, *tags: str) -> Item:
    return Item(id, Decimal("1.50"), datetime(2026, 1, 1, tzinfo=UTC), tags)


class Memory(Items):
    async def item(self, id: str) -> Item:
        if id.startswith("0"):
            raise NoItem(id=id)
        return _made(id)

    async def numbered(self, number: UUID) -> Item:
        return _made(str(number))

    async def items(
        self, cursor: str | None = None, limit: int = 2, tags: tuple[str, ...] = ()
    ) -> Page[Item]:
        return Page((_made(cursor or "1", *tags),) * limit, None)

    async def every(self, flag: bool = False) -> AsyncIterator[Item]:
        yield _made(str(flag))

    @effect.at_least_once("in memory")
    async def add(self, item: NewItem) -> Item:
        return _made(item.name)

    @effect.at_least_once("in memory")
    async def move(self, id: str, to: str, count: int = 1) -> None:
        if id.startswith("0"):
            raise NoItem(id=id)

    @effect.at_least_once("in memory")
    async def remove(self, id: str) -> None: ...

    @effect.at_least_once("in memory")
    async def secret(self, text: str, times: int) -> str:
        return text

    @effect.at_least_once("in memory")
    async def picture(self, id: str, content: bytes) -> int:
        return len(content)

    async def pictured(self, id: str) -> bytes:
        return id.encode()


def app() -> App:
    return App(Memory, settings=Settings(environment="test"))


async def test_the_document_is_served_with_a_tag():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app()), base_url="http://test") as client:
        answer = await client.get("/shop/items/v1/openapi.json")
        assert answer.json() == openapi(contract_of(Items))
        assert answer.headers["content-type"] == "application/json"
        again = await client.get(
            "/shop/items/v1/openapi.json", headers={"if-none-match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.post("/shop/items/v1/openapi.json")).status_code == 405


async def test_who_may_not_call_may_not_read_it_either():
    closed = App(Memory, settings=Settings(environment="test", anonymous=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(closed), base_url="http://test") as client:
        assert (await client.get("/shop/items/v1/openapi.json")).status_code == 401


async def test_an_answer_without_a_body_has_no_type():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app()), base_url="http://test") as client:
        answer = await client.post("/shop/items/v1/items/1/moves", json={"to": "x"})
        assert (answer.status_code, answer.content) == (202, b"")
        assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("count", "status"),
    [("7.0", 201), ("7e1", 201), ("7.5", 400), ("1e999999999", 400), ("-1.0", 400), ('"7"', 400)],
)
async def test_a_whole_number_may_be_written_with_a_point(count: str, status: int):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app()), base_url="http://test") as client:
        body = f'{{"name": "n", "count": {count}}}'
        answer = await client.post("/shop/items/v1/items", content=body)
        assert answer.status_code == status, answer.text


schema = schemathesis.openapi.from_asgi("/shop/items/v1/openapi.json", app())


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_served_keeps_to_the_document(case: schemathesis.Case):
    case.call_and_validate()
