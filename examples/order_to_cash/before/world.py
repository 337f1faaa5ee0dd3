"""Ten days of the landscape before Levada: customers order, cron runs the jobs, things go wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from examples.order_to_cash.before.cron import Job, read_crontab, runs
from examples.order_to_cash.before.front import Clock, Front, read_site
from examples.order_to_cash.before.incidents import INCIDENTS, Incident
from examples.order_to_cash.before.machines import Calls, Machines, Shop
from examples.order_to_cash.before.pains import Pains, pains
from examples.order_to_cash.before.transfer import FinanceShare, Transfers
from examples.order_to_cash.demo.systems import Systems
from examples.order_to_cash.legacy.payments import Payments
from examples.order_to_cash.legacy.warehouse import PASSWORD, USER
from examples.order_to_cash.orders import Invoice, read
from msgspec import Struct

__all__ = ["BEGINS", "ENDS", "SHIFT", "Lived", "live"]

SHIFT = timedelta(days=2)
"""The feed's days are taken two days earlier, so that a month ends among them: 1 December is 29 November."""
BEGINS = datetime(2010, 11, 29, tzinfo=UTC)
ENDS = datetime(2010, 12, 9, tzinfo=UTC)
SCALE = 0.1
"""Seconds that a second of a time-out takes: the days are compressed, and so is patience."""
_NEVER = 0.1
_OPTIONS = {
    "payments": ("--delay", "0", "0", "--never", str(_NEVER)),
    "warehouse": ("--delay", "0", "0"),
}
_DESK = Job("desk", "controlling.xlsm", ())

Progress = Callable[[datetime, int], None]
"""Called with the time in the landscape and the jobs run so far."""


class Lived(Struct, frozen=True):
    """What ten days left."""

    landscape: Path
    calls: Calls
    pains: Pains
    orders: int
    jobs: int
    seconds: float


async def live(folder: Path, orders: Path, progress: Progress | None = None, *, calm: bool = False) -> Lived:
    """Run the landscape in ``folder`` (which must be new) and count what came of it.

    ``calm``: nothing goes wrong but what lies in the landscape itself.
    """
    began = time.monotonic()
    invoices = read(orders)
    machines = Machines(folder)
    (folder / "systems").mkdir()
    systems = Systems(
        folder / "systems", orders, names=("erp", "billing", "warehouse", "payments"), options=_OPTIONS
    )
    async with systems, FinanceShare(folder / "files.acme.intern") as share:
        clock = Clock(BEGINS)
        sites = {}
        for name in ("billing", "payments"):
            site = read_site(machines.landscape / name / "nginx" / f"{name}.conf")
            sites[site.name] = (site, systems.ready[name]["address"])
        warehouse = int(systems.ready["warehouse"]["address"].rpartition(":")[2])
        hosts = {
            "sftp.lager-nord.example": (warehouse, USER, PASSWORD),
            "files.acme.intern": (share.port, "erp", ""),
        }
        async with Front(sites, clock.now, SCALE) as front, Transfers(hosts) as transfers:
            environment = machines.environment({
                "PGPORT": systems.ready["erp"]["address"].rpartition(":")[2].partition("/")[0],
                "BEFORE_WEB": str(front.port), "BEFORE_SFTP": str(transfers.port), "BEFORE_SCALE": str(SCALE),
            })  # fmt: skip
            await _install(
                systems.ready["erp"]["direct"], (machines.landscape / "webshop" / "tables.sql").read_text()
            )
            async with Shop(machines.landscape / "webshop", environment) as shop:
                world = _World(machines, systems, shop, front, clock, environment)
                jobs = await world.days(_timeline(machines.landscape, invoices, calm=calm), progress)
            result = await pains(systems)
    machines.clear()
    calls = {
        **machines.calls(),
        ("webshop", "erp-db.acme.intern"): (shop.orders, 0),
        (_DESK.name, "payments.acme.intern"): (world.asked_from_desk, 0),
    }
    return Lived(machines.landscape, calls, result, shop.orders, jobs, time.monotonic() - began)


def _timeline(landscape: Path, invoices: Sequence[Invoice], *, calm: bool) -> list[tuple[datetime, int, Any]]:
    """Orders, incidents and runs by time; in one minute the order of this sentence counts."""
    jobs = [job for crontab in sorted(landscape.glob("*/crontab")) for job in read_crontab(crontab)]
    events: list[tuple[datetime, int, Any]] = [(i.placed_at - SHIFT, 0, i) for i in invoices]
    events += [(incident.at, 1, incident) for incident in INCIDENTS if not calm]
    events += [(at, 2, job) for at, job in runs(jobs, BEGINS, ENDS)]
    events += [(BEGINS + timedelta(days=n, hours=9), 2, _DESK) for n in range((ENDS - BEGINS).days)]
    return sorted((e for e in events if BEGINS <= e[0] < ENDS), key=lambda e: e[:2])


class _World:
    def __init__(
        self,
        machines: Machines,
        systems: Systems,
        shop: Shop,
        front: Front,
        clock: Clock,
        environment: dict[str, str],
    ) -> None:
        self._machines, self._systems, self._shop, self._front = machines, systems, shop, front
        self._clock, self._environment = clock, environment
        self._payments = Payments(Path(), never=_NEVER)
        self.asked_from_desk = 0

    async def days(self, timeline: Sequence[tuple[datetime, int, Any]], progress: Progress | None) -> int:
        jobs = 0
        for at, _, event in timeline:
            self._clock.set(at)
            if isinstance(event, Invoice):
                await self._shop.order(event, at)
            elif isinstance(event, Incident):
                await self._systems.heal(event.system)
                if event.faults:
                    await self._systems.fault(event.system, **event.faults)
            elif event is _DESK:
                await self._desk()
            else:
                before = self._machines.asked()
                await self._machines.run(event, at, self._environment)
                if self._machines.asked() != before:
                    await self._settle()
                jobs += 1
                if progress:
                    progress(at, jobs)
        return jobs

    async def _desk(self) -> None:
        """A macro on somebody's desk asks payments for its list, every morning; no list of interfaces knows of it."""
        headers = {"Host": "payments.acme.intern", "User-Agent": "Controlling-Excel/14.0"}
        url = f"http://127.0.0.1:{self._front.port}/payment-requests"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            await answer.read()
        self.asked_from_desk += 1

    async def _settle(self) -> None:
        """Until the warehouse and the payers have done what they were asked: in their world hours have passed."""
        files = Path(self._systems.ready["warehouse"]["files"])
        async with asyncio.timeout(60):
            while any((files / "in").iterdir()) or await self._owed():  # noqa: ASYNC110 - other systems: only what they hold tells
                await asyncio.sleep(0.05)

    async def _owed(self) -> bool:
        held = await self._systems.holdings("payments")
        if any(r["status"] == "open" and self._payments.pays(r["customer"]) for r in held["requests"]):
            return True
        return any(not d["written"] for d in (await self._systems.holdings("warehouse"))["dispatches"])


async def _install(erp: str, tables: str) -> None:
    """The shop's tables in the ERP's database, and the data warehouse beside it on the same server."""
    import asyncpg

    books = await asyncpg.connect(erp)
    try:
        await books.execute(tables)
        await books.execute("CREATE ROLE webshop SUPERUSER LOGIN")
        await books.execute("CREATE DATABASE dwh")
    finally:
        await books.close()
    dwh = await asyncpg.connect(erp.removesuffix("/erp") + "/dwh")
    try:
        await dwh.execute(
            "CREATE TABLE sales (auftrag_nr text, kd_nr int, land text, art_nr text, menge int, preis numeric, bestellt timestamp)"
        )
    finally:
        await dwh.close()
