"""Bad input, at both of the server's doors and at the command line: each message names place, reason and mend.

What is tried elsewhere is listed in ``docs/bad_input.py``, of which a page is made.
"""

import ast
import json
import shutil
from pathlib import Path

import pytest
from tests.app.doors import ASGI, BASE, SHORT, app, exchange, serving, token
from tests.started import levada

from docs import bad_input

ROOT = Path(__file__).parents[2]
JSON = "content-type: application/json"
GOOD = b'{"id":"1","price":"2.5","tags":["a"]}'


# -- over HTTP -----------------------------------------------------------------------


def sent(method: str, path: str, *headers: str, body: bytes | None = None) -> bytes:
    lines = [f"{method} {BASE}{path} HTTP/1.1", "host: t", "connection: close", *headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


MAY_WRITE = "levada-identity: a token made when it is sent"
"""Tokens live for a short time; this file is read long before its tests."""
REFUSED = {
    "malformed JSON": (sent("POST", "/things", JSON, body=b'{"id":'), 400, "body", "not JSON"),
    "two values": (sent("POST", "/things", JSON, body=GOOD + GOOD), 400, "body", "not JSON"),
    "empty body": (sent("POST", "/things", JSON, body=b""), 400, "body", "The body is empty"),
    "a wrong type": (sent("POST", "/things", JSON, body=b'{"id":1,"price":"1"}'), 400, "$.id", "Expected `str`, got `int`"),
    "a wrong type within": (sent("POST", "/things", JSON, body=b'{"id":"1","price":"1","tags":[1]}'), 400, "$.tags[0]", "Expected `str`"),
    "no number": (sent("POST", "/things", JSON, body=b'{"id":"1","price":"one"}'), 400, "$.price", "decimal"),
    "null": (sent("POST", "/things", JSON, body=b"null"), 400, "body", "Expected `object`"),
    "a field that is missing": (sent("POST", "/things", JSON, body=b'{"id":"1"}'), 400, "body", "`price`"),
    "deep nesting": (sent("POST", "/things", JSON, body=b"[" * 50_000), 400, "body", "Expected `object`"),
    "deep nesting in an unknown field": (sent("POST", "/things", JSON, body=b'{"x":' + b"[" * 40_000), 400, "body", "send it flatter"),
    "invalid UTF-8": (sent("POST", "/things", JSON, body=b'{"id":"\xff","price":"1"}'), 400, "body", "UTF-8"),
    "another type of body": (sent("POST", "/things", "content-type: text/plain", body=GOOD), 415, None, "Send application/json"),
    "an oversized body": (sent("POST", "/things", JSON, body=b'"' + b"x" * 100_001), 413, None, "at most 100000 bytes"),
    "an oversized length": (sent("POST", "/things", JSON, "content-length: 99999999999"), 413, None, "at most 100000 bytes"),
    "a parameter of the wrong type": (sent("GET", "/things/1/parts/seven"), 400, "number", "int"),
    "a query of the wrong type": (sent("GET", "/things?limit=x"), 400, "limit", "limit: Expected `int`, got `str`"),
    "a query that says it twice": (sent("GET", "/things?limit=1&limit=2"), 400, "limit", "twice in the query"),
    "a query without what is required": (sent("GET", "/found"), 400, "text", "text: it is missing in the query"),
    "an item of a list in a query": (sent("GET", "/found?text=a&days=2026-01-01&days=x"), 400, "days", "days: Invalid RFC3339 encoded date"),
    "a member that nobody knows": (sent("PUT", "/things/1", JSON, MAY_WRITE, body=b'{"price":"1","extra":1}'), 400, "body", "unknown field `extra`"),
    "a path that is not UTF-8": (sent("GET", "/things/%ff"), 400, "path", "UTF-8"),
    "a path that is not served": (sent("GET", "/nothing"), 404, None, "/openapi.json"),
    "a method that is not served": (sent("PATCH", "/things/1"), 405, None, "This path takes"),
    "a consumer that a client names": (sent("GET", "/things/1", "x-consumer-id: admin"), 401, None, "send an API key or a token"),
    "scopes that a client names": (sent("GET", "/things/1", "levada-scopes: admin"), 401, None, "send an API key or a token"),
    "a token of nobody": (sent("GET", "/things/1", "levada-identity: e30.e30.x"), 401, None, "token"),
    "a deadline that is no number": (sent("GET", "/things/1", "levada-timeout-ms: soon"), 400, "levada-timeout-ms", "whole numbers of milliseconds"),
    "a key with a space": (sent("POST", "/things", JSON, "idempotency-key: a b", body=GOOD), 400, "idempotency-key", "visible ASCII characters"),
}  # fmt: skip


@pytest.mark.parametrize("door", [SHORT, ASGI])
async def test_what_is_refused_over_http_says_where_and_why(door):
    async with serving(app(), door) as server:
        for name, (request, status, place, reason) in REFUSED.items():
            request = request.replace(MAY_WRITE.encode(), b"levada-identity: " + token("things:write"))
            head, _, body = (await exchange(server.port, request)).partition(b"\r\n\r\n")
            assert int(head.split()[1]) == status, (name, head, body)
            problem = json.loads(body)
            assert (problem["status"], problem.get("place")) == (status, place), (name, problem)
            assert reason in problem["detail"], (name, problem)
            assert f"levada-problem: {problem['type'].rpartition(':')[2]}".encode() in head, name
            assert b"Traceback" not in body
        assert server.app.plan.locals[0].instance.done == []


@pytest.mark.parametrize("door", [SHORT, ASGI])
async def test_what_is_only_unusual_is_taken_as_what_it_says(door):
    taken = {
        "a query parameter that nobody knows": (sent("GET", "/things?limt=1"), 200, b'"id":"1"'),
        "a field that nobody knows": (sent("POST", "/things", JSON, body=GOOD[:-1] + b',"more":{"a":[1]}}'), 201, GOOD),
        "an encoded slash is part of the name": (sent("GET", "/things/a%2Fb"), 200, b'"id":"a/b"'),
        "an encoded dot leads nowhere else": (sent("GET", "/things/%2e%2e"), 200, b'"id":".."'),
        "a name with underscores claims nothing": (sent("GET", "/things/1", "x_consumer_id: admin", "levada_scopes: admin"), 200, b'"id":"1"'),
    }  # fmt: skip
    async with serving(app(), door) as server:
        for name, (request, status, content) in taken.items():
            head, _, body = (await exchange(server.port, request)).partition(b"\r\n\r\n")
            assert int(head.split()[1]) == status, (name, head, body)
            assert content in body, (name, body)
            assert b"admin" not in body


# -- at the command line -------------------------------------------------------------

CONTRACTS = '''
from abc import abstractmethod

from levada import ProcessAPI, SystemAPI, effect, http


class Stock(SystemAPI, domain="shop", version="1.0"):
    """Stock."""

    @http.get("/stock/{id}")
    @abstractmethod
    async def stock(self, id: str) -> int:
        """How many."""
'''
ORDERS = '''
from contracts import *


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    stock: Stock

    @http.get("/orders/{id}")
    async def order(self, id: str) -> int:
        """An order."""
        return await self.stock.stock(id)
'''
SHELF = '''
from contracts import *


class {name}(Stock):
    async def stock(self, id: str) -> int:
        """How many."""
        return 3
'''
CYCLE = '''
from abc import abstractmethod

from levada import ProcessAPI, http


class Left(ProcessAPI, domain="shop", version="1.0"):
    """Left."""

    @http.get("/left")
    @abstractmethod
    async def left(self) -> str:
        """Left."""


class Right(ProcessAPI, domain="shop", version="1.0"):
    """Right."""

    @http.get("/right")
    @abstractmethod
    async def right(self) -> str:
        """Right."""


class IsLeft(Left):
    other: Right

    async def left(self) -> str:
        """Left."""
        return await self.other.right()


class IsRight(Right):
    other: Left

    async def right(self) -> str:
        """Right."""
        return await self.other.left()
'''
PAY = '''
from contracts import *


class Till(SystemAPI, domain="shop", version="1.0"):
    """A till."""

    @http.post("/charges")
    @abstractmethod
    async def charge(self, amount: int) -> int:
        """Take money."""


class Pay(ProcessAPI, domain="shop", version="1.0"):
    """Pay."""

    till: Till

    @http.post("/payments")
    async def pay(self, amount: int) -> int:
        """Pay."""
        return await self.till.charge(amount)
'''
APP = '[app]\nmodules = ["orders", "shelf"]\n'
BIND = '[app]\nmodules = ["orders"]\n[bind]\n'
WRONG = {
    "a contract with a cycle": ('[app]\nmodules = ["cycle"]\n', ["LV1201", "cycle.py", "in a circle: ", "publish an event"]),
    "a missing binding": ('[app]\nmodules = ["orders"]\n', ["LV1201", "orders.py", "nothing is bound to shop/Stock/v1", "[bind]"]),
    "two bindings": ('[app]\nmodules = ["orders", "shelf", "other"]\n', ["LV1201", "Other and Shelf both keep", 'State which', "[bind]"]),
    "no URL": (f'{BIND}"shop/Stock/v1" = "billing.example"\n', ["LV1202", '[bind]', "is no binding", "Write a URL"]),
    "a misspelt scheme": (f'{BIND}"shop/Stock/v1" = "htp://x"\n', ["LV1202", "[bind]", "'htp://x' is no URL", "Begin with https://"]),
    "a URL of another scheme": (f'{BIND}"shop/Stock/v1" = {{ url = "ftp://x" }}\n', ["LV1202", "[bind]", "is no URL", "Begin with https://"]),
    "a table that knows no such word": (f'{BIND}"shop/Stock/v1" = {{ uri = "http://x" }}\n', ["LV1202", "[bind]", "unknown field `uri`", "Write { url"]),
    "a binding of nothing": (f'{APP}[bind]\n"shop/Stok/v1" = "http://x"\n', ["LV1201", "[bind] shop/Stok/v1", "nothing in this app depends on it", "Known here: shop/Orders/v1, shop/Stock/v1"]),
    "a binding of another major": (f'{BIND}"shop/Stock/v2" = "http://x"\n', ["LV1201", "nothing is bound to shop/Stock/v1", "[bind] has shop/Stock/v2, another major"]),
    "a foreign service that changes something": ('[app]\nmodules = ["pay"]\n[bind]\n"shop/Till/v1" = { url = "http://x", path = "/api" }\n', ["LV1201", '[bind] "shop/Till/v1"', "(charge)", 'effect = "passes_key"']),
    "a class that is not there": (f'{BIND}"shop/Stock/v1" = "shelf:Nothing"\n', ["LV1202", "[bind]", "no API class 'Nothing'", "package.module:Class"]),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contracts.py").write_text(CONTRACTS)
    (tmp_path / "orders.py").write_text(ORDERS)
    (tmp_path / "cycle.py").write_text(CYCLE)
    (tmp_path / "pay.py").write_text(PAY)
    for module, name in (("shelf", "Shelf"), ("other", "Other")):
        (tmp_path / f"{module}.py").write_text(SHELF.format(name=name))
    return tmp_path


@pytest.mark.parametrize("effect", ["passes_key", "at_least_once"])
def test_a_foreign_service_is_bound_with_its_effect(folder, effect):
    binding = f'{{ url = "http://127.0.0.1:9", path = "/api", effect = "{effect}" }}'
    (folder / "levada.toml").write_text(f'[app]\nmodules = ["pay"]\n[bind]\n"shop/Till/v1" = {binding}\n')
    assert levada(folder, "describe").returncode == 0


@pytest.mark.parametrize(("name", "verb"), [*((n, "run") for n in WRONG), ("two bindings", "describe")])
def test_what_cannot_be_assembled_is_said_with_place_reason_and_mend(folder, name, verb):
    toml, said = WRONG[name]
    (folder / "levada.toml").write_text(toml)
    done = levada(folder, verb, *(["--port", "0"] if verb == "run" else []))
    assert done.returncode == 2, done.stdout
    for part in said:
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def doctor(folder: Path) -> tuple[int, dict[str, dict[str, str]]]:
    done = levada(folder, "doctor", "--json")
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


def test_a_wrong_url_and_another_major_are_found_by_doctor_and_told_in_the_log(folder, deployment):
    (deployment.folder / "levada.toml").write_text('[app]\nmodules = ["shelf"]\n[server]\nport = 0\n')
    url = deployment.start()["url"]
    here = folder / "here"
    here.mkdir()
    for name in ("contracts.py", "orders.py"):
        shutil.copy(folder / name, here)
    service = "Service shop/Stock/v1"
    (here / "levada.toml").write_text(f'{BIND}"shop/Stock/v1" = "{url}"\n')
    assert doctor(here)[1][service]["state"] == "ok"
    (here / "levada.toml").write_text(f'{BIND}"shop/Stock/v1" = "http://127.0.0.1:9"\n')
    code, checks = doctor(here)
    assert (code, checks[service]["state"]) == (3, "failed")
    assert "cannot be reached" in checks[service]["found"]
    assert '[bind] "shop/Stock/v1"' in checks[service]["mend"]
    contract = (here / "contracts.py").read_text().replace('version="1.0"', 'version="2.0"')
    (here / "contracts.py").write_text(contract)
    (here / "levada.toml").write_text(f'{BIND}"shop/Stock/v2" = "{url}"\n')
    code, checks = doctor(here)
    service = "Service shop/Stock/v2"
    assert (code, checks[service]["state"]) == (3, "failed")
    assert "does not serve shop/Stock/v2" in checks[service]["found"]
    assert "majors" in checks[service]["mend"]


# -- the rest is tried where it belongs ----------------------------------------------


def test_every_item_of_the_list_names_tests_that_are_there():
    for item in bad_input.ITEMS:
        assert item.tests
        for test in item.tests:
            file, _, function = test.partition("::")
            tree = ast.parse((ROOT / file).read_text())
            names = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert function in names, test
