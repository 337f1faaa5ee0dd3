"""The master secret: it wraps the keys of subjects, and is changed without touching what they seal."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from levada._errors import LevadaError
from levada.deployment.personal.errors import MasterMissing

__all__ = ["Masters"]

log = logging.getLogger("levada.personal")

_SHORTEST = 32
_NONCE = 12


class Masters:
    """The present master secret and former ones, each read anew when it is needed and may have changed.

    Args:
        present: Gives the secret that new keys are wrapped under.
        former: Give those that older keys may still lie under.
    """

    def __init__(self, present: Callable[[], bytes], former: Sequence[Callable[[], bytes]] = ()) -> None:
        self._present, self._former = present, former
        self._known: dict[str, bytes] = {}
        self._mark = ""
        self.reload()

    @property
    def mark(self) -> str:
        """The mark of the present secret, which tells nothing of it."""
        return self._mark

    def reload(self) -> None:
        """Read all again. A secret that cannot be read now stays as it was.

        Raises:
            MasterMissing: There never was one.
        """
        try:
            mark, key = _derived(self._present())
        except LevadaError as error:
            if not self._mark:
                raise
            log.warning("personal_master_unreadable", extra={"reason": error.message})
        else:
            self._mark, self._known[mark] = mark, key
        for former in self._former:
            mark, key = _derived(former())
            self._known[mark] = key

    def wrap(self, key_id: str, key: bytes) -> tuple[str, bytes]:
        """A subject's key under the present secret, and the secret's mark."""
        nonce = os.urandom(_NONCE)
        return self._mark, nonce + _cipher(self._known[self._mark]).encrypt(nonce, key, key_id.encode())

    def knows(self, mark: str) -> bool:
        """Whether the secret of a mark is at hand, perhaps after a rotation."""
        if mark not in self._known:
            self.reload()
        return mark in self._known

    def unwrap(self, key_id: str, mark: str, wrapped: bytes) -> bytes | None:
        """A subject's key; None: it does not lie under this secret."""
        from cryptography.exceptions import InvalidTag

        try:
            return _cipher(self._known[mark]).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], key_id.encode())
        except InvalidTag:
            return None


def _derived(secret: bytes) -> tuple[str, bytes]:
    if len(secret) < _SHORTEST:
        raise MasterMissing(reason=f"it has {len(secret)} bytes.")
    key = hashlib.blake2b(secret, digest_size=32, person=b"levada personal").digest()
    return hashlib.blake2b(key, digest_size=6, person=b"levada mark").hexdigest(), key


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
