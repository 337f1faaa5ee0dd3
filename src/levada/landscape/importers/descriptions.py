"""Descriptions of interfaces: OpenAPI, AsyncAPI, RAML, WSDL. They name providers, operations and topics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from levada.landscape.importers._address import addresses, is_local
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Node
from levada.network.names import slug

__all__ = ["AsyncApi", "OpenApi", "Raml", "Wsdl"]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def _says(word: str, file: SourceFile) -> bool:
    """Does the document itself state its version, not one that is part of a template or a custom resource?"""
    if word not in file.head:
        return False
    if file.head.lstrip().startswith("{"):
        begun = file.head[: file.head.index(word)]
        return begun.count("{") - begun.count("}") == 1 and bool(
            re.search(rf'"{word}"\s*:\s*"?[23]\.', file.head)
        )
    return bool(re.search(rf"^[\"']?{word}[\"']?\s*:\s*[\"']?[23]\.", file.head, re.MULTILINE))


def _document(file: SourceFile) -> Any:
    if file.suffix == ".json":
        return file.json
    return file.documents[0] if file.documents else None


def _title(info: Any, file: SourceFile) -> str:
    """Its title; where it is none, or is computed by the template around it, the file's name or its folder's."""
    title: Any = info.get("title")
    if isinstance(title, str) and title.strip() and not re.search(r"\$\{|\{\{", title):
        return title
    generic = file.path.stem.lower() in ("openapi", "swagger", "asyncapi", "api", "spec", "index", "template")
    parts = [
        p
        for p in file.source.split("/")[:-1]
        if p.lower() not in ("resources", "api", "docs", "spec", "src", "openapi")
    ]
    return parts[-1] if generic and parts else file.path.stem


_BROKERS = {
    "kafka": "kafka", "kafka-secure": "kafka", "mqtt": "mqtt", "mqtts": "mqtt", "mqtt5": "mqtt", "secure-mqtt": "mqtt",
    "amqp": "amqp", "amqps": "amqp", "amqp1": "amqp", "jms": "jms", "nats": "nats", "pulsar": "pulsar", "redis": "redis",
    "stomp": "stomp", "stomps": "stomp", "sns": "aws-sns", "sqs": "aws-sqs", "solace": "solace", "ibmmq": "ibm-mq",
    "googlepubsub": "google-pubsub", "anypointmq": "anypoint-mq",
}  # fmt: skip
"""Protocols of AsyncAPI that speak through a broker; the others (HTTP, WebSocket) speak with the application itself."""


def _hosts(urls: Iterable[str]) -> tuple[str, ...]:
    found = [a.host for url in urls for a in addresses(url, "URL") if not is_local(a.host)]
    return tuple(dict.fromkeys(f"host:{h}" for h in found))


class OpenApi:
    """OpenAPI 3 and Swagger 2: an API with its operations, answering at its servers."""

    name = "openapi"
    formats: tuple[str, ...] = ("OpenAPI 3.x", "Swagger 2.0")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By the version member."""
        if file.suffix not in (".json", ".yaml", ".yml"):
            return 0.0
        return 1.0 if _says("openapi", file) or _says("swagger", file) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """One API node; a description names no consumer."""
        data = _document(file)
        if not isinstance(data, dict):
            return
        info: Any = data.get("info") if isinstance(data.get("info"), dict) else {}
        servers = [str(s.get("url")) for s in data.get("servers") or () if isinstance(s, dict)]
        if data.get("host"):
            servers.append(f"https://{data['host']}")
        paths: Any = data.get("paths") if isinstance(data.get("paths"), dict) else {}
        operations = [
            f"{m.upper()} {p}"
            for p, item in paths.items()
            if isinstance(item, dict)
            for m in _METHODS
            if m in item
        ]
        title = _title(info, file)
        contact: Any = info.get("contact") if isinstance(info.get("contact"), dict) else {}
        yield Node(
            id=f"api/{slug(title).replace('/', '-')}", name=title, kind="api", owner=contact.get("name"), aliases=_hosts(servers),
            attributes={"operations": sorted(operations), "version": str(info.get("version") or "")},
            evidence=context.at(file, line_of(info, "title") or file.line_with('"title"'), status="declared"),
        )  # fmt: skip


class AsyncApi:
    """AsyncAPI 2 and 3: who writes and who reads a channel, from the application's own view."""

    name = "asyncapi"
    formats: tuple[str, ...] = ("AsyncAPI 2.x", "AsyncAPI 3.x")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By the version member."""
        if file.suffix not in (".json", ".yaml", ".yml"):
            return 0.0
        return 1.0 if _says("asyncapi", file) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """In version 2 ``subscribe`` means that the application sends, and ``publish`` that it receives."""
        data = _document(file)
        if not isinstance(data, dict):
            return
        info: Any = data.get("info") if isinstance(data.get("info"), dict) else {}
        title = _title(info, file)
        me = slug(title).replace("/", "-")
        yield Node(
            id=me,
            name=title,
            kind="app",
            evidence=context.at(file, line_of(info, "title"), status="declared"),
        )
        channels: Any = data.get("channels") if isinstance(data.get("channels"), dict) else {}
        servers: Any = data.get("servers") if isinstance(data.get("servers"), dict) else {}
        said = [
            str(s["protocol"]).lower() for s in servers.values() if isinstance(s, dict) and s.get("protocol")
        ]
        protocol = next((_BROKERS[p] for p in said if p in _BROKERS), None if said else "kafka")
        if protocol is None:
            hosts = [
                f"https://{s.get('host') or s.get('url')}" for s in servers.values() if isinstance(s, dict)
            ]
            yield Node(id=me, aliases=_hosts(h.replace("https://wss://", "https://") for h in hosts))
            return
        for name, channel in channels.items():
            for verb, role in (("subscribe", "writes"), ("publish", "reads")):
                if isinstance(channel, dict) and verb in channel:
                    seen = context.at(file, line_of(channel, verb), status="declared")
                    context.topic(role, me, name, seen, broker=protocol)  # type: ignore[arg-type]  # one of the two words
        operations: Any = data.get("operations") if isinstance(data.get("operations"), dict) else {}
        for key, operation in operations.items():
            reference: Any = operation.get("channel") if isinstance(operation, dict) else None
            pointer = str(reference.get("$ref", "")).rpartition("/")[2] if isinstance(reference, dict) else ""
            channel = channels.get(pointer)
            if isinstance(channel, dict):
                topic = str(channel.get("address") or pointer)
                seen = context.at(file, line_of(operations, key), status="declared")
                context.topic(
                    "writes" if operation.get("action") == "send" else "reads",
                    me,
                    topic,
                    seen,
                    broker=protocol,
                )


class Raml:
    """RAML 1.0 and 0.8: an API with its resources."""

    name = "raml"
    formats: tuple[str, ...] = ("RAML 1.0", "RAML 0.8")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """The first line; fragments (types, traits) are no API."""
        return 1.0 if re.match(r"#%RAML (1\.0|0\.8)\s*$", file.head.split("\n", 1)[0].strip()) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """One API node."""
        data = file.documents[0] if file.documents else None
        if not isinstance(data, dict):
            return
        title = _title(data, file)
        yield Node(
            id=f"api/{slug(title).replace('/', '-')}", name=title, kind="api",
            aliases=_hosts([str(data.get("baseUri") or "")]),
            attributes={"operations": sorted(_resources(data, "", 0))},
            evidence=context.at(file, line_of(data, "title"), status="declared"),
        )  # fmt: skip


def _resources(data: dict[str, Any], prefix: str, depth: int) -> Iterator[str]:
    if depth > 20:
        return
    for key, value in data.items():
        if key.startswith("/"):
            yield from _resources(value if isinstance(value, dict) else {}, prefix + key, depth + 1)
        elif key in _METHODS and prefix:
            yield f"{key.upper()} {prefix}"


class Wsdl:
    """WSDL 1.1: a service with its operations, answering at its ports' addresses."""

    name = "wsdl"
    formats: tuple[str, ...] = ("WSDL 1.1",)
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By the namespace."""
        return (
            1.0
            if file.suffix in (".wsdl", ".xml")
            and "schemas.xmlsoap.org/wsdl" in file.head
            and "definitions" in file.head
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """One API node a service."""
        root = file.xml
        operations = sorted(
            {
                o.attrs.get("name", "")
                for t in root.find("portType")
                for o in t.children
                if o.name == "operation"
            }
        )
        for service in root.find("service"):
            places = [n.attrs["location"] for n in service.find("address") if "location" in n.attrs]
            name = service.attrs.get("name") or file.path.stem
            yield Node(
                id=f"api/{slug(name).replace('/', '-')}", name=name, kind="api", aliases=_hosts(places),
                attributes={"operations": operations, "protocol": "soap"},
                evidence=context.at(file, service.line, status="declared"),
            )  # fmt: skip
