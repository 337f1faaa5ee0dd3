"""What a run takes an answer of a service for: by its status and what it says, in process and over HTTP alike."""

from abc import abstractmethod

import pytest
from aiohttp import web

from levada import App, Caller, ProcessAPI, SystemAPI, effect, http, resource
from levada.app.binding import Remote
from levada.connect.http import Http, HttpSettings
from levada.contract import contract_of
from levada.deployment._performer import ProxyPerformer
from levada.process._protocol import Attempt, Refused, Unknown
from levada.process._steps import Kind, Step

DETAIL = '{"detail": "Division by zero."}'


class Prices(SystemAPI, domain="shop", version="1.0"):
    """Prices."""

    @http.get("/prices/{item}")
    @abstractmethod
    async def price(self, item: str) -> str:
        """One price."""

    @http.post("/prices/{item}", final=True)
    @abstractmethod
    async def change(self, item: str) -> str:
        """Change it."""


class Behind(Prices):
    """The same by a resource."""

    service: Http = resource("service")

    async def price(self, item: str) -> str:
        return await self.service.get(f"/shop/prices/v1/prices/{item}", type=str)

    @effect.passes_key
    async def change(self, item: str) -> str:
        return await self.service.post(f"/shop/prices/v1/prices/{item}", type=str)


class Asking(ProcessAPI, domain="shop", version="1.0"):
    """Who asks."""

    prices: Prices

    @http.get("/nothing")
    async def nothing(self) -> None:
        """Nothing."""


@pytest.fixture
async def service():
    """The URL of a service that answers with the status, the headers and the text that it is told."""
    told: dict = {"status": 200, "headers": {}, "text": '""'}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(content_type="application/problem+json", **told)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", told
    finally:
        await runner.cleanup()


async def performed(app: App, name: str) -> object:
    proxy = app.plan.locals[-1].instance.prices
    operation = contract_of(Prices).operations[name]
    step = Step("/0", Kind.CALL, name, b"", (proxy, operation, ("cup",), Caller()))
    attempt = Attempt(
        run="r", key="k", number=1, repeated=False, deadline=0, timeout=5.0, fence=1, initiator="", traceparent=""
    )  # fmt: skip
    return await ProxyPerformer().perform(step, attempt)


def by_url(url: str) -> App:
    return App(Asking, bind={Prices: Remote(url=url, retries=0)})


def by_resource(url: str) -> App:
    return App(Behind, Asking, resources={"service": Http(HttpSettings(url=url, retries=0))})


@pytest.mark.parametrize("name", ["price", "change"])
@pytest.mark.parametrize("made", [by_url, by_resource])
@pytest.mark.parametrize("status", [500, 501, 508])
async def test_a_service_that_failed_itself_says_so_and_the_outcome_is_unknown(service, made, name, status):
    url, told = service
    told |= {"status": status, "text": DETAIL}
    async with made(url) as app:
        outcome = await performed(app, name)
    assert isinstance(outcome, Unknown)
    assert (outcome.failed, outcome.lasting) == (True, False)
    assert ("Division by zero" if made is by_url else str(status)) in outcome.reason


@pytest.mark.parametrize("name", ["price", "change"])
@pytest.mark.parametrize("made", [by_url, by_resource])
@pytest.mark.parametrize(
    ("status", "headers"), [(502, {}), (503, {}), (504, {}), (429, {}), (500, {"retry-after": "5"})]
)
async def test_what_passes_by_itself_is_no_defect(service, made, name, status, headers):
    url, told = service
    told |= {"status": status, "headers": headers, "text": DETAIL}
    async with made(url) as app:
        outcome = await performed(app, name)
    assert isinstance(outcome, Unknown | Refused)
    if isinstance(outcome, Unknown):
        assert (outcome.failed, outcome.lasting) == (False, False)
    else:
        assert outcome.again


async def test_a_service_that_is_not_there_was_not_sent_anything():
    for made in (by_url, by_resource):
        async with made("http://127.0.0.1:1") as app:
            outcome = await performed(app, "change")
            assert isinstance(outcome, Refused)
            assert outcome.again
