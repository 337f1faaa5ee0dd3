"""HTTP by uvicorn on sockets that somebody else has bound; a stop cuts no request in flight."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from levada._errors import LevadaError
from levada.app.uvicorn import HttpProtocol

__all__ = ["AddressTaken", "check_tcp", "listen_tcp", "listen_unix", "serve_http"]


class AddressTaken(LevadaError, code="LV1206"):
    """Cannot listen on {address}: {reason}. {mend}."""


_MENDS = {
    errno.EADDRINUSE: "Stop what listens there, or choose another port: --port N",
    errno.EACCES: "Choose a port above 1023: --port N",
}


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has more to stop than HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_http(
    asgi: Any, sockets: Sequence[socket.socket], stop: asyncio.Event, *, drain: float
) -> None:
    """Serve until ``stop`` is set; then take no new connection and wait ``drain`` seconds for what is in flight."""
    config = uvicorn.Config(
        asgi,
        loop="none",
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=max(1, round(drain)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(list(sockets)), name="levada http")
    stopping = asyncio.create_task(stop.wait(), name="levada http stop")
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is a free one.

    Raises:
        AddressTaken: The address is used, or is none of this machine.
    """
    made = _bound(host, port)
    made.setblocking(False)
    return made


def check_tcp(host: str, port: int) -> None:
    """Whether a gateway could listen there, before anything is begun for it.

    Raises:
        AddressTaken: As of `listen_tcp`.
    """
    _bound(host, port, shared=True).close()


def _bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """``shared``: beside others that share the port, as an Envoy does with one that is about to end."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared and hasattr(socket, "SO_REUSEPORT"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
        if not shared:
            made.listen(2048)
    except OSError as error:
        made.close()
        mend = _MENDS.get(error.errno or 0, "State an address of this machine as host")
        reason = error.strerror or str(error)
        raise AddressTaken(address=f"{host}:{port}", reason=reason, mend=mend) from None
    return made


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket of mode 0600; one that a dead process left there is replaced."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        made.bind(str(path))
        path.chmod(0o600)
        made.listen(2048)
    except OSError as error:
        made.close()
        mend = "Make its folder one that this user may write in"
        raise AddressTaken(address=str(path), reason=error.strerror or str(error), mend=mend) from None
    made.setblocking(False)
    return made
