"""One operation as it is served over HTTP: decode, call, encode."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from levada.app.border import Border
from levada.app.context import Context
from levada.app.outcome import settle
from levada.app.proxy import Target, bounded, deny
from levada.app.records import Cell
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import BadRequest, DeadlineExceeded, PayloadTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from levada.app.app import App

__all__ = ["Endpoint"]

Headers = Mapping[bytes, bytes]
_JSON_TYPE = re.compile(rb"\s*application/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?')


class Endpoint:
    """Serves one operation; the same for every request, so it keeps nothing of one."""

    def __init__(self, operation: Operation, name: str, target: Target, app: App) -> None:
        self.operation = operation
        self.name = name
        self.target = target
        self.app = app
        self._finish = app.finish
        self._limit = app.settings.body_limit
        self._arguments = _argument_maker(operation)
        self._body = None if operation.body is None else msgspec.json.Decoder(operation.body)
        self._content = bool(operation.at("content"))
        self._query = _Strings(operation.query) if operation.query is not None else None
        self._path = _path_values(operation)
        self._result = None if operation.shape in ("none", "bytes") else Border(operation.result)
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        kind = b"application/octet-stream" if operation.shape == "bytes" else b"application/json"
        self.safe = operation.safe
        self.cells: dict[tuple[str, str | None], Cell] = {}
        self._status = operation.status
        self._scopes = operation.scopes
        self._has_body = self._body is not None or self._content
        self._is_bytes = operation.shape == "bytes"
        self._streams = operation.shape == "stream"
        self._call = target if operation.timeout is None else bounded(target, operation.timeout)
        # Nothing has no type.
        self._header = [] if operation.shape == "none" else [(b"content-type", kind)]

    def key(self, context: Context, headers: Headers, internal: bool) -> None:
        """Take the idempotency key of an unsafe request (draft-ietf-httpapi-idempotency-key-header)."""
        stated = headers.get(b"idempotency-key")
        if stated is None:
            return
        found = _KEY.fullmatch(stated.decode("latin-1"))
        if found is None:
            raise BadRequest(
                reason="The header Idempotency-Key is 1 to 255 visible ASCII characters.",
                place="idempotency-key",
            )
        if internal:
            context.key = found[1]
            attempt = headers.get(b"levada-attempt", b"0")
            fence = headers.get(b"levada-fence", b"0")
            context.attempt = int(attempt) if attempt.isdigit() else 0
            context.fence = int(fence) if fence.isdigit() else 0
        else:
            # Two callers may choose the same key.
            context.key = f"{context.caller.client or context.caller.subject}:{found[1]}"

    async def serve(
        self, context: Context, values: tuple[str, ...], scope: Any, headers: Headers, receive: Any, send: Any
    ) -> None:
        """Answer a request; raises the problem to answer with."""
        if self._scopes and not context.caller.has(self._scopes):
            raise deny(self._scopes, context.caller).problem
        body = self._decode_body(await self._read(headers, receive), headers) if self._has_body else None
        query = None if self._query is None else self._query.decode(scope["query_string"])
        arguments = self._arguments(values if self._path is None else self._path(values), query, body)
        if self._streams:
            await self._stream(arguments, send)
            return
        try:
            result = await self._call(*arguments)
            if context.held is not None:
                await self._finish(context)
            border = self._result
            if border is None:
                payload = _content(result) if self._is_bytes else b""
            else:
                if border.check is None or not border.check(result):
                    result = border.carry(result)
                payload = self._encode(result)
        except BaseException as error:
            told = settle(error, self.operation, self.name)
            if told is error:
                raise
            raise told from error
        status = self._status
        length = [] if status == 204 else [*self._header, (b"content-length", str(len(payload)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": payload})

    async def _read(self, headers: Headers, receive: Any) -> bytes:
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._limit:
            raise PayloadTooLarge(limit=self._limit)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DeadlineExceeded(reason="The caller went away before the body had come.")
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > self._limit:
                raise PayloadTooLarge(limit=self._limit)
            return body
        parts = [body]
        size = len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DeadlineExceeded(reason="The caller went away before the body had come.")
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise PayloadTooLarge(limit=self._limit)
            parts.append(part)
        return b"".join(parts)

    def _decode_body(self, body: bytes, headers: Headers) -> Any:
        if self._content:
            return body
        kind = headers.get(b"content-type")
        if kind is not None and kind != b"application/json" and not _JSON_TYPE.match(kind):
            raise UnsupportedMediaType
        assert self._body is not None
        try:
            return self._body.decode(body)
        except msgspec.ValidationError as error:
            if "Expected `int`, got `float`" in str(error):
                return self._whole(body)
            raise BadRequest(reason=str(error), place=_place(error)) from None
        except msgspec.DecodeError as error:
            raise BadRequest(reason=f"The body is not JSON: {error}", place="body") from None
        except RecursionError:
            raise BadRequest(reason="The body nests too deeply.", place="body") from None
        except UnicodeDecodeError:
            raise BadRequest(reason="The body is not valid UTF-8.", place="body") from None

    def _whole(self, body: bytes) -> Any:
        """Take 72.0 for a whole number, as JSON Schema does; msgspec alone does not."""
        try:
            return msgspec.convert(_WHOLE.decode(body), self.operation.body)
        except msgspec.ValidationError as error:
            raise BadRequest(reason=str(error), place=_place(error)) from None

    async def _stream(self, arguments: tuple[Any, ...], send: Any) -> None:
        """``{"item": …}`` a line, and ``{"end": true}`` or ``{"problem": …}`` last, so that a cut stream is seen."""
        assert self._result is not None
        started = False
        source = aiter(self.target(*arguments))  # type: ignore[arg-type]
        try:
            async for item in source:
                line = b'{"item":' + self._encode(self._result.carry(item)) + b"}\n"
                if not started:
                    await send(self._stream_start())
                    started = True
                await send({"type": "http.response.body", "body": line, "more_body": True})
            last = b'{"end":true}\n'
        except BaseException as error:
            told = settle(error, self.operation, self.name)
            if not started or not isinstance(told, Problem):
                raise told from (None if told is error else error)
            last = b'{"problem":' + self._encode(told.document()) + b"}\n"
        finally:
            await source.aclose()  # type: ignore[attr-defined]
        if not started:
            await send(self._stream_start())
        await send({"type": "http.response.body", "body": last})

    def _stream_start(self) -> dict[str, Any]:
        return {
            "type": "http.response.start",
            "status": self.operation.status,
            "headers": [(b"content-type", b"application/jsonl")],
        }


def _number(text: str) -> Any:
    exact = Decimal(text)
    # Above 64 bits it is no int of a contract; 1e999999999 must not be written out.
    whole = exact.adjusted() < 20 and exact == exact.to_integral_value()
    return int(exact) if whole else exact


_WHOLE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_number)


def _place(error: Exception) -> str:
    found = re.search(r"at `(\$[^`]*)`", str(error))
    return found[1] if found else "body"


def _content(result: Any) -> bytes:
    if type(result) is not bytes:
        raise TypeError(f"it answered {type(result).__name__}, the contract says bytes")
    return result


def _path_values(operation: Operation) -> Callable[[tuple[str, ...]], tuple[Any, ...]] | None:
    """Decodes path parameters, in the order of the path; None where all are plain text."""
    by_name = {p.name: p.type for p in operation.at("path")}
    types = [(name, by_name[name]) for name in re.findall(r"\{(\w+)\}", operation.path)]
    if all(hint is str for _, hint in types):
        return None

    def decode(values: tuple[str, ...]) -> tuple[Any, ...]:
        decoded: list[Any] = []
        for (name, hint), value in zip(types, values, strict=True):
            try:
                decoded.append(msgspec.convert(value, hint, strict=False))
            except msgspec.ValidationError as error:
                raise BadRequest(reason=f"{name}: {error}", place=name) from None
        return tuple(decoded)

    return decode


class _Strings:
    """Decodes a query string into the operation's struct of query parameters."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self._struct = struct
        self._many = {f.name for f in msgspec.structs.fields(struct) if _is_many(f.type)}

    def decode(self, query: bytes) -> Any:
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, max_num_fields=1000, errors="strict"
            )
        except (UnicodeDecodeError, ValueError):
            raise BadRequest(reason="The query string is malformed.", place="query") from None
        values: dict[str, Any] = {}
        for name, value in pairs:
            if name in self._many:
                values.setdefault(name, []).append(value)
            elif name in values and name in self._struct.__struct_fields__:
                raise BadRequest(reason=f"{name}: it stands twice in the query", place=name)
            else:
                values[name] = value
        try:
            return msgspec.convert(values, self._struct, strict=False)
        except msgspec.ValidationError as error:
            raise BadRequest(reason=f"query: {error}", place="query") from None


def _is_many(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return origin in (list, tuple, set, frozenset) or any(
        _is_many(a) for a in typing.get_args(hint) if origin is not typing.Literal
    )


def _argument_maker(operation: Operation) -> Callable[[tuple[Any, ...], Any, Any], tuple[Any, ...]]:
    """A function (path values, query, body) -> arguments in the contract's order, made as source."""
    order = re.findall(r"\{(\w+)\}", operation.path)
    parts: list[str] = []
    for p in operation.parameters:
        match p.place:
            case "path":
                parts.append(f"path[{order.index(p.name)}]")
            case "query":
                parts.append(f"query.{p.name}")
            case "member":
                parts.append(f"body.{p.name}")
            case _:
                parts.append("body")
    return eval(f"lambda path, query, body: ({''.join(f'{p}, ' for p in parts)})")  # noqa: S307 - made from the contract alone
