"""The written contract is the same contract: its digests agree."""

import importlib.util
import json
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, get_type_hints
from uuid import UUID

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


class Closed(Problem, status=503, detail="Closed until {until}."):
    """The shop is closed."""

    until: datetime


class Broken(Problem, status=500):
    """It has a field of this name itself."""

    trace: str
    times: int
    at_least: Annotated[int, Meta(gt=-3)] = 0


class Moments(Struct, frozen=True):
    day: dict[str, date]
    at: dict[str, datetime]
    made: datetime | None = None
    sold: Annotated[datetime, Meta(tz=True)] = datetime(2026, 1, 1, tzinfo=UTC)
    local: tuple[Annotated[datetime, Meta(tz=False)], ...] = ()
    opens: time = time(8)


class Times(SystemAPI, domain="shop", version="1.0"):
    """Times."""

    @http.get("/since")
    @abstractmethod
    async def since(self, day: date, moment: datetime, until: datetime | None = None) -> list[datetime]: ...

    @http.post("/times")
    @abstractmethod
    async def keep(
        self, id: UUID, moments: Moments, pair: tuple[datetime, int], ends: Annotated[time, Meta(tz=True)]
    ) -> datetime: ...


class Items(SystemAPI, domain="shop", version="1.2"):
    """Items."""

    @http.get("/items/{id}", raises=[NoItem, Closed, Broken])
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


@pytest.fixture
def written(tmp_path):
    """The module that the client command writes of a contract's document."""
    names: list[str] = []

    def write(contract):
        document, out = tmp_path / "openapi.json", tmp_path / "items_written.py"
        document.write_text(json.dumps(openapi(contract_of(contract))))
        assert client(str(document), out=out, force=True) == 0
        spec = importlib.util.spec_from_file_location("items_written", out)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["items_written"] = importlib.util.module_from_spec(spec)
        names.append("items_written")
        spec.loader.exec_module(module)
        return module

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("contract", [Items, Times])
def test_the_written_contract_has_the_same_digests_and_is_not_overwritten(tmp_path, written, contract):
    made, meant = contract_of(getattr(written(contract), contract.__name__)), contract_of(contract)
    assert made.id == meant.id
    assert {n: o.digest() for n, o in made.operations.items()} == {
        n: o.digest() for n, o in meant.operations.items()
    }
    with pytest.raises(NotWritten):
        client(str(tmp_path / "openapi.json"), out=tmp_path / "items_written.py")


def test_the_trace_of_a_failure_is_in_the_document_and_is_no_field_of_its_class(written):
    schemas = openapi(contract_of(Items))["components"]["schemas"]
    for name in ("Closed", "levada.Problem"):
        trace = schemas[name]["properties"]["trace"]
        assert (trace["type"], trace["pattern"]) == ("string", "^[0-9a-f]{32}$")
        assert "trace" not in schemas[name]["required"]
    assert "trace" not in schemas["NoItem"]["properties"]
    assert schemas["Broken"]["properties"]["trace"] == {"type": "string"}
    module = written(Items)
    assert list(module.Closed(until=datetime(2026, 1, 1, tzinfo=UTC)).document())[4:] == ["until"]
    assert module.Broken(trace="Monday", times=1).at_least == 0


def test_times_are_times_again_and_the_document_says_so_to_others(written):
    module = written(Times)
    made, meant = (get_type_hints(kind, include_extras=True) for kind in (module.Moments, Moments))
    for name in ("made", "sold", "local", "opens", "day", "at"):
        assert made[name] == meant[name], name
    assert module.Moments(day={}, at={}).sold == datetime(2026, 1, 1, tzinfo=UTC)
    given, wanted = (contract_of(c).operations for c in (module.Times, Times))
    for name, operation in wanted.items():
        assert [(p.name, p.type) for p in given[name].parameters if p.name != "moments"] == [
            (p.name, p.type) for p in operation.parameters if p.name != "moments"
        ]
    document = openapi(contract_of(Times))
    members = document["components"]["schemas"]["Moments"]["properties"]
    assert members["made"]["anyOf"][0] == {"type": "string", "format": "date-time", "x-levada-zone": "any"}
    assert members["sold"]["format"] == "date-time"
    assert members["local"]["items"]["format"] == "date-time-local"
    assert members["day"]["additionalProperties"]["format"] == "date"
    moment = document["paths"]["/since"]["get"]["parameters"][1]
    assert moment["schema"]["format"] == "date-time"


def test_a_union_that_no_contract_may_have_loses_its_bound(tmp_path):
    text = {"type": "string", "pattern": "^a"}
    several = [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ]
    body = {"type": "object", "properties": {f"by{n}": {"anyOf": [s, text]} for n, s in enumerate(several)}}
    post = {
        "operationId": "find",
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "Done."}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Finder", "version": "1.0"},
        "paths": {"/find": {"post": post}},
    }
    (tmp_path / "finder.json").write_text(json.dumps(document))
    assert client(str(tmp_path / "finder.json"), domain="shop", out=tmp_path / "finder.py") == 0
    text = (tmp_path / "finder.py").read_text()
    assert "tuple[str, ...] | str" in text
    assert "dict[str, int] | str" in text
