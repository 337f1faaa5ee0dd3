"""The sftp of the jobs: batches of commands, carried out over real SFTP; and the share of finance."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import msgspec

__all__ = ["FinanceShare", "Transfers"]


class FinanceShare:
    """``files.acme.intern``: an SFTP server with one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> FinanceShare:
        (self._folder / "finance").mkdir(parents=True, exist_ok=True)

        class Anyone(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                del username
                return False

        def files(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=os.fsencode(self._folder))

        self._acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], server_factory=Anyone,
            sftp_factory=files, allow_scp=False, config=[],
        )  # fmt: skip
        self.port = self._acceptor.get_port()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()


class Transfers:
    """Carries out the batches that ``bin/sftp`` hands over; ``hosts``: port, user and password by name."""

    def __init__(self, hosts: dict[str, tuple[int, str, str]]) -> None:
        self._hosts = hosts
        self.port = 0

    async def __aenter__(self) -> Transfers:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ask = msgspec.json.decode(await reader.read())
        code, error = 0, ""
        try:
            await self._batch(ask["host"], Path(ask["folder"]), ask["batch"])
        except (OSError, asyncssh.Error) as failed:
            code, error = 255 if isinstance(failed, asyncssh.DisconnectError | OSError) else 1, str(failed)
        writer.write(msgspec.json.encode({"code": code, "error": error}))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def _batch(self, host: str, folder: Path, batch: str) -> None:
        port, user, password = self._hosts[host]
        async with (
            asyncssh.connect("127.0.0.1", port, username=user, password=password, known_hosts=None, config=[], agent_path=None) as ssh,
            ssh.start_sftp_client() as files,
        ):  # fmt: skip
            for lenient, words in _commands(batch):
                if words[0] == "lcd":
                    folder = folder / words[1]
                    continue
                try:
                    await _do(files, folder, words)
                except asyncssh.SFTPNoSuchFile:
                    if not lenient:
                        raise


def _commands(batch: str) -> Iterator[tuple[bool, list[str]]]:
    """Each command; a leading ``-`` means that what is not there is no error."""
    for line in batch.splitlines():
        if line.strip():
            yield line.startswith("-"), line.removeprefix("-").split()


async def _do(files: asyncssh.SFTPClient, folder: Path, words: list[str]) -> None:
    match words:
        case ["put", local, remote]:
            await files.put(str(folder / local), remote)
        case ["rename", old, new]:
            await files.posix_rename(old, new)
        case ["get", pattern]:
            for name in await _glob(files, pattern):
                await files.get(name, str(folder / name.rpartition("/")[2]))
        case ["rm", pattern]:
            for name in await _glob(files, pattern):
                await files.remove(name)
        case _:
            raise OSError(f"sftp: {' '.join(words)} is not known here")


async def _glob(files: asyncssh.SFTPClient, pattern: str) -> list[str]:
    within, _, leaf = pattern.rpartition("/")
    found = sorted(str(n) for n in await files.listdir(within) if fnmatch.fnmatch(str(n), leaf))
    if not found:
        raise asyncssh.SFTPNoSuchFile(f"{pattern} not found")
    return [f"{within}/{name}" for name in found]
