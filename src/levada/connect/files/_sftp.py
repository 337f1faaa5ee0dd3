"""A folder behind SFTP, through asyncssh."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from posixpath import join
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from levada.connect._timing import budget
from levada.connect.errors import ExtraMissing, SettingsError, Unavailable
from levada.connect.files._places import Entry, lost
from levada.connect.files._settings import DropSettings
from levada.connect.files.errors import AlreadyThere, FileRefused, Gone
from levada.connect.secrets import Secret, without

try:
    import asyncssh
    from asyncssh.constants import FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN
except ImportError:
    raise ExtraMissing(what="SFTP", extra="sftp") from None

__all__ = ["Sftp"]

T = TypeVar("T")

_FILES = (FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN)
_GONE = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.ConnectionLost,
    asyncssh.DisconnectError,
    OSError,
)
_FOR_NOW = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)


class Sftp:
    """One connection, opened when it is needed and again when it was lost."""

    def __init__(self, name: str, settings: DropSettings) -> None:
        self._name = name
        self._settings = settings
        self._url = Secret(settings.url)
        self._free = asyncio.Semaphore(settings.pool)
        self._opening = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        if settings.known_hosts is None:
            raise SettingsError(
                resource=name,
                reason="`known_hosts` is missing, and an unknown host could be anybody.",
                mend='Write known_hosts = "path" (from ssh-keyscan, checked), or "off" in a test.',
            )

    async def start(self) -> None:
        """Nothing to make ready: the first use connects."""

    async def stop(self) -> None:
        """Close the connection."""
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

    async def entries(self, folder: str) -> list[Entry]:
        """The files of a folder."""

        async def work(client: asyncssh.SFTPClient, root: str) -> list[Entry]:
            try:
                found = await client.readdir(join(root, folder))
            except asyncssh.SFTPNoSuchFile:
                if folder:
                    return []
                raise
            files = [f for f in found if f.attrs.type in _FILES]
            return [_entry(str(f.filename), f.attrs) for f in files]

        return await self._do(work, safe=True)

    async def entry(self, path: str) -> Entry | None:
        """One file, or None."""

        async def work(client: asyncssh.SFTPClient, root: str) -> Entry | None:
            try:
                attributes = await client.lstat(join(root, path))
            except asyncssh.SFTPNoSuchFile:
                return None
            return _entry(path, attributes) if attributes.type in _FILES else None

        return await self._do(work, safe=True)

    async def read(self, path: str) -> bytes:
        """All of a file."""

        async def work(client: asyncssh.SFTPClient, root: str) -> bytes:
            async with client.open(join(root, path), "rb") as file:
                return bytes(await file.read())

        return await self._do(work, safe=True)

    async def write(self, path: str, data: bytes) -> None:
        """Write a new file, and bring it to the disk where the server can."""

        async def work(client: asyncssh.SFTPClient, root: str) -> None:
            try:
                async with client.open(join(root, path), "xb") as file:
                    await file.write(data)
                    with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                        await file.fsync()  # an extension of OpenSSH's; without it the server decides
            except asyncssh.SFTPFailure as error:
                # Version 3 of the protocol has no code for a full disk.
                with contextlib.suppress(asyncssh.SFTPError):
                    await client.remove(join(root, path))
                raise Unavailable(resource=self._name, reason=f"{error.reason.rstrip('.')}.") from None

        await self._do(work)

    async def move(self, path: str, to: str, *, unique: bool = False) -> None:
        """Rename in one step, never over another file (that is SSH_FXP_RENAME; posix_rename would replace)."""
        del unique  # the protocol has the one rename

        async def work(client: asyncssh.SFTPClient, root: str) -> None:
            try:
                await client.rename(join(root, path), join(root, to))
            except asyncssh.SFTPFailure:
                # Version 3 of the protocol has no code for "exists": ask.
                if await client.exists(join(root, to)):
                    raise AlreadyThere(resource=self._name, fault="exists", reason=f"{to}.") from None
                raise

        await self._do(work)

    async def remove(self, path: str) -> None:
        """Remove a file."""

        async def work(client: asyncssh.SFTPClient, root: str) -> None:
            try:
                await client.remove(join(root, path))
            except asyncssh.SFTPNoSuchFile:
                return

        await self._do(work)

    async def folder(self, path: str) -> None:
        """Make a folder."""

        async def work(client: asyncssh.SFTPClient, root: str) -> None:
            if not await client.isdir(join(root, path)):
                await client.makedirs(join(root, path), exist_ok=True)

        await self._do(work)

    async def _do(self, work: Callable[[asyncssh.SFTPClient, str], Awaitable[T]], *, safe: bool = False) -> T:
        limit, begun = budget(self._settings.timeout), False
        try:
            async with asyncio.timeout(limit), self._free:
                client, root = await self._ready()
                begun = True
                return await work(client, root)
        except TimeoutError:
            if begun:
                await self._drop()
            raise lost(self._name, f"no answer within {limit:.3g} s.", safe or not begun) from None
        except asyncssh.SFTPNoSuchFile as error:
            raise Gone(resource=self._name, fault="no such file", reason=f"{error.reason}.") from None
        except asyncssh.SFTPFileAlreadyExists as error:
            raise AlreadyThere(resource=self._name, fault="exists", reason=f"{error.reason}.") from None
        except _FOR_NOW as error:
            raise Unavailable(resource=self._name, reason=f"{error.reason}.") from None
        except _GONE as error:
            await self._drop()
            raise lost(self._name, f"{str(error).rstrip('.') or 'connection lost'}.", safe) from None
        except asyncssh.SFTPError as error:
            raise FileRefused(resource=self._name, fault=str(error.code), reason=f"{error.reason}.") from None

    async def _ready(self) -> tuple[asyncssh.SFTPClient, str]:
        async with self._opening:
            url = urlsplit(self._url.reveal())
            # As in other SFTP URLs: /~/in is below the login's own folder.
            root = unquote(url.path).removeprefix("/~/") or "."
            if self._client is None:
                self._client = await self._open(url)
            return self._client, root

    async def _open(self, url: Any) -> asyncssh.SFTPClient:
        s = self._settings
        password = Secret(s.password).reveal() if s.password else url.password and unquote(url.password)
        keys = [self._private_key(s.key)] if s.key else None
        try:
            self._connection = await asyncssh.connect(
                url.hostname,
                url.port or 22,
                username=unquote(url.username or ""),
                password=password,
                client_keys=keys,
                known_hosts=None if s.known_hosts == "off" else s.known_hosts,
                config=[],  # nothing of the user's own ~/.ssh
                agent_path=None,
                connect_timeout=s.connect_timeout,
                keepalive_interval=30,
            )
            # Names are bytes there: one that is no UTF-8 must not hide all others.
            return await self._connection.start_sftp_client(path_errors="surrogateescape")
        except (asyncssh.Error, OSError, TimeoutError) as error:
            await self._drop()
            reason = without(str(error) or "no connection in time", password or "")
            raise Unavailable(resource=self._name, reason=f"{reason.rstrip('.')}.") from None

    def _private_key(self, reference: str) -> asyncssh.SSHKey:
        try:
            return asyncssh.import_private_key(Secret(reference).reveal())
        except asyncssh.KeyImportError as error:
            raise SettingsError(
                resource=self._name,
                reason=f"`key` ({reference}) is no private key without a passphrase: {error}.",
                mend="Name one in OpenSSH's or PEM's format.",
            ) from None

    async def _drop(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()


def _entry(name: str, attributes: asyncssh.SFTPAttrs) -> Entry:
    return Entry(name, attributes.size or 0, float(attributes.mtime or 0))
