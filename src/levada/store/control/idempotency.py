"""Answers by idempotency key (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.store.protocol import Statement, Store, Unit

__all__ = ["Idempotency", "Taken"]

DAY = 86_400_000_000
State: TypeAlias = Literal["taken", "in_flight", "done", "mismatch"]


class Taken(Struct, frozen=True):
    """What asking for a key found.

    ``taken``: it is ours now. ``in_flight``: another call has it. ``done``: it was
    answered, with ``response``. ``mismatch``: it was used for another request.
    """

    state: State
    response: bytes | None = None
    token: str = ""
    """Of ``taken``: proves in ``done`` and ``release`` that the key is still this call's."""


class Idempotency:
    """The records of a store. May be called concurrently.

    ``lease``: microseconds after which a call that was not renewed gives its key up.
    ``keep``: microseconds that an answer is kept.
    """

    def __init__(self, store: Store, *, lease: int = 60_000_000, keep: int = DAY) -> None:
        self._store = store
        self._lease = lease
        self._keep = keep

    @property
    def lease(self) -> float:
        """Seconds after which a call that was not renewed gives its key up."""
        return self._lease / 1_000_000

    async def begin(self, *, caller: str, operation: str, key: str, digest: bytes) -> Taken:
        """Take a key; durable when it returns."""
        place = {"caller": caller, "operation": operation, "key": key}
        # Of the call, not of the process: a second call there is told apart from the first.
        token = uuid.uuid4().hex
        take = Statement(
            "idempotency.begin", {**place, "digest": digest, "holder": token, "lease": self._lease}, 1
        )
        if (await self._store.commit(Unit([take]))).committed:
            return Taken("taken", token=token)
        rows = await self._store.read("idempotency.get", place)
        if not rows:
            return Taken("in_flight")
        row = rows[0]
        if bytes(row["digest"]) != digest:
            return Taken("mismatch")
        if row["state"] != "done":
            return Taken("in_flight")
        return Taken("done", None if row["response"] is None else bytes(row["response"]))

    def done(
        self, *, caller: str, operation: str, key: str, token: str, response: bytes
    ) -> Sequence[Statement]:
        """Statements that keep the answer, to be committed with all that the call did; refused if the key was lost."""
        place = {"caller": caller, "operation": operation, "key": key, "holder": token}
        return [Statement("idempotency.done", {**place, "response": response, "keep": self._keep}, 1)]

    async def renew(self, *, caller: str, operation: str, key: str, token: str) -> bool:
        """Say that the call is still under way; False: another has taken its key over."""
        place = {"caller": caller, "operation": operation, "key": key, "holder": token, "lease": self._lease}
        return (await self._store.commit(Unit([Statement("idempotency.renew", place, 1)]))).committed

    async def release(self, *, caller: str, operation: str, key: str, token: str) -> None:
        """Give a key back: the call failed and left nothing."""
        place = {"caller": caller, "operation": operation, "key": key, "holder": token}
        await self._store.commit(Unit([Statement("idempotency.release", place)]))

    async def clean(self) -> None:
        """Forget answers whose time is over, and calls that never ended."""
        await self._store.commit(Unit([Statement("idempotency.clean", {"keep": self._keep})]))
