"""``levada_effect`` in a system's database, as the app's adapters use it."""

from __future__ import annotations

from levada.app.outcome import Refusal
from levada.contract.ports import Transaction
from levada.contract.standard import KeyReused
from levada.events.outbox import EffectMismatch, answered, record

__all__ = ["SystemEffects"]


class SystemEffects:
    """Keeps :class:`levada.app.effects.EffectTable` over the outbox's tables."""

    async def find(self, tx: Transaction, key: str, digest: bytes, fence: int) -> bytes | None:
        """The result of an earlier attempt, or None: the key is claimed in this transaction."""
        try:
            kept = await answered(tx, key, digest.hex(), fence)
        except EffectMismatch:
            raise Refusal(KeyReused()) from None  # the caller's mistake, not the adapter's
        return None if kept is None else kept.result

    async def keep(self, tx: Transaction, key: str, digest: bytes, result: bytes, fence: int) -> None:  # noqa: ARG002 - the shape of EffectTable
        """Record the result of the claimed key."""
        await record(tx, key, result)
