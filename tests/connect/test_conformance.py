"""Every connector keeps what a resource promises, against its real server over a connection that is troubled."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web
from examples.order_to_cash.legacy.billing import Billing
from tests.connect.sftpserver import PASSWORD, SftpServer

from levada.connect import Resource, Unavailable
from levada.connect.files import Drop, DropSettings
from levada.connect.http import Http, HttpSettings
from levada.connect.soap import Soap, SoapSettings
from levada.connect.sql import Database, SqlSettings
from levada.testing.conformance import ConnectorConformance, ConnectorRig
from levada.testing.link import Link

SECRET = "s3cret-of-the-conformance"
LINE = {"Product": "A", "Text": "x", "Quantity": 1, "Price": Decimal(5)}


class HttpRig(ConnectorRig):
    secret = SECRET

    def __init__(self, link: Link) -> None:
        self.link = link
        self.made = 0

    def open(self, *, timeout: float = 5.0, pool: int = 2) -> Resource:
        url = f"http://127.0.0.1:{self.link.port}"
        return Http(
            HttpSettings(url=url, user="u", password="env:RIG", timeout=timeout, pool=pool, retries=0)
        )

    async def look(self, resource: Http) -> object:
        return await resource.get("/")

    async def change(self, resource: Http) -> object:
        return await resource.post("/", {})

    async def changes(self) -> int:
        return self.made

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Basic " + b64encode(f"u:{SECRET}".encode()).decode()
        self.made += request.method == "POST"
        return web.json_response({})


class TestHttp(ConnectorConformance):
    @pytest.fixture
    async def rig(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ConnectorRig]:
        monkeypatch.setenv("RIG", SECRET)
        rig: HttpRig | None = None

        async def answer(request: web.Request) -> web.Response:
            assert rig is not None
            return await rig.answer(request)

        app = web.Application()
        app.router.add_route("*", "/", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Link("127.0.0.1", runner.addresses[0][1]) as link:
            rig = HttpRig(link)
            yield rig
        await runner.cleanup()


class SoapRig(ConnectorRig):
    secret = SECRET

    def __init__(self, link: Link, billing: Billing) -> None:
        self.link = link
        self.billing = billing
        self.names = count(1)

    def open(self, *, timeout: float = 5.0, pool: int = 2) -> Resource:
        wsdl = self.link.url(self.billing.wsdl)
        address = wsdl.partition("?")[0]
        return Soap(
            SoapSettings(url=wsdl, address=address, user="u", password="env:RIG", timeout=timeout, pool=pool)
        )

    async def look(self, resource: Soap) -> object:
        # Reading the WSDL: SOAP knows no call that is safe by itself.
        health = await resource.health()
        if not health.ok:
            raise Unavailable(resource="soap", reason=health.detail)
        return health

    async def change(self, resource: Soap) -> object:
        return await resource.call(
            "CreateInvoice",
            Reference=f"o-{next(self.names)}",
            Account="1",
            Currency="GBP",
            Lines={"Line": [LINE]},
        )

    async def changes(self) -> int:
        return len(self.billing.all_invoices())


class TestSoap(ConnectorConformance):
    @pytest.fixture
    async def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ConnectorRig]:
        monkeypatch.setenv("RIG", SECRET)
        async with Billing(tmp_path) as billing, Link.to(billing.wsdl) as link:
            yield SoapRig(link, billing)


class SqlRig(ConnectorRig):
    secret = SECRET

    def __init__(self, link: Link, dsn: str) -> None:
        self.link = link
        self.dsn = dsn
        self.names = count(1)

    def open(self, *, timeout: float = 5.0, pool: int = 2) -> Resource:
        return Database(
            SqlSettings(
                url=self.link.url(self.dsn),
                password="env:RIG",
                timeout=timeout,
                pool=pool,
                connect_timeout=min(timeout, 2),
                acquire_timeout=timeout,
            ),
            name="erp",
        )

    async def look(self, resource: Database) -> object:
        async with resource.begin() as tx:
            return await tx.fetchval("select count(*) from rig")

    async def change(self, resource: Database) -> object:
        async with resource.begin() as tx:
            return await tx.execute("insert into rig default values")

    async def changes(self) -> int:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval("select count(*) from rig")
        finally:
            await connection.close()


class TestPostgres(ConnectorConformance):
    @pytest.fixture
    async def rig(self, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ConnectorRig]:
        monkeypatch.setenv("RIG", SECRET)
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute("drop table if exists rig; create table rig (id serial primary key)")
        await connection.close()
        async with Link.to(postgres_dsn) as link:
            yield SqlRig(link, postgres_dsn)


class SftpRig(ConnectorRig):
    secret = PASSWORD

    def __init__(self, link: Link, server: SftpServer, hosts: str) -> None:
        self.link = link
        self.server = server
        self.hosts = hosts
        self.names = count(1)

    def open(self, *, timeout: float = 5.0, pool: int = 2) -> Resource:
        return Drop(
            DropSettings(
                url=self.link.url(self.server.url),
                password="env:RIG",
                known_hosts=self.hosts,
                timeout=timeout,
                connect_timeout=min(timeout, 2),
                pool=pool,
            )
        )

    async def look(self, resource: Drop) -> object:
        return await resource._ready().entries("")

    async def change(self, resource: Drop) -> object:
        return await resource.deliver(f"order-{next(self.names)}.csv", b"x")

    async def changes(self) -> int:
        return len(list(self.server.root.glob("order-*.csv")))


class TestSftp(ConnectorConformance):
    @pytest.fixture
    async def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ConnectorRig]:
        monkeypatch.setenv("RIG", PASSWORD)
        async with SftpServer(tmp_path / "files") as server, Link("127.0.0.1", server.port) as link:
            yield SftpRig(link, server, server.known_hosts(tmp_path / "known_hosts", link.port))
