"""What a binding proves itself with, towards a service and a token service that listen: bearer, API key, OAuth 2."""

import asyncio
import logging
from abc import abstractmethod
from base64 import b64encode
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from levada import App, ExperienceAPI, Problem, Settings, SystemAPI, effect, http
from levada.app.errors import ConfigurationError
from levada.contract.standard import Unavailable

SECRET = "p4ss:w%rd+ä"
ENCODED = "p4ss%3Aw%25rd%2B%C3%A4"


class Billing(SystemAPI, domain="finance", version="1.0"):
    """Billing."""

    @http.get("/balance/{who}")
    @abstractmethod
    async def balance(self, who: str) -> str:
        """What is owed."""

    @http.post("/charges/{who}")
    @abstractmethod
    async def charge(self, who: str) -> str:
        """Charge."""


class Desk(ExperienceAPI, domain="finance", version="1.0"):
    """The desk."""

    billing: Billing

    @http.get("/balance/{who}")
    async def balance(self, who: str) -> str:
        """What is owed."""
        return await self.billing.balance(who)

    @effect.passes_key
    @http.post("/charges/{who}")
    async def charge(self, who: str) -> str:
        """Charge."""
        return await self.billing.charge(who)


class World:
    """A service that notes what it was asked with, and a token service that answers as it is told."""

    def __init__(self):
        self.sent = []
        self.asked = []
        self.revoked = set()
        self.answer = lambda: web.json_response({"access_token": f"t{len(self.asked)}", "expires_in": 3600})
        self.stack = AsyncExitStack()

    async def serve(self, method, path, handler):
        app = web.Application()
        app.router.add_route(method, path, handler)
        runner = web.AppRunner(app)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def service(self, request):
        self.sent.append({name.lower(): value for name, value in request.headers.items()})
        refused = request.headers.get("authorization") in self.revoked
        return web.json_response("ok", status=401 if refused else 200)

    async def token(self, request):
        self.asked.append((request.headers.get("authorization"), dict(await request.post())))
        answer = self.answer()
        return await answer if asyncio.iscoroutine(answer) else answer

    async def desk(self, auth, **more):
        bound = {"url": self.url, "auth": auth, "retries": 0, **more}
        app = App(Desk, bind={"finance/Billing/v1": bound}, settings=Settings(environment="test"))
        await self.stack.enter_async_context(app)
        return app[Desk]


@pytest.fixture
async def world(monkeypatch):
    made = World()
    async with made.stack:
        made.url = await made.serve("*", "/{any:.*}", made.service)
        made.token_url = await made.serve("POST", "/token", made.token) + "/token"
        for name, value in {
            "TOKEN_URL": made.token_url,
            "CLIENT_ID": "shop",
            "CLIENT_SECRET": SECRET,
        }.items():
            monkeypatch.setenv(f"BILLING_{name}", value)
        yield made


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [("bearer:env:KEY", "authorization", "Bearer {}"), ("api-key:env:KEY", "x-api-key", "{}")],
)
async def test_a_secret_goes_with_each_call_as_it_is_now(world, monkeypatch, auth, header, value):
    monkeypatch.setenv("KEY", "monday")
    desk = await world.desk(auth)
    await desk.balance("ann")
    monkeypatch.setenv("KEY", "tuesday")
    await desk.charge("ann")
    found = [sent[header] for sent in world.sent]
    assert found == [value.format("monday"), value.format("tuesday")]


async def test_none_sends_nothing(world):
    await (await world.desk("none")).balance("ann")
    assert not {"authorization", "x-api-key", "levada-identity"} & set(world.sent[0])


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ("bearer:env:NOT_SET", "NOT_SET"),
        ("bearer:hunter2", "reference to a secret, not a value"),
        ("oauth2:env:NOT_SET", "NOT_SET_TOKEN_URL"),
        ("oauth2:file:x", "oauth2:env:PREFIX"),
        ("basic:env:KEY", "begins with 'basic'"),
        ("identity", "[identity] secret"),
    ],
)
async def test_what_is_not_there_is_said_at_the_start_with_the_binding(world, auth, said):
    with pytest.raises(ConfigurationError) as told:
        await world.desk(auth)
    assert said in str(told.value)
    assert "[bind] finance/Billing/v1" in str(told.value)
    assert "hunter2" not in str(told.value)


async def test_a_token_is_asked_for_once_for_all_calls(world):
    desk = await world.desk("oauth2:env:BILLING")
    assert world.asked == []
    await asyncio.gather(*(desk.balance(f"c-{n}") for n in range(20)))
    await desk.charge("ann")
    basic = "Basic " + b64encode(f"shop:{ENCODED}".encode()).decode()
    assert world.asked == [(basic, {"grant_type": "client_credentials"})]
    assert {sent["authorization"] for sent in world.sent} == {"Bearer t1"}
    assert len(world.sent) == 21


@pytest.mark.parametrize(
    ("lives", "sent"),
    [(1000, ["t1", "t1", "t2"]), ("1000", ["t1", "t1", "t2"]), (0, ["t1", "t2", "t3"]), (None, ["t1", "t1", "t2"])],
)  # fmt: skip
async def test_a_token_is_renewed_before_it_ends(world, monkeypatch, lives, sent):
    """The credential's clock is turned; a token that says nothing of its life lives for 300 seconds."""
    clock = VirtualClock()
    monkeypatch.setattr("levada.app.credentials.time", clock)
    world.answer = lambda: web.json_response({"access_token": f"t{len(world.asked)}", "expires_in": lives})
    desk = await world.desk("oauth2:env:BILLING")
    for part in (0.0, 0.5, 0.9):
        clock.now = part * float(lives or 300)
        await desk.balance("ann")
    assert [each["authorization"] for each in world.sent] == [f"Bearer {token}" for token in sent]


@pytest.fixture
def clock(monkeypatch):
    clock = VirtualClock()
    monkeypatch.setattr("levada.app.credentials.time", clock)
    return clock


async def test_a_token_that_is_refused_is_fetched_anew_and_the_call_made_once_more(world, clock):
    """It was not let in, so nothing was done: also what changes something is asked again, and only once."""
    desk = await world.desk("oauth2:env:BILLING")
    await desk.balance("ann")
    clock.now = 60
    world.revoked = {"Bearer t1"}
    assert await desk.charge("ann") == "ok"
    assert [sent["authorization"] for sent in world.sent] == ["Bearer t1", "Bearer t1", "Bearer t2"]
    clock.now = 120
    world.revoked |= {"Bearer t2", "Bearer t3"}
    with pytest.raises(Problem):
        await desk.charge("ann")
    assert (len(world.sent), len(world.asked)) == (5, 3)


async def test_a_service_that_lets_nobody_in_does_not_have_tokens_fetched_at_each_call(world, clock):
    desk = await world.desk("oauth2:env:BILLING")
    world.revoked = {f"Bearer t{n}" for n in range(99)}
    for _ in range(10):
        with pytest.raises(Problem):
            await desk.charge("ann")
    assert (len(world.sent), len(world.asked)) == (10, 1)
    world.revoked = {"Bearer t1"}
    clock.now = 11
    assert await desk.charge("ann") == "ok"


async def test_what_may_be_done_twice_is_not_asked_again_but_the_next_call_has_a_new_token(world, clock):
    desk = await world.desk("oauth2:env:BILLING", effect="at_least_once")
    await desk.balance("ann")
    clock.now = 60
    world.revoked = {"Bearer t1"}
    with pytest.raises(Problem):
        await desk.charge("ann")
    assert await desk.charge("ann") == "ok"
    assert [sent["authorization"] for sent in world.sent] == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_static_credential_that_is_refused_is_not_sent_again(world, monkeypatch):
    monkeypatch.setenv("BILLING_TOKEN", "t1")
    world.revoked = {"Bearer t1"}
    desk = await world.desk("bearer:env:BILLING_TOKEN")
    with pytest.raises(Problem):
        await desk.balance("ann")
    assert len(world.sent) == 1


class VirtualClock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.json_response({"error": "invalid_client"}, status=401), "refused the credentials of BILLING with 401"),
        (lambda: web.Response(status=302, headers={"location": "/token"}), "with 302"),
        (lambda: web.json_response({"token": SECRET}), "without a token"),
        (lambda: web.Response(text=f"<html>{SECRET}"), "without a token"),
        (lambda: web.Response(body=b'{"access_token": "\xff"}'), "without a token"),
    ],
)  # fmt: skip
async def test_without_a_token_nothing_is_sent_and_no_secret_is_said(world, caplog, answer, said):
    caplog.set_level(logging.DEBUG)
    world.answer = answer
    desk = await world.desk("oauth2:env:BILLING")
    with pytest.raises(Unavailable) as told:
        await desk.charge("ann")
    assert said in str(told.value)
    assert SECRET not in f"{told.value!r} {told.value.document()} {caplog.text}"
    assert world.sent == []
    world.answer = World().answer
    assert await desk.charge("ann") == "ok"


async def test_a_token_service_that_is_gone_is_said_and_found_again(world, monkeypatch):
    monkeypatch.setenv("BILLING_TOKEN_URL", "http://127.0.0.1:1/token")
    desk = await world.desk("oauth2:env:BILLING")
    with pytest.raises(Unavailable, match="The token service of BILLING cannot be reached"):
        await desk.charge("ann")
    assert world.sent == []
    monkeypatch.setenv("BILLING_TOKEN_URL", world.token_url)
    assert await desk.charge("ann") == "ok"


async def test_a_token_that_does_not_come_in_time_leaves_no_outcome_open(world):
    """The charge was certainly not sent: it may be made again, whatever the service does with keys."""
    never = asyncio.Event()
    world.answer = never.wait
    desk = await world.desk("oauth2:env:BILLING", timeout=0.2)
    with pytest.raises(Unavailable, match="did not come in time"):
        await desk.charge("ann")
    assert world.sent == []
    never.set()
