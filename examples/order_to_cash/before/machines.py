"""The machines of the landscape: copied into a folder, their jobs run as processes, their shop kept alive."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from examples.order_to_cash.before.cron import Job
from examples.order_to_cash.legacy.postgres import server_program
from examples.order_to_cash.orders import Invoice, Kind, account_of, classify

__all__ = ["Calls", "Machines", "Shop"]

_HERE = Path(__file__).parent
Calls = dict[tuple[str, str], tuple[int, int]]
"""Calls and failed ones by job and host."""


class Machines:
    """``folder/landscape`` is what ``levada map`` is shown; what counts the calls lies outside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.landscape = folder / "landscape"
        self._counters = folder / "calls.txt"
        shutil.copytree(_HERE / "landscape", self.landscape)
        self._counters.touch()
        for crontab in self.landscape.glob("*/crontab"):
            (crontab.parent / "log").mkdir()

    def environment(self, ports: dict[str, str]) -> dict[str, str]:
        """What a machine's processes see: our tools first in the path, and the ports in place of a DNS."""
        return {
            "PATH": f"{_HERE / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C", "LANG": "C",
            "PGHOSTADDR": "127.0.0.1", "PGSSLMODE": "disable", "BEFORE_PYTHON": sys.executable, "BEFORE_PSQL": str(server_program("psql")),
            "BEFORE_COUNTERS": str(self._counters), **ports,
        }  # fmt: skip

    async def run(self, job: Job, at: datetime, environment: dict[str, str]) -> int:
        """One run of a job as cron makes it: in the home folder, with ``sh -c``."""
        home = self.landscape / job.machine
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", job.command, cwd=home, stdin=asyncio.subprocess.DEVNULL,
            env={**environment, "HOME": str(home), "BEFORE_NOW": str(int(at.timestamp())), "BEFORE_JOB": job.name},
        )  # fmt: skip
        try:
            async with asyncio.timeout(300):
                return await process.wait()
        except BaseException:
            process.kill()
            await process.wait()
            raise

    def calls(self) -> Calls:
        """What the jobs' tools have counted."""
        made: Counter[tuple[str, str]] = Counter()
        failed: Counter[tuple[str, str]] = Counter()
        for line in self._counters.read_text().splitlines():
            job, _, host, code = line.split()
            made[job, host] += 1
            failed[job, host] += code != "0"
        return {key: (count, failed[key]) for key, count in made.items()}

    def asked(self) -> int:
        """Calls so far of those whose systems work on after they answered."""
        text = self._counters.read_text()
        return text.count(" payments.acme.intern ") + text.count(" sftp.lager-nord.example ")

    def clear(self) -> None:
        """Take away what no administrator would hand in: the jobs' scratch folders."""
        for machine in self.landscape.iterdir():
            for name in ("work", "state"):
                shutil.rmtree(machine / name, ignore_errors=True)


class Shop:
    """The web shop, started as its systemd unit says."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._home, self._environment = home, environment
        unit = dict(
            line.split("=", 1) for line in (home / "webshop.service").read_text().splitlines() if "=" in line
        )
        self._command = unit["ExecStart"].replace("%h", str(home)).split()
        self._settings = Path(unit["EnvironmentFile"].replace("%h", str(home)))
        self.orders = 0

    async def __aenter__(self) -> Shop:
        settings = dict(line.split("=", 1) for line in self._settings.read_text().splitlines() if "=" in line)
        (self._home / "log").mkdir()
        with (self._home / "log" / "shop.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._home, env={**self._environment, **settings},
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def order(self, invoice: Invoice, at: datetime) -> str:
        """A customer orders (or sends back); what the shop says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        kind = {Kind.SALE: "V", Kind.CANCELLATION: "G"}.get(classify(invoice).kind, "?")
        body = {
            "number": invoice.number, "kind": kind, "account": int(account_of(invoice)), "country": invoice.country,
            "placed": at.replace(tzinfo=None).isoformat(), "total": str(invoice.total),
            "lines": [(n.product, n.description[:60], n.quantity, str(n.price)) for n in invoice.lines],
        }  # fmt: skip
        self._process.stdin.write(json.dumps(body).encode() + b"\n")
        await self._process.stdin.drain()
        said = (await self._process.stdout.readline()).decode().strip()
        if not said:
            raise RuntimeError(f"The shop ended: {(self._home / 'log' / 'shop.log').read_text()[-800:]}")
        self.orders += 1
        return said
