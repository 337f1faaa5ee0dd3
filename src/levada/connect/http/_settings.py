"""The settings of an HTTP service."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["HttpSettings"]


class HttpSettings(Struct, frozen=True, kw_only=True):
    """How an HTTP service is used.

    Attributes:
        url: Where it begins; or a reference.
        user, password: HTTP Basic (RFC 7617); ``password`` is a reference.
        token: Reference to a bearer token (RFC 6750), read again for each request.
        header, key: The header of an API key, and the reference to the key.
        pool: Connections at most. Default 20.
        connect_timeout: Seconds to connect. Default 5.
        timeout: Seconds that one request may take. Default 30. A nearer deadline counts first.
        retries: How often a safe request is repeated while the service cannot be reached. Default 2.
        health: The path that ``health`` asks for. Default ``/``; any answer below 500 is well.
    """

    url: str
    user: str | None = None
    password: str | None = None
    token: str | None = None
    header: str = "x-api-key"
    key: str | None = None
    pool: int = 20
    connect_timeout: float = 5.0
    timeout: float = 30.0
    retries: int = 2
    health: str = "/"
