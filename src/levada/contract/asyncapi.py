"""The AsyncAPI 3.0 document of an API's events: made of the same classes as its ports and handlers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from levada.contract._generate.schemas import REF, schemas_of
from levada.contract.compatibility.sample import NONE, sample
from levada.contract.compatibility.wire import Types, wire_of
from levada.contract.event import EventType, event_type
from levada.contract.implementation import Implementation

__all__ = ["asyncapi"]


def asyncapi(implementation: Implementation) -> dict[str, Any]:
    """The document, ready to be encoded as JSON.

    A channel is a topic. What the API publishes it sends, what it handles or awaits it receives. A message is a
    CloudEvent in binary mode: context attributes are headers, the event is the payload.
    Extensions: ``x-levada-contract`` at the top, ``x-levada-version`` and ``x-levada-key`` (the member that
    events are ordered by) at a message, ``x-levada-personal`` (whose data it is) at a member with personal data.

    Args:
        implementation: From :func:`levada.contract.implementation_of`.
    """
    contract = implementation.contract
    sent = _distinct(implementation.publishes.values())
    received: dict[str, tuple[EventType, list[str]]] = {}
    for name, handler in implementation.handlers.items():
        kind = event_type(handler.spec.event)
        received.setdefault(kind.topic, (kind, []))[1].append(f"Handled by {name}.")
    for name, kind in implementation.awaits.items():
        received.setdefault(kind.topic, (kind, []))[1].append(f"Awaited by {name}.")
    kinds = _distinct([*sent, *(kind for kind, _ in received.values())])
    messages, schemas = _messages(kinds)
    operations: dict[str, Any] = {
        f"send.{kind.topic}": _operation("send", kind, f"{contract.name} publishes {kind.name}.")
        for kind in sent
    }
    for topic, (kind, said) in received.items():
        operations[f"receive.{topic}"] = _operation("receive", kind, " ".join(said))
    info: dict[str, Any] = {"title": contract.name, "version": str(contract.version)}
    if contract.doc:
        info["description"] = contract.doc
    return {
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": "application/json",
        "channels": {
            kind.topic: {
                "address": kind.topic,
                "messages": {kind.name: {"$ref": f"#/components/messages/{kind.topic}"}},
            }
            for kind in kinds
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": {**schemas, "levada.Headers": _HEADERS}},
        "x-levada-contract": contract.id,
    }


def _distinct(kinds: Iterable[EventType]) -> list[EventType]:
    return list({kind.topic: kind for kind in kinds}.values())


def _operation(action: str, kind: EventType, summary: str) -> dict[str, Any]:
    channel = f"#/channels/{kind.topic}"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{kind.name}"}],
    }


def _messages(kinds: list[EventType]) -> tuple[dict[str, Any], dict[str, Any]]:
    made, schemas = schemas_of([kind.cls for kind in kinds])
    messages: dict[str, Any] = {}
    for kind, schema in zip(kinds, made, strict=True):
        members: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]["properties"]
        for name, subject in kind.personal.items():
            members[name] = {**members[name], "x-levada-personal": subject}
        doc = (kind.cls.__doc__ or "").strip()
        message: dict[str, Any] = {
            "name": kind.type,
            "title": kind.name,
            "contentType": "application/json",
            "headers": {"$ref": REF.format(name="levada.Headers")},
            "payload": schema,
            "x-levada-version": str(kind.version),
        }
        if doc:
            message["description"] = doc
        if kind.key is not None:
            message["x-levada-key"] = kind.key
        if (example := _example(kind)) is not None:
            message["examples"] = [example]
        messages[kind.topic] = message
    return messages, schemas


def _example(kind: EventType) -> dict[str, Any] | None:
    types: Types = {}
    payload = sample(wire_of(kind.cls, types), types)
    if payload is NONE:
        return None
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "0198f0a0-0000-7000-8000-000000000001",
        "ce_source": f"/{kind.domain}",
        "ce_type": kind.type,
        "ce_time": "2026-01-31T12:00:00Z",
        "ce_eventversion": str(kind.version),
        "content-type": "application/json",
    }
    return {"headers": headers, "payload": payload}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


_HEADERS: dict[str, Any] = {
    "type": "object",
    "title": "CloudEvents 1.0, binary mode",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": _text("Stable: a second delivery has the same."),
        "ce_source": _text("Where it came about."),
        "ce_type": _text("Domain and name, without the version."),
        "ce_time": _text("When it came about.", format="date-time"),
        "ce_eventversion": _text("The version of its contract, major.minor."),
        "ce_partitionkey": _text("Events of one key keep their order."),
        "ce_traceparent": _text("W3C trace context."),
        "ce_initiator": _text("Who caused it."),
        "ce_keyid": _text("The key that personal members are encrypted with."),
        "content-type": _text("The payload's.", const="application/json"),
    },
}
