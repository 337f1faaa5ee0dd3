"""The facts ledger: append-only, what lead time, error rate and time-to-add-a-consumer are computed from."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from levada.store.protocol import Statement, Store, Unit

__all__ = ["Fact", "FactKind", "Facts"]

FactKind: TypeAlias = Literal[
    "request_accepted",
    "contract_published",
    "access_granted",
    "first_commit",
    "merged",
    "deployed",
    "first_success",
    "incident",
    "msg_accepted",
    "msg_terminal",
]


class Fact(Struct, frozen=True, kw_only=True):
    """One fact. ``at``: microseconds since 1970-01-01 UTC; ``status``: how it is known; ``source``: who says so."""

    id: str
    at: int
    environment: str
    kind: FactKind
    api: str | None = None
    consumer: str | None = None
    flow: str | None = None
    ref: str | None = None
    status: Literal["measured", "declared", "imputed"] = "measured"
    source: str = "levada"


class Facts:
    """The ledger of a store. May be called concurrently."""

    def __init__(self, store: Store, environment: str) -> None:
        self._store = store
        self._environment = environment

    async def add(
        self,
        kind: FactKind,
        *,
        api: str | None = None,
        consumer: str | None = None,
        flow: str | None = None,
        ref: str | None = None,
        status: Literal["measured", "declared", "imputed"] = "measured",
        source: str = "levada",
        once: str | None = None,
    ) -> None:
        """Append a fact; with ``once``, an id that keeps a second one of its kind out."""
        fact = Fact(
            id=once or uuid.uuid4().hex,
            at=await self._store.now(),
            environment=self._environment,
            kind=kind,
            api=api,
            consumer=consumer,
            flow=flow,
            ref=ref,
            status=status,
            source=source,
        )
        await self._store.commit(Unit([Statement("fact.add", msgspec.structs.asdict(fact))]))

    async def read(self, kind: FactKind | None = None, since: int = 0, limit: int = 10_000) -> Sequence[Fact]:
        """Facts of a kind (None: of any) from a time on, in order."""
        rows = await self._store.read("fact.read", {"kind": kind or "", "since": since, "n": limit})
        return [Fact(**row) for row in rows]
