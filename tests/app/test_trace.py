"""W3C trace context within a process: what came is read once, and every call of a request is of its trace."""

from abc import abstractmethod
from collections.abc import AsyncIterator

import pytest

from levada import App, ProcessAPI, Settings, SystemAPI, http
from levada.app.context import Context, Received, _current, current

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Below(SystemAPI, domain="shop", version="1.0"):
    """The layer below."""

    @http.get("/spans/{name}")
    @abstractmethod
    async def span(self, name: str) -> list[str]:
        """Trace, span and flags of the call, and its tracestate."""

    @http.get("/spans")
    @abstractmethod
    def spans(self) -> AsyncIterator[list[str]]:
        """The same as a stream."""


def _seen() -> list[str]:
    context = current()
    return [context.trace_id, context.span_id, f"{context.flags:02x}", context.tracestate or ""]


class Here(Below):
    async def span(self, name: str) -> list[str]:
        return _seen()

    async def spans(self) -> AsyncIterator[list[str]]:
        yield _seen()


class Between(ProcessAPI, domain="shop", version="1.0"):
    """The layer above."""

    below: Below

    @http.get("/all")
    async def all(self) -> list[list[str]]:
        """Those of two calls and of a stream; this call's own last."""
        first, second = await self.below.span("a"), await self.below.span("b")
        streamed = [each async for each in self.below.spans()]
        return [first, second, *streamed, _seen()]


@pytest.fixture
async def between():
    async with App(Here(), Between(), settings=Settings(environment="test")) as app:
        yield app[Between]


async def _through(between, context):
    token = _current.set(context)
    try:
        return await between.all()
    finally:
        _current.reset(token)


async def test_every_call_of_a_request_is_of_the_trace_that_came(between):
    header = f"00-{TRACE}-{SPAN}-00".encode()
    request = Context(received=Received(header), tracestate="a=b")
    seen = await _through(between, request)
    assert {(trace, flags, state) for trace, _, flags, state in seen} == {(TRACE, "00", "a=b")}
    spans = [span for _, span, _, _ in seen]
    assert len({*spans, SPAN}) == 5
    assert (request.span_id, request.trace_id) == (SPAN, TRACE)


@pytest.mark.parametrize("header", [b"", b"00-zz", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", None])
async def test_where_none_came_one_begins_for_all_calls_of_a_request_and_of_no_other(between, header):
    def request():
        came = None if header is None else Received(header)
        return Context(consumer="phone", received=came, tracestate=header and "a=b")

    ((one, state),) = {(trace, state) for trace, *_, state in await _through(between, request())}
    assert state == ""
    (two,) = {trace for trace, *_ in await _through(between, request())}
    assert one != two
    assert int(one, 16)


async def test_calls_that_no_request_made_are_traces_of_their_own(between):
    (one,) = {trace for trace, *_ in await between.all()}
    (two,) = {trace for trace, *_ in await between.all()}
    assert one != two
