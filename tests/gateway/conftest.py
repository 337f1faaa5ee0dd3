"""A gateway before an upstream that answers with what it was told."""

import asyncio
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from levada.gateway import Credential, GatewayConfiguration, Listener, Plan, Route, Upstream
from levada.gateway.errors import EnvoyMissing
from levada.gateway.supervise import EnvoySupervisor, envoy_path


@pytest.fixture
def folder():
    # A socket's path has to be short.
    path = Path(tempfile.mkdtemp(prefix="lv"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def real_envoy():
    try:
        return envoy_path()
    except EnvoyMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


class Asking:
    def __init__(self, session, gateway):
        self.session, self.gateway = session, gateway

    async def __call__(self, path, key="good", method="GET", **named):
        headers = {**({"x-api-key": key} if key else {}), **named.pop("headers", {})}
        url = f"http://{self.gateway.address}{path}"
        async with self.session.request(method, url, headers=headers, **named) as response:
            body = await response.read()
            return response.status, msgspec.json.decode(body) if body else None


class Fronted:
    """One gateway, its configuration, and a way to start upstreams."""

    def __init__(self, folder):
        self.folder = folder
        self.runners = []
        self.configuration = GatewayConfiguration(
            listener=Listener(port=0),
            routes=[
                Route(operation="a/A/v1.x", method="GET", path="/a/{id}", product="a/A/v1"),
                Route(operation="b/B/v1.x", method="GET", path="/b/{id}", product="b/B/v1"),
            ],
            upstreams=[Upstream(name="app", addresses=[f"unix:{folder / 'app.sock'}"])],
            plans=[Plan(name="gold", calls=1000, seconds=1)],
            credentials=[Credential(key="good", consumer="phone", plan="gold", products=["a/A/v1"])],
            environment="test",
        )

    async def upstream(self, name):
        async def answer(request):
            await asyncio.sleep(float(request.query.get("pause", 0)))
            return web.json_response({"by": name, "client": request.headers.get("x-consumer-id")})

        app = web.Application()
        app.router.add_route("*", "/{any:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(self.folder / f"{name}.sock")).start()
        self.runners.append(runner)

    def but(self, **changes):
        self.configuration = msgspec.structs.replace(self.configuration, **changes)
        return self.configuration


@pytest.fixture
async def fronted(folder, real_envoy):
    """``async with fronted() as (gateway, its parts, ask)``."""

    @asynccontextmanager
    async def start(**changes):
        parts = Fronted(folder)
        parts.but(**changes)
        await parts.upstream("app")
        async with (
            EnvoySupervisor(parts.configuration, folder / "gw") as gateway,
            aiohttp.ClientSession() as session,
        ):
            yield gateway, parts, Asking(session, gateway)
        for runner in parts.runners:
            await runner.cleanup()

    return start
