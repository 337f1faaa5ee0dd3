"""Personal data in what operators see: masked by what the event types say, unless it is asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import msgspec

from levada.app import App
from levada.contract.event import event_type
from levada.contract.personal import names_of

__all__ = ["MASK", "Masks", "published", "readable"]

MASK = "•••"


class Masks:
    """Which fields are personal, by event type. A type that nobody knows is masked whole.

    In the steps of runs, whose values are those of events and of calls made with them,
    every field of one of these names is masked.
    """

    def __init__(self, personal: Mapping[str, Collection[str]], names: Collection[str] = ()) -> None:
        self._personal = personal
        self._names = frozenset(name for names in personal.values() for name in names).union(names)

    @classmethod
    def of(cls, app: App) -> Masks:
        """The masks of an app's events, and of what its operations and those that it calls say of persons."""
        found: dict[str, Collection[str]] = {}
        names: set[str] = set()
        for local in app.plan.locals:
            implementation = local.implementation
            kinds = [*implementation.publishes.values(), *implementation.awaits.values()]
            kinds += [event_type(h.spec.event) for h in implementation.handlers.values()]
            found |= {kind.type: tuple(map(kind.wire, kind.personal)) for kind in kinds}
            contracts = [local.contract, *(d.contract for d in implementation.dependencies.values())]
            for operation in (o for c in contracts for o in c.operations.values()):
                names |= names_of(operation)
        return cls(found, names)

    def event(self, seen: dict[str, Any]) -> dict[str, Any]:
        """An event of the log, masked."""
        data = seen["data"]
        kind = str((seen["attributes"] or {}).get("type"))
        if not isinstance(data, dict) or kind not in self._personal:
            return {**seen, "data": None if data is None else MASK}
        personal = self._personal[kind]
        fields = cast("dict[str, Any]", data)
        return {**seen, "data": {k: MASK if k in personal else v for k, v in fields.items()}}

    def run(self, shown: dict[str, Any], said: Callable[[str], str] | None = None) -> dict[str, Any]:
        """A run with its steps, masked; ``said`` takes what is personal out of texts."""
        return self._masked(shown, said or str)

    def _masked(self, value: Any, said: Callable[[str], str]) -> Any:
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {k: MASK if k in self._names else self._masked(v, said) for k, v in fields.items()}
        if isinstance(value, str):
            return said(value)
        return [self._masked(v, said) for v in cast("list[Any]", value)] if isinstance(value, list) else value


def published(shown: Any) -> Any:
    """A run in which the events that it published stand as the JSON that they are."""
    if isinstance(shown, list):
        return [published(item) for item in cast("list[Any]", shown)]
    if not isinstance(shown, dict):
        return shown
    fields = cast("dict[str, Any]", shown)
    if str(fields.get("operation", "")).startswith("publish ") and isinstance(fields["arguments"], dict):
        arguments = cast("dict[str, Any]", fields["arguments"])
        return {**fields, "arguments": {**arguments, "data": readable(base64.b64decode(arguments["data"]))}}
    return {k: published(v) for k, v in fields.items()}


def readable(value: Any) -> Any:
    """A struct as plain data in which the bytes of journals stand as the JSON that they are."""
    if isinstance(value, bytes):
        try:
            return msgspec.json.decode(value) if value else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return base64.b64encode(value).decode()
    if isinstance(value, msgspec.Struct):
        return {name: readable(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {k: readable(v) for k, v in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [readable(v) for v in cast("list[Any]", value)]
    return value
