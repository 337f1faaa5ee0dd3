"""A file that was taken, until it is done, failed or put back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from levada._errors import LevadaError
from levada.connect.errors import ConnectError, OutcomeUnknown
from levada.connect.files.errors import AlreadyThere, ClaimLost, FileRefused, Gone, HalfWritten
from levada.connect.secrets import mask
from levada.store.errors import StoreError

if TYPE_CHECKING:
    from types import TracebackType

    from levada.connect.files._places import Place
    from levada.connect.files._settings import DropSettings

__all__ = ["Taken", "claim_name", "parse_claim"]

log = logging.getLogger("levada.connect.files")

_LONGEST_REASON = 4000


def claim_name(name: str) -> str:
    """The name of a claim made now: when, which one, and the file's own name."""
    return f"{int(time.time() * 1000)}~{uuid4().hex[:12]}~{name}"


def parse_claim(claim: str) -> tuple[float, str] | None:
    """When a claim was made or renewed (seconds since 1970) and the file's name; None if it is no claim."""
    parts = claim.split("~", 2)
    return (int(parts[0]) / 1000, parts[2]) if len(parts) == 3 and parts[0].isdigit() else None


class Taken:
    """A file picked up. It is this worker's alone while ``async with file:`` lasts.

    At the end of the block it is moved to ``done``; on an exception to ``failed``, with the
    reason beside it. It is put back, to be taken again, if the block was cancelled, if a
    system or our own store was not reached, or an outcome is unknown: none of that is the file's fault.
    """

    def __init__(
        self, resource: str, place: Place, settings: DropSettings, claim: str, name: str, size: int
    ) -> None:
        self.resource = resource
        self.name = name
        self.size = size
        self.entered = False
        self.ended = False
        self._place = place
        self._settings = settings
        self._claim = claim
        self._perhaps: str | None = None
        self._moving = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Taken({self.name!r}, {self.size} bytes)"

    async def read(self) -> bytes:
        """All of it.

        Raises:
            HalfWritten: Its size changed since it was taken.
            FileRefused: It is larger than ``largest``.
        """
        if self.size > self._settings.largest:
            reason = f"{self.name} has {self.size} bytes, more than `largest`."
            raise FileRefused(resource=self.resource, fault="too large", reason=reason)
        async with self._moving:  # a renewal renames it
            await self._settle()
            data = await self._place.read(self._path)
        if len(data) != self.size:
            raise HalfWritten(resource=self.resource, file=self.name)
        return data

    async def key(self) -> str:
        """A key that is the same whenever this content is picked up under this name."""
        name = self.name.encode(errors="surrogateescape")  # names are bytes, not always UTF-8
        return hashlib.sha256(name + b"\0" + await self.read()).hexdigest()

    async def __aenter__(self) -> Self:
        self.entered = True
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._renewal is not None
        self._renewal.cancel()
        await asyncio.wait([self._renewal])
        # A cancelled block must still put its file back.
        await asyncio.shield(asyncio.ensure_future(self._end(error)))

    async def put_back(self) -> None:
        """Give it up, to be taken again."""
        self.ended = True
        try:
            await self._move(self.name)
        except AlreadyThere:
            await self._move(f"{uuid4().hex[:8]}-{self.name}")

    async def _end(self, error: BaseException | None) -> None:
        if error is None:
            async with self._moving:
                await self._settle()
            entry = await self._place.entry(self._path)
            if entry is not None and entry.size != self.size:
                await self.put_back()
                raise HalfWritten(resource=self.resource, file=self.name)
            await self._finish(self._settings.done)
            return
        undecided = isinstance(error, StoreError) or (
            isinstance(error, ConnectError) and error.outcome != "refused"
        )
        if undecided or isinstance(error, (HalfWritten, ClaimLost)) or not isinstance(error, Exception):
            if not isinstance(error, ClaimLost):
                await self.put_back()
            return
        place = await self._finish(self._settings.failed)
        told = str(error) if isinstance(error, LevadaError) else f"{type(error).__name__}: {error}"
        reason = mask(told)[:_LONGEST_REASON].encode(errors="replace")
        try:
            await self._place.write(f"{place}.reason.txt", reason)
        except ConnectError as unwritten:
            # The file lies with the failed ones; what it failed of is raised, and must not be hidden by this.
            log.error(
                "file_reason_not_left",
                extra={"resource": self.resource, "file": self.name, "reason": str(unwritten)},
            )

    async def _finish(self, folder: str) -> str:
        self.ended = True
        target = f"{folder}/{self.name}"
        try:
            await self._move(target)
        except AlreadyThere:
            target = f"{folder}/{int(time.time() * 1000)}-{uuid4().hex[:6]}-{self.name}"
            await self._move(target)
        return target

    @property
    def _path(self) -> str:
        return f"{self._settings.taken}/{self._claim}"

    async def _move(self, to: str) -> None:
        async with self._moving:
            await self._settle()
            try:
                await self._place.move(self._path, to)
            except Gone:
                raise ClaimLost(resource=self.resource, file=self.name) from None
            except OutcomeUnknown:
                # Nobody else moves a claim that is not old: if it has gone, it was us.
                if await self._place.entry(self._path) is not None:
                    raise

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            async with self._moving:
                with contextlib.suppress(ConnectError):  # whether it is still ours shows when it is finished
                    await self._settle()
                    fresh = claim_name(self.name)
                    self._perhaps = fresh
                    await self._place.move(self._path, f"{self._settings.taken}/{fresh}", unique=True)
                    self._claim, self._perhaps = fresh, None

    async def _settle(self) -> None:
        """Find out whether a renewal whose answer was lost was done."""
        if self._perhaps is not None:
            if await self._place.entry(f"{self._settings.taken}/{self._perhaps}") is not None:
                self._claim = self._perhaps
            self._perhaps = None
