"""One operation as an HTTP request, and its answer as a result or a problem: the wire of the client."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from levada.app.border import Border
from levada.app.outcome import Refusal
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import STANDARD, InternalError, StandardProblem, Unavailable

__all__ = ["Call"]

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
"""What a path may hold as it is (RFC 3986, unreserved)."""
_NOT_OURS = "The service answered in a way that its contract does not allow: {what}"


class Call:
    """One operation as a request: URL, body and result, by code made from the contract."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._names = [p.name for p in operation.parameters]
        self._path = re.split(r"\{(\w+)\}", operation.path)
        places = map(self._names.index, self._path[1::2])
        self._places = list(zip(places, self._path[2::2], strict=True))
        self._query = operation.at("query")
        self._body = operation.body
        self._members = [p.name for p in operation.at("member")]
        self._whole = next((p.name for p in operation.parameters if p.place in ("body", "content")), None)
        self._content = bool(operation.at("content"))
        self._border = None if operation.shape in ("none", "bytes") else Border(operation.result)
        self._bare = not (self._query or self._members or self._whole)
        self._encode = msgspec.json.Encoder().encode
        self.kind = (
            "application/octet-stream"
            if self._content
            else "application/json"
            if operation.body is not None
            else None
        )

    def request(self, base: str, arguments: tuple[Any, ...]) -> tuple[str, bytes | None]:
        """The URL and the body of a call."""
        url = base + self._path[0]
        for at, then in self._places:
            value = _text(arguments[at])
            url += (value if _PLAIN(value) else quote(value, safe="")) + then
        if self._bare:
            return url, None
        given = dict(zip(self._names, arguments, strict=True))
        if self._query:
            pairs: list[tuple[str, str]] = []
            for p in self._query:
                value = given[p.name]
                if value is None or (not p.required and value == p.default):
                    continue
                if isinstance(value, (list, tuple, set, frozenset)):
                    pairs.extend((p.name, _text(v)) for v in value)
                else:
                    pairs.append((p.name, _text(value)))
            if pairs:
                url += "?" + urlencode(pairs)
        if self._content:
            return url, given[self._whole]  # type: ignore[index]
        if self._whole is not None:
            return url, self._encode(given[self._whole])
        if self._members:
            return url, self._encode({n: given[n] for n in self._members})
        return url, None

    def result(self, body: bytes) -> Any:
        """The result of a body; raises InternalError where it does not fit the contract."""
        if self._border is None:
            return body if self.operation.shape == "bytes" else None
        try:
            return self._border.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(InternalError(reason=_NOT_OURS.format(what=error))) from None

    def problem(self, status: int, code: str, body: bytes) -> BaseException:
        """The problem of an answer.

        Args:
            status: Its status, 300 or more.
            code: The code in its header, empty where there is none.
            body: Its body, as a rule a problem document (RFC 9457).
        """
        document: dict[str, Any] = {}
        try:
            decoded = msgspec.json.decode(body)
            document = decoded if isinstance(decoded, dict) else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            document = {}
        code = code or str(document.get("type", "")).rpartition(":")[2]
        declared = self.operation.declared.get(code) or _by_status(self.operation, status, code)
        if declared is None:
            return _standard(code, status, document)
        try:
            return declared.parse(document)
        except (msgspec.ValidationError, TypeError):
            return InternalError(
                reason=_NOT_OURS.format(what=f"a problem {code or status} without its fields")
            )

    def problem_line(self, document: dict[str, Any]) -> BaseException:
        """The problem that a stream ended with."""
        code = str(document.get("type", "")).rpartition(":")[2]
        declared = self.operation.declared.get(code)
        if declared is not None:
            return declared.parse(document)
        standard: Any = STANDARD.get(code, InternalError)
        return standard(reason=str(document.get("detail", standard.title)))

    def line(self, line: bytes) -> tuple[str, Any]:
        """One line of a stream: ("item", value), ("end", None) or ("problem", document)."""
        raw = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        if "item" in raw:
            return "item", self.result(bytes(raw["item"]))
        if "end" in raw:
            return "end", None
        return "problem", msgspec.json.decode(raw.get("problem", msgspec.Raw(b"{}")))


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    encoded = msgspec.to_builtins(value)
    if isinstance(encoded, bool):
        return "true" if encoded else "false"
    return str(encoded)


def _by_status(operation: Operation, status: int, code: str) -> type[Problem] | None:
    """For services not written with Levada: the only declared problem of this status."""
    if code in STANDARD:
        return None
    fitting = [p for p in operation.raises if p.status == status]
    return fitting[0] if len(fitting) == 1 else None


_OF_STATUS: dict[int, Callable[..., StandardProblem]] = {
    p.status: p for p in reversed(list(STANDARD.values()))
}


def _standard(code: str, status: int, document: dict[str, Any]) -> StandardProblem:
    cls: Any = STANDARD.get(code) or _OF_STATUS.get(status)
    if cls is None:
        cls = Unavailable if status in (502, 503) else InternalError
    known: dict[str, Any] = {}
    for name in ("reason", "place", "limit", "allowed", "retry_after"):
        if name in cls.__annotations__:
            value = document.get("detail") if name == "reason" else document.get(name)
            if value is not None:
                known[name] = value
    try:
        return cls.parse(known)
    except msgspec.ValidationError:
        return cls()
