"""The gateway with the real Envoy in front of a real app: what passes, what is refused, what survives."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
import uvicorn

from levada import App, ExperienceAPI, Problem, Settings, current, http
from levada.gateway import Credential, GatewayConfiguration, Listener, Plan, Route, Upstream
from levada.gateway.accesslog import AccessLog
from levada.gateway.assembly import plans_of, routes_of
from levada.gateway.errors import EnvoyMissing, GatewayRejected, PlanInvalid
from levada.gateway.supervise import EnvoySupervisor, envoy_path


class OrderNotFound(Problem, status=404, detail="No order {id}."):
    """No order has this id."""

    id: str


class Seen(msgspec.Struct, frozen=True):
    id: str
    subject: str
    client: str
    scopes: tuple[str, ...]
    method: str


class Storefront(ExperienceAPI, domain="sales", version="1.0"):
    """The shop of the phone."""

    @http.get("/orders/{id}/status", raises=[OrderNotFound])
    async def status(self, id: str) -> Seen:
        if id == "none":
            raise OrderNotFound(id=id)
        who = current().caller
        return Seen(id, who.subject, who.client or "", tuple(sorted(who.scopes)), who.method)

    @http.post("/orders")
    async def place(self, text: str) -> int:
        return len(text)

    @http.get("/secret", scopes=["admin"])
    async def secret(self) -> str:
        return "secret"


PRODUCT = "sales/Storefront/v1"
BASE = "/sales/storefront/v1"


@pytest.fixture(autouse=True)
def envoy():
    try:
        envoy_path()
    except EnvoyMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@asynccontextmanager
async def serving(folder, *, body_limit=2000, plans=None):
    settings = Settings(environment="test", plans={"gold": ["orders:read"]})
    app = App(Storefront, settings=settings)
    server = uvicorn.Server(uvicorn.Config(app, uds=str(folder / "app.sock"), log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    configuration = GatewayConfiguration(
        listener=Listener(port=0, log=str(folder / "access.log"), body_limit=body_limit),
        routes=routes_of(app),
        upstreams=[Upstream(name="app", addresses=[f"unix:{folder / 'app.sock'}"])],
        plans=plans or plans_of({"gold": "1000/s", "tiny": "3/h"}),
        credentials=[
            Credential(key="good", consumer="phone", plan="gold", products=[PRODUCT]),
            Credential(key="other", consumer="partner", plan="gold", products=["sales/Else/v1"]),
            Credential(key="tiny", consumer="small", plan="tiny", products=[PRODUCT]),
        ],
        environment="test",
    )
    try:
        async with (
            EnvoySupervisor(configuration, folder / "gw") as gateway,
            aiohttp.ClientSession() as session,
        ):
            yield gateway, configuration, Caller(session, f"http://{gateway.address}")
    finally:
        server.should_exit = True
        await task


class Caller:
    def __init__(self, session, url):
        self.session, self.url = session, url

    async def __call__(self, method, path, key="good", **named):
        headers = {**({"x-api-key": key} if key else {}), **named.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **named) as response:
            body = await response.read()
            return response.status, response.headers, msgspec.json.decode(body) if body else None


@pytest.fixture
def folder():
    # A socket's path has to be short.
    path = Path(tempfile.mkdtemp(prefix="lv"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def test_a_key_makes_a_caller_and_a_forged_header_does_not(folder):
    async with serving(folder) as (gateway, _, call):
        status, headers, seen = await call("GET", f"{BASE}/orders/1/status")
        assert status == 200
        assert seen == {
            "id": "1",
            "subject": "phone",
            "client": "phone",
            "scopes": ["orders:read"],
            "method": "api_key",
        }
        assert headers["x-ratelimit-limit"] == "1000"
        assert "x-request-id" in headers
        forged = {
            "x-consumer-id": "root/gold",
            "levada-scopes": "admin",
            "levada-caller": "root",
            "levada-identity": "x",
            "levada-attempt": "2",
        }
        assert (await call("GET", f"{BASE}/orders/1/status", headers=forged))[2] == seen
        assert (await call("GET", f"{BASE}/secret", headers=forged))[0] == 403
        for key, expected, code in (
            (None, 401, "unauthorized"),
            ("wrong", 401, "unauthorized"),
            ("other", 403, "forbidden"),
        ):
            status, headers, problem = await call("GET", f"{BASE}/orders/1/status", key)
            assert (status, headers["levada-problem"], headers["content-type"]) == (
                expected,
                code,
                "application/problem+json",
            )
            assert problem["type"] == f"urn:levada:problem:{code}"
        assert stat.S_IMODE((folder / "gw" / "ecds.json").stat().st_mode) == 0o600
        assert gateway.status().running


async def test_what_is_malformed_is_refused_as_a_problem(folder):
    async with serving(folder) as (gateway, _, call):
        assert (await call("GET", "/nothing"))[0] == 404
        status, headers, problem = await call("DELETE", f"{BASE}/orders")
        assert (status, headers["allow"], problem["allowed"]) == (405, "POST", "POST")
        status, headers, _ = await call("POST", f"{BASE}/orders", data="x" * 4000)
        assert (status, headers["levada-problem"]) == (413, "payload-too-large")

        async def chunks():
            for _ in range(8):
                yield b"x" * 1000

        assert (await call("POST", f"{BASE}/orders", data=chunks()))[0] == 413
        status, headers, problem = await call("POST", f"{BASE}/orders", json={"text": 5})
        assert (status, headers["levada-fault"]) == (400, "caller")
        assert problem["place"] == "$.text"
        assert (await call("POST", f"{BASE}/orders", json={"text": "abc"}))[2] == 3
        status, headers, _ = await call("GET", f"{BASE}/orders/none/status")
        assert (status, headers["levada-problem"], headers["levada-fault"]) == (
            404,
            "order-not-found",
            "declared",
        )


@pytest.mark.parametrize(
    ("line", "extra", "allowed"),
    [
        (f"GET {BASE}/orders/a%2Fsecret/status HTTP/1.1", "", {400}),
        (f"GET {BASE}/../v1/secret HTTP/1.1", "", {403, 404}),
        (f"GET {BASE}//orders//1//status HTTP/1.1", "", {200}),
        (f"GET {BASE}/orders/%2e%2e/secret HTTP/1.1", "", {400, 403, 404}),
        (f"GET {BASE}/orders/%ff/status HTTP/1.1", "", {400}),
        (f"GET {BASE}/orders/1/status HTTP/1.1", "x_consumer_id: root/gold\r\n", {400}),
        (f"GET {BASE}/orders/1/status HTTP/1.1", "levada_scopes: admin\r\n", {400}),
        (f"GET {BASE}/orders/1/status HTTP/1.1", f"x-big: {'a' * 40000}\r\n", {431}),
        (
            f"GET {BASE}/orders/1/status HTTP/1.1",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            {400},
        ),
        ("BLAH / HTTP/9.9", "", {400, 426, 505}),
        (f"GET {BASE}/orders/1/status HTTP/1.1", "x-api-key: good\r\n", {401, 200}),
    ],
)
async def test_tricks_with_paths_and_headers(folder, line, extra, allowed):
    async with serving(folder) as (gateway, _, _call):
        host, _, port = gateway.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"{line}\r\nhost: x\r\nx-api-key: good\r\n{extra}connection: close\r\n\r\n".encode("latin-1")
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert int(answer.split()[1]) in allowed, answer[:300]
        assert b'"root"' not in answer


async def test_a_plan_limits_each_consumer_by_itself_also_past_twenty(folder):
    async with serving(folder) as (gateway, configuration, call):
        many = [Credential(key=f"k{i}", consumer=f"c{i}", plan="tiny", products=[PRODUCT]) for i in range(40)]
        await gateway.apply(
            msgspec.structs.replace(configuration, credentials=[*configuration.credentials, *many])
        )
        for i in range(40):
            got = [(await call("GET", f"{BASE}/orders/1/status", f"k{i}"))[0] for _ in range(4)]
            assert got == [200, 200, 200, 429], i
        status, headers, problem = await call("GET", f"{BASE}/orders/1/status", "k1")
        assert (status, headers["levada-problem"], problem["status"]) == (429, "too-many-requests", 429)
        assert int(headers["retry-after"]) > 0
        assert (await call("GET", f"{BASE}/orders/1/status"))[0] == 200


async def test_a_key_that_is_taken_away_is_refused_at_once(folder):
    async with serving(folder) as (gateway, configuration, call):
        assert (await call("GET", f"{BASE}/orders/1/status"))[0] == 200
        await gateway.apply(msgspec.structs.replace(configuration, credentials=[]))
        assert (await call("GET", f"{BASE}/orders/1/status"))[0] == 401


async def test_a_rejected_configuration_leaves_the_last_good_one_and_says_why(folder):
    async with serving(folder) as (gateway, configuration, call):
        bad = Route(operation="x", method="GET", path="/x", product="p", upstream="nowhere")
        with pytest.raises(GatewayRejected, match="nowhere"):
            await gateway.apply(msgspec.structs.replace(configuration, routes=[*configuration.routes, bad]))
        status = gateway.status()
        assert status.desired != status.applied
        assert "nowhere" in status.reason
        assert (await call("GET", f"{BASE}/orders/1/status"))[0] == 200
        more = Route(operation="y", method="GET", path="/y", product=PRODUCT)
        await gateway.apply(msgspec.structs.replace(configuration, routes=[*configuration.routes, more]))
        status = gateway.status()
        assert (status.desired, status.reason) == (status.applied, None)


async def test_envoy_dies_and_is_started_again_with_what_was_in_force(folder):
    async with serving(folder) as (gateway, configuration, call):
        new = Credential(key="new", consumer="late", plan="gold", products=[PRODUCT])
        await gateway.apply(msgspec.structs.replace(configuration, credentials=[new]))
        address = gateway.address
        os.kill(gateway._process.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while not (gateway.status().restarts == 1 and gateway.address and await _answers(call, gateway)):
                await asyncio.sleep(0.02)
        assert gateway.address.partition(":")[0] == address.partition(":")[0]
        assert (await call("GET", f"{BASE}/orders/1/status"))[0] == 401


async def _answers(call, gateway):
    call.url = f"http://{gateway.address}"
    try:
        return (await call("GET", f"{BASE}/orders/1/status", "new"))[0] == 200
    except aiohttp.ClientError:
        return False


async def test_the_access_log_tells_consumer_product_and_problem_without_urls(folder):
    async with serving(folder) as (gateway, _, call):
        await call("GET", f"{BASE}/orders/4711/status")
        await call("GET", f"{BASE}/orders/none/status")
        await gateway.stop()
        calls = AccessLog(folder / "access.log").read()
        assert [(c.consumer, c.plan, c.product, c.operation, c.template, c.problem) for c in calls] == [
            ("phone", "gold", PRODUCT, f"{PRODUCT}.status", f"{BASE}/orders/{{id}}/status", ""),
            (
                "phone",
                "gold",
                PRODUCT,
                f"{PRODUCT}.status",
                f"{BASE}/orders/{{id}}/status",
                "order-not-found",
            ),
        ]
        assert "4711" not in (folder / "access.log").read_text()
        assert not _pid_alive(gateway)


def _pid_alive(gateway):
    return gateway.status().running


async def test_a_port_that_is_taken_is_said(folder):
    from levada.gateway.errors import GatewayFailed

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        configuration = GatewayConfiguration(
            listener=Listener(port=taken.getsockname()[1], log=str(folder / "access.log")),
            routes=[],
            upstreams=[Upstream(name="app", addresses=[f"unix:{folder / 'app.sock'}"])],
            plans=[Plan(name="gold", calls=1, seconds=1)],
        )
        gateway = EnvoySupervisor(configuration, folder / "gw")
        with pytest.raises(GatewayFailed):
            await gateway.start()
        await gateway.stop()
        assert not gateway.status().running


def test_a_plan_with_a_wrong_rate_is_said():
    with pytest.raises(PlanInvalid, match=r"\[plans.gold\].*is no rate"):
        plans_of({"gold": "many"})
