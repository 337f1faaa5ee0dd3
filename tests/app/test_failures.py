"""An operator finds the cause of a failure under the trace id that its caller was told."""

import io
import json
import logging
import re
from abc import abstractmethod
from collections.abc import AsyncIterator

import jsonschema
import msgspec
import pytest
from tests.app.doors import ASGI, BASE, LAST, SHORT, app, exchange, serving

from levada import App, Problem, Settings, SystemAPI, http
from levada.app.context import InRun, in_run
from levada.app.logs import CallFields
from levada.deployment.serve_logs import _Json, _Plain

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def request(path: str, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + path.encode() + b" HTTP/1.1", b"host: t", *headers]) + b"\r\n\r\n" + LAST


async def problem(port: int, path: str, *headers: bytes) -> dict:
    answer = await exchange(port, request(path, *headers))
    return json.loads(answer.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0])


@pytest.fixture
def lines():
    """What the logs say, as the JSON of each line; its text stands under ``text``."""
    written, plain = io.StringIO(), io.StringIO()
    handlers = []
    for stream, formatter in ((written, _Json()), (plain, _Plain())):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        handler.addFilter(CallFields())
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
    yield lambda: ([json.loads(line) for line in written.getvalue().splitlines()], plain.getvalue())
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("way", [SHORT, ASGI])
async def test_a_failure_tells_the_trace_that_its_log_line_has(way, lines):
    async with serving(app(), way) as served:
        told = await problem(served.port, f"{BASE}/fails/raise", SENT)
        assert (told["status"], told["trace"]) == (500, TRACE)
        began = await problem(served.port, f"{BASE}/fails/raise")
        document = await problem(served.port, f"{BASE}/openapi.json")
        assert re.fullmatch("[0-9a-f]{32}", began["trace"])
        assert began["trace"] != TRACE
        answered = document["paths"]["/fails/{how}"]["get"]["responses"]["500"]["content"]
        schema = answered["application/problem+json"]["schema"]
        at = schema["$ref"].rpartition("/")[2]
        jsonschema.validate(told, document["components"]["schemas"][at])
        assert "trace" in document["components"]["schemas"][at]["properties"]
    written, plain = lines()
    failed = [line for line in written if line["event"] == "call_failed"]
    assert [line["trace"] for line in failed] == [TRACE, began["trace"]]
    assert {line["operation"] for line in failed} == {"sales/Things/v1.fails"}
    assert f"trace={TRACE}" in plain


@pytest.mark.parametrize("way", [SHORT, ASGI])
async def test_a_failure_before_there_is_a_context_tells_it_too_and_a_refusal_does_not(way):
    async with serving(app(), way) as served:
        late = await problem(served.port, f"{BASE}/things/1", SENT, b"levada-timeout-ms: 0")
        assert (late["status"], late["trace"]) == (504, TRACE)
        for path in ("/things/x", "/things/1/parts/seven", "/nothing"):
            assert "trace" not in await problem(served.port, BASE + path, SENT)


class Broken(Problem, status=503, detail="Broken since {trace}."):
    """It has a field of this name itself."""

    trace: str


class Odd(SystemAPI, domain="sales", version="1.0"):
    """What fails in its own way."""

    @http.get("/own", raises=[Broken])
    @abstractmethod
    async def own(self) -> int: ...

    @http.get("/items")
    @abstractmethod
    def items(self) -> AsyncIterator[int]: ...


class OddHere(Odd):
    async def own(self) -> int:
        raise Broken(trace="Monday")

    async def items(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("in the middle")


async def test_the_last_line_of_a_stream_tells_it_and_a_field_of_the_contract_stays():
    async with serving(App(OddHere(), settings=Settings(environment="test")), ASGI) as served:
        assert (await problem(served.port, "/sales/odd/v1/own", SENT))["trace"] == "Monday"
        answer = await exchange(served.port, request("/sales/odd/v1/items", SENT))
        (last,) = re.findall(rb'\{"problem":.*\}', answer)
        assert msgspec.json.decode(last)["problem"]["trace"] == TRACE


def test_a_line_of_a_run_says_which_and_what_it_says_itself_stays(lines):
    log = logging.getLogger("levada.tests")
    log.warning("outside")
    token = in_run.set(InRun("r-1", SENT.partition(b" ")[2].decode(), "/0"))
    log.warning("inside", extra={"step": "of its own"})
    in_run.reset(token)
    outside, inside = lines()[0]
    assert not {"trace", "operation", "run", "step"} & set(outside)
    assert (inside["trace"], inside["run"], inside["step"]) == (TRACE, "r-1", "of its own")
