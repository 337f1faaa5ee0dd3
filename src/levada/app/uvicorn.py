"""uvicorn's HTTP protocol, with a short way for ordinary requests to a Levada app.

``uvicorn shop:app --http levada.app.uvicorn:HttpProtocol``; ``levada run`` and ``levada up``
use it. uvicorn stays the server: it listens, limits, keeps connections alive, drains
and stops. A request that has come as a whole is answered where it was parsed: no
ASGI scope is built, and no task is begun unless the code behind has to wait (see
:mod:`levada.app.eager`). Everything else goes by ASGI, and both ways give the same
answers to the byte.
"""

from __future__ import annotations

import asyncio
import contextvars
from time import monotonic
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from levada.app.app import App
from levada.app.context import Context, _current
from levada.app.eager import Eager
from levada.app.endpoint import Endpoint
from levada.app.server import Server, problem_answer, traced
from levada.contract.problem import Problem

__all__ = ["HttpProtocol"]

_AT_ONCE = 16
"""Pipelined requests that are answered in one go; then the event loop has its turn."""

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})

_UNUSUAL = frozenset({b"connection", b"expect", b"upgrade"})

_JOINED = 1 << 16
"""Bytes of a body that are copied behind the head to be written at once."""

Headers = list[tuple[bytes, bytes]]

_FAILED: tuple[int, Headers, bytes] = (
    500,
    [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"21"),
    ],
    b"Internal Server Error",
)
"""What uvicorn answers where an application fails; then it closes the connection."""


class _Flight:
    """The request under way on the short way as uvicorn looks at it; its own is a ``RequestResponseCycle``."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = True
        self.message_event = self

    def set(self) -> None:
        """Nobody waits for more of the request: it has come."""


class _Shared:
    """What the connections of one server have in common."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.eager = Eager(loop)
        self._defaults: Headers | None = None
        self._heads: dict[Endpoint, bytes] = {}

    def head(self, endpoint: Endpoint, defaults: Headers) -> bytes:
        """All that comes before the length of a result; made anew when uvicorn's own headers change, each second."""
        if defaults is not self._defaults:
            self._defaults = defaults
            self._heads.clear()
        head = self._heads.get(endpoint)
        if head is None:
            kind = [] if endpoint.kind is None else [(b"content-type", endpoint.kind)]
            head = STATUS_LINE[endpoint.status] + _lines(defaults)
            if endpoint.status == 204:
                head += _lines(endpoint.notices)
            else:
                head += _lines(kind) + _lines(endpoint.notices) + b"content-length: "
            self._heads[endpoint] = head
        return head


class HttpProtocol(HttpToolsProtocol):
    """One connection; uvicorn makes it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._levada = self._server_of_app()
        self._flight = _Flight()
        # The request on the short way, while it comes.
        self._endpoint: Endpoint | None = None
        self._values: tuple[str, ...] = ()
        self._query = b""
        self._head: dict[bytes, bytes] = {}
        self._listed: Headers = []
        self._body: bytes | bytearray = b""
        self._start = 0.0
        self._dropped = False
        self._at_once = 0
        self._variables = contextvars.copy_context()
        self._idle_since: float | None = None
        self._unix = False
        self._isolated = self.config.reset_contextvars
        state: Any = self.server_state
        if not hasattr(state, "levada"):
            state.levada = _Shared(self.loop)
        self._shared: _Shared = state.levada

    def _server_of_app(self) -> Server | None:
        app: Any = self.config.loaded_app
        if isinstance(app, ProxyHeadersMiddleware):
            # It changes the client's address, which an access log tells and a contract does not see.
            app = app.app
        ordinary = (
            isinstance(app, App)
            and not self.access_log
            and not self.root_path
            and self.limit_concurrency is None
            and _FRAMING.isdisjoint(name for name, _ in self.config.encoded_headers)
        )
        return app.server if ordinary else None

    # -- called by the event loop and by uvicorn --------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self._unix = self.server is not None and self.server[1] is None

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def data_received(self, data: bytes) -> None:
        """Take what has come; a request that has come in part goes on by ASGI, which can wait for the rest."""
        self._at_once = 0
        super().data_received(data)
        if self._endpoint is not None and not self.transport.is_closing():
            body, self._body = bytes(self._body), b""
            self._endpoint = None
            self._by_asgi(self._listed)
            if body:
                super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        if self.pipeline:
            # Not among the context variables of the request that has been answered.
            self._variables.run(super().on_response_complete)
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        self._idle_since = monotonic()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _unset_keepalive_if_required(self) -> None:
        # The timer stays: to cancel it and to begin it anew costs every request more than to look when it is due.
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for long enough."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - monotonic()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    # -- called by the parser ---------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header has come."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head has come: take the short way if the request is of the ordinary kind."""
        if self._at_once and self.transport.is_closing():
            # It came behind the last request of the connection.
            self._dropped = True
        elif self._take():
            self._listed, self.headers = self.headers, []
        else:
            self._by_asgi(self.headers)

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        if self._endpoint is None:
            if not self._dropped:
                super().on_body(body)
        elif not self._body:
            self._body = body
        else:
            # In place: small chunks are many.
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """The request has come as a whole."""
        endpoint = self._endpoint
        if endpoint is None:
            if not self._dropped:
                super().on_message_complete()
            return
        self._endpoint = None
        body: Any = self._body
        if body:
            self._body = b""
            body = bytes(body)
        flight = self._flight
        flight.response_complete = False
        self.cycle = flight  # type: ignore[assignment]
        server: Server = self._levada  # type: ignore[assignment]
        try:
            context = server.quick_context(endpoint, self._head, self._start)
        except Problem as problem:
            self._write(flight, *self._told(*problem_answer(problem, traced(self._head))))
            return
        coroutine = (
            self._admit(endpoint, self._values, self._query, self._head, body, self._start)
            if context is None
            else self._serve(endpoint, context, self._values, self._query, self._head, body, self._start)
        )
        variables = contextvars.Context() if self._isolated else contextvars.copy_context()
        task = self._shared.eager.run(coroutine, variables)
        if task is not None:
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            if context is not None:
                server.deadlines.watch(task, context.deadline)
                task.add_done_callback(server.deadlines.unwatch)

    def _by_asgi(self, headers: Headers) -> None:
        """Let uvicorn make the scope, and the task that serves it."""
        url = self.url
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()
        if not any(name == b"upgrade" for name, _ in headers):
            # What comes behind the body (trailers) is no header.
            self.headers = []

    # -- the short way ----------------------------------------------------------------

    def _take(self) -> bool:
        """Take the request that the parser has the head of on the short way, if it is of the ordinary kind."""
        server = self._levada
        before: Any = self.cycle
        if (
            server is None
            or (before is not None and not before.response_complete)
            or self._at_once >= _AT_ONCE
            or self.flow.write_paused
        ):
            return False
        url = self.url.decode("latin-1")
        # What is unusual in a URL (another form than /path?query) is uvicorn's to take apart.
        if url[0] != "/" or "#" in url or not url.isascii():
            return False
        path, _, query = url.partition("?")
        parser: Any = self.parser
        method = parser.get_method().decode("latin-1")
        found = server.routes.find_quick(method, path) if "%" not in path else None
        if found is None:
            try:
                found = server.routes.find(method, path, path.encode())
            except UnicodeDecodeError:
                return False
            if found is None:
                return False
        headers = dict(self.headers)
        keep_alive = parser.should_keep_alive()
        if not _UNUSUAL.isdisjoint(headers):
            if b"expect" in headers or b"upgrade" in headers:
                return False
            keep_alive = keep_alive and parser.get_http_version() != "1.0"
        endpoint, self._values = found
        if endpoint.streams:
            return False
        self._endpoint, self._head = endpoint, headers
        self._query = query.encode() if query else b""
        self._flight.keep_alive = keep_alive
        self._start = monotonic()
        self._at_once += 1
        return True

    async def _admit(
        self,
        endpoint: Endpoint,
        values: tuple[str, ...],
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        start: float,
    ) -> None:
        """Serve a request whose caller may have to be asked for."""
        server: Server = self._levada  # type: ignore[assignment]
        task: Any = asyncio.current_task()
        try:
            context = await server.context(endpoint, headers, start, unix=self._unix)
        except Problem as problem:
            await self._reply(*self._told(*problem_answer(problem, traced(headers))))
        except BaseException as error:
            await self._fail(error)
        else:
            server.deadlines.watch(task, context.deadline)
            try:
                await self._serve(endpoint, context, values, query, headers, body, start)
            finally:
                server.deadlines.unwatch(task)

    async def _serve(
        self,
        endpoint: Endpoint,
        context: Context,
        values: tuple[str, ...],
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        start: float,
    ) -> None:
        try:
            _current.set(context)
            payload: Any = await endpoint.serve(context, values, query, headers, body, start, None, None)
        except Problem as problem:
            await self._reply(*self._told(*problem_answer(problem, context)))
            return
        except BaseException as error:
            await self._fail(error)
            return
        head = self._shared.head(endpoint, self.server_state.default_headers)
        if endpoint.status != 204:
            head += b"%d\r\n" % len(payload)
        if self.flow.write_paused:
            await self._reply(head, payload)
        else:
            self._write(self._flight, head, payload)

    async def _fail(self, error: BaseException) -> None:
        self.logger.error("Exception in ASGI application\n", exc_info=error)
        self._flight.keep_alive = False
        await self._reply(*self._told(*_FAILED))

    async def _reply(self, head: bytes, payload: bytes) -> None:
        """Answer when the connection takes more."""
        flight = self._flight
        if self.flow.write_paused and not flight.disconnected:
            # It has been answered in time; how long the client takes to read is no matter of the deadline.
            self._levada.deadlines.unwatch(asyncio.current_task())  # type: ignore[union-attr,arg-type]
            try:
                await self.flow.drain()
            except asyncio.CancelledError:
                self.transport.close()
        self._write(flight, head, payload)

    def _told(self, status: int, headers: Headers, body: bytes) -> tuple[bytes, bytes]:
        return STATUS_LINE[status] + _lines(self.server_state.default_headers) + _lines(headers), body

    def _write(self, flight: _Flight, head: bytes, payload: bytes) -> None:
        flight.response_complete = True
        if flight.disconnected:
            return
        end = b"\r\n" if flight.keep_alive else b"connection: close\r\n\r\n"
        if len(payload) < _JOINED:
            self.transport.write(b"".join((head, end, payload)))
        else:
            self.transport.write(head + end)
            self.transport.write(payload)
        if not flight.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _lines(headers: Headers) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers])
