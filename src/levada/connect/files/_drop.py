"""A folder in which systems leave files for each other."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import msgspec

from levada._errors import LevadaError
from levada.connect.errors import ConnectError, NotStarted, SettingsError
from levada.connect.files._abandoned import Claims
from levada.connect.files._claim import Taken, claim_name
from levada.connect.files._places import Entry, Folder, Place
from levada.connect.files._settings import DropSettings
from levada.connect.files.errors import AlreadyThere, DeliveryConflict, FileRefused, Gone
from levada.connect.resource import Health, settings_of
from levada.connect.secrets import Secret, mask

__all__ = ["Drop", "from_settings"]

log = logging.getLogger("levada.connect.files")

_MEND = "Rename the file, or correct the folder's rights"
_UNFINISHED = (".part", ".tmp", ".filepart")


class _Receipt(msgspec.Struct, frozen=True):
    digest: str
    staged: str
    format: int = 1


class Drop:
    """A folder, here or behind SFTP, in which files are left and picked up.

    Any number of workers, in any processes, may pick up from one drop: a file is claimed by
    renaming it into ``taken``, which succeeds for one of them. A worker that dies leaves its
    claim there; after ``lease`` seconds another takes it over. A file is therefore given to one
    worker at a time, and again only if the former never finished it. Whoever has effects
    elsewhere keys them by ``await file.key()``.
    """

    def __init__(self, url: str | DropSettings, *, name: str = "drop") -> None:
        self.settings = url if isinstance(url, DropSettings) else DropSettings(url=url)
        self._name = name
        self._place: Place | None = None
        self._seen: dict[str, tuple[int, float, float]] = {}
        self._refused: dict[str, str] = {}
        self._claims = Claims(self.settings.lease)

    @property
    def name(self) -> str:
        """Its name in ``levada.toml``."""
        return self._name

    async def start(self) -> None:
        """Make ready. Calling it twice is fine."""
        if self._place is None:
            self._place = _place(self._name, self.settings)
            await self._place.start()

    async def stop(self) -> None:
        """Let go. Calling it twice is fine."""
        place, self._place = self._place, None
        if place is not None:
            await place.stop()

    async def health(self) -> Health:
        """Whether the folder can be listed, and how many files lie in it and are under way."""
        began, detail, facts = time.perf_counter(), "", {}
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                place = self._ready()
                facts = {"waiting": len([e for e in await place.entries("") if self._named(e.name)])}
                facts["taken"] = len(await place.entries(self.settings.taken))
                facts["refused"] = len(self._refused)
        except (LevadaError, TimeoutError) as error:
            detail = mask(str(error)) or "no answer in time"
        return Health(self._name, "files", not detail, time.perf_counter() - began, detail, facts)

    async def deliver(self, name: str, data: bytes) -> None:
        """Leave a file, whole or not at all; the same name and content twice is once.

        The content is written under another name and renamed. Between the two a receipt is
        left that names it: a repeat finishes the rename if it did not happen, and does nothing
        if it did, though the receiver may have taken the file away.

        Raises:
            DeliveryConflict: The name was used before with other content.
            OutcomeUnknown: The connection was lost; deliver it again.
        """
        _check_name(name)
        place, digest = self._ready(), hashlib.sha256(data).hexdigest()
        receipt = await self._receipt(name)
        if receipt is None:
            if await self._is_there(name, data):
                return
            staged = f".{name}.{uuid4().hex[:12]}.part"
            await place.write(staged, data)
            try:
                receipt = await self._leave_receipt(name, _Receipt(digest, staged))
            except ConnectError as error:
                if error.outcome != "unknown":  # no receipt names it: it would lie there for good
                    with contextlib.suppress(ConnectError):
                        await place.remove(staged)
                raise
            if receipt.staged != staged:
                await place.remove(staged)  # another delivery of this name was faster
        if receipt.digest != digest:
            raise DeliveryConflict(resource=self._name, file=name)
        try:
            await place.move(receipt.staged, name)
        except Gone:
            return  # renamed already
        except AlreadyThere:
            await self._is_there(name, data)
            await place.remove(receipt.staged)

    async def pick_up(self, *, once: bool = False) -> AsyncGenerator[Taken]:
        """Files as they become ready, oldest first, each claimed for this worker.

        ::

            async for file in drop.pick_up():
                async with file:
                    data = await file.read()

        Args:
            once: End when no file is ready, rather than wait for more.
        """
        while True:
            found = False
            for path, name in await self._candidates():
                taken = await self._claim(path, name)
                if taken is None:
                    continue
                found = True
                try:
                    yield taken
                finally:
                    if not taken.entered and not taken.ended:
                        await asyncio.shield(asyncio.ensure_future(taken.put_back()))
            if once and not found:
                return
            await asyncio.sleep(0 if found and once else self.settings.poll)

    async def _candidates(self) -> list[tuple[str, str]]:
        """(path, name) of the files that may be claimed now: those of dead workers, then the new ones."""
        place, s = self._ready(), self.settings
        claims = self._claims.abandoned([entry.name for entry in await place.entries(s.taken)])
        left = [(f"{s.taken}/{claim}", name) for claim, name in claims]
        entries = await place.entries("")
        names = {entry.name for entry in entries}
        new = sorted((e for e in entries if self._named(e.name)), key=lambda e: (e.modified, e.name))
        ready = [(e.name, e.name) for e in new if self._is_whole(e, names)]
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        self._refused = {name: reason for name, reason in self._refused.items() if name in names}
        return left + ready

    def _named(self, name: str) -> bool:
        s = self.settings
        # A server may tell any name; one with a slash would lead out of the folder.
        if name.startswith(".") or "/" in name or name.lower().endswith(_UNFINISHED):
            return False
        if s.ready == "marker" and name.endswith(s.marker):
            return False
        return fnmatchcase(name, s.pattern)

    def _is_whole(self, entry: Entry, names: set[str]) -> bool:
        s = self.settings
        if s.ready == "renamed":
            return True
        if s.ready == "marker":
            return entry.name + s.marker in names
        # By our own clock: that of the file's host may stand anywhere.
        now = time.monotonic()
        size, modified, since = self._seen.get(entry.name, (-1, 0.0, now))
        if (size, modified) != (entry.size, entry.modified):
            since = now
        self._seen[entry.name] = entry.size, entry.modified, since
        return now - since >= s.settle

    async def _claim(self, path: str, name: str) -> Taken | None:
        place, s = self._ready(), self.settings
        for folder in (s.taken, s.done, s.failed):
            await place.folder(folder)
        claim = claim_name(name)
        try:
            await place.move(path, f"{s.taken}/{claim}", unique=True)
        except Gone:
            return None  # another worker was faster
        except FileRefused as error:
            self._refuse(name, error)
            return None
        entry = await place.entry(f"{s.taken}/{claim}")
        if entry is None:
            return None
        seen = self._seen.pop(name, None)
        taken = Taken(self._name, place, s, claim, name, entry.size)
        if path == name and seen is not None and seen[0] != entry.size:
            await taken.put_back()  # it grew between the look and the claim
            return None
        # A worker that died between claim and this left the marker; a newer file of the name needs its own.
        if s.ready == "marker" and (path == name or await place.entry(name) is None):
            await place.remove(name + s.marker)
        return taken

    def _refuse(self, name: str, error: FileRefused) -> None:
        """One file that cannot be taken (its name is too long with a claim's before it) keeps no other waiting."""
        if name not in self._refused:
            log.error(
                "file_not_taken",
                extra={"resource": self._name, "file": name, "reason": error.reason, "mend": _MEND},
            )
        self._refused[name] = error.reason

    async def _receipt(self, name: str) -> _Receipt | None:
        if self.settings.receipts is None:
            return None
        try:
            text = await self._ready().read(f"{self.settings.receipts}/{name}.json")
        except Gone:
            return None
        return msgspec.json.decode(text, type=_Receipt)

    async def _leave_receipt(self, name: str, receipt: _Receipt) -> _Receipt:
        place, folder = self._ready(), self.settings.receipts
        if folder is None:
            return receipt
        await place.folder(folder)
        written = f"{folder}/.{uuid4().hex}.part"
        await place.write(written, msgspec.json.encode(receipt))
        try:
            await place.move(written, f"{folder}/{name}.json")
        except AlreadyThere:
            await place.remove(written)
            return await self._receipt(name) or receipt
        return receipt

    async def _is_there(self, name: str, data: bytes) -> bool:
        try:
            if await self._ready().read(name) == data:
                return True
        except Gone:
            return False
        raise DeliveryConflict(resource=self._name, file=name)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"Drop({self._name!r}, {mask(self.settings.url)!r})"

    def _ready(self) -> Place:
        if self._place is None:
            raise NotStarted(resource=self._name)
        return self._place


def from_settings(name: str, given: Mapping[str, Any]) -> Drop:
    """A drop from ``[resources.{name}]``."""
    settings: DropSettings = settings_of(name, DropSettings, given)
    _place(name, settings)
    return Drop(settings, name=name)


def _place(name: str, settings: DropSettings) -> Place:
    url = Secret(settings.url).reveal()
    scheme, _, rest = url.partition(":")
    if scheme == "sftp":
        from levada.connect.files._sftp import Sftp

        return Sftp(name, settings)
    if scheme in ("folder", "file") and rest:
        return Folder(name, Path(rest[2:] if rest.startswith("///") else rest), settings)
    raise SettingsError(resource=name, reason="`url` is neither folder:path nor sftp://…", mend="Correct it.")


def _check_name(name: str) -> None:
    if (
        not name
        or "/" in name
        or "\\" in name
        or "\0" in name
        or name.startswith(".")
        or name.endswith(_UNFINISHED)
    ):
        raise ValueError(f"{name!r} cannot be the name of a delivered file")
