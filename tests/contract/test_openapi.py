"""The OpenAPI document says what the contract says; an independent validator reads it."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Struct
from openapi_spec_validator import OpenAPIV31SpecValidator

from levada import Page, Problem, SystemAPI, http
from levada.contract import contract_of
from levada.contract.openapi import openapi


class Kind(Enum):
    GOLD = "gold"
    PLAIN = "plain"


class Item(Struct, frozen=True):
    id: str
    price: Decimal
    at: datetime
    kind: Kind = Kind.PLAIN
    tags: tuple[str, ...] = ()
    parts: "tuple[Item, ...]" = ()


class NoItem(Problem, status=404, detail="No item {id}."):
    """No such item."""

    id: str


class Sold(Problem, status=404):
    """It is sold."""


class Items(SystemAPI, domain="shop", version="2.3"):
    """Items on sale.

    All of them.
    """

    @http.get("/items/{id}", raises=[NoItem, Sold], tool="What is this item?", timeout=2.5)
    @abstractmethod
    async def item(self, id: str) -> Item:
        """One item."""

    @http.get("/items")
    @abstractmethod
    async def items(
        self,
        cursor: str | None = None,
        limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10,
        kind: tuple[Kind, ...] = (),
    ) -> Page[Item]: ...

    @http.get("/every")
    @abstractmethod
    def every(self) -> AsyncIterator[Item]: ...

    @http.post("/items", status=202, scopes=["items:write"], durable=True)
    @abstractmethod
    async def add(self, item: Item) -> None: ...

    @http.post("/items/{id}/moves")
    @abstractmethod
    async def move(self, id: str, to: str, count: int = 1) -> int: ...

    @http.put("/pictures/{id}")
    @abstractmethod
    async def picture(self, id: str, content: bytes) -> None: ...

    @http.get("/pictures/{id}")
    @abstractmethod
    async def pictured(self, id: str) -> bytes: ...


DOCUMENT = openapi(contract_of(Items))


def operation(path: str, method: str) -> dict:
    return DOCUMENT["paths"][path][method]


def test_an_independent_validator_reads_it():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_says_which_contract_it_is():
    assert DOCUMENT["info"] == {
        "title": "Items",
        "version": "2.3",
        "description": "Items on sale.\n\nAll of them.",
    }
    assert DOCUMENT["servers"] == [{"url": "/shop/items/v2"}]
    assert DOCUMENT["x-levada-contract"] == "shop/Items/v2"
    assert DOCUMENT["x-levada-layer"] == "system"


def test_each_operation_has_the_digest_its_consumers_check():
    for one in contract_of(Items).operations.values():
        assert operation(one.path, one.method.lower())["x-levada-digest"] == one.digest()


def test_two_problems_of_one_status_are_both_described():
    content = operation("/items/{id}", "get")["responses"]["404"]["content"]
    (schema,) = [c["schema"] for c in content.values()]
    assert list(content) == ["application/problem+json"]
    names = [s["$ref"].rpartition("/")[2] for s in schema["anyOf"]]
    found = [DOCUMENT["components"]["schemas"][n]["x-levada-problem"] for n in names]
    assert found == ["no-item", "sold"]


def test_a_problems_fields_are_members_of_its_document():
    schema = DOCUMENT["components"]["schemas"]["NoItem"]
    assert schema["required"] == ["type", "title", "status", "detail", "id"]
    assert schema["properties"]["status"] == {"const": 404}


def test_scopes_are_its_security_and_marks_are_extensions():
    add = operation("/items", "post")
    assert add["security"] == [{"key": ["items:write"]}, {"bearer": ["items:write"]}]
    assert add["x-levada-durable"] is True
    assert "content" not in add["responses"]["202"]
    item = operation("/items/{id}", "get")
    assert (item["x-levada-tool"], item["x-levada-timeout"]) == ("What is this item?", 2.5)
    assert "security" not in item


def test_parameters_stand_where_they_travel():
    (cursor, limit, kind) = operation("/items", "get")["parameters"]
    assert (cursor["in"], cursor["required"], cursor["schema"]["type"]) == ("query", False, "string")
    assert limit["schema"] == {
        "type": "integer", "format": "int64", "minimum": 1, "maximum": 100, "default": 10
    }  # fmt: skip
    assert kind["schema"]["items"] == {"$ref": "#/components/schemas/Kind"}
    body = operation("/items/{id}/moves", "post")["requestBody"]["content"]["application/json"]["schema"]
    assert DOCUMENT["components"]["schemas"][body["$ref"].rpartition("/")[2]]["required"] == ["to"]


class Opened(Struct, tag=True):
    at: datetime


class Shut(Struct, tag=True):
    at: str


class Door(SystemAPI, domain="shop", version="1.0"):
    @http.get("/door")
    @abstractmethod
    async def last(self) -> Opened | Shut | None: ...


def test_each_time_is_said_to_be_one_within_lists_and_unions():
    def members(contract, name):
        return openapi(contract_of(contract))["components"]["schemas"][name]["properties"]

    at = {"type": "string", "format": "date-time", "x-levada-zone": "any"}
    assert members(Items, "Item")["at"] == at
    assert (members(Door, "Opened")["at"], members(Door, "Shut")["at"]) == (at, {"type": "string"})


def test_files_are_bytes_and_streams_are_lines_that_end():
    assert list(operation("/pictures/{id}", "put")["requestBody"]["content"]) == ["application/octet-stream"]
    assert list(operation("/pictures/{id}", "get")["responses"]["200"]["content"]) == [
        "application/octet-stream"
    ]
    every = operation("/every", "get")["responses"]["200"]
    assert list(every["content"]) == ["application/jsonl"]
    assert [list(o["properties"]) for o in every["x-levada-line"]["oneOf"]] == [
        ["item"],
        ["end"],
        ["problem"],
    ]
