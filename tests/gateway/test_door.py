"""The door under attack: what a client sends in bad faith, against the real Envoy before a real app."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import uvicorn

from levada import App, ExperienceAPI, Settings, current, http
from levada.gateway import Credential, GatewayConfiguration, Listener, Upstream
from levada.gateway.assembly import plans_of, routes_of
from levada.gateway.supervise import EnvoySupervisor

PRODUCT = "door/Door/v1"
BASE = "/door/door/v1"


class Seen(msgspec.Struct, frozen=True):
    subject: str
    left: float


class Door(ExperienceAPI, domain="door", version="1.0"):
    """What comes through."""

    @http.get("/look", timeout=5.0)
    async def look(self) -> Seen:
        """Who asks, and how many seconds are left."""
        context = current()
        return Seen(context.caller.subject, context.deadline - asyncio.get_running_loop().time())

    @http.get("/things/{id}")
    async def thing(self, id: str) -> str:
        """The id as it came."""
        return id

    @http.post("/work", timeout=1.0)
    async def work(self, seconds: float) -> str:
        """Takes so long."""
        await asyncio.sleep(seconds)
        return "done"


class Counted:
    """The app, and every request that reached it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.seen: list[str] = []
        self.broken = False

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            self.seen.append(f"{scope['method']} {scope['path']}")
            if self.broken:
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)


class House:
    def __init__(self, gateway: EnvoySupervisor, configuration: GatewayConfiguration, app: Counted) -> None:
        self.gateway, self.configuration, self.app = gateway, configuration, app

    @property
    def url(self) -> str:
        return f"http://{self.gateway.address}{BASE}"

    async def ask(self, path: str, key: str = "good", method: str = "GET", **named):
        headers = {"x-api-key": key, **named.pop("headers", {})}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, headers=headers, **named) as response,
        ):
            body = await response.read()
            return response.status, msgspec.json.decode(body) if body else None

    async def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are; what comes back until the connection ends or falls silent."""
        host, _, port = str(self.gateway.address).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        answer = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while piece := await asyncio.wait_for(reader.read(65536), 1.5):
                answer += piece
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return answer


@pytest.fixture
async def house(folder: Path, real_envoy: str) -> AsyncIterator[House]:
    app = App(Door, settings=Settings(environment="test"))
    counted = Counted(app)
    server = uvicorn.Server(uvicorn.Config(counted, uds=str(folder / "app.sock"), log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    configuration = GatewayConfiguration(
        listener=Listener(port=0, body_limit=2000),
        routes=routes_of(app),
        upstreams=[Upstream(name="app", addresses=[f"unix:{folder / 'app.sock'}"])],
        plans=plans_of({"gold": "100000/s"}),
        credentials=[Credential(key="good", consumer="phone", plan="gold", products=[PRODUCT])],
        environment="test",
    )
    try:
        async with EnvoySupervisor(configuration, folder / "gw") as gateway:
            yield House(gateway, configuration, counted)
    finally:
        server.should_exit = True
        await task


def line(*headers: str, path: str = f"{BASE}/look", method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join(
        [f"{method} {path} HTTP/{version}", "host: x", "x-api-key: good", *headers, "", ""]
    ).encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


# -- deadlines -----------------------------------------------------------------------


async def test_the_app_is_told_how_long_the_gateway_waits(house: House):
    status, seen = await house.ask("/look")
    assert status == 200
    assert 4 < seen["left"] <= 5


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"levada-timeout-ms": "900"}, 0, 0.9),
        ({"levada-timeout-ms": "250000"}, 4, 5),
        ({"levada-limit-ms": "250000"}, 4, 5),
        ({"levada-limit-ms": "1"}, 4, 5),
        ({"x-envoy-upstream-rq-timeout-ms": "250000"}, 4, 5),
    ],
)
async def test_a_deadline_that_a_client_sends_can_only_shorten(house: House, headers, least, most):
    status, seen = await house.ask("/look", headers=headers)
    assert status == 200
    assert least < seen["left"] <= most


@pytest.mark.parametrize("sent", ["soon", "-5", "0", "1e3", "99999999999999999999", "٣"])
async def test_a_deadline_that_is_none_is_refused_or_kept_within_the_limit(house: House, sent: str):
    answer = await house.raw(
        line(f"levada-timeout-ms: {sent}".encode().decode("latin-1"), "connection: close")
    )
    (status,) = statuses(answer)
    assert status in ((200,) if sent.startswith("9") else (400, 504))
    assert b"Traceback" not in answer


async def test_a_client_cannot_make_the_gateway_wait_longer(house: House):
    began = asyncio.get_running_loop().time()
    status, _ = await house.ask(
        "/work",
        method="POST",
        json={"seconds": 20},
        headers={"x-envoy-upstream-rq-timeout-ms": "60000", "levada-timeout-ms": "60000"},
    )
    assert status == 504
    assert asyncio.get_running_loop().time() - began < 4


async def test_a_client_cannot_make_the_gateway_send_an_unsafe_request_again(house: House):
    house.app.broken = True
    status, _ = await house.ask(
        "/work",
        method="POST",
        json={"seconds": 0},
        headers={
            "x-envoy-retry-on": "5xx,reset",
            "x-envoy-max-retries": "5",
            "x-envoy-retriable-status-codes": "503",
        },
    )
    assert status == 503
    assert len(house.app.seen) == 1


# -- smuggling -----------------------------------------------------------------------

SMUGGLED = f"GET {BASE}/things/smuggled HTTP/1.1\r\nhost: x\r\nx-api-key: good\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ("content-length: 0", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 4"),
        ("transfer-encoding: xchunked",),
        ("transfer-encoding: chunked, identity",),
        ("transfer-encoding: identity", "content-length: 0"),
        ("transfer-encoding : chunked",),
        ("transfer-encoding:\tchunked\x0b",),
        ("x: y\ntransfer-encoding: chunked",),
        ("content-length: 0", "content-length: 5"),
        ("content-length: +0",),
        ("content-length: 0x5",),
        ("content-length: -1",),
        ("content-length: 5 5",),
        (" folded: header",),
        ("x-a: b\r\n c: d",),
        ("x\x00y: z",),
        ("host: other",),
    ],
    ids=repr,
)
async def test_no_request_hides_in_another(house: House, headers: tuple[str, ...]):
    answer = await house.raw(
        line(*headers, method="POST", path=f"{BASE}/work"), b"0\r\n\r\n", SMUGGLED.encode()
    )
    # What came after was never answered as a request of its own unless the first one had ended for both sides.
    assert all(status in (200, 400, 401, 411, 413, 415, 501) for status in statuses(answer)), answer[:400]
    assert len(house.app.seen) <= len(statuses(answer))
    if statuses(answer) == [400]:
        assert f"GET {BASE}/things/smuggled" not in house.app.seen


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"ffffffffffffffffff\r\n{}\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"2;a=\n{}\r\n0\r\n\r\n",
    ],
)
async def test_broken_chunks_reach_no_operation(house: House, body: bytes):
    answer = await house.raw(
        line(
            "transfer-encoding: chunked", "content-type: application/json", method="POST", path=f"{BASE}/work"
        ),
        body,
    )
    assert statuses(answer) in ([400], [])
    assert f"POST {BASE}/work" not in house.app.seen


# -- versions, names, sizes ----------------------------------------------------------


async def test_http_1_0_is_told_what_to_use_and_gets_no_further(house: House):
    answer = await house.raw(line(version="1.0"))
    assert statuses(answer) == [426]
    assert b"Use HTTP/1.1 or HTTP/2" in answer
    assert house.app.seen == []


def literal(name: str, value: str) -> bytes:
    """A header as HPACK writes it without any table (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@pytest.mark.parametrize(
    ("headers", "through"),
    [
        ({"x-api-key": "good", "x-consumer-id": "root/gold", "levada-scopes": "admin"}, True),
        ({"x-consumer-id": "root/gold"}, False),
        ({"x-api-key": "good", "x_consumer_id": "root/gold"}, False),
        ({"x-api-key": "good", "transfer-encoding": "chunked"}, False),
        ({"x-api-key": "good", "connection": "x-api-key"}, False),
        ({"x-api-key": "good", "content-length": "5"}, False),
        ({"x-api-key": "good", "x-a": "b\r\nx-consumer-id: root/gold"}, False),
        ({"x-api-key": "good", "X-Upper": "v"}, False),
    ],
)
async def test_http_2_with_prior_knowledge_passes_the_same_checks(
    house: House, headers: dict[str, str], through: bool
):
    pseudo = {":method": "GET", ":scheme": "http", ":path": f"{BASE}/look", ":authority": "x"}
    block = b"".join(literal(n, v) for n, v in {**pseudo, **headers}.items())
    answer = await house.raw(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 0x5, 1, block)
    )
    assert (b'"subject":"phone"' in answer) == through
    assert b"root" not in answer
    assert house.app.seen == ([f"GET {BASE}/look"] if through else [])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{BASE}/things/a%2Fb", {400}),
        (f"{BASE}/things/a%5Cb", {400}),
        (f"{BASE}/things/a\\b", {400, 200, 404}),
        (f"{BASE}/things/%00", {400}),
        (f"{BASE}/things/%zz", {400, 200}),
        (f"{BASE}/things/%c0%af", {400}),
        (f"{BASE}/things/a;x=1", {200}),
        (f"{BASE}/things/a#/../look", {400}),
        (f"{BASE}/things/../look", {200}),
        (f"{BASE}/things/..%2flook", {400}),
        (f"http://elsewhere{BASE}/look", {200}),
        ("//evil/look", {404}),
        ("*", {400, 404}),
        (f"{BASE}/things/\xff", {400}),
        (f"{BASE}/things/{'a' * 40_000}", {400, 414, 431}),
        (f"{BASE}/look?{'a=b&' * 9_000}", {400, 414, 431}),
    ],
)
async def test_paths_lead_where_they_say_or_nowhere(house: House, path: str, expected: set[int]):
    answer = await house.raw(line("connection: close", path=path))
    assert set(statuses(answer)) <= expected, answer[:300]
    assert statuses(answer)
    assert b"Traceback" not in answer


async def test_more_headers_than_anybody_needs_are_refused(house: House):
    answer = await house.raw(line(*(f"x-h{n}: v" for n in range(150)), "connection: close"))
    assert statuses(answer) == [431]
    assert house.app.seen == []


@pytest.mark.parametrize(
    "header",
    [
        "X-Consumer-Id: root/gold",
        "LEVADA-CALLER: root",
        "levada-identity: a.b.c",
        "levada-organisation: acme",
        "levada-fence: 99",
        "x-forwarded-for: 127.0.0.1",
        "authorization: Bearer a.b.c",
        "connection: x-consumer-id, x-api-key",
    ],
)
async def test_no_header_of_a_client_makes_another_caller(house: House, header: str):
    answer = await house.raw(line(header, "x-end: 1"))
    assert b'"subject":"phone"' in answer or statuses(answer)[0] in (400, 401), answer[:300]
    assert b"root" not in answer


# -- keys ----------------------------------------------------------------------------


@pytest.mark.slow
async def test_thousands_of_keys(house: House):
    many = [
        Credential(key=f"key-{n:05}-{'x' * 40}", consumer=f"c{n}", plan="gold", products=[PRODUCT])
        for n in range(5_000)
    ]
    await house.gateway.apply(msgspec.structs.replace(house.configuration, credentials=many))
    for n in (0, 2_500, 4_999):
        assert (await house.ask("/look", key=many[n].key))[1]["subject"] == f"c{n}"
    assert (await house.ask("/look"))[0] == 401
    assert (await house.ask("/look", key=many[7].key[:-1]))[0] == 401


# -- the process ---------------------------------------------------------------------


@pytest.mark.slow
async def test_an_envoy_that_is_killed_again_and_again_comes_back_each_time_with_the_newest_keys(
    house: House,
):
    for turn in range(1, 5):
        key = f"key-of-turn-{turn}"
        dying = house.gateway.pid
        assert dying
        os.kill(dying, signal.SIGKILL)
        # A change while nobody is there is in force once somebody is.
        changed = [Credential(key=key, consumer=f"c{turn}", plan="gold", products=[PRODUCT])]
        await house.gateway.apply(msgspec.structs.replace(house.configuration, credentials=changed))
        async with asyncio.timeout(20):
            while True:
                try:
                    status, seen = await house.ask("/look", key=key)
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        assert (status, seen["subject"]) == (200, f"c{turn}")
        assert (await house.ask("/look"))[0] == 401
        assert house.gateway.status().restarts == turn
        assert house.gateway.status().reason is None
