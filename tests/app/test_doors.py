"""Both of uvicorn's ways give the same answers to the byte, and count the same calls."""

import asyncio
import contextlib
import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.doors import ASGI, BASE, LAST, SHORT, Answer, app, counted, exchange, serving, token

from levada import Caller
from levada.app.identity import Issuer

BODY = b'{"id":"1","price":"2.5","tags":["a"]}'


def request(
    method=b"GET", path="/things/1", *headers: bytes, body: bytes | None = None, version=b"1.1"
) -> bytes:
    lines = [
        method + b" " + (path if isinstance(path, bytes) else (BASE + path).encode()) + b" HTTP/" + version,
        b"host: t",
        *headers,
    ]
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunked(*parts: bytes, end=b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n" % len(p) + p + b"\r\n" for p in parts) + end


JSON = b"content-type: application/json"
EXPIRED = (
    Issuer("another secret that is long enough, too", "x").token(Caller(environment="test"), "c").encode()
)
CORPUS: dict[str, tuple[bytes, ...]] = {
    "get": (request(),),
    "declared problem": (request(path="/things/x"),),
    "two parameters": (request(path="/things/1/parts/7"),),
    "a parameter of the wrong type": (request(path="/things/1/parts/seven"),),
    "escaped slash": (request(path="/things/a%2Fb"),),
    "escaped text": (request(path="/things/%C3%A4%20b"),),
    "escape that is no UTF-8": (request(path="/things/%ff"),),
    "escape cut off": (request(path="/things/%f"),),
    "nul": (request(path="/things/%00"),),
    "bytes above ASCII": (request(path=BASE.encode() + b"/things/\xc3\xa4"),),
    "empty parameter": (request(path="/things/"),),
    "double slash": (request(path="//things/1"),),
    "query": (request(path="/things?limit=3&tags=a&tags=b%20c"),),
    "query of the wrong type": (request(path="/things?limit=x"),),
    "query twice": (request(path="/things?limit=1&limit=2"),),
    "query above ASCII": (request(path=BASE.encode() + b"/things?tags=\xc3"),),
    "empty query": (request(path="/things?"),),
    "question mark in the query": (request(path="/things?tags=a?b"),),
    "fragment": (request(path="/things?limit=1#limit=2"),),
    "whole URL": (request(path=b"http://t" + BASE.encode() + b"/things/1"),),
    "asterisk": (request(b"OPTIONS", b"*"),),
    "no such path": (request(path="/nothing"),),
    "no such method": (request(b"PATCH"),),
    "options": (request(b"OPTIONS"),),
    "head": (request(b"HEAD"),),
    "document": (request(path="/openapi.json"),),
    "post": (request(b"POST", "/things", JSON, body=BODY),),
    "post without type": (request(b"POST", "/things", body=BODY),),
    "post of another type": (request(b"POST", "/things", b"content-type: text/plain", body=BODY),),
    "post without body": (request(b"POST", "/things", JSON),),
    "post of nonsense": (request(b"POST", "/things", JSON, body=b"{"),),
    "post of no UTF-8": (request(b"POST", "/things", JSON, body=b'{"id":"\xff"}'),),
    "post that nests": (request(b"POST", "/things", JSON, body=b"[" * 50_000),),
    "post with a field missing": (request(b"POST", "/things", JSON, body=b'{"id":"1"}'),),
    "members without scope": (request(b"PUT", "/things/1", JSON, body=b'{"price":"1"}'),),
    "members": (
        request(
            b"PUT", "/things/1", JSON, b"levada-identity: " + token("things:write"), body=b'{"price":"1"}'
        ),
    ),
    "nothing answered": (request(b"DELETE"),),
    "get with a body": (request(body=b"nobody reads this"),),
    "file": (request(b"PUT", "/files/f", body=b"y" * 5000),),
    "file of the limit": (request(b"PUT", "/files/f", body=b"y" * 100_000),),
    "file above the limit": (request(b"PUT", "/files/f", body=b"y" * 100_001),),
    "large answer": (request(path="/files/300000"),),
    "answer of 64 KiB": (request(path="/files/65536"),),
    "empty answer": (request(path="/files/0"),),
    "stream": (request(path="/every"),),
    "stream that fails": (request(path="/every?count=9"),),
    "chunked": (
        request(b"POST", "/things", JSON, b"transfer-encoding: chunked") + chunked(BODY[:9], BODY[9:]),
    ),
    "chunked above the limit": (
        request(b"PUT", "/files/f", b"transfer-encoding: chunked") + chunked(b"y" * 60_000, b"y" * 60_000),
    ),
    "chunked in pieces": (
        request(b"POST", "/things", JSON, b"transfer-encoding: chunked"),
        chunked(BODY[:9], end=b""),
        chunked(BODY[9:]),
    ),
    "broken chunk": (request(b"POST", "/things", JSON, b"transfer-encoding: chunked") + b"zz\r\n",),
    "broken chunk later": (
        request(b"POST", "/things", JSON, b"transfer-encoding: chunked"),
        b"3\r\n{}",
        b"zz\r\n",
    ),
    "length and chunks": (request(b"POST", "/things", JSON, b"transfer-encoding: chunked", body=BODY),),
    "two lengths": (request(b"POST", "/things", JSON, b"content-length: 3", body=BODY),),
    "in pieces": tuple(request(b"POST", "/things", JSON, body=BODY)[i : i + 40] for i in range(0, 200, 40)),
    "body in a piece of its own": (request(b"POST", "/things", JSON, body=BODY)[: -len(BODY)], BODY),
    "large body in pieces": (
        request(b"PUT", "/files/f", body=b"y" * 90_000)[:100],
        b"y" * 50_000,
        request(b"PUT", "/files/f", body=b"y" * 90_000)[50_100:],
    ),
    "expect": (request(b"POST", "/things", JSON, b"expect: 100-continue", body=BODY),),
    "expect in pieces": (
        request(b"POST", "/things", JSON, b"Expect: 100-Continue", body=BODY)[: -len(BODY)],
        BODY,
    ),
    "expect something else": (request(b"POST", "/things", JSON, b"expect: tea", body=BODY),),
    "1.0": (request(version=b"1.0"),),
    "1.0 that stays": (request(b"GET", "/things/1", b"connection: keep-alive", version=b"1.0"),),
    "stays": (request(b"GET", "/things/1", b"Connection: Keep-Alive"),),
    "goes": (
        request(b"GET", "/things/1", b"connection: close") + request(b"POST", "/things", JSON, body=BODY),
    ),
    "goes with a problem": (request(b"GET", "/things/x", b"connection: close"),),
    "2.0 in text": (request(version=b"2.0"),),
    "no version": (b"GET " + BASE.encode() + b"/things/1\r\n\r\n",),
    "nonsense": (b"\x00\x01\x02\r\n\r\n",),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",),
    "space before the colon": (request(b"GET", "/things/1", b"x-a : b"),),
    "folded header": (request(b"GET", "/things/1", b"x-a: b\r\n c"),),
    "header without a name": (request(b"GET", "/things/1", b": b"),),
    "websocket": (
        request(
            b"GET",
            "/things/1",
            b"connection: upgrade",
            b"upgrade: websocket",
            b"sec-websocket-version: 13",
            b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
    ),
    "h2c": (
        request(
            b"GET",
            "/things/1",
            b"connection: upgrade, http2-settings",
            b"upgrade: h2c",
            b"http2-settings: AA",
        ),
    ),
    "pipelined": (request() + request(b"POST", "/things", JSON, body=BODY) + request(path="/things/x"),),
    "pipelined behind one that waits": (
        request(path="/waits/short")
        + request()
        + request(path="/waits/turn")
        + request(b"POST", "/things", JSON, body=BODY),
    ),
    "pipelined behind a stream": (
        request(path="/every") + request() + request(path="/openapi.json") + request(),
    ),
    "forty pipelined": (request() * 40,),
    "waits a turn": (request(path="/waits/turn"),),
    "waits": (request(path="/waits/short"),),
    "waits for a group": (request(path="/waits/group"),),
    "times out inside": (request(path="/waits/timeout") + request(path="/waits/at%20once"),),
    "cancels itself": (
        request(path="/waits/itself")
        + request()
        + request(path="/waits/unseen")
        + request(path="/waits/turn"),
    ),
    "own time-out": (request(path="/bounded"),),
    "deadline": (request(b"GET", "/waits/for%20ever", b"levada-timeout-ms: 60"),),
    "deadline passed": (request(b"GET", "/things/1", b"levada-timeout-ms: 0"),),
    "deadline of nonsense": (request(b"GET", "/things/1", b"levada-timeout-ms: soon"),),
    "deadline beyond all numbers": (request(b"GET", "/things/1", b"levada-timeout-ms: " + b"9" * 400),),
    "small chunks": (request(b"PUT", "/files/f", b"transfer-encoding: chunked") + chunked(*[b"x"] * 20_000),),
    "internal error": (request(path="/fails/raise") + request(),),
    "cancelled": (request(path="/fails/exit"),),
    "context": (
        request(
            b"POST",
            "/seen",
            b"levada-timeout-ms: 9000",
            b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"tracestate: a=b",
            b"idempotency-key: k1",
            b"levada-attempt: 3",
            b"levada-identity: " + token(),
        ),
    ),
    "context of anybody": (request(b"POST", "/seen", b"idempotency-key: k1", b"levada-attempt: 3"),),
    "key of nonsense": (request(b"POST", "/seen", b"idempotency-key: a b"),),
    "forged claim": (request(b"GET", "/things/1", b"x-consumer-id: admin"),),
    "forged claim in capitals": (request(b"GET", "/things/1", b"X-Consumer-ID: admin"),),
    "forged scopes": (
        request(b"PUT", "/things/1", JSON, b"levada-scopes: things:write", body=b'{"price":"1"}'),
    ),
    "unknown credential": (request(b"GET", "/things/1", b"authorization: Bearer x"),),
    "token of nonsense": (request(b"GET", "/things/1", b"levada-identity: e30.e30.x"),),
    "token above ASCII": (request(b"GET", "/things/1", b"levada-identity: \xff"),),
    "token of another secret": (request(b"GET", "/things/1", b"levada-identity: " + EXPIRED),),
    "two tokens": (request(b"POST", "/seen", b"levada-identity: x", b"Levada-Identity: " + token()),),
    "two tokens the other way": (
        request(b"POST", "/seen", b"levada-identity: " + token(), b"levada-identity: x"),
    ),
    "a good token twice": (request(b"POST", "/seen", b"levada-identity: " + token()) * 2,),
}


@contextlib.asynccontextmanager
async def both(**options):
    async with serving(app(**options), SHORT) as short, serving(app(**options), ASGI) as asgi:
        yield short, asgi


NOT_BEGUN = ("broken chunk",)
"""Requests that break off before they have come: the short way does not begin them, ASGI has begun to wait for the rest."""


def untraced(answer: Answer) -> Answer:
    """An answer without the traces that began with it: they are of one request alone."""
    made = Answer(re.sub(rb'"trace":"[0-9a-f]{32}"', b'"trace":"begun"', answer))
    made.cut = answer.cut
    return made


async def same(short, asgi, pieces, *, counts=True) -> bytes:
    by_short, by_asgi = (
        untraced(await exchange(short.port, *pieces)),
        untraced(await exchange(asgi.port, *pieces)),
    )
    calls = counted(short.app), counted(asgi.app)
    if by_short.cut or by_asgi.cut:
        # Bytes behind the end of a connection make the system reset it; when it does is chance.
        assert by_short.startswith(by_asgi) or by_asgi.startswith(by_short)
        return by_short
    assert by_short == by_asgi
    assert not counts or calls[0] == calls[1]
    return by_short


async def test_the_same_bytes_for_a_corpus_of_requests():
    async with both() as (short, asgi):
        for name, pieces in CORPUS.items():
            try:
                await same(short, asgi, (*pieces[:-1], pieces[-1] + LAST), counts=name not in NOT_BEGUN)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None


async def test_the_same_where_nobody_may_call_without_a_credential():
    async with both(anonymous=None) as (short, asgi):
        for name in ("get", "good token", "forged claim", "post", "document", "file above the limit"):
            pieces = CORPUS.get(name, (request(b"GET", "/things/1", b"levada-identity: " + token()),))
            await same(short, asgi, (*pieces[:-1], pieces[-1] + LAST))


async def test_what_came_whole_is_answered_before_what_is_broken_behind_it():
    async with serving(app(), SHORT) as short:
        answer = await exchange(short.port, request() + b"nonsense\r\n\r\n")
        assert [a[:6] for a in answer.split(b"HTTP/1.1 ")[1:]] == [b"200 OK", b"400 Ba"]


async def test_what_comes_behind_the_body_is_no_header():
    head = request(b"POST", "/things", JSON, b"transfer-encoding: chunked", b"trailer: x-consumer-id")
    trailers = b"0\r\nx-consumer-id: admin\r\nlevada-timeout-ms: 0\r\n\r\n"
    async with serving(app(), SHORT) as short:
        for pieces in (
            (head + chunked(BODY, end=trailers),),
            (head, chunked(BODY, end=b""), trailers),
            (request(path="/waits/short") + head + chunked(BODY, end=trailers),),
        ):
            answer = await exchange(short.port, *pieces[:-1], pieces[-1] + LAST)
            assert b"HTTP/1.1 201 Created" in answer


async def test_variables_of_a_request_are_its_own():
    async with serving(app(), SHORT) as short:
        for before in ("/fails/leaves", "/waits/short", "/every"):
            sent = request(path="/fails/leaves") + request(path=before) + request(path="/fails/leaves") + LAST
            answer = await exchange(short.port, sent)
            assert answer.count(b'"id":"nothing"') == 2 + (before == "/fails/leaves")
            assert b'"id":"something"' not in answer


PATHS = ("/things/1", "/things/x", "/things/a%2Fb", "/things", "/things?limit=1", "/things/1/parts/2", "/waits/short", "/waits/turn",
         "/every", "/files/70000", "/fails/raise", "/nothing", "/openapi.json", "/seen", "/files/f", "/things/%ff", "/", "")  # fmt: skip
HEADERS = (b"x-consumer-id: a", b"authorization: b", b"levada-identity: " + token("things:write"), b"levada-identity: c", b"expect: 100-continue",
           b"connection: close", b"connection: keep-alive", b"levada-timeout-ms: 5000", b"levada-timeout-ms: -1", b"idempotency-key: k", b"idempotency-key: \xff",
           JSON, b"content-type: text/plain", b"upgrade: websocket", b"X-Long: " + b"x" * 3000, b"trailer: x-consumer-id")  # fmt: skip


@st.composite
def requests(draw) -> bytes:
    method = draw(
        st.sampled_from((b"GET", b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"))
    )
    headers = draw(st.lists(st.sampled_from(HEADERS), max_size=4))
    version = draw(st.sampled_from((b"1.1", b"1.1", b"1.1", b"1.0")))
    content = draw(st.none() | st.sampled_from((BODY, b"", b'{"price": 1}', b"{", b"z" * 70_000)))
    path = draw(st.sampled_from(PATHS))
    if content is not None and draw(st.booleans()):
        at = draw(st.integers(0, len(content)))
        parts = [p for p in (content[:at], content[at:]) if p]
        return request(method, path, *headers, b"transfer-encoding: chunked", version=version) + chunked(
            *parts
        )
    return request(method, path, *headers, body=content, version=version)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests(), min_size=1, max_size=4), st.data())
def test_the_same_bytes_for_whatever_is_sent(pair, sent, data):
    everything = b"".join(sent) + LAST
    cuts = data.draw(st.lists(st.integers(1, len(everything) - 1), max_size=2))
    pieces = [everything[a:b] for a, b in itertools.pairwise([0, *sorted(set(cuts)), len(everything)])]
    pair(pieces)


@pytest.fixture(scope="module")
def pair():
    """Compares what both answer to some pieces; on one event loop for all examples."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        short, asgi = runner.run(stack.enter_async_context(both()))
        yield lambda pieces: runner.run(same(short, asgi, pieces))
        runner.run(stack.aclose())
