"""One operation as it is served over HTTP: decode, call, encode."""

from __future__ import annotations

import asyncio
import re
import typing
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from levada.app.border import Border, check_expression
from levada.app.context import Context, _current
from levada.app.outcome import outcome_of, problem_document, settle
from levada.app.proxy import Target, bounded, deny
from levada.contract._integers import integers_of
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import (
    BadRequest,
    DeadlineExceeded,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
)

if TYPE_CHECKING:
    from levada.app.app import App

__all__ = ["Endpoint"]

Headers: TypeAlias = Mapping[bytes, bytes]
_JSON_TYPE = re.compile(rb"\s*application/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
Serve: TypeAlias = Callable[
    [Context, tuple[str, ...], bytes, Headers, "bytes | None", float, Any, Any],
    Coroutine[Any, Any, "bytes | None"],
]
"""Serves a request in its context and counts the call.

Takes context, values in the path, query string, headers, the body if it has come (else None), when the request
began, ASGI's receive and send. Answers with the body of the answer, or None where a stream has been sent; raises
the problem to answer with.
"""

_SERVE = """
async def serve(context, path, query, headers, body, start, receive, send):
    try:
{before}
{answer}
    except BaseException as error:
        _failed(error, context, start)
        raise
    key = context.consumer, context.caller.client
    cell = _cells.get(key)
    if cell is None:
        cell = _cells[key] = _cell(*key, _name)
    us = int((_time() - start) * 1e6)
    cell.latency[us.bit_length()] += 1
    cell.microseconds += us
    return payload
"""
_CALLED = """
        try:
            result = await _call({arguments})
            if context.held is not None:
                await _finish(context)
            {result}
        except BaseException as error:
            told = _settle(error, _operation, _name)
            if told is error:
                raise
            raise told from error
"""
_STREAMED = """
        await _stream(({arguments}), send)
        payload = None
"""
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?')


_STOPS = "The provider stops, and did not wait for this call any longer; whether it was done is not known. Ask again."


class Endpoint:
    """Serves one operation; the same for every request, so it keeps nothing of one."""

    def __init__(
        self,
        operation: Operation,
        name: str,
        target: Target,
        app: App,
        late: Callable[[], bool],
        notices: list[tuple[bytes, bytes]],
    ) -> None:
        self.operation = operation
        self.notices = notices  # headers of each answer: that the contract is deprecated, and when it ends
        self.name = name
        self.target = target
        self.app = app
        self._late = late
        self._finish = app.finish
        self._limit = app.settings.body_limit
        self._body = None if operation.body is None else Border(operation.body)
        self._content = bool(operation.at("content"))
        self._result = None if operation.shape in ("none", "bytes") else Border(operation.result)
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        kind = b"application/octet-stream" if operation.shape == "bytes" else b"application/json"
        self.safe = operation.safe
        self.status = operation.status
        self.streams = operation.shape == "stream"
        # Nothing has no type.
        self.kind = None if operation.shape == "none" else kind
        self.kind_header = None if self.kind is None else (b"content-type", self.kind)
        self.serve = self._made()

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

    def _made(self) -> Serve:
        """The way of one request through this endpoint, as source: what an operation does not have costs nothing."""
        operation = self.operation
        query = operation.query
        namespace: dict[str, Any] = {
            "_cell": self.app.recorder.cell,
            "_cells": {},
            "_failed": self._failed,
            "_limit": self._limit,
            "_time": monotonic,
            "_call": self.target if operation.timeout is None else bounded(self.target, operation.timeout),
            "_content": _content,
            "_nothing": _nothing,
            "_decode": self._decode_body,
            "_deny": deny,
            "_encode": self._encode,
            "_finish": self._finish,
            "_name": self.name,
            "_operation": operation,
            "_path": _path_values(operation),
            "_query": None if query is None else _Strings(query).decode,
            "_read": self._read,
            "_scopes": operation.scopes,
            "_settle": settle,
            "_stream": self._stream,
        }
        lines: list[str] = []
        if operation.scopes:
            lines.append("if not context.caller.has(_scopes): raise _deny(_scopes, context.caller).problem")
        if self._body is not None or self._content:
            lines.append("if body is None or len(body) > _limit: body = await _read(headers, body, receive)")
            lines.append("body = _decode(body, headers)")
        if namespace["_query"] is not None:
            lines.append("query = _query(query)")
        if namespace["_path"] is not None:
            lines.append("path = _path(path)")
        arguments = _argument_sources(operation)
        if self.streams:
            answer = _STREAMED.format(arguments="".join(f"{a}, " for a in arguments))
        else:
            result = _result_source(operation, namespace, self._result)
            answer = _CALLED.format(arguments=", ".join(arguments), result=result)
        before = "\n".join(" " * 8 + line for line in lines)
        source = _SERVE.format(before=before, answer=answer)
        exec(compile(source, f"<levada endpoint {self.name}>", "exec"), namespace)  # noqa: S102 - made from the contract alone
        return namespace["serve"]

    def _failed(self, error: BaseException, context: Context, start: float) -> None:
        """Count a call that ended with a problem; one that its deadline or a stop has ended raises that."""
        if isinstance(error, Problem):
            problem = error
        elif isinstance(error, asyncio.CancelledError) and self._late():
            problem = DeadlineExceeded()
        elif isinstance(error, asyncio.CancelledError) and _by_a_stop(error):
            problem = Unavailable(reason=_STOPS, retry_after=1.0)
        else:
            return
        self.app.recorder.fail(
            context.consumer,
            context.caller.client,
            self.name,
            outcome_of(problem),
            monotonic() - start,
            problem.code,
        )
        if problem is not error:
            raise problem from None

    async def _read(self, headers: Headers, body: bytes | None, receive: Any) -> bytes:
        if body is not None:
            raise PayloadTooLarge(limit=self._limit)
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._limit:
            raise PayloadTooLarge(limit=self._limit)
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DeadlineExceeded(reason="The caller went away before the body had come.")
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size > self._limit:
                raise PayloadTooLarge(limit=self._limit)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

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
            told = f"The body is not JSON: {error}" if body else "The body is empty; send JSON."
            raise BadRequest(reason=told, place="body") from None
        except RecursionError:
            raise BadRequest(reason="The body nests too deeply; send it flatter.", place="body") from None
        except UnicodeDecodeError:
            raise BadRequest(
                reason="The body is not valid UTF-8; send JSON in UTF-8.", place="body"
            ) from None

    def _whole(self, body: bytes) -> Any:
        """Take 72.0 for a whole number, as JSON Schema does; msgspec alone does not."""
        assert self._body is not None
        try:
            value = msgspec.convert(_WHOLE.decode(body), self._body.hint)
            self._body.integers.check(value)
            return value
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
            last = b'{"problem":' + self._encode(problem_document(told, _current.get())) + b"}\n"
        finally:
            await source.aclose()  # type: ignore[attr-defined]
        if not started:
            await send(self._stream_start())
        await send({"type": "http.response.body", "body": last})

    def _stream_start(self) -> dict[str, Any]:
        return {
            "type": "http.response.start",
            "status": self.operation.status,
            "headers": [(b"content-type", b"application/jsonl"), *self.notices],
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


def _by_a_stop(error: asyncio.CancelledError) -> bool:
    """Whether uvicorn has waited for this call as long as it was told to."""
    return bool(error.args) and "graceful shutdown exceeded" in str(error.args[0])


def _nothing(result: Any) -> bytes:
    if result is not None:
        raise TypeError(f"it answered {type(result).__name__}, the contract says None")
    return b""


def _path_values(operation: Operation) -> Callable[[tuple[str, ...]], tuple[Any, ...]] | None:
    """Decodes path parameters, in the order of the path; None where all are plain text."""
    by_name = {p.name: p.type for p in operation.at("path")}
    names = re.findall(r"\{(\w+)\}", operation.path)
    types = [(name, by_name[name], integers_of(by_name[name])) for name in names]
    if all(hint is str for _, hint, _ in types):
        return None

    def decode(values: tuple[str, ...]) -> tuple[Any, ...]:
        decoded: list[Any] = []
        for (name, hint, integers), value in zip(types, values, strict=True):
            try:
                decoded.append(msgspec.convert(value, hint, strict=False))
                integers.check(decoded[-1], value.encode())
            except msgspec.ValidationError as error:
                raise BadRequest(reason=f"{name}: {error}", place=name) from None
        return tuple(decoded)

    return decode


class _Strings:
    """Decodes a query string into the operation's struct of query parameters."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self._struct = struct
        self._integers = integers_of(struct)
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
            found = msgspec.convert(values, self._struct, strict=False)
            self._integers.check(found, None if b"%" in query else query)
            return found
        except msgspec.ValidationError as error:
            name, reason = _wrong(str(error))
            raise BadRequest(reason=f"{name}: {reason}", place=name) from None


def _wrong(told: str) -> tuple[str, str]:
    """Which parameter of a query is wrong, and why, of what msgspec says of the whole."""
    if missing := re.search(r"missing required field `(\w+)`", told):
        return missing[1], "it is missing in the query"
    if at := re.search(r" - at `\$\.(\w+)[^`]*`$", told):
        return at[1], told[: at.start()]
    return "query", told


def _is_many(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return origin in (list, tuple, set, frozenset) or any(
        _is_many(a) for a in typing.get_args(hint) if origin is not typing.Literal
    )


def _argument_sources(operation: Operation) -> list[str]:
    """Where each argument of the contract comes from, as source over ``path``, ``query`` and ``body``."""
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
    return parts


def _result_source(operation: Operation, namespace: dict[str, Any], border: Border | None) -> str:
    if border is None:
        return "payload = _content(result)" if operation.shape == "bytes" else "payload = _nothing(result)"
    namespace["_carry"] = border.carry
    check = check_expression(operation.result, "result", namespace)
    carried = "result = _carry(result)" if check is None else f"if not {check}: result = _carry(result)"
    return f"{carried}\n            payload = _encode(result)"
