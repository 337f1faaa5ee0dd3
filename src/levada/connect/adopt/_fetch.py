"""Descriptions by address or file, with limits: what they refer to comes from the same place or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import aiohttp

from levada.connect._basic import basic
from levada.connect.adopt.errors import NotFetched
from levada.connect.secrets import Secret, is_reference

__all__ = ["Place", "shown"]

LARGEST = 32 << 20
"""Bytes of all documents together; the largest public descriptions have about ten million."""
MOST = 200
"""Documents at addresses that one description may consist of; files are bounded by their size alone."""
SECONDS = 30.0
"""For one document, from connecting to its last byte."""


def shown(source: str) -> str:
    """An address as it may be shown: without user, password and the values of its query."""
    if not _is_url(source):
        return source
    parts = urlsplit(source)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(f"{k}=***" if v else k for k, v in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


class Place:
    """Where a description is, and all that may be read on its account.

    A document at an address may refer to others of the same host; a file to files in its
    folder and below; ``also`` names further hosts and folders.

    Args:
        source: An address, a file, or a reference (``env:NAME``) to an address.
        also: Hosts and folders that it may refer to besides.
    """

    def __init__(self, source: str, also: tuple[str, ...] = ()) -> None:
        self.reference = source if source.startswith("env:") else None
        # `file:path` is a file here: what it holds is the description itself.
        plain = source.removeprefix("file://").removeprefix("file:") if source.startswith("file:") else source
        self.root = Secret(plain).reveal() if is_reference(plain) else plain
        self.shown = self.reference or shown(self.root)
        self._hosts = {urlsplit(self.root).netloc.rpartition("@")[2]} if _is_url(self.root) else set[str]()
        self._folders = [] if _is_url(self.root) else [Path(self.root).resolve().parent]
        for each in also:
            if Path(each).is_dir():
                self._folders.append(Path(each).resolve())
            else:
                self._hosts.add(each)
        self._bytes = 0
        self._read: dict[str, bytes] = {}

    @property
    def is_url(self) -> bool:
        """Whether it is an address rather than a file."""
        return _is_url(self.root)

    def first(self) -> bytes:
        """The description itself.

        Raises:
            NotFetched: It cannot be read.
        """
        return self.load(self.root)

    def load(self, where: str) -> bytes:
        """A document that the description refers to, by its absolute address or path.

        Raises:
            NotFetched: It may not be read, cannot be, or there is too much.
        """
        if where in self._read:
            return self._read[where]
        if _is_url(where) and len(self._read) >= MOST:
            raise NotFetched(
                place=self.shown,
                reason=f"it consists of more than {MOST} documents",
                mend="Give a smaller one",
            )
        if _is_url(where):
            self._check_host(where)
            found = asyncio.run(self._get(where))
        else:
            found = self._file(where)
        self._bytes += len(found)
        self._check_size(self._bytes)
        self._read[where] = found
        return found

    def _check_size(self, size: int) -> None:
        if size > LARGEST:
            raise NotFetched(
                place=self.shown,
                reason=f"it has more than {LARGEST >> 20} MiB",
                mend="Give a part of it",
            )

    def _check_host(self, where: str) -> None:
        host = urlsplit(where).netloc.rpartition("@")[2]
        if host not in self._hosts:
            raise NotFetched(
                place=shown(where),
                reason=f"{self.shown} refers to another host, {host}",
                mend=f"If it may be asked, say --also {host}",
            )

    def _file(self, where: str) -> bytes:
        path = Path(unquote(where.removeprefix("file://")) if where.startswith("file://") else where)
        whole = path.resolve()
        if not any(whole.is_relative_to(folder) for folder in self._folders):
            raise NotFetched(
                place=str(path),
                reason=f"{self.shown} refers to a file in another folder",
                mend=f"If it may be read, say --also {path.parent}",
            )
        try:
            self._check_size(whole.stat().st_size)
            return whole.read_bytes()
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise NotFetched(place=str(path), reason=reason.lower(), mend="Check the path") from None

    async def _get(self, where: str) -> bytes:
        parts = urlsplit(where)
        headers = (
            {"authorization": basic(unquote(parts.username), unquote(parts.password or ""))}
            if parts.username
            else {}
        )
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        try:
            async with (
                asyncio.timeout(SECONDS),
                aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(total=None)) as session,
                session.get(bare, headers=headers, allow_redirects=False) as answer,
            ):
                return await self._body(where, answer)
        except TimeoutError:
            reason = f"no whole answer within {SECONDS:.0f} s"
        except aiohttp.ClientConnectorError as error:
            reason = (error.os_error.strerror or "no connection").lower()
        except (aiohttp.ClientError, ValueError) as error:
            reason = f"the answer cannot be read ({type(error).__name__})"
        raise NotFetched(place=shown(where), reason=reason, mend="Check the address") from None

    async def _body(self, where: str, answer: aiohttp.ClientResponse) -> bytes:
        if 300 <= answer.status < 400:
            target = shown(answer.headers.get("location", "elsewhere"))
            raise NotFetched(place=shown(where), reason=f"it sends on to {target}", mend="Give that address")
        if answer.status != 200:
            mend = "Give it credentials: https://user:password@host/… in a variable, as env:NAME"
            raise NotFetched(
                place=shown(where),
                reason=f"the answer is {answer.status}",
                mend=mend if answer.status in (401, 403) else "Check the address",
            )
        found = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            found += chunk
            self._check_size(self._bytes + len(found))
        return bytes(found)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))
