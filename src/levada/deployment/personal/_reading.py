"""A run's journal, opened for people: what was forgotten is told, and stops nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from levada.contract.types import FORGOTTEN
from levada.deployment._handlers import Code
from levada.deployment.personal._runs import MASK, RunSeal
from levada.deployment.personal._vault import Vault
from levada.deployment.personal.errors import SealedWrongly, SubjectForgotten
from levada.process._journal import EntryKind
from levada.store.protocol import Row

__all__ = ["hidden", "read_journal"]

_GONE = f'"{FORGOTTEN}"'.encode()


async def read_journal(
    vault: Vault, code: Code | None, row: Row, journal: Sequence[Row]
) -> tuple[list[Row], RunSeal | None]:
    """The journal in clear; None: the run's code is not in this deployment, and nothing could be opened."""
    if code is None:
        return hidden(journal), None
    seal = RunSeal(vault, code, row["id"])
    with contextlib.suppress(SealedWrongly, SubjectForgotten):
        await seal.input(bytes(row["input"]))
    return [await _opened(seal, entry) for entry in journal], seal


async def _opened(seal: RunSeal, entry: Row) -> Row:
    try:
        arguments, value = await seal.open(entry["arguments"]), await seal.open(entry["value"])
        if entry["kind"] == EntryKind.KNOWN and not entry["operation"].startswith(("await ", "publish ")):
            await seal.learn(entry["operation"], value)
        elif entry["kind"] == EntryKind.KNOWN and entry["event"] is not None:
            await seal.event(entry["operation"].removeprefix("await "), value)
    except (SealedWrongly, SubjectForgotten):
        return {**entry, "arguments": _GONE, "value": _GONE}
    return {**entry, "arguments": arguments, "value": value}


def hidden(journal: Sequence[Row]) -> list[Row]:
    """The journal with what is sealed masked."""
    mask = f'"{MASK}"'.encode()
    sealed = ("arguments", "value")
    return [{**e, **{n: mask for n in sealed if Vault.is_blob(bytes(e[n]))}} for e in journal]
