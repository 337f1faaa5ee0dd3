"""What a run keeps of persons: its journal is sealed for all subjects that it knows of so far."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from levada.contract.event import EventType
from levada.contract.personal import Found, has_personal, of_arguments, of_value
from levada.deployment import _codec
from levada.deployment._handlers import Code
from levada.deployment.personal._events import open_event, prepare_event
from levada.deployment.personal._vault import DataKey, Vault
from levada.deployment.personal.errors import SubjectForgotten
from levada.process._steps import Kind, Step

__all__ = ["MASK", "RunSeal", "Said"]

log = logging.getLogger("levada.personal")

MASK = "•••"
_SHORTEST = 3
"""Characters below which a value is not looked for in texts: it would be found everywhere."""


class Said:
    """Takes personal values out of texts that are kept in clear: reasons, problems, logs."""

    def __init__(self) -> None:
        self._words: set[str] = set()

    def learn(self, value: Any) -> None:
        """Remember the texts in a value."""
        if isinstance(value, msgspec.Struct):
            value = msgspec.to_builtins(value)
        if isinstance(value, dict):
            for item in value.values():
                self.learn(item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in value:
                self.learn(item)
        elif value is not None and not isinstance(value, bool) and len(text := str(value)) >= _SHORTEST:
            self._words.update((text, msgspec.json.encode(text).decode()[1:-1]))

    def __call__(self, text: str) -> str:
        """The text without them, longest first."""
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, MASK)
        return text


class RunSeal:
    """Keeps :class:`levada.process._protocol.Seal` for one run."""

    def __init__(self, vault: Vault, code: Code, run: str) -> None:
        self._vault, self._code, self._place = vault, code, f"run {run}"
        self._keys: dict[str, DataKey] = {}
        self.said = Said()

    @property
    def private(self) -> bool:
        """Whether the run knows of a subject."""
        return bool(self._keys)

    async def input(self, data: bytes) -> bytes:
        """What the run begins with, in clear."""
        if (kind := self._code.event) is not None:
            return await self._event(kind, data)
        clear = await self.open(data)
        operation = self._code.durable
        assert operation is not None
        await self._learn(of_arguments(operation, _codec.decode_arguments(operation, clear)))
        return clear

    async def event(self, type_: str, data: bytes) -> bytes:
        """An event that the run waited for, in clear."""
        kind = self._code.kind(type_)
        return data if kind is None else await self._event(kind, data)

    async def open(self, data: bytes) -> bytes:
        """What the journal or the run's row holds, in clear.

        Raises:
            SubjectForgotten: It can never be read again.
        """
        clear, keys = await self._vault.unblob(data, self._place)
        self._keys.update({key.id: key for key in keys if key.secret is not None})
        if clear is None:
            raise SubjectForgotten.of(keys)
        return clear

    def close(self, data: bytes) -> bytes:
        """What is to be kept, sealed."""
        return self._vault.blob(tuple(self._keys.values()), self._place, data) if data else data

    async def prepare(self, steps: Iterable[Step]) -> None:
        """Learn whose data the steps carry, before anything of them is journaled or published."""
        for step in steps:
            if step.payload is None:
                continue
            if step.kind is Kind.CALL:
                _, operation, arguments, _ = step.payload
                await self._learn(of_arguments(operation, arguments))
            elif step.kind is Kind.PUBLISH:
                kind, event = step.payload[3]
                self._know(await prepare_event(self._vault, kind, event))
                for field in kind.personal:
                    self.said.learn(getattr(event, field))

    async def learn(self, operation: str, value: bytes) -> None:
        """Learn whose data the result of a call is."""
        called = self._code.called(operation)
        if called is not None and called.shape not in ("none", "bytes") and has_personal(called.result):
            await self._learn(of_value(called.result, _codec.decode_result(called, value)))

    async def _learn(self, found: Iterable[Found]) -> None:
        for one in found:
            self._know([await self._vault.key(one.kind, one.subject)])
            self.said.learn(one.value)

    async def _event(self, kind: EventType, data: bytes) -> bytes:
        opened = await open_event(self._vault, kind, data)
        self._know(key for key in opened.keys if key.secret is not None)
        for value in opened.values:
            self.said.learn(value)
        return opened.data

    def _know(self, keys: Iterable[DataKey] | Sequence[DataKey]) -> None:
        self._keys.update({key.id: key for key in keys})
