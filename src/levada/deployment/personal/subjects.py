"""What is done with a subject: exported, forgotten; and with the secret over all keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from levada.contract.event import EventType
from levada.deployment._handlers import Code
from levada.deployment.admin_masks import readable
from levada.deployment.personal._events import open_event
from levada.deployment.personal._reading import hidden, read_journal
from levada.deployment.personal._runs import RunSeal
from levada.deployment.personal._vault import BLANK, Vault
from levada.deployment.personal.errors import SubjectBusy, SubjectUnknown
from levada.events.envelope import EnvelopeMalformed
from levada.events.log import Record, RecordUnreadable
from levada.process._rows import entries
from levada.store.protocol import Row, Statement, Store, Unit
from levada.store.sqlite import SqliteStore

__all__ = ["Subjects", "hidden"]

_BATCH = 200


class Subjects:
    """The subjects of a store, as the admin's actions see them. Methods may be called concurrently."""

    def __init__(
        self, vault: Vault, kinds: Mapping[str, EventType], codes: Sequence[Code], store: Store | None = None
    ) -> None:
        self.vault, self.store = vault, store or vault.store
        self._kinds = kinds
        self._codes = {code.id.code: code for code in codes}

    async def export(self, subject: str) -> dict[str, Any]:
        """All that is kept of a subject under its keys: events of the log, and runs with their steps, in clear.

        Raises:
            SubjectUnknown: There is none of this name, or several kinds have it.
        """
        rows = await self._rows(subject)
        events: list[dict[str, Any]] = []
        runs: dict[str, dict[str, Any]] = {}
        for row in rows:
            stored = await self.store.read("subject.events", {"id": row["id"]})
            events += [await self._event(found) for found in stored]
            for found in await self.store.read("subject.runs", {"id": row["id"]}):
                if found["id"] not in runs:
                    runs[found["id"]] = await self._run(found)
        return {
            "subject": _named(rows[0]),
            "keys": [{"id": r["id"], "created": r["created"], "forgotten": r["forgotten"]} for r in rows],
            "events": events,
            "runs": list(runs.values()),
        }

    async def before(self, subject: str) -> dict[str, Any]:
        """What there is of a subject, for the audit."""
        rows = await self._rows(subject)
        return {"subject": _named(rows[0]), "keys": [r["id"] for r in rows if r["forgotten"] is None]}

    async def forget(
        self, subject: str, why: str, *, despite_runs: bool = False, also: Sequence[Statement] = ()
    ) -> dict[str, Any]:
        """Destroy a subject's key: what was sealed under it stays, and can never be read again.

        Args:
            subject: ``KIND=SUBJECT``, or the subject alone where only one kind has it.
            why: Why; the audit has it.
            despite_runs: Also if runs that need it are open; these get stuck.
            also: The audit's row; commits with it.

        Raises:
            SubjectUnknown: There is none of this name, several kinds have it, or it was forgotten.
            SubjectBusy: Runs that know of it have not ended.
        """
        del why
        rows = [row for row in await self._rows(subject) if row["forgotten"] is None]
        if not rows:
            raise SubjectUnknown(subject=subject, known="none that is not forgotten")
        named = _named(rows[0])
        runs = [
            r["id"] for row in rows for r in await self.store.read("subject.runs_open", {"id": row["id"]})
        ]
        if runs and not despite_runs:
            raise SubjectBusy(subject=named, count=len(runs), runs=", ".join(runs[:5]))
        gone = [Statement("subject.forget", {"id": row["id"], "blank": BLANK}, 1) for row in rows]
        if not (await self.store.commit(Unit([*gone, *also]))).committed:
            raise SubjectUnknown(subject=subject, known="none that is not forgotten")
        self.vault.drop()
        if isinstance(self.store, SqliteStore):
            await self.store.wipe()
        return {"subject": named, "keys": len(rows), "runs": runs}

    async def rewrap(self) -> dict[str, int]:
        """Put all living keys under the present master secret; may be broken off and run again.

        Raises:
            MasterUnknown: The secret of some is not at hand.
        """
        masters, moved = self.vault.masters, 0
        masters.reload()
        while rows := await self.store.read("subject.under_other", {"master": masters.mark, "n": _BATCH}):
            statements: list[Statement] = []
            for row in rows:
                key = await self.vault.by_id(row["id"])
                if key.secret is None:
                    continue
                mark, wrapped = masters.wrap(key.id, key.secret)
                values = {"id": key.id, "wrapped": wrapped, "master": mark, "was": row["master"]}
                statements.append(Statement("subject.rewrap", values))
            await self.store.commit(Unit(statements))
            moved += len(statements)
        return {"keys": moved}

    async def clear_event(self, type_: str, data: bytes) -> Any:
        """An event's data in clear, as plain data."""
        kind = self._kinds.get(type_)
        clear = data if kind is None else (await open_event(self.vault, kind, data)).data
        return msgspec.json.decode(clear) if clear else None

    async def clear_journal(self, row: Row) -> tuple[list[Row], RunSeal | None]:
        """A run's journal in clear, and what knows of the persons in it. What was forgotten says so."""
        rows = await self.store.read("runs.journal", {"run": row["id"]})
        code = self._codes.get(row["code"])
        return await read_journal(self.vault, code, row, rows)

    async def _event(self, row: Row) -> dict[str, Any]:
        record = Record.of(row)
        place = {"topic": record.topic, "part": record.part, "pos": record.pos, "at": record.at}
        try:
            event = record.envelope()
            data = await self.clear_event(event.type, event.data)
        except (RecordUnreadable, EnvelopeMalformed, msgspec.DecodeError):
            return {**place, "id": record.event_id, "type": None, "data": None}
        return {**place, "id": event.id, "type": event.type, "data": data}

    async def _run(self, row: Row) -> dict[str, Any]:
        journal, _ = await self.clear_journal(row)
        steps = [
            {
                "step": e.step,
                "kind": str(e.kind),
                "operation": e.operation,
                "arguments": readable(e.arguments),
                "value": readable(e.value),
            }
            for e in entries(journal)
        ]
        return {"id": row["id"], "state": row["state"], "code": row["code"], "steps": steps}

    async def _rows(self, subject: str) -> list[Row]:
        kind, equals, name = subject.partition("=")
        found = await self.store.read("subject.of", {"subject": name if equals else subject})
        rows = [row for row in found if not equals or row["kind"] == kind]
        if not rows or len({row["kind"] for row in rows}) > 1:
            known = ", ".join(sorted({_named(row) for row in found})) or "none"
            raise SubjectUnknown(subject=subject, known=known)
        return rows


def _named(row: Row) -> str:
    return f"{row['kind']}={row['subject']}"
