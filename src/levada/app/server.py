"""The ASGI server of an app: routes from the contracts, problems as RFC 9457, streams as JSON lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from levada.app.context import Caller, Context, Received, _current
from levada.app.deadlines import Deadlines
from levada.app.document import documents
from levada.app.endpoint import Endpoint
from levada.app.identity import Gatekeeper
from levada.app.outcome import outcome_of, problem_document
from levada.app.router import Router
from levada.contract.lifecycle import lifecycle_headers
from levada.contract.problem import Problem
from levada.contract.standard import (
    BadRequest,
    DeadlineExceeded,
    InternalError,
    MethodNotAllowed,
    NotFound,
    fault_of,
)

if TYPE_CHECKING:
    from levada.app.app import App

__all__ = ["Server"]

log = logging.getLogger("levada.server")

_PROBLEM = (b"content-type", b"application/problem+json")
Headers = Mapping[bytes, bytes]
Plain = Callable[[Any, Any, Any], Awaitable[None]]


class Server:
    """Serves the contracts of an app. One for each app and event loop."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.settings = app.settings
        self.gatekeeper = Gatekeeper(app.settings)
        self.routes: Router[Endpoint] = Router()
        self.plain: dict[str, Plain] = {}
        self.deadlines = Deadlines()
        self._seconds = app.settings.deadline
        self._recorder = app.recorder
        self._timeouts: dict[bytes, float] = {}
        for local in app.plan.served.values():
            contract = local.contract
            targets = app.targets_of(local)
            notices = lifecycle_headers(contract)
            self.plain |= documents(local.implementation, self.gatekeeper)
            for name, operation in contract.operations.items():
                endpoint = Endpoint(
                    operation, contract.operation_id(name), targets[name], app, self.deadlines.late, notices
                )
                for base in (contract.path, *contract.paths):
                    self.routes.add(operation.method, base.rstrip("/") + operation.path, endpoint)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] == "http":
            await self.request(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.app.start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                await send({"type": "lifespan.startup.complete"})
            else:
                self.deadlines.stop()
                await self.app.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def request(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one HTTP request that came by ASGI."""
        start = monotonic()
        context: Context | None = None
        try:
            found = self.find(scope["method"], scope["path"], scope.get("raw_path"))
            if found is None:
                await self._elsewhere(scope, receive, send)
                return
            endpoint, values = found
            headers: dict[bytes, bytes] = dict(scope["headers"])
            context = self.quick_context(endpoint, headers, start)
            if context is None:
                context = await self.context(endpoint, headers, start, unix=is_unix(scope))
            task = asyncio.current_task()
            assert task is not None
            self.deadlines.watch(task, context.deadline)
            token = _current.set(context)
            try:
                query: bytes = scope["query_string"]
                payload = await endpoint.serve(context, values, query, headers, None, start, receive, send)
            finally:
                _current.reset(token)
                self.deadlines.unwatch(task)
            if payload is not None:
                start_message = {
                    "type": "http.response.start",
                    "status": endpoint.status,
                    "headers": result_headers(endpoint, payload),
                }
                await send(start_message)
                await send({"type": "http.response.body", "body": payload})
        except Problem as problem:
            await send_problem(send, problem, context or traced(dict(scope["headers"])))

    def find(self, method: str, path: str, raw: bytes | None) -> tuple[Endpoint, tuple[str, ...]] | None:
        """The endpoint of a request and the values in its path; None: there is none.

        Raises:
            BadRequest: The path is not valid UTF-8.
        """
        if raw is None or b"%" not in raw:
            found = self.routes.find_quick(method, path)
            if found is not None:
                return found
        try:
            return self.routes.find(method, path, raw)
        except UnicodeDecodeError:
            raise BadRequest(reason="The path is not valid UTF-8.", place="path") from None

    # -- one request, whatever way it came: context, answer, and meanwhile its deadline ------

    def quick_context(self, endpoint: Endpoint, headers: Headers, start: float) -> Context | None:
        """The context of a request whose caller is known without waiting; None: ask :meth:`context`.

        Raises:
            Problem: What to answer with.
        """
        known = self.gatekeeper.quick(headers)
        return None if known is None else self._context(endpoint, headers, start, *known)

    async def context(self, endpoint: Endpoint, headers: Headers, start: float, *, unix: bool) -> Context:
        """The context of a request: caller, deadline, trace, key.

        Args:
            endpoint: What the request goes to.
            headers: By their names in small letters; of headers of one name the last.
            start: When the request began, on the event loop's clock.
            unix: Whether it came over a Unix socket.

        Raises:
            Problem: What to answer with.
        """
        try:
            known = await self.gatekeeper.caller(headers, unix=unix)
        except Problem as problem:
            self._failed(problem, endpoint, "", None, start)
            raise
        return self._context(endpoint, headers, start, *known)

    def _context(
        self,
        endpoint: Endpoint,
        headers: Headers,
        start: float,
        caller: Caller,
        consumer: str,
        internal: bool,
    ) -> Context:
        try:
            stated = headers.get(b"levada-timeout-ms")
            seconds = self._seconds if stated is None else self._stated(stated)
            limit = headers.get(b"levada-limit-ms")
            # What the gateway waits at most; it can only shorten, so anybody may send it.
            deadline = start + (seconds if limit is None else min(seconds, self._stated(limit)))
            context = Context(deadline, caller, consumer, endpoint.name)
            trace = headers.get(b"traceparent")
            if trace is not None:
                context.received = Received(trace)
                if b"tracestate" in headers:
                    context.tracestate = headers[b"tracestate"].decode("latin-1")
            if not endpoint.safe:
                endpoint.key(context, headers, internal)
            return context
        except Problem as problem:
            self._failed(problem, endpoint, consumer, caller.client, start)
            raise

    def _failed(
        self, problem: Problem, endpoint: Endpoint, consumer: str, client: str | None, start: float
    ) -> None:
        self._recorder.fail(
            consumer, client, endpoint.name, outcome_of(problem), monotonic() - start, problem.code
        )

    def _stated(self, stated: bytes) -> float:
        known = self._timeouts.get(stated)
        if known is not None:
            return known
        try:
            seconds = int(stated) / 1000
        except (ValueError, OverflowError):
            raise BadRequest(
                reason="The headers levada-timeout-ms and levada-limit-ms are whole numbers of milliseconds.",
                place="levada-timeout-ms",
            ) from None
        if seconds <= 0:
            raise DeadlineExceeded(reason="The deadline had passed when the request came.")
        seconds = min(seconds, self.settings.longest_deadline)
        if len(self._timeouts) < 1000:
            self._timeouts[stated] = seconds
        return seconds

    def _nothing(self, path: str) -> NotFound:
        """Below an API it names the document that tells what is served there."""
        for document in self.plain:
            base, found, _ = document.rpartition("/openapi.json")
            if found and (path == base or path.startswith(f"{base}/")):
                return NotFound(reason=f"No operation is served at this path. What there is: {document}")
        return NotFound()

    async def _elsewhere(self, scope: Any, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        plain = self.plain.get(path)
        if plain is None:
            plain = next(
                (p for prefix, p in self.plain.items() if prefix.endswith("/") and path.startswith(prefix)),
                None,
            )
        if plain is not None:
            try:
                await plain(scope, receive, send)
            except Exception as error:
                context = traced(dict(scope["headers"]))
                if not isinstance(error, Problem):
                    fields = {"path": path, "trace": context.trace_id}
                    log.error("request_failed", extra=fields, exc_info=error)
                await send_problem(send, error if isinstance(error, Problem) else InternalError(), context)
            return
        methods = self.routes.methods(path)
        if not methods:
            raise self._nothing(path)
        if scope["method"] == "OPTIONS":
            await send(
                {
                    "type": "http.response.start",
                    "status": 204,
                    "headers": [(b"allow", ", ".join(methods).encode())],
                }
            )
            await send({"type": "http.response.body", "body": b""})
            return
        raise MethodNotAllowed(allowed=", ".join(methods))


def is_unix(scope: Any) -> bool:
    """Whether a request came over a Unix socket: then ``server`` is a path without a port (ASGI 3)."""
    server = scope.get("server")
    return bool(server) and server[1] is None


def result_headers(endpoint: Endpoint, payload: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a declared result."""
    if endpoint.status == 204:
        return endpoint.notices
    length = (b"content-length", b"%d" % len(payload))
    kind = [] if endpoint.kind_header is None else [endpoint.kind_header]
    return [*kind, *endpoint.notices, length]


def traced(headers: Headers) -> Context:
    """The context of a request that has no other: of its trace alone."""
    return Context(received=Received(headers.get(b"traceparent", b"")))


def problem_answer(problem: Problem, context: Context) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a problem: its document, its code and whose fault it is."""
    body = msgspec.json.encode(problem_document(problem, context))
    headers = [
        _PROBLEM,
        (b"content-length", str(len(body)).encode()),
        (b"levada-problem", problem.code.encode()),
        (b"levada-fault", fault_of(problem).encode()),
    ]
    if isinstance(problem, MethodNotAllowed):
        headers.append((b"allow", problem.allowed.encode()))
    if (after := getattr(problem, "retry_after", None)) is not None:
        headers.append((b"retry-after", str(max(1, round(after))).encode()))
    if problem.status == 401:
        headers.append((b"www-authenticate", b'ApiKey realm="levada"'))
    return problem.status, headers, body


async def send_problem(send: Any, problem: Problem, context: Context) -> None:
    """Answer with a problem by ASGI."""
    status, headers, body = problem_answer(problem, context)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
