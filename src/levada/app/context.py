"""What every call carries through every layer: deadline, trace, caller, key.

Trace context follows W3C *Trace Context* level 1. The deadline is kept on the
event loop's clock (seconds, monotonic) and travels as the time that is left.
"""

from __future__ import annotations

import random
from binascii import unhexlify
from collections.abc import Awaitable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from levada.contract.event import EventType
from levada.contract.operation import Operation

__all__ = [
    "ANONYMOUS",
    "Authentication",
    "Caller",
    "Context",
    "InRun",
    "RunPort",
    "current",
    "in_run",
    "told_of_call",
]

Authentication: TypeAlias = Literal["none", "api_key", "oidc", "mtls", "service", "test"]

FOREVER = float("inf")


class Caller(Struct, frozen=True):
    """Who calls.

    ``subject``: a person or service. ``actors``: who acts for the subject, nearest
    first (an agent for a person). ``client``: the consumer registered with us.
    ``scopes``: what the caller may do; ``"*"`` is everything. ``method``: how it was
    authenticated.
    """

    subject: str = "anonymous"
    actors: tuple[str, ...] = ()
    client: str | None = None
    organisation: str | None = None
    scopes: frozenset[str] = frozenset()
    environment: str = "development"
    method: Authentication = "none"

    def has(self, scopes: frozenset[str]) -> bool:
        """Whether the caller has all of these scopes."""
        return scopes <= self.scopes or "*" in self.scopes


ANONYMOUS = Caller()


class RunPort(Protocol):
    """How calls, events and waits inside a durable run become its steps."""

    def call(self, proxy: Any, operation: Operation, arguments: tuple[Any, ...]) -> Awaitable[Any]:
        """Call an operation of a dependency as a step."""
        ...

    def publish(self, kind: EventType, event: Any) -> Awaitable[None]:
        """Publish an event as a step."""
        ...

    def wait(self, kind: EventType, key: str, timeout: timedelta | None) -> Awaitable[Any]:
        """Wait for an event as a step."""
        ...


class Received(Struct, gc=False):
    """The ``traceparent`` that a request came with: read once for all its calls, and only where the trace goes on."""

    header: bytes
    trace: int = 0
    span: int = 0
    flags: int = 1
    valid: bool = True

    def read(self) -> None:
        """Take trace, span and flags in; a trace begins here where the header is malformed."""
        parsed = parse_traceparent(self.header)
        self.valid = parsed is not None
        self.trace, self.span, self.flags = parsed or (_begun(), 0, 1)


class Context(Struct, gc=False):
    """What a call carries. Read it with :func:`current`; it does not change while the call lasts.

    Attributes:
        deadline: When the answer is due, on the event loop's clock, in seconds; infinite: none.
        caller: Who calls.
        consumer: The API (or client) that makes the call: ``sales/Storefront/v1``.
        operation: The operation under way: ``sales/Orders/v1.place``, or None.
        key: The idempotency key, the same at every attempt, or None.
        attempt: The number of this attempt, from 1; 0 where it is not known.
        fence: The fence of the worker that makes the attempt, for ``levada_effect``.
        trace, span, flags, tracestate: W3C trace context; 0 where none has begun or none was looked at. A span of
            -1 is one of its own, not that of the request.
        received: What the request came with, for all calls made from it.
        calls: How many unsafe calls were made from here; their keys derive from it.
        published: How many events were written to an outbox from here; their ids derive from it.
        run: The durable run under way here, or None.
        held: Events held back until the operation commits.
        effect: The effect under way in an adapter's operation.
    """

    deadline: float = FOREVER
    caller: Caller = ANONYMOUS
    consumer: str = ""
    operation: str | None = None
    key: str | None = None
    trace: int = 0
    span: int = 0
    flags: int = 1
    received: Received | None = None
    tracestate: str | None = None
    attempt: int = 0
    fence: int = 0
    calls: int = 0
    published: int = 0
    run: RunPort | None = None
    held: list[Any] | None = None
    effect: Any = None

    def next_key(self) -> str | None:
        """The key of the next unsafe call made from here: derived, so that a repeat makes the same ones."""
        if self.key is None:
            return None
        self.calls += 1
        return f"{self.key}/{self.calls}"

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits; begun here where the request brought none."""
        return f"{trace_of(self):032x}"

    @property
    def span_id(self) -> str:
        """The id of this call in its trace, 16 hexadecimal digits."""
        if not self.span:
            trace_of(self)
        if self.span <= 0:
            self.span = random.getrandbits(64) | 1
        return f"{self.span:016x}"

    @property
    def traceparent(self) -> str:
        """The header to send on: ``00-{trace_id}-{span_id}-{flags}``."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def trace_of(context: Context) -> int:
    """The trace of a context as a number; begun here where it has none."""
    if context.trace:
        return context.trace
    received = context.received
    if received is not None:
        if not received.trace:
            received.read()
        context.trace, context.flags = received.trace, received.flags
        context.span = context.span or received.span
        if not received.valid:
            context.tracestate = None  # it is of a trace that nobody can tell
        return context.trace
    made = _begun()
    if context is not _EMPTY:
        context.trace = made
    return made


def _begun() -> int:
    return random.getrandbits(128) | 1


def parse_traceparent(text: str | bytes) -> tuple[int, int, int] | None:
    """(trace, span, flags) of a ``traceparent`` header, or None where it is malformed."""
    if len(text) < 55:
        return None
    try:
        # At once, as it is done in each request that calls on.
        read = unhexlify(text[:2] + text[3:35] + text[36:52] + text[53:55])  # type: ignore[operator]
    except ValueError:
        return None
    version, flags = read[0], read[25]
    trace, span = int.from_bytes(read[1:17], "big"), int.from_bytes(read[17:25], "big")
    if version == 255 or not trace or not span or (version == 0 and len(text) != 55):
        return None
    return trace, span, flags


_EMPTY = Context()
_current: ContextVar[Context] = ContextVar("levada_context", default=_EMPTY)


def current() -> Context:
    """The context of the call under way; an empty one outside of any call."""
    return _current.get()


class InRun(Struct, frozen=True):
    """What is worked on for a durable run: its id, the step that is performed, the ``traceparent`` that it began with."""

    run: str
    traceparent: str = ""
    step: str | None = None


in_run: ContextVar[InRun | None] = ContextVar("levada_in_run", default=None)
"""Beside the context, which each call has anew: what a step calls, in whatever depth, is done for the same step."""


def told_of_call() -> dict[str, str]:
    """What a log line says of the call under way: trace, operation, run and step, as far as there are any."""
    context, within = _current.get(), in_run.get()
    told: dict[str, str] = {}
    if context is not _EMPTY:
        told["trace"] = context.trace_id
        if context.operation is not None:
            told["operation"] = context.operation
    elif within is not None and (parsed := parse_traceparent(within.traceparent)) is not None:
        told["trace"] = f"{parsed[0]:032x}"
    if within is not None:
        told["run"] = within.run
        if within.step is not None:
            told["step"] = within.step
    return told
