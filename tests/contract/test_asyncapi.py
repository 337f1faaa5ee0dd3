"""The AsyncAPI document says what an API's ports and handlers say; the official schema takes it."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import msgspec
import pytest
from msgspec import Struct

from levada import App, Awaits, Event, OrderKey, Personal, ProcessAPI, Publishes, handles, http
from levada.contract import implementation_of
from levada.contract.asyncapi import asyncapi
from levada.events.envelope import Envelope

SCHEMA = json.loads(gzip.decompress((Path(__file__).parent / "asyncapi" / "3.0.0.json.gz").read_bytes()))


class Line(Struct, frozen=True):
    item: str
    n: int = 1


class Ordered(Event, version="1.2", domain="shop"):
    """Somebody ordered something."""

    order: OrderKey[str]
    customer: str
    lines: tuple[Line, ...]
    email: Personal[str, "customer"] = ""  # noqa: F821 - names a field


class Paid(Event, version="1.0", domain="bank"):
    order: OrderKey[str]


class Moved(Event, version="2.0", domain="shop"):
    item: str


class Shop(ProcessAPI, domain="shop", version="1.0"):
    """A shop."""

    ordered: Publishes[Ordered]
    paid: Awaits[Paid]

    @http.get("/open")
    async def is_open(self) -> bool:
        """Whether it is open."""
        return True

    @handles(Ordered)
    async def fulfil(self, ordered: Ordered) -> None: ...

    @handles(Moved)
    async def follow(self, moved: Moved) -> None: ...


class Quiet(ProcessAPI, domain="shop", version="1.0"):
    """No events."""

    @http.get("/open")
    async def is_open(self) -> bool:
        """Whether it is open."""
        return True


def resolve(document, node):
    while "$ref" in node:
        found = document
        for part in node["$ref"][2:].split("/"):
            found = found[part]
        node = found
    return node


def invalid(document) -> Sequence[str]:
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(document)]


@pytest.fixture
def document():
    return json.loads(msgspec.json.encode(asyncapi(implementation_of(Shop))))


def test_the_official_schema_takes_it_and_would_not_take_anything(document):
    assert invalid(document) == []
    assert invalid({**document, "operations": {"x": {"action": "shout"}}})


def test_what_is_published_is_sent_and_what_is_handled_or_awaited_is_received(document):
    assert set(document["channels"]) == {"shop.Ordered.v1", "bank.Paid.v1", "shop.Moved.v2"}
    said = {name: (o["action"], o["summary"]) for name, o in document["operations"].items()}
    assert said == {
        "send.shop.Ordered.v1": ("send", "Shop publishes Ordered."),
        "receive.shop.Ordered.v1": ("receive", "Handled by fulfil."),
        "receive.shop.Moved.v2": ("receive", "Handled by follow."),
        "receive.bank.Paid.v1": ("receive", "Awaited by paid."),
    }
    for operation in document["operations"].values():
        channel = resolve(document, operation["channel"])
        for message in operation["messages"]:
            assert resolve(document, message) in [resolve(document, m) for m in channel["messages"].values()]


def test_a_message_tells_key_version_and_personal_data_and_its_example_is_one(document):
    message = document["components"]["messages"]["shop.Ordered.v1"]
    assert (message["x-levada-key"], message["x-levada-version"]) == ("order", "1.2")
    assert message["description"] == "Somebody ordered something."
    payload = resolve(document, message["payload"])
    assert payload["properties"]["email"]["x-levada-personal"] == "customer"
    assert payload["required"] == ["order", "customer", "lines"]
    for message in document["components"]["messages"].values():
        for example in message["examples"]:
            for part in ("headers", "payload"):
                schema = {**resolve(document, message[part]), "components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(example[part])
            headers = [(name, value.encode()) for name, value in example["headers"].items()]
            event = Envelope.from_kafka(None, headers, json.dumps(example["payload"]).encode())
            assert event.topic in document["channels"], "its headers are those of the wire"


async def test_it_is_served_beside_openapi_where_there_are_events(document):
    app = App(Shop, Quiet)
    assert await got(app, "/shop/shop/v1/asyncapi.json") == (200, document)
    assert (await got(app, "/shop/shop/v1/openapi.json"))[0] == 200
    assert (await got(app, "/shop/quiet/v1/openapi.json"))[0] == 200
    assert (await got(app, "/shop/quiet/v1/asyncapi.json"))[0] == 404


async def got(app, path):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [], "server": ("test", 80), "client": ("test", 1), "http_version": "1.1", "scheme": "http"}  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent[1:]))
