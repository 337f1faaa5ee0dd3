"""A SOAP client over zeep that says what is known of a call's outcome.

zeep reads the WSDL and makes the envelopes; the requests go through the HTTP pool of
this loop, so that time-outs, lost connections and refusals are told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
from msgspec import Struct

# zeep and lxml come without usable types: what they give is Any here, and checked by what we make of it.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportUnknownVariableType=false
from levada._errors import LevadaError
from levada.connect._basic import basic
from levada.connect._timing import budget
from levada.connect.errors import (
    ConnectError,
    ExtraMissing,
    NotStarted,
    OutcomeUnknown,
    RemoteFault,
    Unavailable,
)
from levada.connect.resource import Health, settings_of
from levada.connect.secrets import Secret, mask, without

__all__ = ["Soap", "SoapSettings", "from_settings"]


class SoapSettings(Struct, frozen=True, kw_only=True):
    """How a SOAP service is used.

    Attributes:
        url: The WSDL: its address or a file; or a reference.
        service, port: Which service of the WSDL and which of its ports, where it has several. Default: the first.
        address: Where calls go, if not where the WSDL says; or a reference.
        user, password: HTTP Basic; ``password`` is a reference.
        pool: Connections at most. Default 10.
        connect_timeout: Seconds to connect. Default 5.
        timeout: Seconds that one call may take. Default 30. A nearer deadline counts first.
    """

    url: str
    service: str | None = None
    port: str | None = None
    address: str | None = None
    user: str | None = None
    password: str | None = None
    pool: int = 10
    connect_timeout: float = 5.0
    timeout: float = 30.0


class Soap:
    """A SOAP service. May be called concurrently, from one event loop.

    The WSDL is read at the first call, on a thread, and kept. A SOAP fault raises
    RemoteFault with ``fault`` = its code and ``reason`` = its string.
    """

    def __init__(self, url: str | SoapSettings, *, name: str = "soap") -> None:
        self.settings = url if isinstance(url, SoapSettings) else SoapSettings(url=url)
        self._name = name
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None
        self._service: Any = None
        self._reading = asyncio.Lock()

    @property
    def name(self) -> str:
        """Its name in ``levada.toml``."""
        return self._name

    async def start(self) -> None:
        """Make the pool; the WSDL is read when it is first needed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.settings.pool),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.settings.connect_timeout),
            )

    async def stop(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def health(self) -> Health:
        """Fetch the WSDL; where it is a file, see that the service's address answers."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if _is_address(Secret(self.settings.url).reveal()):
                await self._wsdl()
            else:
                await self._ready()
                await self._send("GET", self._address, None, {}, any_status=True)
            ok, detail = True, ""
        except LevadaError as error:
            ok, detail = False, error.message
        return Health(self._name, "soap", ok, loop.time() - began, detail)

    async def call(self, operation: str, /, **arguments: Any) -> Any:
        """Call an operation; the result as plain dicts and lists.

        Raises:
            RemoteFault: The service refused, with its code and what it said.
            Unavailable: It was not reached; nothing was done.
            OutcomeUnknown: The answer was lost.
        """
        client = await self._ready()
        body, headers = self._envelope(client, operation, arguments)
        status, answer = await self._send(
            "POST", self._address, body, {k: str(v) for k, v in headers.items()}
        )
        return self._result(client, operation, status, answer)

    def _envelope(
        self, client: Any, operation: str, arguments: Mapping[str, Any]
    ) -> tuple[bytes, Mapping[str, Any]]:
        from lxml import etree
        from zeep.exceptions import Error as ZeepError

        binding = self._service._binding
        try:
            envelope, headers = binding._create(
                operation, (), arguments, client=client, options=self._service._binding_options
            )
        except (ZeepError, ValueError, TypeError) as error:
            known = ", ".join(sorted(binding._operations))
            reason = f"{operation} was not sent, the WSDL has no such operation or arguments: {str(error).rstrip('.')}. Its operations: {known}."
            raise RemoteFault(resource=self._name, fault="wsdl", reason=reason) from None
        return etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), headers

    def _result(self, client: Any, operation: str, status: int, answer: bytes) -> Any:
        from lxml import etree
        from zeep.exceptions import Fault
        from zeep.helpers import serialize_object
        from zeep.loader import parse_xml

        try:
            # zeep's own parser settings refuse entities and DTDs.
            document = parse_xml(answer, client.transport, settings=client.settings)
        except Exception as error:
            raise OutcomeUnknown(
                resource=self._name, reason=f"{operation} was answered with {status} and no SOAP."
            ) from error
        binding = self._service._binding
        definition = binding.get(operation)
        if (
            status != 200
            or document.find(f"{{{_namespace(document)}}}Body/{{{_namespace(document)}}}Fault") is not None
        ):
            try:
                binding.process_error(document, definition)
            except Fault as fault:
                code = str(fault.code or "").rpartition(":")[2]
                raise RemoteFault(resource=self._name, fault=code, reason=str(fault.message)) from None
        try:
            found = binding.process_reply(client, definition, _Reply(status, answer))
        except (etree.LxmlError, ValueError) as error:
            raise OutcomeUnknown(
                resource=self._name, reason=f"the answer to {operation} does not fit the WSDL."
            ) from error
        return serialize_object(found, dict)

    async def _ready(self) -> Any:
        if self._session is None:
            raise NotStarted(resource=self._name)
        if self._client is not None:
            return self._client
        async with self._reading:
            if self._client is None:
                wsdl = await self._wsdl()
                self._client = await asyncio.to_thread(self._parse, wsdl)
            return self._client

    async def _wsdl(self) -> bytes:
        place = Secret(self.settings.url).reveal()
        if _is_address(place):
            return (await self._send("GET", place, None, {}))[1]
        try:
            return await asyncio.to_thread(Path(place).read_bytes)
        except OSError as error:
            raise Unavailable(
                resource=self._name,
                reason=f"the WSDL {place}: {(error.strerror or 'cannot be read').lower()}.",
            ) from None

    @property
    def _address(self) -> str:
        return Secret(self.settings.address or self._service._binding_options["address"]).reveal()

    def _parse(self, wsdl: bytes) -> Any:
        try:
            from lxml import etree
            from zeep import Client
            from zeep.exceptions import Error as ZeepError
            from zeep.transports import Transport
        except ImportError:
            raise ExtraMissing(what="A SOAP service", extra="soap") from None
        transport = Transport(timeout=self.settings.connect_timeout, operation_timeout=self.settings.timeout)
        place = Secret(self.settings.url).reveal()
        if not _is_address(place):
            place = str(Path(place).absolute())
        load = transport.load

        def first(url: str) -> bytes:
            # It was fetched already, with our time-outs; what it imports is fetched by zeep.
            return wsdl if url == place else load(url)

        transport.load = first
        try:
            client = Client(place, transport=transport)
            self._service = client.bind(self.settings.service, self.settings.port)
            if self._service is None:
                raise ValueError("it describes no service")
        except (ZeepError, etree.LxmlError, ValueError, OSError) as error:
            reason = without(str(error).rstrip("."), place)
            raise RemoteFault(
                resource=self._name,
                fault="wsdl",
                reason=f"what lies at `url` is no WSDL that can be read: {reason}.",
            ) from None
        return client

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        any_status: bool = False,
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise NotStarted(resource=self._name)
        sent = dict(headers)
        if self.settings.user is not None and self.settings.password is not None:
            sent["Authorization"] = basic(self.settings.user, Secret(self.settings.password).reveal())
        try:
            async with (
                asyncio.timeout(budget(self.settings.timeout)),
                self._session.request(
                    method, url, data=body, headers=sent, allow_redirects=False
                ) as response,
            ):
                answer = await response.read()
                if any_status:
                    return response.status, answer
                if method == "GET" and response.status >= 400:
                    raise Unavailable(
                        resource=self._name, reason=f"the WSDL was answered with {response.status}."
                    )
                if response.status in (401, 403, 404):
                    raise RemoteFault(
                        resource=self._name,
                        fault=str(response.status),
                        reason="the service did not take the request.",
                    )
                return response.status, answer
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(resource=self._name, reason=f"{mask(str(error))}.") from error
        except TimeoutError as error:
            raise self._lost(method, "the answer took too long.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._lost(method, f"{mask(str(error)) or 'the connection was lost'}.") from error

    def _lost(self, method: str, reason: str) -> ConnectError:
        return (Unavailable if method == "GET" else OutcomeUnknown)(resource=self._name, reason=reason)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"Soap({self._name!r}, {mask(self.settings.url)!r})"


class _Reply:
    """What zeep wants to see of an HTTP answer."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status_code = status
        self.content = content
        self.encoding = "utf-8"
        self.headers = {"Content-Type": "text/xml; charset=utf-8"}


def _is_address(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _namespace(document: Any) -> str:
    return str(document.tag).partition("}")[0].lstrip("{")


def from_settings(name: str, given: Mapping[str, Any]) -> Soap:
    """The service of ``[resources.{name}]``."""
    return Soap(settings_of(name, SoapSettings, given), name=name)
