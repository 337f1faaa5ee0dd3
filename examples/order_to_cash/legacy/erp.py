"""The old ERP: a PostgreSQL database with rules in triggers, behind a proxy that can be faulty."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.postgres import PostgresServer
from examples.order_to_cash.legacy.seed import Seed, seed
from examples.order_to_cash.legacy.system import LegacySystem
from examples.order_to_cash.orders.model import Invoice

__all__ = ["Erp"]

_SCHEMA = Path(__file__).with_name("erp.sql")
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""The server's message CommandComplete for a COMMIT."""


class Erp(LegacySystem):
    """``drop_after`` cuts the connection after a COMMIT, before the client hears of it.

    It needs an explicit transaction; a single statement commits without that message. ``twice``
    means nothing here.
    """

    name = "erp"

    def __init__(
        self, directory: Path, *, orders: Sequence[Invoice] = (), port: int = 0, faults: Faults | None = None
    ) -> None:
        """``orders``: what the books are seeded from, the first time a directory is used."""
        super().__init__(directory, port=port, faults=faults)
        self._orders = orders
        self._server: asyncio.Server | None = None
        self._postgres: PostgresServer | None = None
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"postgresql://postgres@{self.host}:{self.port}/erp"

    def _more(self) -> dict[str, Any]:
        assert self._postgres is not None
        return {"direct": self.direct, "data": str(self._postgres.data)}

    @property
    def direct(self) -> str:
        """Past the proxy, hence past all faults: for reconciliation."""
        assert self._postgres is not None
        return f"postgresql://postgres@127.0.0.1:{self._postgres.port}/erp"

    async def _start(self) -> None:
        self._postgres = PostgresServer(self.directory)
        await self._postgres.start()
        admin = await asyncpg.connect(self.direct.removesuffix("erp") + "postgres")
        try:
            there = await admin.fetchval("SELECT 1 FROM pg_database WHERE datname='erp'")
            if not there:
                await admin.execute("CREATE DATABASE erp")
        finally:
            await admin.close()
        books = await asyncpg.connect(self.direct)
        try:
            # Schema and seed in one transaction: a start that was killed is begun anew by the next.
            async with books.transaction():
                if await books.fetchval("SELECT to_regclass('kunde') IS NULL"):
                    await books.execute(_SCHEMA.read_text())
                    await _fill(books, seed(self._orders))
        finally:
            await books.close()

    async def _stop(self) -> None:
        if self._postgres is not None:
            await self._postgres.stop()

    async def _open_door(self) -> None:
        self._server = await asyncio.start_server(self._client, self.host, self.port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close_door(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._postgres is not None
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            from_server, upstream = await asyncio.open_connection("127.0.0.1", self._postgres.port)
            ways = {
                asyncio.create_task(self._pump(reader, upstream, answers=False)),
                asyncio.create_task(self._pump(from_server, writer, answers=True)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the door closes; asyncio's streams log a cancelled handler as an error
        except OSError:
            pass  # the server is stopping: the client sees its connection cut
        finally:
            self._pipes.discard(task)
            writer.transport.abort()
            if upstream is not None:
                upstream.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        tail = b""
        while data := await source.read(65536):
            if answers:
                # The message may be split between two reads.
                if _COMMITTED in tail + data and self.dice.drops():
                    return
                tail = data[-len(_COMMITTED) + 1 :]
            else:
                await self.dice.wait()
            target.write(data)
            await target.drain()

    async def holdings(self) -> dict[str, Any]:
        queries = {
            "holds": "SELECT kv_id, kd_nr, betrag::text, auftrag_nr, status_cd FROM kreditvormerk ORDER BY kv_id",
            "reservations": "SELECT res_id, auftrag_nr, art_nr, lager_cd, menge, status_cd FROM reservierung ORDER BY res_id",
            "ledger": "SELECT bu_nr, kd_nr, beleg, sh_kz, betrag::text FROM buchung ORDER BY bu_nr",
        }
        books = await asyncpg.connect(self.direct)
        try:
            return {name: [dict(row) for row in await books.fetch(query)] for name, query in queries.items()}
        finally:
            await books.close()


async def _fill(books: Any, data: Seed) -> None:
    await books.executemany(
        "INSERT INTO land (land_bez) VALUES ($1)",
        [(country,) for country in sorted({a.country for a in data.accounts})],
    )
    lands = {row[1]: row[0] for row in await books.fetch("SELECT land_kz, land_bez FROM land")}
    await books.execute("INSERT INTO lagerort VALUES (1, 'Hauptlager'), (2, 'Aussenlager')")
    goods = [product for product in data.products if not product.charge]
    tables: dict[str, list[tuple[Any, ...]]] = {
        "kunde": [(int(a.customer), f"Kunde {a.customer}", "J" if a.blocked else "N") for a in data.accounts],
        "kunde_adr": [(int(a.customer), kind, lands[a.country]) for a in data.accounts for kind in "RL"],
        "kreditkonto": [(int(a.customer), a.limit) for a in data.accounts],
        "artikel": [(p.code, 2 if p.charge else 1) for p in data.products],
        "artikel_bez": [(p.code, at, bez) for p in data.products for at, bez in enumerate(p.descriptions, 1)],
        "preisliste": [(1, p.code, p.price) for p in data.products],
        # All that the orders need lies in the main store; the outer one holds a little of everything.
        "bestand": [row for p in goods for row in ((p.code, 1, p.stock, 0), (p.code, 2, 5, 0))],
    }
    for table, rows in tables.items():
        await books.copy_records_to_table(table, records=rows)
