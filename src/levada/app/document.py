"""The documents of an API, as the app serves them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from levada.app.identity import Gatekeeper
from levada.contract.api import Contract
from levada.contract.implementation import Implementation
from levada.contract.standard import MethodNotAllowed

__all__ = ["Document", "documents", "made"]


class Document:
    """Serves ``openapi.json`` or ``asyncapi.json`` below an API's path to whoever may call the API at all.

    ``make`` gives the document; it is called when it is first asked for.
    """

    def __init__(self, make: Callable[[], dict[str, Any]], gatekeeper: Gatekeeper) -> None:
        self._make = make
        self._gatekeeper = gatekeeper
        self._body = b""
        self._tag = b""

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer one request, with an entity tag (RFC 9110, 8.8.3)."""
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(allowed="GET, HEAD")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        server = scope.get("server")
        await self._gatekeeper.caller(headers, unix=bool(server) and server[1] is None)
        if not self._body:
            self._body = msgspec.json.encode(self._make())
            self._tag = b'"' + hashlib.sha256(self._body).hexdigest()[:16].encode() + b'"'
        same = headers.get(b"if-none-match") == self._tag
        body = b"" if same or scope["method"] == "HEAD" else self._body
        about = [
            (b"content-type", b"application/json"),
            (b"etag", self._tag),
            (b"cache-control", b"no-cache"),
        ]
        if not same:
            about.append((b"content-length", str(len(self._body)).encode()))
        await send({"type": "http.response.start", "status": 304 if same else 200, "headers": about})
        await send({"type": "http.response.body", "body": body})


def documents(implementation: Implementation, gatekeeper: Gatekeeper) -> dict[str, Document]:
    """The documents of an API by their paths."""
    path = implementation.contract.path
    return {f"{path}/{name}.json": Document(make, gatekeeper) for name, make in made(implementation).items()}


def made(implementation: Implementation) -> dict[str, Callable[[], dict[str, Any]]]:
    """What makes the documents of an API, by name; that of its events only if it has any."""
    found: dict[str, Callable[[], dict[str, Any]]] = {"openapi": partial(_openapi, implementation.contract)}
    if implementation.publishes or implementation.handlers or implementation.awaits:
        found["asyncapi"] = partial(_asyncapi, implementation)
    return found


def _openapi(contract: Contract) -> dict[str, Any]:
    from levada.contract.openapi import openapi

    return openapi(contract)


def _asyncapi(implementation: Implementation) -> dict[str, Any]:
    from levada.contract.asyncapi import asyncapi

    return asyncapi(implementation)
