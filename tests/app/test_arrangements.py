"""In process equals HTTP: one suite in three arrangements, the same results and the same errors."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from levada import App, Caller, Settings
from levada.app import Context
from levada.app.context import _current
from levada.contract.standard import (
    BadRequest,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    Unauthorized,
    Unavailable,
)

FILE = Path(__file__).with_name("arranged.py")
spec = importlib.util.spec_from_file_location("arranged", FILE)
arranged = importlib.util.module_from_spec(spec)
sys.modules["arranged"] = arranged
spec.loader.exec_module(arranged)

CUSTOMERS, ORDERS, SHOP = "sales/Customers/v1", "sales/Orders/v1", "sales/Shop/v1"
WHO = Caller(
    subject="anna",
    client="phone",
    scopes=frozenset({"holds:write", "more"}),
    environment="test",
    method="oidc",
)


ASGI, SHORT = "httptools", "levada.app.uvicorn:HttpProtocol"


def process(parts, bind, http=SHORT):
    running = subprocess.Popen(
        [sys.executable, str(FILE), json.dumps(parts), json.dumps(bind), http],
        stdout=subprocess.PIPE,
        text=True,
    )
    port = running.stdout.readline().strip()
    return running, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module", params=["one process", "each its own", "each its own by ASGI", "mixed"])
def arrangement(request):
    """(parts in this process, bindings of it)."""
    running = []
    http = ASGI if request.param.endswith("ASGI") else SHORT

    def away(parts, bind):
        started, url = process(parts, bind, http)
        running.append(started)
        return url

    try:
        if request.param == "one process":
            yield ["customers", "orders", "shop"], {}
        elif request.param.startswith("each its own"):
            customers = away(["customers"], {})
            orders = away(["orders"], {CUSTOMERS: customers})
            yield [], {"shop": away(["shop"], {CUSTOMERS: customers, ORDERS: orders})}
        else:
            customers = away(["customers"], {})
            yield ["orders", "shop"], {CUSTOMERS: customers}
    finally:
        for each in running:
            each.terminate()
        for each in running:
            assert each.wait(10) is not None
            each.stdout.close()


@pytest.fixture
async def shop(arrangement):
    parts, bind = arrangement
    if "shop" in bind:
        from levada.app.binding import Remote
        from levada.app.client import RemoteAPI
        from levada.app.proxy import Link, make_proxy
        from levada.app.records import Recorder
        from levada.contract import contract_of

        contract = contract_of(arranged.Shop)
        remote = RemoteAPI(
            contract, Remote(url=bind["shop"]), Settings(environment="test", identity=arranged.SECRET)
        )
        await remote.start()
        try:
            link = Link("test", Recorder(), None)
            yield make_proxy(contract, remote.targets(contract), link, contract.id)
        finally:
            await remote.stop()
        return
    app = arranged.build(parts, bind)
    async with app:
        yield app[arranged.Shop]


@pytest.fixture(autouse=True)
def context():
    token = _current.set(Context(caller=WHO, trace=7, span=8))
    yield
    _current.reset(token)


async def test_each_kind_of_value_arrives_as_it_was_sent(shop):
    assert await shop.buy("c/1 ä?&", Decimal("10.50")) == arranged.Hold("h-c/1 ä?&", Decimal("10.50"))
    assert await shop.all(3) == ("0", "1", "2")
    assert await shop.pages() == tuple(f"{i}t/&=?" for i in range(6))
    assert await shop.files("a b/c", "x" * 10) == "10 " + "x" * 10
    assert await shop.listed() == (
        "(None, (), None, [])",
        "('', ('',), None, [])",
        "('null', ('a', 'b'), '', [1, 2])",
        "(None, ('a',), None, [])",
    )


async def test_declared_problems_arrive_as_themselves(shop):
    with pytest.raises(arranged.CustomerNotFound) as caught:
        await shop.buy("x-1", Decimal(1))
    assert caught.value == arranged.CustomerNotFound(id="x-1")
    with pytest.raises(arranged.Blocked) as blocked:
        await shop.buy("blocked", Decimal(1))
    assert blocked.value == arranged.Blocked(id="blocked", since=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(arranged.CustomerNotFound):
        await shop.first("x-1", "x-1")


@pytest.mark.parametrize(
    "how",
    ["type", "field", "raise", "undeclared", "group", "argument", "empty", "unsayable", "value", "other"],
)
async def test_what_is_not_declared_is_an_internal_error_without_internals(shop, how):
    with pytest.raises(InternalError) as caught:
        await shop.wrong(how)
    assert "secret" not in repr(caught.value)


async def test_wrong_arguments_are_refused(shop):
    with pytest.raises(BadRequest) as caught:
        await shop.buy(5, Decimal(1))
    assert "customer" in str(caught.value) or "str" in str(caught.value)


async def test_whole_numbers_have_64_bits(shop):
    assert await shop.doubled(2**62 - 1) == 2**63 - 2
    with pytest.raises(BadRequest, match="n: Expected `int` <= 9223372036854775807"):
        await shop.doubled(2**63)
    for n, by in ((2**62, 1), (2**62, 2)):  # what is answered further down, and what is asked
        with pytest.raises(InternalError):
            await shop.doubled(n, by)


async def test_a_callee_cannot_change_its_callers_values(shop):
    assert await shop.lines() == [1, 0, 1, 99]


async def test_deadline_trace_and_caller_pass_through_every_layer(shop):
    _current.get().deadline = asyncio.get_running_loop().time() + 8
    seen = await shop.seen()
    assert (seen.caller, seen.scopes, seen.trace) == ("anna", ("holds:write", "more"), f"{7:032x}")
    assert seen.consumer == ORDERS
    assert 5 <= seen.left <= 8


async def test_scopes_hold_in_every_arrangement(shop):
    _current.set(
        Context(caller=Caller(subject="bob", scopes=frozenset({"more"}), environment="test", method="oidc"))
    )
    # The shop does not declare Forbidden: to its consumer this is the shop's own fault.
    with pytest.raises(InternalError):
        await shop.buy("c-1", Decimal(1))


async def test_a_stream_that_fails_in_the_middle_fails(shop):
    with pytest.raises(InternalError):
        await shop.all(20)


async def test_a_deadline_ends_a_call(shop):
    loop = asyncio.get_running_loop()
    _current.get().deadline = loop.time() + 0.3
    began = loop.time()
    try:
        async with asyncio.timeout(0.3):
            await shop.slow(1.0)
    except (DeadlineExceeded, TimeoutError):
        assert loop.time() - began < 0.9
    else:
        pytest.fail("it went on past the deadline")


@pytest.mark.parametrize("http", [SHORT, ASGI])
async def test_a_forged_consumer_header_on_a_direct_call_is_refused(http):
    running, url = process(["customers"], {}, http)
    try:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            for header in ("x-consumer-id", "levada-caller", "levada-scopes"):
                async with session.get(
                    f"{url}/sales/customers/v1/customers/1", headers={header: "admin"}
                ) as response:
                    assert response.status == 401
            async with session.get(
                f"{url}/sales/customers/v1/customers/1", headers={"levada-identity": "e30.e30.x"}
            ) as response:
                assert response.status == 401
            async with session.post(
                f"{url}/sales/customers/v1/customers/1/holds", json={"amount": "1"}
            ) as response:
                assert response.status == 403
    finally:
        running.terminate()
        running.wait(10)


async def test_a_call_from_outside_of_any_request_is_of_the_apps_environment():
    """An adapter's own task has no caller; in production it is not taken for one of development."""
    running, url = process(["customers"], {})
    token = _current.set(Context())
    try:
        async with arranged.build(["orders"], {CUSTOMERS: url}) as app:
            assert (await app[arranged.Orders].seen()).caller == "anonymous"
    finally:
        _current.reset(token)
        running.terminate()
        running.wait(10)


async def test_a_service_that_is_away_is_unavailable_and_one_with_another_secret_is_refused():
    app = arranged.build(["orders", "shop"], {CUSTOMERS: "http://127.0.0.1:9"})
    async with app:
        with pytest.raises(Unavailable):
            await app[arranged.Orders].wrong("type")
    running, url = process(["customers"], {})
    try:
        other = App(
            arranged.Placing,
            bind={CUSTOMERS: url},
            settings=Settings(environment="test", identity="another secret that is long enough, too"),
        )
        async with other:
            with pytest.raises(InternalError):
                await other[arranged.Orders].seen()
    finally:
        running.terminate()
        running.wait(10)


def test_every_problem_of_the_border_is_known():
    assert {Forbidden.fault, Unauthorized.fault} == {"caller"}
