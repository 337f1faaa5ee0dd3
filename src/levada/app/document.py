"""The OpenAPI document of a contract, as the app serves it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from levada.app.identity import Gatekeeper
from levada.contract.api import Contract
from levada.contract.standard import MethodNotAllowed

__all__ = ["Document"]


class Document:
    """Serves ``{api path}/openapi.json`` to whoever may call the API at all. Made when first asked for."""

    def __init__(self, contract: Contract, gatekeeper: Gatekeeper) -> None:
        self._contract = contract
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
            from levada.contract.openapi import openapi

            self._body = msgspec.json.encode(openapi(self._contract))
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
