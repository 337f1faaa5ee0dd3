"""Who calls: the network's own signed tokens, the gateway's word, API keys.

A header that a client sends never makes a caller. What the gateway says is believed
on a Unix socket alone; another API of the network proves itself with a short-lived
token (RFC 7519, HS256) that carries the caller on whose behalf it calls.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import jwt
import msgspec

from levada.app.context import ANONYMOUS, Caller
from levada.app.settings import Settings
from levada.contract.standard import Unauthorized

__all__ = ["CLAIMS", "Authenticator", "Gatekeeper", "Issuer"]

LIFETIME = 60
"""Seconds that a token of the network is good for."""

IDENTITY = b"levada-identity"
CLAIMS: tuple[bytes, ...] = (b"x-consumer-id", b"levada-caller", b"levada-scopes", b"levada-organisation")
"""Headers by which the gateway tells who calls; anywhere but on its socket they are forged."""

_SAYS_WHO = frozenset({*CLAIMS, b"x-api-key", b"authorization"})

Headers: TypeAlias = Mapping[bytes, bytes]
Authenticator: TypeAlias = Callable[[Headers], Awaitable[Caller | None]]
"""Another way to know a caller, such as an API key: the caller, or None if its header is absent; raises Unauthorized."""


class Issuer:
    """Makes tokens for the calls of an app; one token serves many calls of one caller."""

    def __init__(self, secret: str, environment: str) -> None:
        self._secret = secret
        self._environment = environment
        self._made: dict[tuple[Caller, str], tuple[float, str]] = {}
        self._last: tuple[Caller, str, float, str] | None = None

    def token(self, caller: Caller, consumer: str) -> str:
        """A token that says: this consumer calls on behalf of this caller."""
        now = time.time()
        last = self._last
        if last is not None and last[0] is caller and last[1] is consumer and last[2] > now:
            return last[3]
        key = (caller, consumer)
        known = self._made.get(key)
        if known is not None and known[0] > now:
            self._last = (caller, consumer, *known)
            return known[1]
        if len(self._made) > 10_000:
            self._made.clear()
        claims = {
            "iss": self._environment,
            "azp": consumer,
            "sub": caller.subject,
            "act": list(caller.actors),
            "client": caller.client,
            "org": caller.organisation,
            "scope": sorted(caller.scopes),
            "env": self._environment,
            "amr": caller.method,
            "iat": int(now),
            "exp": int(now) + LIFETIME,
        }
        made = jwt.encode(claims, self._secret, algorithm="HS256")
        self._made[key] = (now + LIFETIME / 2, made)
        return made


class Gatekeeper:
    """Tells who calls, from the headers and the kind of connection of a request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._authenticators: list[Authenticator] = []
        anonymous = settings.anonymous
        if anonymous is not None and anonymous.environment != settings.environment:
            anonymous = msgspec.structs.replace(anonymous, environment=settings.environment)
        self._nobody = None if anonymous is None else (anonymous, "", False)
        self._seen: dict[bytes, tuple[float, tuple[Caller, str, bool]]] = {}

    def add(self, authenticator: Authenticator) -> None:
        """Know callers in one more way; asked in the order added."""
        self._authenticators.append(authenticator)

    def quick(self, headers: Headers) -> tuple[Caller, str, bool] | None:
        """The caller of a token already seen, or of a request without any credential; None: ask :meth:`caller`."""
        token = headers.get(IDENTITY)
        if token is not None:
            known = self._seen.get(token)
            return known[1] if known is not None and known[0] > time.time() else None
        if self._nobody is None or self._authenticators or not _SAYS_WHO.isdisjoint(headers):
            return None
        return self._nobody

    async def caller(self, headers: Headers, *, unix: bool) -> tuple[Caller, str, bool]:
        """(caller, consumer, whether it is of the network itself).

        Raises:
            Unauthorized: A credential is invalid, a claim is forged, or none came where one is needed.
        """
        token = headers.get(IDENTITY)
        if token is not None:
            return self._of_token(token)
        claimed = [c.decode() for c in CLAIMS if c in headers]
        if claimed:
            if not (unix and self._settings.trust_unix):
                raise Unauthorized(
                    reason=f"The header {claimed[0]} is set by the gateway alone; send an API key or a token."
                )
            if b"x-consumer-id" in headers:
                return self._of_gateway(headers), "gateway", False
        for authenticator in self._authenticators:
            found = await authenticator(headers)
            if found is not None:
                return found, found.client or "", False
        if b"authorization" in headers or b"x-api-key" in headers:
            raise Unauthorized(reason="This credential is not taken here.")
        if self._nobody is None:
            raise Unauthorized
        return self._nobody

    def _of_gateway(self, headers: Headers) -> Caller:
        # The gateway says consumer/products/plan; what the plan allows is known here.
        client, _, rest = headers[b"x-consumer-id"].decode("latin-1").partition("/")
        plan = rest.rpartition("/")[2]
        scopes = headers.get(b"levada-scopes", b"").decode("latin-1").split() or self._settings.plans.get(
            plan, ()
        )
        organisation = headers.get(b"levada-organisation")
        return Caller(
            subject=headers.get(b"levada-caller", b"").decode("latin-1") or client,
            client=client,
            organisation=organisation.decode("latin-1") if organisation else None,
            scopes=frozenset(scopes),
            environment=self._settings.environment,
            method="api_key",
        )

    def _of_token(self, token: bytes) -> tuple[Caller, str, bool]:
        if self._settings.identity is None:
            raise Unauthorized(
                reason="This app takes no tokens of the network: [identity] secret is not set."
            )
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._settings.identity,
                algorithms=["HS256"],
                options={"require": ["exp", "iat", "iss"]},
                leeway=5,
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized(
                reason="The token of the calling API has expired; check the clocks of both machines."
            ) from None
        except jwt.InvalidTokenError:
            raise Unauthorized(
                reason="The token of the calling API is not valid; do both use the same [identity] secret?"
            ) from None
        if claims.get("env") != self._settings.environment:
            raise Unauthorized(
                reason=f"The caller is of the environment {claims.get('env')}, this is {self._settings.environment}."
            )
        caller = Caller(
            subject=str(claims.get("sub", ANONYMOUS.subject)),
            actors=tuple(claims.get("act", ())),
            client=claims.get("client"),
            organisation=claims.get("org"),
            scopes=frozenset(claims.get("scope", ())),
            environment=str(claims.get("env", "")),
            method=claims.get("amr", "service"),
        )
        if len(self._seen) > 10_000:
            self._seen.clear()
        consumer = str(claims.get("azp", ""))
        self._seen[token] = (float(claims["exp"]), (caller, consumer, True))
        return caller, consumer, True
