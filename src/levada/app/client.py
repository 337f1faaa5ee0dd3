"""The HTTP client that is made from a contract: the same calls, the same errors, over a wire."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from time import monotonic
from typing import Any

import aiohttp
from yarl import URL

from levada.app.binding import Remote
from levada.app.call import Call
from levada.app.context import FOREVER, Context, _current
from levada.app.credentials import Credential, credential_of
from levada.app.deadlines import Deadlines
from levada.app.errors import NotRunning
from levada.app.outcome import Refusal
from levada.app.protect import Breaker, is_ill
from levada.app.proxy import Target
from levada.app.retry import RetryBudget, pauses
from levada.app.settings import Settings
from levada.contract.api import Contract
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import (
    DeadlineExceeded,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotFound,
    NotSent,
    Unauthorized,
    Unavailable,
)

__all__ = ["RemoteAPI"]

log = logging.getLogger("levada.call")

_RETRIED = (NotSent, Unavailable, DeadlineExceeded)


class RemoteAPI:
    """A contract kept elsewhere. May be called concurrently, from one event loop.

    Safe operations are repeated when the service cannot be reached or cannot serve; the
    others only when the request was certainly not sent. All under one retry budget.
    """

    def __init__(self, contract: Contract, remote: Remote, settings: Settings) -> None:
        self.contract = contract
        self.remote = remote
        self.breaker = Breaker(failures=20, pause=1.0)
        self.budget = RetryBudget()
        self._credential: Credential = credential_of(remote.auth, settings, f"[bind] {contract.id}")
        self._sends_identity = remote.auth in (None, "identity") and settings.identity is not None
        self._session: aiohttp.ClientSession | None = None
        self._deadlines = Deadlines()
        self._heeded = False
        unix = remote.url.startswith("unix:")
        self._unix = remote.url[5:] if unix else None
        base = "http://unix" if unix else remote.url
        self._base = base + (contract.path if remote.path is None else remote.path.rstrip("/"))

    async def start(self) -> None:
        """Open the pool; no connection is made yet."""
        limit = self.remote.connections
        connector = (
            aiohttp.UnixConnector(self._unix, limit=limit)
            if self._unix
            else aiohttp.TCPConnector(limit=limit)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"accept": "application/json", **self.remote.headers},
            timeout=aiohttp.ClientTimeout(total=None),
        )
        # aiohttp would send PUT and DELETE again by itself when a kept connection was lost; what may be repeated is ours to say.
        self._session._retry_connection = False
        await self._credential.start()

    async def stop(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        self._deadlines.stop()
        if session is not None:
            await session.close()
        await self._credential.stop()

    async def look(self) -> tuple[int, bool]:
        """The status with which the service answers for the contract's document, and whether it is a service of Levada's.

        Raises:
            Problem: It cannot be reached, or its answer was lost.
        """
        if self._session is None:
            raise NotRunning
        headers: dict[str, str] = {}
        self._credential.sign(headers, _current.get())
        url, seconds = f"{self._base}/openapi.json", self.remote.timeout
        async with _Opened(self._session, "GET", url, headers, None, self._credential, seconds) as response:
            return response.status, "levada-problem" in response.headers or response.status == 200

    def targets(self, contract: Contract) -> Mapping[str, Target]:
        """What stands behind each operation of a consumer's class of this contract."""
        return {name: self._target(operation) for name, operation in contract.operations.items()}

    def _target(self, operation: Operation) -> Target:
        call = Call(operation)
        if operation.shape == "stream":
            return lambda *arguments: self._stream(call, arguments)  # type: ignore[return-value]

        def target(*arguments: Any) -> Awaitable[Any]:
            return self._repeat(call, arguments)

        return target

    async def _repeat(self, call: Call, arguments: tuple[Any, ...]) -> Any:
        self.budget.deposit()
        waits: Iterator[float | None] | None = None
        while True:
            try:
                return await self._attempt(call, arguments)
            except _RETRIED as problem:
                waits = waits or pauses(self.remote.retries)
                pause = next(waits)
                repeatable = call.operation.safe or isinstance(problem, NotSent)
                context = _current.get()
                if (
                    pause is None
                    or not repeatable
                    or monotonic() + pause >= context.deadline
                    or not self.budget.withdraw()
                ):
                    if isinstance(problem, NotSent):
                        # Said by this border, of this very call: nothing can have been done.
                        raise Refusal(problem) from problem.__cause__
                    raise
                await asyncio.sleep(pause)

    async def _attempt(self, call: Call, arguments: tuple[Any, ...]) -> Any:
        self.breaker.enter()
        try:
            result = await self._send(call, arguments)
        except BaseException as error:
            self.breaker.leave(is_ill(error))
            raise
        self.breaker.leave(False)
        return result

    async def _send(self, call: Call, arguments: tuple[Any, ...], *, again: bool = True) -> Any:
        # As _Opened does it, but flat: between processes this is what a call costs most.
        session, url, headers, body, seconds = self._prepared(call, arguments)
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        before = task.cancelling()
        response: aiohttp.ClientResponse | None = None
        sent = False
        self._deadlines.watch(task, monotonic() + seconds)
        try:
            await self._credential.refresh(headers)
            sent = True
            response = await session.request(
                call.operation.method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
            )
            answer = await response.read()
        except BaseException as error:
            if response is not None:
                response.close()
            left = self._deadlines.expired(task)
            if isinstance(error, asyncio.CancelledError) and left is not None and left <= before:
                raise _late(sent=sent) from None
            _raise_told(error)
            raise
        finally:
            self._deadlines.unwatch(task)
        if "deprecation" in response.headers:
            self._heed(response)
        if response.status >= 300:
            if (
                response.status == 401
                and again
                and self._credential.refused(headers)
                and self._let_in_again(call)
            ):
                return await self._send(call, arguments, again=False)
            raise self._problem(call, response, answer)
        return call.result(answer)

    def _let_in_again(self, call: Call) -> bool:
        """Whether a call that was not let in is made once more, with a credential fetched anew: under the budget, and not where
        a service that hands on another's 401 could do its work twice.
        """
        return (call.operation.safe or self.remote.effect != "at_least_once") and self.budget.withdraw()

    def _open(self, call: Call, arguments: tuple[Any, ...]) -> _Opened:
        session, url, headers, body, seconds = self._prepared(call, arguments)
        return _Opened(session, call.operation.method, url, headers, body, self._credential, seconds)

    def _prepared(
        self, call: Call, arguments: tuple[Any, ...]
    ) -> tuple[aiohttp.ClientSession, str, dict[str, str], bytes | None, float]:
        """The session, URL, headers and body of a call, and the seconds it may take."""
        session = self._session
        if session is None:
            raise NotRunning
        context = _current.get()
        left = context.deadline - monotonic()
        seconds = min(self.remote.timeout, left)
        if seconds <= 0:
            raise DeadlineExceeded
        url, body = call.request(self._base, arguments)
        return session, url, self._headers(context, call, seconds), body, seconds

    def _headers(self, context: Context, call: Call, seconds: float) -> dict[str, str]:
        # Each call is a span of its own.
        headers = {
            "traceparent": f"00-{context.trace_id}-{random.getrandbits(64) | 1:016x}-{context.flags:02x}",
            "levada-timeout-ms": str(max(1, int(seconds * 1000)))
            if context.deadline < FOREVER
            else str(int(self.remote.timeout * 1000)),
        }
        if context.tracestate:
            headers["tracestate"] = context.tracestate
        if context.key is not None and not call.operation.safe:
            headers["idempotency-key"] = context.key
            if context.attempt:
                headers["levada-attempt"] = str(context.attempt)
            if context.fence:
                headers["levada-fence"] = str(context.fence)
        if call.kind is not None:
            headers["content-type"] = call.kind
        self._credential.sign(headers, context)
        return headers

    def _heed(self, response: aiohttp.ClientResponse) -> None:
        """Say once that the contract is deprecated (RFC 9745), and when it ends (RFC 8594)."""
        if not self._heeded:
            self._heeded = True
            told = {name: response.headers.get(name, "") for name in ("deprecation", "sunset")}
            log.warning("contract_deprecated", extra={"contract": self.contract.id, **told})

    def _problem(self, call: Call, response: aiohttp.ClientResponse, body: bytes) -> BaseException:
        told = call.problem(response.status, response.headers.get("levada-problem", ""), body)
        if isinstance(told, InternalError) and "retry-after" in response.headers:
            return Unavailable(reason=told.reason)  # a failure that passes, as it says itself
        where = {"operation": self.contract.operation_id(call.operation.name), "service": self._base}
        if isinstance(told, (NotFound, MethodNotAllowed)):
            mend = f'Check the URL in [bind] "{self.contract.id}", and which majors the service has'
            log.error("operation_not_served", extra={**where, "mend": mend})
        elif isinstance(told, Forbidden) and self._sends_identity:
            # Who called here lacks a scope: refused as it would be in process.
            return Refusal(told)
        elif isinstance(told, (Unauthorized, Forbidden)) and not isinstance(told, call.operation.raises):
            said = {"said": told.reason, "mend": self.mend}
            log.error("not_let_in", extra=where | said)
            # Said by its border, as a border in process says it: it is not ill, and nothing was done.
            return Refusal(
                type(told)(reason=f"{self.contract.id} does not let this in: {told.reason} {self.mend}.")
            )
        return told

    @property
    def mend(self) -> str:
        """What to do where the service does not take what this binding proves itself with."""
        bind, auth = f'[bind] "{self.contract.id}"', self.remote.auth
        if auth is not None and auth not in ("identity", "none"):
            return f"Check the credential behind auth of {bind}, and what it may do there"
        if self._sends_identity:
            return (
                "State the same [identity] secret, and the same environment, in both deployments; or, if the "
                f'service is behind a gateway, auth = "api-key:env:NAME" in {bind}'
            )
        return (
            "No credential was sent: state the same [identity] secret in both deployments; or, if the "
            f'service is behind a gateway, auth = "api-key:env:NAME" in {bind}'
        )

    async def _stream(self, call: Call, arguments: tuple[Any, ...]) -> AsyncIterator[Any]:
        ended = False
        opened = self._open(call, arguments)
        async with opened as response:
            if "deprecation" in response.headers:
                self._heed(response)
            if response.status >= 300:
                if response.status == 401:
                    self._credential.refused(opened.headers)
                raise self._problem(call, response, await response.read())
            async for line in response.content:
                kind, value = call.line(line)
                if kind == "item":
                    yield value
                elif kind == "end":
                    ended = True
                else:
                    raise call.problem_line(value)
        if not ended:
            raise Unavailable(reason="The stream was cut before its end.")


class _Opened:
    """A request under way; its errors are told apart by whether it was sent."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        credential: Credential,
        seconds: float,
    ) -> None:
        self._request = (session, method, url, body)
        self.headers = headers
        self._credential = credential
        self._timeout = asyncio.timeout(seconds)
        self._sent = False
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        session, method, url, body = self._request
        await self._timeout.__aenter__()
        try:
            await self._credential.refresh(self.headers)
            self._sent = True
            self._response = await session.request(
                method, URL(url, encoded=True), headers=self.headers, data=body, allow_redirects=False
            )
        except BaseException as error:
            await self._leave(error)
            raise
        return self._response

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._response is not None:
            if error is None:
                self._response.release()
            else:
                self._response.close()
        if error is None:
            await self._timeout.__aexit__(None, None, None)
        else:
            await self._leave(error)

    async def _leave(self, error: BaseException) -> None:
        """End the time-out, and turn transport errors into problems."""
        try:
            await self._timeout.__aexit__(type(error), error, error.__traceback__)
        except TimeoutError:
            raise _late(sent=self._sent) from None
        _raise_told(error)


def _late(*, sent: bool) -> Problem:
    """What no time was left for: an answer, or a credential, without which nothing was sent."""
    return (
        DeadlineExceeded() if sent else NotSent(reason="The credential for the service did not come in time.")
    )


def _raise_told(error: BaseException) -> None:
    """Raise the problem that an error of the transport is; return if it is another error."""
    if isinstance(error, aiohttp.ClientConnectorError):
        raise NotSent(reason="The service cannot be reached.", retry_after=None) from error
    if isinstance(error, (aiohttp.ClientError, ConnectionError)):
        raise Unavailable(reason="The connection to the service was lost.") from error
