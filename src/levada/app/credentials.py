"""What a binding proves itself with: a token of the network, a bearer token, an API key, OAuth 2."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from typing import Protocol
from urllib.parse import quote_plus

import aiohttp
import msgspec

from levada.app.context import Context
from levada.app.errors import ConfigurationError
from levada.app.identity import Issuer
from levada.app.secrets import resolve
from levada.app.settings import Settings
from levada.contract.standard import NotSent

__all__ = ["Credential", "credential_of"]


class Credential(Protocol):
    """Adds a credential to a request. May be called concurrently."""

    async def start(self) -> None:
        """Get ready; makes no request."""
        ...

    async def stop(self) -> None:
        """Let go of what was opened."""
        ...

    def sign(self, headers: dict[str, str], context: Context) -> None:
        """Add what can be added without waiting."""
        ...

    async def refresh(self, headers: dict[str, str]) -> None:
        """Add what may have to be fetched first."""
        ...

    def refused(self, headers: dict[str, str]) -> bool:
        """A request with these headers was answered with 401; whether the next may have another credential."""
        ...


class _Nothing:
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def sign(self, headers: dict[str, str], context: Context) -> None: ...

    async def refresh(self, headers: dict[str, str]) -> None: ...

    def refused(self, headers: dict[str, str]) -> bool:  # noqa: ARG002 - the shape of Credential
        return False


class _Identity(_Nothing):
    def __init__(self, secret: str, environment: str) -> None:
        self._issuer = Issuer(secret, environment)

    def sign(self, headers: dict[str, str], context: Context) -> None:
        headers["levada-identity"] = self._issuer.token(context.caller, context.consumer)


class _Static(_Nothing):
    def __init__(self, header: str, prefix: str, reference: str, place: str) -> None:
        self._header = header
        self._prefix = prefix
        self._reference = reference
        self._place = place
        resolve(reference, place)

    def sign(self, headers: dict[str, str], context: Context) -> None:  # noqa: ARG002 - the shape of Credential
        headers[self._header] = self._prefix + resolve(self._reference, self._place)


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class _OAuth2(_Nothing):
    """OAuth 2 client credentials (RFC 6749, 4.4): one token for all calls, fetched anew shortly before it ends or when it is refused."""

    def __init__(self, prefix: str, place: str) -> None:
        self._prefix = prefix
        self._place = place
        self._token = ""
        self._since = self._until = 0.0
        self._fetching = asyncio.Lock()
        for name in ("TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET"):
            resolve(f"env:{prefix}_{name}", place)

    async def start(self) -> None:
        self._fetching = asyncio.Lock()

    async def refresh(self, headers: dict[str, str]) -> None:
        if time.monotonic() >= self._until:
            async with self._fetching:
                # Whoever waited for the lock finds what was fetched meanwhile.
                if time.monotonic() >= self._until:
                    await self._fetch()
        headers["authorization"] = f"Bearer {self._token}"

    def refused(self, headers: dict[str, str]) -> bool:
        """A token may be revoked before its time. One that was fetched just now is not the reason, and another would fare no better."""
        if headers.get("authorization") != f"Bearer {self._token}":
            return True  # another call has fetched a new one meanwhile
        if time.monotonic() < self._since + _FRESH:
            return False
        self._until = 0.0
        return True

    async def _fetch(self) -> None:
        url, client, secret = (
            resolve(f"env:{self._prefix}_{n}", self._place)
            for n in ("TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET")
        )
        asked = time.monotonic()
        status, body = await self._ask(url, {"authorization": _basic(client, secret)})
        if status != 200:
            raise NotSent(
                reason=f"The token service refused the credentials of {self._prefix} with {status}."
            )
        try:
            # Not strict: some services write expires_in as a text.
            token = msgspec.json.decode(body, type=_Token, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotSent(reason=f"The token service of {self._prefix} answered without a token.") from None
        self._token, self._since = token.access_token, time.monotonic()
        self._until = asked + 0.8 * (_LIFETIME if token.expires_in is None else token.expires_in)

    async def _ask(self, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.post(
                    url, data={"grant_type": "client_credentials"}, headers=headers, allow_redirects=False
                ) as response,
            ):
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NotSent(reason=f"The token service of {self._prefix} cannot be reached.") from error


_FRESH = 10.0
"""Seconds in which a refused token is not fetched anew: a service that lets nobody in would have one asked for at each call."""
_LIFETIME = 300.0
"""Seconds that a token is taken to live whose service does not say it."""


def _basic(client: str, secret: str) -> str:
    """HTTP Basic of a client, whose parts are form-encoded first (RFC 6749, 2.3.1)."""
    return "Basic " + b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()


def credential_of(auth: str | None, settings: Settings, place: str) -> Credential:
    """The credential of a binding's ``auth``; without one, a token of the network where it has a secret.

    Raises:
        ConfigurationError: The reference is malformed or there is nothing behind it.
    """
    if auth is None or auth == "identity":
        if settings.identity is not None:
            return _Identity(settings.identity, settings.environment)
        if auth is None:
            return _Nothing()
        raise ConfigurationError(
            place=place,
            reason="auth = identity needs the network's secret",
            mend='State [identity] secret = "env:NAME"',
        )
    kind, _, reference = auth.partition(":")
    if kind == "none":
        return _Nothing()
    if kind == "bearer":
        return _Static("authorization", "Bearer ", reference, place)
    if kind == "api-key":
        return _Static("x-api-key", "", reference, place)
    if kind == "oauth2" and reference.startswith("env:"):
        return _OAuth2(reference[4:], place)
    raise ConfigurationError(
        place=place,
        reason=f"auth begins with {kind!r}",
        mend='Write "identity", "none", "bearer:env:NAME", "api-key:env:NAME" or "oauth2:env:PREFIX"',
    )
