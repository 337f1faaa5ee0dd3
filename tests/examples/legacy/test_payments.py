"""Payments: idempotent by reference, webhooks signed, twice, out of order, retried; faults by HTTP."""

from __future__ import annotations

import json
from collections import Counter

import aiohttp
import pytest
from aiohttp import web
from examples.order_to_cash.legacy.payments import Payments, signature


@pytest.fixture
async def hook():
    seen: list[tuple[dict, bytes]] = []
    refuse = {"next": 0}

    async def take(request: web.Request) -> web.Response:
        if refuse["next"]:
            refuse["next"] -= 1
            return web.Response(status=503)
        seen.append((dict(request.headers), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen, refuse
    await runner.cleanup()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


def new(reference: str, amount: str = "10.00", customer: str = "1") -> dict[str, str]:
    return {"reference": reference, "customer": customer, "amount": amount}


async def test_reference_is_idempotent_and_refund_bounded(tmp_path, hook, http, until):
    async with Payments(tmp_path, webhook=hook[0], never=0, delay=(0, 0)) as system:
        url = f"{system.address}/payment-requests"
        async with http.post(url, json=new("i-1")) as first, http.post(url, json=new("i-1")) as again:
            assert (first.status, again.status) == (201, 200)
            made = await first.json()
            assert (await again.json())["id"] == made["id"]
        async with http.post(url, json=new("i-1", "11.00")) as other:
            assert other.status == 409
        await until(lambda: len(hook[1]) == 1)
        refunds = f"{url}/{made['id']}/refunds"
        for reference, amount, status in [("r-1", "6.00", 201), ("r-1", "6.00", 200), ("r-2", "6.00", 422)]:
            async with http.post(refunds, json={"reference": reference, "amount": amount}) as answer:
                assert answer.status == status
        assert system.all_requests()[0]["refunds"] == [{"reference": "r-1", "amount": "6.00"}]
        async with http.get(url, params={"reference": "i-1"}) as listed:
            assert [item["status"] for item in (await listed.json())["items"]] == ["paid"]


@pytest.mark.parametrize(
    "body", [{}, new("x", "1"), new("x", "-1.00"), new("x", "0.00"), {**new("x"), "y": 1}]
)
async def test_what_is_no_payment_request_is_refused_with_the_reason(tmp_path, http, body):
    async with (
        Payments(tmp_path) as system,
        http.post(f"{system.address}/payment-requests", json=body) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_webhooks_signed_twice_out_of_order_and_retried(tmp_path, hook, http, until):
    url, seen, refuse = hook
    refuse["next"] = 3
    async with Payments(tmp_path, never=0, delay=(0, 0)) as system:
        await system.fault(twice=True, out_of_order=True, seed=7)
        for n in range(20):
            async with http.post(f"{system.address}/payment-requests", json=new(f"i-{n}")):
                pass
        await until(lambda: all(one["status"] == "paid" for one in system.all_requests()))
        system.webhook = url
        await until(lambda: len({head["X-Event-Id"] for head, _ in seen}) == 20)
        for head, body in seen:
            assert head["X-Signature"] == signature(system.secret, head["X-Timestamp"], body)
        assert max(Counter(head["X-Event-Id"] for head, _ in seen).values()) >= 2
        order = [json.loads(body)["data"]["reference"] for _, body in seen]
        assert list(dict.fromkeys(order)) != [f"i-{n}" for n in range(20)]


async def test_some_never_pay_by_seed(tmp_path):
    one, same, other = (Payments(tmp_path, seed=seed, never=0.3) for seed in (1, 1, 2))
    pays = [[system.pays(str(n)) for n in range(500)] for system in (one, same, other)]
    assert pays[0] == pays[1] != pays[2]
    assert 0.2 < pays[0].count(False) / 500 < 0.4


async def test_faults_over_the_control_port_and_restart(tmp_path, http):
    async with Payments(tmp_path, never=1) as system:
        url = f"{system.address}/payment-requests"
        async with http.put(f"{system.control}/faults", json={"drop_after_next": 1}) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await http.post(url, json=new("i-1"))
        assert [one["reference"] for one in system.all_requests()] == ["i-1"]
        async with http.put(f"{system.control}/faults", json={"down": True}):
            pass
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(url)
        async with http.put(f"{system.control}/faults", json={"nonsense": True}) as answer:
            assert answer.status == 400
        async with http.delete(f"{system.control}/faults"):
            pass
        async with http.get(url) as answer:
            assert answer.status == 200
    async with Payments(tmp_path, never=1) as system:
        assert [one["reference"] for one in system.all_requests()] == ["i-1"]
