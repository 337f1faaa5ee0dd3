"""API keys: shown once, sealed at rest, good at the gateway within milliseconds.

A key is ``lv_{id}_{secret}`` with 256 random bits. In the store it lies sealed
(AES-256-GCM under the master secret, the id as associated data); in clear it is shown once and
stands in Envoy's file of mode 0600. Why so: docs/explanation/gateway-keys.md.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Mapping, Sequence

from msgspec import Struct

from levada.gateway.errors import KeyUnknown, MasterShort, PlanUnknown, SealBroken
from levada.gateway.model import Credential
from levada.store.control import Key, Keys
from levada.store.protocol import Store

__all__ = ["ApiKeys", "NewKey"]

log = logging.getLogger("levada.gateway")


class NewKey(Struct, frozen=True):
    """A key that was just made. ``key`` is in clear and cannot be shown again."""

    id: str
    key: str
    consumer: str
    product: str
    plan: str
    expires: int | None

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r}, consumer={self.consumer!r})"


class ApiKeys:
    """The API keys of a store in one environment. May be called concurrently.

    Args:
        store: Where they are kept, sealed.
        master: The secret that they are sealed under; any length, at least 16 bytes.
        environment: Keys are good in one environment.
        plans: The names of the plans that there are.

    Raises:
        MasterShort: The secret is too short to seal anything.
    """

    def __init__(self, store: Store, master: bytes, environment: str, plans: Sequence[str]) -> None:
        if len(master) < 16:
            raise MasterShort(length=len(master))
        self._keys = Keys(store)
        self._store = store
        self._seal_key = hashlib.sha256(b"levada key seal\n" + master).digest()
        self._environment = environment
        self._plans = list(plans)

    async def create(self, *, consumer: str, product: str, plan: str, expires: int | None = None) -> NewKey:
        """Make a key.

        Args:
            consumer: Who it is for; letters, digits, ``-``, ``.`` and ``_``.
            product: The API that it is good for: ``sales/Storefront/v1``.
            plan: Its limits and scopes.
            expires: Microseconds since 1970-01-01 UTC; None: it does not end by itself.

        Raises:
            PlanUnknown: There is no such plan.
        """
        if plan not in self._plans:
            raise PlanUnknown(plan=plan, known=", ".join(self._plans) or "none")
        _check("consumer", consumer, "-._")
        _check("product", product, "-._/")
        while True:
            key_id = secrets.token_hex(6)
            key = f"lv_{key_id}_{secrets.token_urlsafe(32)}"
            added = await self._keys.add(
                id=key_id,
                consumer=consumer,
                product=product,
                plan=plan,
                environment=self._environment,
                secret=self._seal(key_id, key),
                expires=expires,
            )
            if added is not None:
                return NewKey(key_id, key, consumer, product, plan, expires)

    async def rotate(self, key_id: str, *, grace: int = 86_400_000_000) -> NewKey:
        """Make a successor of a key, which itself ends after ``grace`` microseconds.

        Raises:
            KeyUnknown: There is no such key, or it has ended.
        """
        old = await self._live(key_id)
        made = await self.create(
            consumer=old.consumer, product=old.product, plan=old.plan, expires=old.expires
        )
        await self._keys.expire(key_id, await self._store.now() + grace)
        return made

    async def revoke(self, key_id: str) -> None:
        """End a key now and for good.

        Raises:
            KeyUnknown: There is no such key, or it has ended.
        """
        if not await self._keys.revoke(key_id):
            raise KeyUnknown(id=key_id)

    async def list(self, consumer: str = "") -> Sequence[Key]:
        """Keys without their secrets, ended ones too."""
        return await self._keys.list(consumer)

    async def now(self) -> int:
        """The clock by which keys end, microseconds since 1970-01-01 UTC."""
        return await self._store.now()

    async def credentials(self) -> Sequence[Credential]:
        """The keys that are good now, in clear: for the gateway's file alone.

        A key that cannot be opened is not good, and does not keep the others from changing.
        """
        found: list[Credential] = []
        for key in await self._keys.live(self._environment):
            try:
                clear = self._unseal(key)
                found.append(
                    Credential(key=clear, consumer=key.consumer, plan=key.plan, products=(key.product,))
                )
            except (SealBroken, ValueError) as error:
                log.error("key_unusable", extra={"id": key.id, "reason": str(error)})
        return found

    async def _live(self, key_id: str) -> Key:
        key = await self._keys.get(key_id)
        now = await self._store.now()
        if key is None or key.revoked is not None or (key.expires is not None and key.expires <= now):
            raise KeyUnknown(id=key_id)
        return key

    def _seal(self, key_id: str, key: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        return b"\x01" + nonce + AESGCM(self._seal_key).encrypt(nonce, key.encode(), key_id.encode())

    def _unseal(self, key: Key) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sealed = bytes(key.secret)
        try:
            return AESGCM(self._seal_key).decrypt(sealed[1:13], sealed[13:], key.id.encode()).decode()
        except InvalidTag:
            raise SealBroken(id=key.id) from None


def _check(what: str, name: str, others: str) -> None:
    if not name or len(name) > 100 or not all(c.isascii() and (c.isalnum() or c in others) for c in name):
        allowed = ", ".join(f"'{c}'" for c in others)
        raise KeyUnknown(
            f"The {what} {name!r} has other than letters, digits and {allowed}. Choose another name."
        )


def shown(key: Key, now: int) -> Mapping[str, object]:
    """A key as people see it at a time. ``state``: live, ended or revoked."""
    ended = key.expires is not None and key.expires <= now
    return {
        "state": "revoked" if key.revoked else "ended" if ended else "live",
        "id": key.id,
        "consumer": key.consumer,
        "product": key.product,
        "plan": key.plan,
        "environment": key.environment,
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    }
