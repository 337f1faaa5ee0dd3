"""A real SFTP server with folders on this disk; behind it faults can be switched on."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Self

import asyncssh

__all__ = ["PASSWORD", "USER", "SftpServer"]

USER, PASSWORD = "ware", "s3cret-of-the-drop"


class SftpServer:
    """Use ``async with``. ``full``: the disk has no room for more than so many bytes of a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)
        self.full: int | None = None
        self.now = self.most = 0
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"sftp://{USER}@127.0.0.1:{self.port}/"

    def known_hosts(self, file: Path, port: int | None = None) -> str:
        """A file that says who this server is, seen at this port."""
        file.write_text(f"[127.0.0.1]:{port or self.port} {self.key.export_public_key().decode().strip()}\n")
        return str(file)

    async def __aenter__(self) -> Self:
        self._acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.key], server_factory=lambda: _Login(self), config=[],
            sftp_factory=lambda channel: _Files(channel, self), allow_scp=False,
        )  # fmt: skip
        self.port = self._acceptor.get_port()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        await self._acceptor.wait_closed()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: SftpServer) -> None:
        self._server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == self._server.client_key.convert_to_public()


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: Any, server: SftpServer) -> None:
        super().__init__(channel, chroot=str(server.root).encode())
        self._server = server

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        if self._server.full is not None and offset + len(data) > self._server.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(file_obj, offset, data)
