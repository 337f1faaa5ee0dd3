"""The audit: every change by a person, chained by hash so that an altered row is found."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.store.protocol import Outcome, Statement, Store, Unit

__all__ = ["Audit", "AuditBroken", "AuditRow"]

_START = bytes(32)
_HEAD = "audit_head"


class AuditBroken(LevadaError, code="LV1308"):
    """The audit is broken at row {seq}: {reason} Compare with a backup; what follows it cannot be trusted."""


class AuditRow(Struct, frozen=True):
    """One change: who did what to which target, why, and what was there before and after.

    ``at``: microseconds since 1970-01-01 UTC. ``before``, ``after``: JSON or None.
    """

    seq: int
    at: int
    who: str
    action: str
    target: str
    why: str | None
    before: bytes | None
    after: bytes | None
    prev: bytes
    hash: bytes

    def computed(self) -> bytes:
        """The hash that the row ought to have: of its fields and the hash before it."""
        fields = [self.seq, self.at, self.who, self.action, self.target, self.why, self.before, self.after]
        return hashlib.sha256(self.prev + msgspec.msgpack.encode(fields)).digest()

    def changed(self, *, before: Any = None, after: Any = None) -> AuditRow:
        """The row with what was there before and after."""
        row = msgspec.structs.replace(self, before=_json(before), after=_json(after), hash=b"")
        return msgspec.structs.replace(row, hash=row.computed())

    def statements(self) -> list[Statement]:
        """What appends it, and notes that the chain ends here; refuses its unit if another row came first."""
        head = {"name": _HEAD, "value": self.mark}
        return [Statement("audit.add", msgspec.structs.asdict(self), 1), Statement("meta.set", head)]

    @property
    def mark(self) -> str:
        """Number and hash, ``12:9f…``: kept elsewhere it proves that the chain up to here is whole."""
        return f"{self.seq}:{self.hash.hex()}"

    def shown(self) -> dict[str, Any]:
        """The row as people read it."""
        decode = msgspec.json.decode
        return {
            "seq": self.seq,
            "at": self.at,
            "who": self.who,
            "action": self.action,
            "target": self.target,
            "why": self.why,
            "before": None if self.before is None else decode(self.before),
            "after": None if self.after is None else decode(self.after),
            "hash": self.hash.hex(),
        }


def _json(value: Any) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)


class Audit:
    """The audit of a store. May be called concurrently."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def next(
        self,
        *,
        who: str,
        action: str,
        target: str,
        why: str | None = None,
        before: Any = None,
        after: Any = None,
    ) -> AuditRow:
        """The next row of the chain, not yet written: its statement belongs in the unit of the change."""
        rows = await self._store.read("audit.last")
        seq, prev = (rows[0]["seq"] + 1, bytes(rows[0]["hash"])) if rows else (1, _START)
        at = await self._store.now()
        row = AuditRow(seq, at, who, action, target, why or None, None, None, prev, b"")
        return row.changed(before=before, after=after)

    async def add(
        self,
        *,
        who: str,
        action: str,
        target: str,
        why: str | None = None,
        before: Any = None,
        after: Any = None,
    ) -> AuditRow:
        """Append a row; durable when it returns."""
        row, _ = await self.commit(
            Unit([]), who=who, action=action, target=target, why=why, before=before, after=after
        )
        assert row is not None
        return row

    async def commit(
        self,
        unit: Unit,
        *,
        who: str,
        action: str,
        target: str,
        why: str | None = None,
        before: Any = None,
        after: Any = None,
    ) -> tuple[AuditRow | None, Outcome]:
        """Commit a change together with the row that tells of it: both, or neither.

        Returns:
            The row, None if the unit was refused, and the unit's own outcome.
        """
        encode = msgspec.json.encode
        while True:
            rows = await self._store.read("audit.last")
            seq, prev = (rows[0]["seq"] + 1, rows[0]["hash"]) if rows else (1, _START)
            row = AuditRow(
                seq=seq,
                at=await self._store.now(),
                who=who,
                action=action,
                target=target,
                why=why,
                before=None if before is None else encode(before),
                after=None if after is None else encode(after),
                prev=prev,
                hash=b"",
            )
            row = msgspec.structs.replace(row, hash=row.computed())
            # The change first: it locks what it needs before the one row that all audits want.
            outcome = await self._store.commit(Unit([*unit.statements, *row.statements()], unit.notify))
            if outcome.committed:
                return row, Outcome(rows=outcome.rows[:-2])
            if outcome.refused != len(unit.statements):
                return None, outcome

    async def rows(self, start: int = 1) -> AsyncIterator[AuditRow]:
        """All rows from a number on, in order."""
        while found := await self._store.read("audit.read", {"seq": start, "n": 500}):
            for row in found:
                yield _row(row)
            start = found[-1]["seq"] + 1

    async def verify(self, mark: str | None = None) -> int:
        """Check the whole chain; how many rows it has.

        Args:
            mark: Number and hash of a row, kept elsewhere: it has to be there. Without one, rows
                that were cut off at the end show only if what the store notes of the end was left.

        Raises:
            AuditBroken: A row was altered, removed, put in, or cut off at either end.
        """
        noted = await self._store.read("meta.get", {"name": _HEAD})
        marks = {text for text in (mark, noted[0]["value"] if noted else None) if text}
        prev, expected = _START, 1
        async for row in self.rows():
            if row.seq != expected:
                raise AuditBroken(seq=expected, reason="the row is missing.")
            if row.prev != prev:
                raise AuditBroken(seq=row.seq, reason="it does not follow on the row before it.")
            if row.computed() != row.hash:
                raise AuditBroken(seq=row.seq, reason="its contents were altered.")
            marks.discard(row.mark)
            prev, expected = row.hash, expected + 1
        for missing in marks:
            seq = int(missing.partition(":")[0]) if missing.partition(":")[0].isdecimal() else 0
            if seq >= expected:
                raise AuditBroken(seq=expected, reason=f"it and all rows up to {seq} were cut off.")
            raise AuditBroken(seq=seq, reason="it is another row than the mark tells of.")
        return expected - 1


def _row(row: dict[str, Any]) -> AuditRow:
    return AuditRow(**row)
