"""The envelope of an event: CloudEvents 1.0, on every wire and in every store.

Specification: https://github.com/cloudevents/spec/tree/v1.0.2 (JSON format, HTTP and
Kafka protocol bindings, the partitioning and distributed tracing extensions).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct

from levada._errors import LevadaError

__all__ = ["JSON", "STRUCTURED", "Envelope", "EnvelopeMalformed", "microseconds"]

STRUCTURED = "application/cloudevents+json"
JSON = "application/json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[a-z0-9]{1,64}")
# What the HTTP binding leaves as it is: printable ASCII but the space, the quote and the percent sign.
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')
# Our field -> the attribute's name on the wire.
_OPTIONAL = {
    "key": "partitionkey",
    "subject": "subject",
    "dataschema": "dataschema",
    "datacontenttype": "datacontenttype",
    "traceparent": "traceparent",
    "initiator": "initiator",
    "key_id": "keyid",
}
_OURS = {"specversion", "id", "source", "type", "time", "eventversion", "formatversion", *_OPTIONAL.values()}


class EnvelopeMalformed(LevadaError, code="LV1401"):
    """This is not a CloudEvents 1.0 event: {reason}. Ask its sender to mend it."""


def microseconds(time: datetime) -> int:
    """An aware time as microseconds since 1970-01-01 UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)


class Envelope(Struct, frozen=True, kw_only=True):
    """One event as it is stored and sent; ``data`` is already encoded.

    ``type`` is the CloudEvents type without the version (``sales.OrderPlaced``),
    ``version`` the contract's (``1.0``). ``key``: events of one key keep their order;
    None is unordered. ``initiator``: who caused it. ``key_id``: the key that personal
    fields of ``data`` are encrypted with. ``extensions``: attributes that Levada does
    not know, passed on as they came.
    """

    id: str
    source: str
    type: str
    version: str
    time: datetime
    data: bytes
    key: str | None = None
    subject: str | None = None
    dataschema: str | None = None
    datacontenttype: str | None = JSON
    traceparent: str | None = None
    initiator: str | None = None
    key_id: str | None = None
    format: int = 1
    extensions: Mapping[str, str | int | bool] = {}

    @property
    def topic(self) -> str:
        """The topic it belongs to: type and major version (``sales.OrderPlaced.v1``)."""
        return f"{self.type}.v{self.version.partition('.')[0]}"

    @property
    def at(self) -> int:
        """``time`` in microseconds since 1970-01-01 UTC."""
        return microseconds(self.time)

    @property
    def is_json(self) -> bool:
        """Whether ``data`` is JSON, by its content type."""
        return _is_json(self.datacontenttype)

    def attributes(self) -> dict[str, str | int | bool]:
        """All context attributes by their names on the wire, without data."""
        found: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "eventversion": self.version,
            "formatversion": self.format,
        }
        for field, name in _OPTIONAL.items():
            if (value := getattr(self, field)) is not None:
                found[name] = value
        return {**self.extensions, **found}

    def head(self) -> bytes:
        """The attributes as JSON: what a store keeps beside the data."""
        return msgspec.json.encode(self.attributes())

    @classmethod
    def stored(cls, head: bytes, data: bytes) -> Envelope:
        """The event of what :meth:`head` gave and its data."""
        return _made(_object(head), data)

    def structured(self) -> bytes:
        """The event as one JSON document (content type :data:`STRUCTURED`)."""
        document: dict[str, Any] = dict(self.attributes())
        if self.is_json and self.data:
            document["data"] = Raw(self.data)
        elif self.data:
            document["data_base64"] = base64.b64encode(self.data).decode()
        return msgspec.json.encode(document)

    @classmethod
    def from_structured(cls, body: bytes) -> Envelope:
        """The event of a JSON document.

        Raises:
            EnvelopeMalformed: With what is missing or wrong.
        """
        found = _object(body)
        raw, coded = found.pop("data", None), found.pop("data_base64", None)
        if raw is not None and coded is not None:
            raise EnvelopeMalformed(reason="it has both data and data_base64")
        if coded is not None:
            try:
                return _made(found, base64.b64decode(msgspec.json.decode(coded, type=str), validate=True))
            except (binascii.Error, msgspec.ValidationError) as error:
                raise EnvelopeMalformed(reason=f"data_base64: {error}") from None
        return _made(found, _plain(found, raw))

    def http(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of HTTP's binary mode."""
        found = self.attributes()
        content_type = found.pop("datacontenttype", None)
        headers = {f"ce-{name}": quote(_text(value), safe=_SAFE) for name, value in found.items()}
        if content_type is not None:
            headers["content-type"] = str(content_type)
        return headers, self.data

    @classmethod
    def from_http(cls, headers: Mapping[str, str], body: bytes) -> Envelope:
        """The event of an HTTP message in either mode.

        Raises:
            EnvelopeMalformed: With what is missing or wrong; also for a batch.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        content_type = lower.get("content-type", "")
        if _bare(content_type) == STRUCTURED:
            return cls.from_structured(body)
        if _bare(content_type).startswith("application/cloudevents"):
            raise EnvelopeMalformed(
                reason=f"content type {content_type} is not taken here; send {STRUCTURED}"
            )
        found: dict[str, Any] = {n[3:]: _unquoted(v) for n, v in lower.items() if n.startswith("ce-")}
        if content_type:
            found["datacontenttype"] = content_type
        return _made(found, body)

    def kafka(self) -> tuple[bytes | None, list[tuple[str, bytes]], bytes]:
        """Key, headers and value of Kafka's binary mode."""
        found = self.attributes()
        content_type = found.pop("datacontenttype", None)
        headers = [(f"ce_{name}", _text(value).encode()) for name, value in found.items()]
        if content_type is not None:
            headers.append(("content-type", str(content_type).encode()))
        return None if self.key is None else self.key.encode(), headers, self.data

    @classmethod
    def from_kafka(
        cls, key: bytes | None, headers: Iterable[tuple[str, bytes | None]], value: bytes | None
    ) -> Envelope:
        """The event of a Kafka record in either mode; the record's key stands in for a missing one.

        Raises:
            EnvelopeMalformed: With what is missing or wrong.
        """
        try:
            named = {name.lower(): (raw or b"").decode() for name, raw in headers}
            spare = None if key is None else key.decode()
        except UnicodeDecodeError as error:
            raise EnvelopeMalformed(reason=f"a header or the key is not UTF-8: {error}") from None
        content_type = named.get("content-type", "")
        if _bare(content_type) == STRUCTURED:
            made = cls.from_structured(value or b"")
        else:
            found: dict[str, Any] = {n[3:]: v for n, v in named.items() if n.startswith("ce_")}
            if content_type:
                found["datacontenttype"] = content_type
            made = _made(found, value or b"")
        return made if made.key is not None else msgspec.structs.replace(made, key=spare)


def _object(body: bytes) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(body, type=dict[str, Raw])
        return {
            name: value if name in ("data", "data_base64") else msgspec.json.decode(value)
            for name, value in raw.items()
            if bytes(value) != b"null"
        }
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeMalformed(reason=f"no JSON object ({error})") from None


def _plain(found: Mapping[str, Any], raw: Raw | None) -> bytes:
    """The bytes of a ``data`` member: as it stands if it is JSON, else its text."""
    if raw is None:
        return b""
    if _is_json(found.get("datacontenttype", JSON)):
        return bytes(raw)
    value = msgspec.json.decode(raw)
    return value.encode() if isinstance(value, str) else bytes(raw)


def _made(found: dict[str, Any], data: bytes) -> Envelope:
    if found.get("specversion") != "1.0":
        raise EnvelopeMalformed(reason=f"specversion is {found.get('specversion')!r}, not '1.0'")
    for name in ("id", "source", "type"):
        if not (isinstance(found.get(name), str) and found[name]):
            raise EnvelopeMalformed(reason=f"{name} is missing or no text")
    for name, value in found.items():
        if not _NAME.fullmatch(name):
            raise EnvelopeMalformed(reason=f"attribute {name!r} is not of lower-case letters and digits")
        if not isinstance(value, str | int | bool):
            raise EnvelopeMalformed(reason=f"attribute {name} is neither text, integer nor boolean")
    optional: dict[str, Any] = {}
    for field, name in _OPTIONAL.items():
        if (value := found.get(name)) is not None and not isinstance(value, str):
            raise EnvelopeMalformed(reason=f"{name} is no text")
        optional[field] = value
    return Envelope(
        id=found["id"],
        source=found["source"],
        type=found["type"],
        version=_version(found),
        time=_time(found.get("time")),
        data=data,
        format=_format(found),
        extensions={n: v for n, v in found.items() if n not in _OURS},
        **optional,
    )


def _version(found: Mapping[str, Any]) -> str:
    value = found.get("eventversion", "1.0")
    if not (isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)*", value)):
        raise EnvelopeMalformed(reason=f"eventversion {value!r} is no version such as '1.0'")
    return value


def _format(found: Mapping[str, Any]) -> int:
    value = found.get("formatversion", 1)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise EnvelopeMalformed(reason=f"formatversion {value!r} is no number")
    if int(value) > 1:
        raise EnvelopeMalformed(
            reason=f"its format {value} is newer than this Levada knows; upgrade the reader"
        )
    return int(value)


def _time(text: Any) -> datetime:
    """An absent time, which the specification allows, is that of taking the event in."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = msgspec.convert(text, type=datetime)
    except msgspec.ValidationError:
        raise EnvelopeMalformed(reason=f"time {text!r} is no RFC 3339 time") from None
    if found.tzinfo is None:
        raise EnvelopeMalformed(reason=f"time {text!r} has no offset from UTC")
    return found


def _bare(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(content_type: str | None) -> bool:
    bare = _bare(content_type)
    return content_type is None or bare == JSON or bare.endswith("+json")


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise EnvelopeMalformed(reason=f"header value {value!r} is not percent-encoded UTF-8") from None
