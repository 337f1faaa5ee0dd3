"""Effects that happen once: the key of a step, recorded with the change it made.

Within the transaction of the change::

    async with db.begin() as tx:
        if (done := await answered(tx, key, digest, fence)) is not None:
            return done.result          # made by an earlier attempt
        ...                             # the change
        await record(tx, key, result)
"""

from __future__ import annotations

from msgspec import Struct

from levada._errors import LevadaError
from levada._fences import is_superseded
from levada.events.outbox._protocol import Transaction
from levada.events.outbox._queries import queries

__all__ = ["Answer", "EffectFenced", "EffectMismatch", "EffectUnrecorded", "answered", "forget", "record"]


class EffectMismatch(LevadaError, code="LV1403"):
    """The key {key} was used before with other arguments. A key belongs to one call: give this call a key of its own."""


class EffectFenced(LevadaError, code="LV1404"):
    """A newer worker (fence {newer}) has done the step {key}; this one (fence {fence}) was superseded and has to stop."""


class EffectUnrecorded(LevadaError, code="LV1405"):
    """The effect {key} was claimed but its result was never recorded, or recorded twice. Call answered(), then record() once, in one transaction."""


class Answer(Struct, frozen=True):
    """What an earlier attempt of the same call gave."""

    result: bytes


async def answered(tx: Transaction, key: str, digest: str, fence: int = 0) -> Answer | None:
    """The result of an earlier attempt, or None: the key is then claimed in ``tx``.

    A concurrent attempt of the same key waits here until the first has committed or
    rolled back. ``fence`` grows with each worker that takes a run over; 0 where there is none. A run of
    another generation, before a replay or after it, is answered.

    Raises:
        EffectMismatch: The key was used with another digest.
        EffectFenced: A later taking of the same run came first.
        EffectUnrecorded: An earlier transaction committed without :func:`record`.
    """
    sql = queries(tx.dialect)
    if await tx.execute(sql["effect.claim"], key, digest, fence):
        return None
    (row,) = await tx.fetch(sql["effect.get"], key)
    if row["digest"] != digest:
        raise EffectMismatch(key=key)
    if is_superseded(fence, row["fence"]):
        raise EffectFenced(key=key, fence=fence, newer=row["fence"])
    if row["result"] is None:
        raise EffectUnrecorded(key=key)
    await tx.execute(sql["effect.fence"], fence, key, fence)
    return Answer(bytes(row["result"]))


async def record(tx: Transaction, key: str, result: bytes) -> None:
    """Record the result of the effect that :func:`answered` claimed in this transaction.

    Raises:
        EffectUnrecorded: The key was not claimed, or has its result already.
    """
    if await tx.execute(queries(tx.dialect)["effect.record"], result, key) != 1:
        raise EffectUnrecorded(key=key)


async def forget(tx: Transaction, before: int, limit: int = 1000) -> int:
    """Delete what was recorded before a time (microseconds UTC), a bounded number; how many.

    A call whose key is forgotten is made again: nobody may still repeat it.
    """
    return await tx.execute(queries(tx.dialect)["effect.clean"], before, limit)
