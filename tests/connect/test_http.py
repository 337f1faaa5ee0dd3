"""The HTTP connector against a real server: what is known of an outcome, credentials, retries."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections import Counter

import pytest
from aiohttp import web
from msgspec import Struct

from levada.connect.errors import NotStarted, OutcomeUnknown, RemoteFault, SecretMissing, Unavailable
from levada.connect.http import Http, HttpSettings

SECRET = "s3cret-value-of-the-test"


class Item(Struct, frozen=True):
    id: int


class Service:
    """Answers as the path says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.failing = 0
        self.release = asyncio.Event()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.method] += 1
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        what = request.match_info["what"]
        if what == "slow":
            await self.release.wait()
        if what == "lost" or self.failing > 0:
            self.failing -= 1
            assert request.transport is not None
            request.transport.abort()
        if what.isdigit():
            return web.Response(status=int(what), text=f"because of {what}")
        if what == "no-json":
            return web.Response(text="<html>")
        return web.json_response({"id": 1})


@pytest.fixture
async def service():
    made = Service()
    app = web.Application()
    app.router.add_route("*", "/{what}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.release.set()
        await runner.cleanup()


def free_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_an_answer_is_decoded_as_asked(service):
    async with Http(service.url) as http:
        assert await http.get("/x") == {"id": 1}
        assert await http.get("/x", type=Item) == Item(1)
        assert await http.post("/x", {"a": 1}, key="k-1") == {"id": 1}
        assert service.headers[-1]["idempotency-key"] == "k-1"
        assert await http.request("DELETE", "/204") is None


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 429])
async def test_what_was_refused_is_known_and_not_asked_again(service, status):
    async with Http(service.url) as http:
        for method in ("GET", "POST"):
            with pytest.raises(RemoteFault) as caught:
                await http.request(method, f"/{status}")
            assert (caught.value.fault, caught.value.reason) == (str(status), f"because of {status}")
            assert caught.value.outcome == "refused"
    assert service.asked == {"GET": 1, "POST": 1}


@pytest.mark.parametrize("what", ["500", "503", "lost", "slow"])
async def test_an_unsafe_request_without_an_answer_is_made_once_and_its_outcome_unknown(service, what):
    async with Http(HttpSettings(url=service.url, timeout=0.2)) as http:
        with pytest.raises(OutcomeUnknown) as caught:
            await http.post(f"/{what}", {"a": 1})
        assert caught.value.outcome == "unknown"
    assert service.asked == {"POST": 1}


@pytest.mark.parametrize("what", ["500", "lost", "slow"])
async def test_a_safe_request_is_made_again_as_often_as_stated(service, what):
    async with Http(HttpSettings(url=service.url, timeout=0.1, retries=2)) as http:
        with pytest.raises(Unavailable):
            await http.get(f"/{what}")
    # The library would repeat a GET whose connection was lost by itself; that is switched off.
    assert service.asked["GET"] == 3


async def test_a_safe_request_gets_through_once_the_service_is_back(service):
    service.failing = 2
    async with Http(service.url) as http:
        assert await http.get("/x", type=Item) == Item(1)
    assert service.asked["GET"] == 3


async def test_nobody_there_is_known_not_to_have_happened():
    async with Http(HttpSettings(url=free_url(), retries=0)) as http:
        for method in ("GET", "POST"):
            with pytest.raises(Unavailable) as caught:
                await http.request(method, "/x")
            assert caught.value.outcome == "not_done"
        assert not (await http.health()).ok


async def test_an_answer_that_does_not_fit(service):
    async with Http(service.url) as http:
        with pytest.raises(RemoteFault, match="answer"):
            await http.get("/no-json")


async def test_health_takes_any_answer_below_500_for_well(service):
    async with Http(HttpSettings(url=service.url, health="/404")) as http:
        assert (await http.health()).ok
    async with Http(HttpSettings(url=service.url, health="/500")) as http:
        assert not (await http.health()).ok


async def test_it_has_to_be_started(service):
    with pytest.raises(NotStarted):
        await Http(service.url).get("/x")


@pytest.mark.parametrize(
    ("settings", "header", "sent"),
    [
        ({"token": "{}"}, "authorization", f"Bearer {SECRET}"),
        (
            {"user": "u", "password": "{}"},
            "authorization",
            "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode(),
        ),
        ({"key": "{}"}, "x-api-key", SECRET),
        ({"key": "{}", "header": "x-acme"}, "x-acme", SECRET),
    ],
)
@pytest.mark.parametrize("kind", ["env", "file"])
async def test_credentials_come_from_references_and_are_seen_nowhere(
    service, tmp_path, monkeypatch, settings, header, sent, kind
):
    if kind == "env":
        monkeypatch.setenv("TEST_HTTP_SECRET", SECRET)
        reference = "env:TEST_HTTP_SECRET"
    else:
        (tmp_path / "secret").write_text(SECRET + "\n")
        reference = f"file:{tmp_path / 'secret'}"
    stated = {name: value.format(reference) for name, value in settings.items()}
    made = HttpSettings(url=service.url, **stated)
    async with Http(made) as http:
        await http.get("/x")
        assert service.headers[-1][header] == sent
        with pytest.raises(RemoteFault) as caught:
            await http.get("/401")
        for shown in (repr(http), repr(made), str(caught.value), repr(caught.value)):
            assert SECRET not in shown


async def test_a_secret_that_cannot_be_read_names_its_reference(service, monkeypatch):
    monkeypatch.delenv("TEST_HTTP_SECRET", raising=False)
    async with Http(HttpSettings(url=service.url, token="env:TEST_HTTP_SECRET")) as http:
        with pytest.raises(SecretMissing, match="TEST_HTTP_SECRET"):
            await http.get("/x")
    assert not service.asked


async def test_a_password_in_the_url_is_masked():
    url = free_url().replace("http://", f"http://u:{SECRET}@")
    async with Http(HttpSettings(url=url, retries=0)) as http:
        assert SECRET not in repr(http)
        with pytest.raises(Unavailable) as caught:
            await http.get("/x")
        assert SECRET not in str(caught.value)
