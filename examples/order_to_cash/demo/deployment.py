"""The deployment of the demo: ``levada up`` as a process tree, its key, its workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from levada.deployment.adminsocket import AdminClient

__all__ = ["Deployment"]

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


class Deployment:
    """``levada up`` on a copy of the example's configuration in a folder of its own."""

    def __init__(
        self, folder: Path, environment: dict[str, str], *, overlay: str | None, workers: int, port: int
    ) -> None:
        self.folder = folder / "network"
        self._environment = environment
        self._overlay = overlay
        self._workers = workers
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.admin: AdminClient
        self.key = ""
        self.apis: list[tuple[str, str]] = []

    async def __aenter__(self) -> Deployment:
        self.folder.mkdir(parents=True)
        for file in HERE.glob("levada*.toml"):
            shutil.copy(file, self.folder)
        command = [
            sys.executable,
            "-m",
            "levada",
            "up",
            "--config",
            str(self.folder),
            "--json",
            "--port",
            str(self._port),
            "--workers",
            str(self._workers),
        ]
        if self._overlay:
            command += ["--env", self._overlay]
        env = {
            **os.environ,
            **self._environment,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        log = (self.folder / "levada.log").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=log
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise RuntimeError(
                f"levada up did not start: {(self.folder / 'levada.log').read_text(errors='replace')[-1500:]}"
            )
        ready = json.loads(line)
        self.url = ready["gateway"]
        self.apis = [(name, url) for name, url in ready["apis"]]
        self.admin = AdminClient(Path(ready["admin"]))
        made = await self.do(
            "keys.create",
            consumer="demo-phone",
            product="sales/Storefront/v1",
            plan="phone",
            why="the demo sends its orders",
        )
        self.key = made["key"]
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(40):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def do(self, action: str, **arguments: Any) -> Any:
        """Do an action of the admin API."""
        return await self.admin.do(action, arguments, who="demo")

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        assert self._process is not None
        found: list[int] = []
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    if b"levada.deployment.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.append(int(child))
        return found

    def kill_a_worker(self) -> int:
        """SIGKILL one worker, as a machine that runs out of memory does; its process id."""
        pid = self.workers()[0]
        os.kill(pid, signal.SIGKILL)
        return pid
