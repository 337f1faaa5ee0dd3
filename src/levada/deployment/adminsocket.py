"""The admin API over a Unix socket of mode 0600: ``POST /-/admin/{action}`` with JSON.

The request is ``{"who": "anna", "arguments": {…}, "dry_run": false}``, the answer ``{"result": …}`` or
``{"error": {"code": "LV1205", "message": "…"}}``. Who can open the socket is who may do
everything: it has the rights of the user that the deployment runs as.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import socket
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from levada._errors import LevadaError
from levada.deployment.admin import Admin

__all__ = ["AdminClient", "AdminRefused", "AdminServer", "Does", "answers"]

log = logging.getLogger("levada.admin")

_LONGEST = 1 << 20
"""Bytes of a request."""


class AdminRefused(LevadaError):
    """What the deployment answered, with the code that it gave."""

    def __init__(self, message: str = "", *, code: str = "LV1205") -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc] - the code of the error that was refused with


class Does(Protocol):
    """Whatever does an action of the admin: the admin itself, or its socket."""

    async def do(self, action: str, arguments: dict[str, Any], *, who: str, dry_run: bool = False) -> Any:
        """Do an action, or only try whether it can be done; the result as plain data."""
        ...


class _Request(Struct):
    who: str
    arguments: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False


class AdminServer:
    """Serves an admin on a Unix socket, as a context manager."""

    def __init__(self, admin: Admin, path: Path) -> None:
        self._admin = admin
        self._path = path
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._inode = 0

    async def __aenter__(self) -> AdminServer:
        # Not above: whoever only asks loads no server.
        from levada.deployment.serve_http import listen_unix, serve_http

        bound = listen_unix(self._path)
        self._inode = self._path.stat().st_ino
        self._task = asyncio.create_task(
            serve_http(self._serve, [bound], self._stop, drain=5), name="levada admin"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task
        # Not the socket of whoever came after us.
        if self._path.exists() and self._path.stat().st_ino == self._inode:
            self._path.unlink()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        if scope["method"] != "POST" or not path.startswith("/-/admin/"):
            await _answer(send, 404, {"error": {"code": "LV1205", "message": "POST /-/admin/{action}."}})
            return
        action = path.removeprefix("/-/admin/")
        try:
            asked = msgspec.json.decode(await _body(receive), type=_Request)
            result = await self._admin.do(action, asked.arguments, who=asked.who, dry_run=asked.dry_run)
        except msgspec.DecodeError as error:
            await _answer(send, 400, {"error": {"code": "LV1205", "message": f"The request: {error}."}})
        except LevadaError as error:
            await _answer(send, 409, {"error": {"code": error.code, "message": error.message}})
        except Exception:
            log.exception("admin_action_failed", extra={"action": action})
            message = f"{action} failed in the deployment; its log tells why."
            await _answer(send, 500, {"error": {"code": "LV1000", "message": message}})
        else:
            await _answer(send, 200, {"result": result})


class AdminClient:
    """Does actions through the socket of a running deployment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def do(self, action: str, arguments: dict[str, Any], *, who: str, dry_run: bool = False) -> Any:
        """Do an action, or only try whether it can be done.

        Raises:
            AdminRefused: What the deployment refused with.
        """
        body = msgspec.json.encode({"who": who, "arguments": arguments, "dry_run": dry_run})
        answer = await asyncio.to_thread(self._post, f"/-/admin/{action}", body)
        if "error" in answer:
            raise AdminRefused(answer["error"]["message"], code=answer["error"]["code"])
        return answer["result"]

    def _post(self, path: str, body: bytes) -> dict[str, Any]:
        connection = _UnixConnection(self._path)
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            return msgspec.json.decode(connection.getresponse().read(), type=dict[str, Any])
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise AdminRefused(
                f"The deployment did not answer on {self._path}: {error}. Look whether it runs."
            ) from None
        finally:
            connection.close()


def answers(path: Path) -> bool:
    """Whether somebody listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
        try:
            trying.connect(os.fspath(path))
        except OSError:
            return False
    return True


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("levada", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


async def _body(receive: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > _LONGEST:
            raise LevadaError("The request is longer than 1 MiB.")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Any, status: int, document: dict[str, Any]) -> None:
    body = msgspec.json.encode(document)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
