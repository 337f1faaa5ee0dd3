"""Keys of subjects, and what is sealed under them.

A subject's key is made, and durable, before anything is sealed under it: what is stored
never names a key that does not exist. Forgetting a subject destroys its key; what was
sealed under it stays where it is and says for ever that it was forgotten.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, TypeGuard
from weakref import WeakValueDictionary

from msgspec import Struct

from levada.deployment.personal._master import Masters
from levada.deployment.personal.errors import MasterUnknown, SealedWrongly, SubjectMissing
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["BLANK", "FRESH", "DataKey", "Vault"]

FRESH = 5.0
"""Seconds that a process uses a key without looking whether its subject was forgotten."""

BLANK = bytes(60)
"""What stands in the place of a destroyed key: as long as a wrapped one."""

_KEPT = 10_000
_NONCE = 12
_TOKEN = "lvp1."  # noqa: S105 - the mark of a sealed text
_BLOB = b"\x01levada sealed\x01"


class DataKey(Struct, frozen=True, weakref=True):
    """The key of one subject; ``secret`` is None once it was forgotten, at ``forgotten`` (microseconds UTC)."""

    id: str
    kind: str
    subject: str
    secret: bytes | None
    forgotten: int | None = None

    def __repr__(self) -> str:
        return f"DataKey(id={self.id!r}, kind={self.kind!r})"


class Vault:
    """The keys of a store. May be called concurrently from one event loop.

    Args:
        store: Where the wrapped keys are.
        masters: What they are wrapped by.
    """

    def __init__(self, store: Store, masters: Masters) -> None:
        self.store, self.masters = store, masters
        self._by_id: OrderedDict[str, tuple[float, DataKey]] = OrderedDict()
        self._ids: dict[tuple[str, str], str] = {}
        self._held: WeakValueDictionary[tuple[str, str], DataKey] = WeakValueDictionary()
        self._making: dict[tuple[str, str], asyncio.Lock] = {}

    async def check(self) -> None:
        """Look whether the keys there are can be opened.

        Raises:
            MasterUnknown: The master secret of some of them is not at hand.
        """
        for row in await self.store.read("subject.masters"):
            if not self.masters.knows(row["master"]):
                raise MasterUnknown(keys=row["keys"], mark=row["master"])
            await self.by_id(row["one"])

    # -- keys

    async def key(self, kind: str, subject: str) -> DataKey:
        """The key of a subject, made at its first use and durable when this returns.

        Raises:
            SubjectMissing: The subject is nobody.
        """
        if subject in ("", "None"):
            raise SubjectMissing(what="A value", kind=kind)
        if (found := self.known(kind, subject)) is not None and self._fresh(found.id):
            return found
        named = (kind, subject)
        async with self._making.setdefault(named, asyncio.Lock()):
            try:
                return await self._live(kind, subject) or await self._made(kind, subject)
            finally:
                self._making.pop(named, None)

    async def by_id(self, key_id: str) -> DataKey:
        """A key by its id, forgotten or not.

        Raises:
            SealedWrongly: There is no such key.
            MasterUnknown: Its master secret is not at hand.
        """
        if self._fresh(key_id):
            return self._by_id[key_id][1]
        rows = await self.store.read("subject.get", {"id": key_id})
        if not rows:
            raise SealedWrongly(what="Personal data", key=key_id)
        return self._keep(rows[0])

    def known(self, kind: str, subject: str) -> DataKey | None:
        """The key of a subject if it was used here before, however long ago."""
        key_id = self._ids.get((kind, subject))
        return None if key_id is None or key_id not in self._by_id else self._by_id[key_id][1]

    def held(self, kind: str, subject: str) -> DataKey | None:
        """As :meth:`known`; also one that was dropped, while whoever was given it still has it."""
        return self.known(kind, subject) or self._held.get((kind, subject))

    def drop(self) -> None:
        """Forget what is in memory."""
        self._by_id.clear()
        self._ids.clear()

    def _fresh(self, key_id: str) -> bool:
        kept = self._by_id.get(key_id)
        return kept is not None and monotonic() < kept[0]

    async def _live(self, kind: str, subject: str) -> DataKey | None:
        rows = await self.store.read("subject.live", {"kind": kind, "subject": subject})
        return self._keep(rows[0]) if rows else None

    async def _made(self, kind: str, subject: str) -> DataKey:
        self.masters.reload()
        key_id = secrets.token_hex(8)
        mark, wrapped = self.masters.wrap(key_id, secrets.token_bytes(32))
        row = {"id": key_id, "kind": kind, "subject": subject, "master": mark, "wrapped": wrapped}
        await self.store.commit(Unit([Statement("subject.add", row)]))
        # Another process may have been first: then its key is the subject's.
        found = await self._live(kind, subject)
        return found if found is not None else await self._made(kind, subject)

    def _keep(self, row: Row) -> DataKey:
        secret: bytes | None = None
        if row["forgotten"] is None:
            if not self.masters.knows(row["master"]):
                raise MasterUnknown(keys=1, mark=row["master"])
            secret = self.masters.unwrap(row["id"], row["master"], bytes(row["wrapped"]))
            if secret is None:
                raise SealedWrongly(what="The key of a subject", key=row["id"])
        key = DataKey(row["id"], row["kind"], row["subject"], secret, row["forgotten"])
        if secret is not None:
            # One object for one key, so that it is held as long as anybody has it.
            before = self._held.get((key.kind, key.subject))
            key = before if before is not None and before.id == key.id else key
            self._held[key.kind, key.subject] = key
        self._by_id[key.id] = monotonic() + FRESH, key
        self._by_id.move_to_end(key.id)
        if secret is None:
            if self._ids.get((key.kind, key.subject)) == key.id:
                del self._ids[key.kind, key.subject]
        else:
            self._ids[key.kind, key.subject] = key.id
        while len(self._by_id) > _KEPT:
            _, (_, old) = self._by_id.popitem(last=False)
            if self._ids.get((old.kind, old.subject)) == old.id:
                del self._ids[old.kind, old.subject]
        return key

    # -- texts: one field of an event

    @staticmethod
    def token(key: DataKey, place: str, clear: bytes) -> str:
        """A value sealed for its place (type, field, subject): anywhere else it does not open."""
        nonce = os.urandom(_NONCE)
        assert key.secret is not None
        sealed = nonce + _cipher(key.secret).encrypt(nonce, clear, place.encode())
        return f"{_TOKEN}{key.id}.{base64.urlsafe_b64encode(sealed).decode()}"

    async def untoken(self, text: str, place: str) -> bytes | None:
        """What a text holds; None: it was forgotten. A text that is not sealed is not to be given here."""
        from cryptography.exceptions import InvalidTag

        _, key_id, coded = text.split(".", 2)
        key = await self.by_id(key_id)
        if key.secret is None:
            return None
        try:
            sealed = base64.urlsafe_b64decode(coded)
            return _cipher(key.secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise SealedWrongly(what=place, key=key_id) from None

    @staticmethod
    def is_token(value: Any) -> TypeGuard[str]:
        """Whether a value of JSON is a sealed text."""
        return isinstance(value, str) and value.startswith(_TOKEN) and value.count(".") == 2

    # -- blobs: what a run or an answer keeps

    @staticmethod
    def blob(keys: Sequence[DataKey], place: str, clear: bytes) -> bytes:
        """Bytes sealed for all these subjects together: without the key of any of them it stays closed."""
        if not keys:
            # What only looks sealed is marked as clear.
            return _BLOB + bytes(2) + clear if clear.startswith(_BLOB) else clear
        ordered = sorted(keys, key=lambda k: k.id)
        nonce = os.urandom(_NONCE)
        head = _BLOB + len(ordered).to_bytes(2, "big") + b"".join(k.id.encode() for k in ordered)
        return head + nonce + _cipher(_joined(ordered)).encrypt(nonce, clear, place.encode())

    async def unblob(self, data: bytes, place: str) -> tuple[bytes | None, Sequence[DataKey]]:
        """The clear bytes and whose they are; None: one of them was forgotten."""
        from cryptography.exceptions import InvalidTag

        if not data.startswith(_BLOB):
            return data, ()
        count = int.from_bytes(data[len(_BLOB) : len(_BLOB) + 2], "big")
        start = len(_BLOB) + 2
        if not count:
            return data[start:], ()
        ids = [data[start + 16 * i : start + 16 * (i + 1)].decode(errors="replace") for i in range(count)]
        keys = [await self.by_id(key_id) for key_id in ids]
        if any(key.secret is None for key in keys):
            return None, keys
        sealed = data[start + 16 * count :]
        try:
            return _cipher(_joined(keys)).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode()), keys
        except (InvalidTag, ValueError):
            raise SealedWrongly(what=place, key=", ".join(ids)) from None

    @staticmethod
    def is_blob(data: bytes) -> bool:
        """Whether bytes are sealed."""
        return data.startswith(_BLOB)


def _joined(keys: Iterable[DataKey]) -> bytes:
    digest = hashlib.blake2b(digest_size=32, person=b"levada blob")
    for key in keys:
        assert key.secret is not None
        digest.update(key.secret)
    return digest.digest()


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
