"""A major that is deprecated says so in each answer, and its next one is served beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from abc import abstractmethod
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvicorn

from levada import App, ProcessAPI, Settings, SystemAPI, http
from levada.app import Caller
from levada.app.context import Context, _current
from levada.contract import contract_of
from levada.contract.errors import ContractError
from levada.contract.openapi import openapi

SECRET = "a secret of the tests that is long enough for HS256"
TOLD = {"deprecation": "@1798761600", "sunset": "Thu, 01 Jul 2027 00:00:00 GMT"}


class Rates(SystemAPI, domain="money", version="1.3", deprecated="2027-01-01", sunset="2027-07-01"):
    """Rates, as they were."""

    @http.get("/rates/{currency}")
    @abstractmethod
    async def rate(self, currency: str) -> float: ...

    @http.get("/all")
    @abstractmethod
    def every(self) -> AsyncIterator[float]: ...


class NextRates(SystemAPI, domain="money", name="Rates", version="2.0"):
    """Rates, in hundredths."""

    @http.get("/rates/{currency}")
    @abstractmethod
    async def rate(self, currency: str) -> int: ...


class OldBank(Rates):
    async def rate(self, currency: str) -> float:
        return 1.25

    async def every(self) -> AsyncIterator[float]:
        yield 1.25


class Bank(NextRates):
    async def rate(self, currency: str) -> int:
        return 125


class Till(ProcessAPI, domain="shop", version="1.0"):
    """Needs both for a while."""

    @http.get("/both")
    @abstractmethod
    async def both(self) -> tuple[float, int]: ...


class SlowlyMovingTill(Till):
    old: Rates
    new: NextRates

    async def both(self) -> tuple[float, int]:
        return await self.old.rate("EUR"), await self.new.rate("EUR")


def settings() -> Settings:
    return Settings(environment="test", identity=SECRET)


@pytest.fixture(params=["levada.app.uvicorn:HttpProtocol", "httptools"])
async def url(request):
    """Both majors, served by either door."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            App(OldBank, Bank, settings=settings()), log_level="error", access_log=False, http=request.param
        )
        server = uvicorn.Server(config)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listening]))
            while not server.started:
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = True


async def test_each_answer_of_a_deprecated_major_says_when_it_ends(url):
    async with aiohttp.ClientSession(url) as session:
        for path in ("/money/rates/v1/rates/EUR", "/money/rates/v1/all"):
            async with session.get(path) as response:
                assert response.status == 200
                assert {name: response.headers.get(name) for name in TOLD} == TOLD
        async with session.get("/money/rates/v2/rates/EUR") as response:
            assert await response.json() == 125
            assert not TOLD.keys() & {name.lower() for name in response.headers}
        async with session.get("/money/rates/v1/openapi.json") as response:
            assert json.loads(await response.text())["x-levada-sunset"] == "2027-07-01"


async def test_a_consumer_of_both_majors_is_told_once_of_the_one_that_ends(url, caplog):
    bind = {"money/Rates/v1": url, "money/Rates/v2": url}
    token = _current.set(Context(caller=Caller(subject="anna", environment="test", method="oidc")))
    try:
        async with App(SlowlyMovingTill, bind=bind, settings=settings()) as app:
            with caplog.at_level(logging.WARNING, logger="levada.call"):
                assert await app[Till].both() == (1.25, 125)
                assert await app[Till].both() == (1.25, 125)
    finally:
        _current.reset(token)
    told = [r for r in caplog.records if r.message == "contract_deprecated"]
    assert [(r.contract, r.sunset) for r in told] == [("money/Rates/v1", TOLD["sunset"])]


def test_the_document_says_which_operations_are_deprecated():
    old, new = (openapi(contract_of(c)) for c in (Rates, NextRates))
    assert {o["deprecated"] for path in old["paths"].values() for o in path.values()} == {True}
    assert not any("deprecated" in o for path in new["paths"].values() for o in path.values())


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        ({"deprecated": "soon"}, "deprecated='soon' is no date"),
        ({"sunset": "2027-07-01"}, "ends a contract that is not deprecated"),
        ({"deprecated": "2027-07-01", "sunset": "2027-01-01"}, "that is deprecated from 2027-07-01 on"),
    ],
)
def test_dates_that_cannot_be_are_refused_when_the_class_is_made(dates, told):
    with pytest.raises(ContractError, match=told):

        class Wrong(SystemAPI, domain="money", version="1.0", **dates):
            """Wrong."""
