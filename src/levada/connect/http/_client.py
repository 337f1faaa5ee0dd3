"""An HTTP client that says what is known of a call's outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self, TypeVar, overload

import aiohttp
import msgspec

from levada.app.retry import RetryBudget, pauses
from levada.connect._basic import basic
from levada.connect._timing import budget
from levada.connect.errors import NotStarted, OutcomeUnknown, RemoteFault, Unavailable
from levada.connect.http._settings import HttpSettings
from levada.connect.resource import Health, settings_of
from levada.connect.secrets import Secret, mask

__all__ = ["Http", "from_settings"]

T = TypeVar("T")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PASSING = frozenset({502, 503, 504})


class Http:
    """An HTTP service with JSON. May be called concurrently, from one event loop.

    A request that did not reach the service raises Unavailable; one whose answer was
    lost OutcomeUnknown (a safe one Unavailable: it may simply be made again); an answer of 400 and
    above RemoteFault, whose ``fault`` is the status and whose ``reason`` is the body's text; one of
    500 and above to an unsafe request OutcomeUnknown. ``failed`` of these says that the service answered,
    and not that it is down for a while (502, 503, 504, ``Retry-After``).
    """

    def __init__(self, url: str | HttpSettings, *, name: str = "http") -> None:
        self.settings = url if isinstance(url, HttpSettings) else HttpSettings(url=url)
        self._name = name
        self._session: aiohttp.ClientSession | None = None
        self._budget = RetryBudget()

    @property
    def name(self) -> str:
        """Its name in ``levada.toml``."""
        return self._name

    async def start(self) -> None:
        """Make the pool; nothing is asked yet."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.settings.pool),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.settings.connect_timeout),
            )
            # aiohttp would send PUT and DELETE again by itself when a kept connection was lost; what may be repeated is ours to say.
            self._session._retry_connection = False

    async def stop(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def health(self) -> Health:
        """Ask for the health path."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._once("GET", self.settings.health, None, None, {})
            ok, detail = True, ""
        except RemoteFault as fault:
            ok, detail = True, fault.fault
        except (Unavailable, OutcomeUnknown, NotStarted) as error:
            ok, detail = False, error.message
        return Health(self._name, "http", ok, loop.time() - began, detail)

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        type: type[T],
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> T: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        type: None = None,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        type: Any = None,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """Make a request.

        Args:
            method: The HTTP method.
            path: Below the service's URL.
            type: What the answer is decoded as; None: plain JSON.
            body: Sent as JSON.
            params: The query; a list stands for a repeated name.
            key: Sent as ``Idempotency-Key``.

        Raises:
            Unavailable, OutcomeUnknown, RemoteFault: What is known of it; see the class.
        """
        headers = {} if key is None else {"idempotency-key": key}
        data = None if body is None else msgspec.json.encode(body)
        self._budget.deposit()
        for pause in pauses(self.settings.retries if method in _SAFE else 0):
            try:
                answer = await self._once(method, path, data, params, headers)
                break
            except Unavailable:
                if pause is None or not self._budget.withdraw():
                    raise
                await asyncio.sleep(pause)
        else:
            raise AssertionError("the last pause is None")
        if not answer:
            return None
        try:
            return msgspec.json.decode(answer) if type is None else msgspec.json.decode(answer, type=type)
        except msgspec.DecodeError as error:
            raise RemoteFault(
                resource=self._name, fault="answer", reason=f"{method} {path}: {error}."
            ) from None

    async def get(self, path: str, *, type: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """GET."""
        return await self.request("GET", path, type=type, params=params)

    async def post(self, path: str, body: Any = None, *, type: Any = None, key: str | None = None) -> Any:
        """POST."""
        return await self.request("POST", path, type=type, body=body, key=key)

    async def put(self, path: str, body: Any = None, *, type: Any = None, key: str | None = None) -> Any:
        """PUT."""
        return await self.request("PUT", path, type=type, body=body, key=key)

    async def _once(
        self,
        method: str,
        path: str,
        data: bytes | None,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> bytes:
        if self._session is None:
            raise NotStarted(resource=self._name)
        url = Secret(self.settings.url).reveal().rstrip("/") + path
        unsafe = method not in _SAFE
        try:
            async with (
                asyncio.timeout(budget(self.settings.timeout)),
                self._session.request(
                    method,
                    url,
                    data=data,
                    params=_query(params),
                    headers={**self._headers(data), **headers},
                    allow_redirects=False,
                ) as response,
            ):
                answer = await response.read()
                status = response.status
                passes = status in _PASSING or "retry-after" in response.headers
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(resource=self._name, reason=f"{mask(str(error))}.") from error
        except TimeoutError as error:
            raise self._lost(unsafe, f"{method} {path} took too long.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._lost(
                unsafe, f"{method} {path}: {mask(str(error)) or 'the connection was lost'}."
            ) from error
        if status >= 500:
            raise self._lost(unsafe, f"{method} {path} was answered with {status}.", failed=not passes)
        if status >= 400:
            raise RemoteFault(
                resource=self._name, fault=str(status), reason=answer.decode(errors="replace")[:2000]
            )
        return answer

    def _lost(self, unsafe: bool, reason: str, *, failed: bool = False) -> OutcomeUnknown | Unavailable:
        said = OutcomeUnknown if unsafe else Unavailable
        return said(resource=self._name, reason=reason, failed=failed)

    def _headers(self, data: bytes | None) -> dict[str, str]:
        settings = self.settings
        headers = {"accept": "application/json"}
        if data is not None:
            headers["content-type"] = "application/json"
        if settings.token is not None:
            headers["authorization"] = f"Bearer {Secret(settings.token).reveal()}"
        elif settings.user is not None and settings.password is not None:
            headers["authorization"] = basic(settings.user, Secret(settings.password).reveal())
        if settings.key is not None:
            headers[settings.header] = Secret(settings.key).reveal()
        return headers

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"Http({self._name!r}, {mask(self.settings.url)!r})"


def _query(params: Mapping[str, Any] | None) -> list[tuple[str, str]] | None:
    if params is None:
        return None
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs.extend((name, str(v)) for v in values)
    return pairs


def from_settings(name: str, given: Mapping[str, Any]) -> Http:
    """The service of ``[resources.{name}]``."""
    return Http(settings_of(name, HttpSettings, given), name=name)
