"""The written contract is the same contract: its digests agree."""

import importlib.util
import json
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import Enum
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from levada import Page, Problem, SystemAPI, http
from levada.cli.client import NotWritten, client
from levada.contract import contract_of
from levada.contract.openapi import openapi


class Kind(Enum):
    GOLD = "gold"
    PLAIN = "plain"


class Item(Struct, frozen=True):
    """A thing, "quoted"."""

    id: str
    price: Decimal
    kind: Kind = Kind.PLAIN
    parts: "tuple[Item, ...]" = ()


class NoItem(Problem, status=404, detail="No item {id}."):
    """No such item."""

    id: str


class Items(SystemAPI, domain="shop", version="1.2"):
    """Items."""

    @http.get("/items/{id}", raises=[NoItem])
    @abstractmethod
    async def item(self, id: str) -> Item: ...

    @http.get("/items")
    @abstractmethod
    async def items(
        self, cursor: str | None = None, limit: Annotated[int, Meta(ge=1)] = 5, kind: tuple[Kind, ...] = ()
    ) -> Page[Item]: ...

    @http.get("/every")
    @abstractmethod
    def every(self) -> AsyncIterator[Item]: ...

    @http.post("/items", status=201, scopes=["items:write"])
    @abstractmethod
    async def add(self, item: Item) -> tuple[Item, Item]: ...

    @http.post("/items/{id}/moves")
    @abstractmethod
    async def move(self, id: str, to: str, count: int = 1) -> None: ...

    @http.put("/pictures/{id}")
    @abstractmethod
    async def picture(self, id: str, content: bytes) -> bytes: ...


def test_the_written_contract_has_the_same_digests_and_is_not_overwritten(tmp_path):
    document, out = tmp_path / "openapi.json", tmp_path / "items_written.py"
    document.write_text(json.dumps(openapi(contract_of(Items))))
    assert client(str(document), out=out) == 0
    spec = importlib.util.spec_from_file_location("items_written", out)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["items_written"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        made, meant = contract_of(module.Items), contract_of(Items)
        assert made.id == meant.id
        assert {n: o.digest() for n, o in made.operations.items()} == {
            n: o.digest() for n, o in meant.operations.items()
        }
    finally:
        del sys.modules["items_written"]
    with pytest.raises(NotWritten):
        client(str(document), out=out)
