"""From OpenAPI documents to contracts: bound to a served API, and from documents that are out to break something."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
import tomllib
from abc import abstractmethod
from random import Random
from types import ModuleType
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from levada import App, ProcessAPI, http
from levada.connect.adopt import Place, Wishes
from levada.connect.adopt import adopt as adopted_of
from levada.contract._generate.read import read
from levada.contract._generate.write import write

PETS: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Pet Store API", "version": "2.4.1", "description": 'Pets. """ \\ import os'},
    "servers": [{"url": "/api"}],
    "paths": {
        "/pets/{pet-id}": {
            "parameters": [{"name": "pet-id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "getPet",
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
                    },
                    "404": {"description": "No such pet."},
                },
            },
        },
        "/pets": {
            "get": {
                "operationId": "listPets",
                "parameters": [
                    {"name": "petKind", "in": "query", "schema": {"$ref": "#/components/schemas/Kind"}},
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "default": 10},
                    },
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}
                            }
                        }
                    }
                },
            },
            "post": {
                "operationId": "class",
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
                },
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
                },
            },
        },
        "/photos": {
            "post": {"requestBody": {"content": {"multipart/form-data": {}}}, "responses": {"204": {}}}
        },
    },
    "components": {
        "schemas": {
            "Kind": {"type": "string", "enum": ["cat", "dog"]},
            "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
            "Pet": {
                "allOf": [
                    {"$ref": "#/components/schemas/Base"},
                    {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "petKind": {"$ref": "#/components/schemas/Kind"},
                            "parent": {"$ref": "#/components/schemas/Pet"},
                            "class": {"type": "string", "nullable": True},
                        },
                    },
                ]
            },
        }
    },
}


@pytest.fixture
async def served():
    """A service that was not written with Levada, with its document."""
    pets = {1: {"id": 1, "name": "Tom", "petKind": "cat", "class": None}}
    asked: list[str] = []

    async def pet(request: web.Request) -> web.Response:
        found = pets.get(int(request.match_info["id"]))
        return web.json_response(found) if found else web.json_response({"message": "none"}, status=404)

    async def many(request: web.Request) -> web.Response:
        asked.append(request.query_string)
        return web.json_response(list(pets.values()))

    async def add(request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    async def document(_: web.Request) -> web.Response:
        return web.json_response(PETS)

    app = web.Application()
    app.add_routes([
        web.get("/api/pets/{id}", pet), web.get("/api/pets", many), web.post("/api/pets", add), web.get("/openapi.json", document),
    ])  # fmt: skip
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_a_served_api_is_called_through_the_contract_of_its_document(served, project, load):
    address, asked = served
    report = await asyncio.to_thread(project.adopt, f"{address}/openapi.json", "--domain", "shop")
    assert "4 passed" not in await asyncio.to_thread(project.tested)
    assert report["left_out"] == ["POST /photos: left out, its body is multipart/form-data, not JSON"]
    assert {d["kind"] for d in report["decide"]} == {"undo", "paging", "effect"}
    ((contract_id, binding),) = tomllib.loads(report["settings"])["bind"].items()
    assert (contract_id, binding["url"], binding["path"]) == ("shop/PetStore/v2", address, "/api")

    contract = load("pet_store.contract")

    class Desk(ProcessAPI, domain="front", version="1.0"):
        pets: contract.PetStore

        @http.get("/desk")
        @abstractmethod
        async def ask(self) -> None: ...

    class RealDesk(Desk):
        async def ask(self) -> None:
            tom = await self.pets.get_pet(1)
            assert (tom.name, tom.pet_kind, tom.class_) == ("Tom", contract.Kind.CAT, None)
            assert await self.pets.list_pets(petKind=contract.Kind.CAT) == (tom,)
            made = await self.pets.class_(contract.Pet(id=2, name="Rex", parent=tom))
            assert made.parent == tom
            with pytest.raises(contract.Missing):
                await self.pets.get_pet(9)

    async with App(RealDesk, bind={contract_id: binding}) as app:
        await app[Desk].ask()
    assert asked == ["petKind=cat"]


def test_the_code_is_formatted_clean_and_typed(project, tmp_path):
    (tmp_path / "pets.json").write_text(json.dumps(PETS))
    project.adopt(str(tmp_path / "pets.json"), "--domain", "shop")
    project.tested()
    project.checked()


def test_a_document_in_several_files_and_in_yaml_is_one(project, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.1.0\ninfo: {title: Parts, version: '1'}\npaths:\n  /things/{id}:\n    $ref: parts/things.yaml#/one\n"
    )
    (tmp_path / "parts/things.yaml").write_text(
        "one:\n  get:\n    parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n    responses:\n"
        "      200: {content: {application/json: {schema: {$ref: 'thing.yaml'}}}}\n"
    )
    (tmp_path / "parts/thing.yaml").write_text(
        "type: object\nproperties:\n  next: {$ref: '#'}\n  size: {type: [integer, 'null']}\n"
    )
    project.adopt(str(tmp_path / "api.yaml"), "--domain", "x")
    code = (project.folder / "parts/contract.py").read_text()
    assert "async def get_things_id(self, id: str) -> Thing:" in code
    assert "next: Thing | UnsetType = UNSET" in code
    project.tested()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "it is no WSDL, no OpenAPI document"),
        ('{"swagger": "2.0"}', "It is Swagger 2: convert it first"),
        ('{"openapi": "3.0.0", "paths": {}}', "no operation can be carried over"),
        (
            "a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [" + "*b," * 9 + "*b]\n: :",
            "neither JSON nor YAML",
        ),
        (
            '{"openapi": "3.0.0", "paths": {"/x": {"$ref": "http://127.0.0.1:1/other.json"}}}',
            "refers to another host",
        ),
        (
            '{"openapi": "3.0.0", "paths": {"/x": {"$ref": "../secret.yaml"}}}',
            "refers to a file in another folder",
        ),
        ('{"openapi": "3.0.0", "x": ' + "[" * 2000 + "]" * 2000 + "}", "nested"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_the_reason(tmp_path, text, said):
    file = tmp_path / "in/api.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(Exception, match=said):
        adopted_of(Place(str(file)), Wishes())


NASTY = (
    "", "class", "self", "date", "x-y", "Größe", '"""', "'", "\\", "\n    import os\n", "a\x00b", "{x}", "#", "__init__", "Struct",
    "http", "start", "Any", "1st", "a b", "_x", "None", "\u202e", "mro", "str", "object", "ok", "limit",
)  # fmt: skip
VALUES = (*NASTY, 0, 1, -1, 2**70, 1.5, True, False, None, [], {})


class Odd:
    """Makes documents that are out to break something; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.one = self.random.choice

    def some(self, make: Any, most: int = 3) -> list[Any]:
        return [make() for _ in range(self.random.randint(0, most))]

    def text(self) -> str:
        return self.one(NASTY)

    def schema(self, depth: int = 0) -> Any:
        kind = self.random.randint(0, 7 if depth > 3 else 12)
        if kind < 3:
            bounds = {
                self.one(
                    (
                        "minimum",
                        "maximum",
                        "exclusiveMinimum",
                        "minLength",
                        "maxItems",
                        "multipleOf",
                        "pattern",
                        "default",
                        "nullable",
                        "enum",
                    )
                ): self.one((*VALUES, "^a$", "(", "\\p{L}"))
                for _ in range(3)
            }
            return {
                "type": self.one(
                    (
                        "string",
                        "integer",
                        "number",
                        "boolean",
                        "null",
                        "file",
                        "odd",
                        "array",
                        "object",
                        ["string", "null"],
                    )
                ),
                "format": self.one(("uuid", "date-time", "byte", "odd")),
                **bounds,
            }
        if kind < 5:
            return {"$ref": f"#/components/schemas/{self.one(('A', 'B', 'gone', 'x/y'))}"}
        if kind == 5:
            return {"enum": self.some(lambda: self.one(VALUES), 4), "nullable": self.one((True, False))}
        if kind < 8:
            return self.one(({}, True, None, [], 3, {"type": "object"}, {"const": "x"}))
        inner = lambda: self.schema(depth + 1)  # noqa: E731
        if kind < 10:
            return {
                "type": "object",
                "properties": {self.text(): inner() for _ in range(3)},
                "required": self.one((self.some(self.text), None)),
                "description": self.text(),
                "additionalProperties": self.one((False, True, {})),
            }
        if kind == 10:
            return {
                "type": "array",
                "items": inner(),
                "minItems": self.one((1, -1, True)),
                "description": self.text(),
            }
        if kind == 11:
            return {"type": "object", "additionalProperties": inner()}
        return {
            self.one(("anyOf", "oneOf", "allOf")): [inner(), *self.some(inner, 2)],
            "nullable": self.one((True, False)),
            "properties": self.one(({}, {"a": inner()})),
        }

    def content(self) -> Any:
        kinds = (
            "application/json",
            "*/*",
            "text/plain",
            "application/problem+json",
            "multipart/form-data",
            "application/octet-stream",
        )
        return self.one(
            (None, {self.one(kinds): self.one((None, {"schema": self.schema()})) for _ in range(2)})
        )

    def parameter(self) -> Any:
        return {
            "name": self.text(),
            "in": self.one(("path", "query", "header", "cookie", "odd")),
            "required": self.one((True, False)),
            "schema": self.schema(),
            "style": self.one((None, "deepObject")),
            "explode": self.one((None, False)),
        }

    def operation(self) -> Any:
        made = {
            "operationId": self.text(),
            "summary": self.text(),
            "description": self.text(),
            "parameters": self.some(self.parameter),
        }
        if self.one((True, False)):
            made["requestBody"] = {"content": self.content(), "required": True}
        made["responses"] = self.one(
            (
                None,
                {
                    self.one(("200", "201", "204", 404, "404", "default", "2XX")): {"content": self.content()}
                    for _ in range(3)
                },
            )
        )
        return made

    def document(self) -> dict[str, Any]:
        paths = (
            "/a",
            "/a/{x-y}",
            "/a/{b}/{c}",
            "/a/{c}/{b}",
            "/{class}",
            "x",
            "/a b",
            "/a/{id}.json",
            "/{self}/{self}",
        )
        return {
            "openapi": "3.1.0",
            "info": self.one((None, {"title": self.text(), "version": self.one(("1", "2023-10-16", "v3.2-beta", "")), "description": self.text()})),
            "paths": {self.one(paths): {self.one(("get", "post", "put", "patch", "delete", "trace")): self.operation() for _ in range(3)} for _ in range(3)},
            "components": {"schemas": {"A": self.schema(), "B": self.schema()}},
        }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_a_document_says_the_contract_can_be_made(seed):
    """No odd document makes code that does not import, and no hostile one code of its own."""
    check(seed)


def check(seed: int) -> None:
    module = read(Odd(seed).document(), domain="x")
    source = write(module)
    for node in ast.parse(source).body:
        assert isinstance(node, (ast.Expr, ast.ImportFrom, ast.ClassDef)), ast.unparse(node)
    assert not any(isinstance(n, ast.Import) for n in ast.walk(ast.parse(source)))
    namespace = load_source(source)
    assert len(namespace[module.name].__contract__.operations) == len(module.methods)
    for struct in module.structs:
        msgspec.json.Decoder(namespace[struct.name])


def load_source(source: str) -> dict[str, Any]:
    made = sys.modules["generated_contract"] = ModuleType("generated_contract")
    exec(compile(source, "generated_contract", "exec"), vars(made))
    return vars(made)


def test_an_address_with_quotes_stays_one_string_of_the_settings(project):
    url = """https://api.example/a"b"c"', auth = "bearer:env:OTHER_SECRET", x = "\\"""
    document = {**PETS, "servers": [{"url": url}]}
    (project.folder / "pets.json").write_text(json.dumps(document))
    report = project.adopt("pets.json", "--domain", "shop", "--dry-run")
    (binding,) = tomllib.loads(report["settings"])["bind"].values()
    assert binding["path"] == url.removeprefix("https://api.example")
    assert "OTHER_SECRET" not in str(binding.get("auth"))


KEY: dict[str, Any] = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
TAKEN: dict[str, Any] = {"200": {"description": "Taken."}}


@pytest.mark.parametrize(
    ("paths", "effect", "asked"),
    [
        ({"/a": {"post": {"parameters": [KEY]}, "put": {}, "delete": {}}}, "passes_key", None),
        ({"/a": {"post": {"parameters": [{"$ref": "#/components/parameters/Key"}]}}}, "passes_key", None),
        ({"/a": {"parameters": [KEY], "post": {}, "patch": {}}}, "passes_key", None),
        ({"/a": {"post": {}}}, "at_least_once", ""),
        ({"/a": {"post": {"parameters": [KEY]}}, "/b": {"post": {}, "patch": {}}}, "at_least_once", "not POST /b, PATCH /b"),
        ({"/a": {"post": {"parameters": [{"$ref": "#/components/parameters/KeyOfADoor"}]}}}, "at_least_once", ""),
    ],
)  # fmt: skip
def test_a_repeat_is_recognised_only_where_the_document_says_so_of_each_call(project, paths, effect, asked):
    for item in paths.values():
        for verb in set(item) - {"parameters"}:
            item[verb] = {"operationId": f"{verb}It", "responses": TAKEN, **item[verb]}
    known = {"Key": KEY, "KeyOfADoor": {"name": "Door", "in": "header", "schema": {"type": "string"}}}
    document = {"openapi": "3.0.3", "info": {"title": "Doors", "version": "1"}, "servers": [{"url": "https://a.example"}],
                "paths": paths, "components": {"parameters": known}}  # fmt: skip
    (project.folder / "doors.json").write_text(json.dumps(document))
    report = project.adopt("doors.json", "--domain", "shop")
    assert next(iter(tomllib.loads(report["settings"])["bind"].values()))["effect"] == effect
    questions = [str(d) for d in report["decide"] if d["kind"] == "effect"]
    assert len(questions) == (asked is not None)
    assert not asked or asked in questions[0]
