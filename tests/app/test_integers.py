"""Whole numbers have 64 bits wherever a contract has them: one that is wider is refused at the border, with its place."""

import json
from abc import abstractmethod
from typing import Annotated, Generic, TypedDict, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from tests.app.doors import ASGI, LAST, SHORT, exchange, serving

from levada import App, Event, Page, Problem, Settings, SystemAPI, effect, http, testing
from levada.app.border import Border
from levada.contract import contract_of, event_type
from levada.contract._integers import LEAST, MOST
from levada.contract.openapi import openapi
from levada.contract.standard import BadRequest, InternalError

T = TypeVar("T")


class Line(Struct, frozen=True, rename="camel"):
    item_count: int
    note: str = ""


class Box(Struct, Generic[T], frozen=True):
    content: T
    inner: "Box[T] | None" = None


class Loose(TypedDict):
    n: int


class TooMany(Problem, status=409, detail="There are {left}."):
    """Too many."""

    left: int


class Counts(SystemAPI, domain="shop", version="1.0"):
    """Counts."""

    @http.get("/counts/{n}", raises=[TooMany])
    @abstractmethod
    async def twice(self, n: int) -> int: ...

    @http.get("/sums")
    @abstractmethod
    async def total(self, n: tuple[int, ...] = (), most: Annotated[int, Meta(ge=1)] | None = None) -> str: ...

    @http.post("/lines")
    @abstractmethod
    async def lines(self, lines: list[Line], by: dict[int, int], total: int = 0) -> Page[Line]: ...

    @http.put("/box")
    @abstractmethod
    async def box(self, box: Box[int]) -> Box[int]: ...


class Counting(Counts):
    async def twice(self, n: int) -> int:
        if n == 7:
            raise TooMany(left=MOST + 1)
        return 2 * n

    async def total(self, n: tuple[int, ...] = (), most: int | None = None) -> str:
        return str(sum(n))

    @effect.at_least_once("only counts")
    async def lines(self, lines: list[Line], by: dict[int, int], total: int = 0) -> Page[Line]:
        return Page(tuple(lines))

    @effect.at_least_once("only keeps")
    async def box(self, box: Box[int]) -> Box[int]:
        return box


def counting() -> App:
    return App(Counting, settings=Settings(environment="test"))


async def answered(port: int, line: str, body: str | None = None) -> tuple[int, dict]:
    head = [f"{line} HTTP/1.1".encode(), b"host: t"]
    sent = b"" if body is None else body.encode()
    if body is not None:
        head += [b"content-type: application/json", f"content-length: {len(sent)}".encode()]
    answer = await exchange(port, b"\r\n".join(head) + b"\r\n\r\n" + sent + LAST)
    status, _, rest = answer.partition(b"\r\n")
    document = rest.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0]
    return int(status.split()[1]), json.loads(document)


BASE = "/shop/counts/v1"
WIDE = str(MOST + 1)


@pytest.mark.parametrize("way", [SHORT, ASGI])
@pytest.mark.parametrize(
    ("line", "body", "place"),
    [
        (f"GET {BASE}/counts/{WIDE}", None, "n"),
        (f"GET {BASE}/counts/-{int(WIDE) + 1}", None, "n"),
        (f"GET {BASE}/counts/{'9' * 400}", None, "n"),
        (f"GET {BASE}/sums?n=1&n={WIDE}", None, "n"),
        (f"GET {BASE}/sums?most=%39{WIDE[1:]}", None, "most"),
        (f"POST {BASE}/lines", f'{{"lines": [], "by": {{}}, "total": {WIDE}}}', "$.total"),
        (f"POST {BASE}/lines", f'{{"lines": [], "by": {{}}, "total": {WIDE}.0}}', "$.total"),
        (f"POST {BASE}/lines", '{"lines": [], "by": {}, "total": 1e19}', "$.total"),
        (f"POST {BASE}/lines", f'{{"lines": [{{"itemCount": {WIDE}}}], "by": {{}}}}', "$.lines[0].itemCount"),
        (f"POST {BASE}/lines", f'{{"lines": [], "by": {{"1": {WIDE}}}}}', "$.by[...]"),
        (f"POST {BASE}/lines", f'{{"lines": [], "by": {{"\\u0039{WIDE[1:]}": 1}}}}', "$.by[key]"),
        (f"PUT {BASE}/box", f'{{"content": 1, "inner": {{"content": {WIDE}}}}}', "$.inner.content"),
    ],
)
async def test_a_number_that_is_too_wide_is_a_bad_request_that_names_it(way, line, body, place):
    async with serving(counting(), way) as served:
        status, told = await answered(served.port, line, body)
    assert (status, told["place"]) == (400, place)
    assert f"Expected `int` {'>=' if '/-' in line else '<='}" in told["detail"]


@pytest.mark.parametrize("way", [SHORT, ASGI])
async def test_what_fits_passes_also_beside_long_digits(way):
    async with serving(counting(), way) as served:
        port = served.port
        body = {"lines": [{"itemCount": MOST, "note": "1" * 40}], "by": {str(LEAST): MOST}, "total": LEAST}
        status, told = await answered(port, f"POST {BASE}/lines", json.dumps(body))
        assert (status, told["items"]) == (200, body["lines"])
        assert await answered(port, f"GET {BASE}/counts/{LEAST // 2}") == (200, LEAST)
        assert await answered(port, f"GET {BASE}/sums?n={MOST}&n=-1") == (200, str(MOST - 1))
        # What the operation answers, or raises, is held to the same.
        assert (await answered(port, f"GET {BASE}/counts/{MOST}"))[0] == 500
        assert (await answered(port, f"GET {BASE}/counts/7"))[0] == 500


@pytest.mark.parametrize("wire", [False, True])
async def test_in_process_it_is_the_same(wire):
    if wire:
        async with testing.network(Counting) as net:
            await refused(net[Counts])
    else:
        async with counting() as app:
            await refused(app[Counts])


async def refused(counts: Counts) -> None:
    for call in (
        counts.twice(MOST + 1),
        counts.total((1, LEAST - 1)),
        counts.lines([Line(MOST + 1)], {}),
        counts.lines([], {MOST + 1: 1}),
        counts.box(Box(1, Box(MOST + 1))),
    ):
        with pytest.raises(BadRequest, match="Expected `int`"):
            await call
    for n in (MOST, 7):
        with pytest.raises(InternalError):
            await counts.twice(n)
    assert await counts.box(Box(MOST)) == Box(MOST)


class Counted(Event, version="1.0", domain="shop"):
    n: int


def test_an_event_that_is_too_wide_is_none_of_its_class_and_one_that_is_stored_is_read():
    kind = event_type(Counted)
    assert "Expected `int` <=" in str(kind.misfit(Counted(n=MOST + 1)))
    assert kind.misfit(Counted(n=MOST)) is None
    assert kind.decode(f'{{"n": {WIDE}}}'.encode()).n == MOST + 1  # type: ignore[attr-defined]


def test_the_document_says_so_and_is_read_back_as_it_was():
    document = openapi(contract_of(Counts))
    whole = {"type": "integer", "format": "int64", "minimum": LEAST, "maximum": MOST}
    schemas = document["components"]["schemas"]
    assert schemas["Line"]["properties"]["itemCount"] == whole
    assert schemas["TooMany"]["properties"]["left"] == whole
    (most,) = [p for p in document["paths"]["/sums"]["get"]["parameters"] if p["name"] == "most"]
    assert most["schema"] == {"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST}
    assert document["paths"]["/counts/{n}"]["get"]["responses"]["200"]["content"]["application/json"] == {
        "schema": whole
    }


@given(st.lists(st.integers(min_value=LEAST - 3, max_value=MOST + 3)), st.text())
def test_a_border_refuses_just_what_does_not_fit(numbers, text):
    hint = tuple[list[int] | str | Loose, ...]
    values = (numbers, text, *({"n": n} for n in numbers))
    encoded = msgspec.json.encode(values)
    if all(LEAST <= n <= MOST for n in numbers):
        assert Border(hint).decode(encoded)[0] == numbers
    else:
        with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
            Border(hint).decode(encoded)
