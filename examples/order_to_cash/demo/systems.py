"""The legacy systems of the demo, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["Systems"]


class Systems:
    """Starts the legacy systems, switches their faults, reads what they hold, ends them."""

    def __init__(
        self,
        folder: Path,
        orders: Path,
        *,
        names: tuple[str, ...],
        options: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """``options``: more of each system's command line, by name, in place of the demo's own."""
        self._options = options
        self.folder = folder
        self.orders = orders
        self.names = names
        self.ready: dict[str, dict[str, Any]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.webhook_port = int(free.getsockname()[1])

    async def __aenter__(self) -> Systems:
        try:
            await asyncio.gather(*(self._start(name) for name in self.names))
        except BaseException:
            await self.__aexit__()
            raise
        await self._sales_database()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _start(self, name: str) -> None:
        more = (
            self._options.get(name, ())
            if self._options is not None
            else {
                "payments": [
                    "--webhook",
                    f"http://127.0.0.1:{self.webhook_port}/webhooks/payments",
                    "--delay",
                    "0.2",
                    "1.5",
                ],
                "warehouse": ["--delay", "0.5", "2.0", "--partial", "0.05"],
            }.get(name, [])
        )
        log = (self.folder / f"{name}.log").open("wb")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "examples.order_to_cash.legacy", name, "--dir", str(self.folder), "--orders", str(self.orders), *more,
            stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
        self._processes[name] = process
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            said = (self.folder / f"{name}.log").read_text(errors="replace")[-800:]
            raise RuntimeError(f"The legacy system {name} did not start: {said}")
        self.ready[name] = json.loads(line)

    async def _sales_database(self) -> None:
        """The sales domain's own database lies on the same server as the old ERP's, beside it."""
        import asyncpg

        connection = await asyncpg.connect(self.ready["erp"]["direct"])
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'sales'"):
                await connection.execute("CREATE DATABASE sales")
        finally:
            await connection.close()

    def environment(self) -> dict[str, str]:
        """What ``levada.toml`` refers to."""
        host = self.ready["warehouse"]["address"].rpartition("@")[2]
        found = {
            "ERP_URL": self.ready["erp"]["address"],
            "SALES_URL": self.ready["erp"]["direct"].removesuffix("/erp") + "/sales",
            "BILLING_WSDL": self.ready["billing"]["wsdl"],
            "PAYMENTS_URL": self.ready["payments"]["address"],
            "PAYMENTS_SECRET": "whsec-demo",
            "PAYMENTS_WEBHOOK_PORT": str(self.webhook_port),
            "WAREHOUSE_IN": f"sftp://levada@{host}/in",
            "WAREHOUSE_OUT": f"sftp://levada@{host}/out",
            "WAREHOUSE_PASSWORD": "levada",
        }
        if "erp2" in self.ready:
            found["ERP2_URL"] = self.ready["erp2"]["address"]
        return found

    async def fault(self, name: str, **switches: object) -> None:
        """Switch faults of a system."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.ready[name]['control']}/faults", json=switches) as response,
        ):
            response.raise_for_status()

    async def heal(self, name: str) -> None:
        """Switch all faults of a system off."""
        async with (
            aiohttp.ClientSession() as session,
            session.delete(f"{self.ready[name]['control']}/faults") as response,
        ):
            response.raise_for_status()

    async def holdings(self, name: str) -> dict[str, Any]:
        """All that a system holds, read past its faults."""
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{self.ready[name]['control']}/holdings") as response,
        ):
            response.raise_for_status()
            return json.loads(await response.read())
