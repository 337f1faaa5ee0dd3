"""Makes the smallest JSON value that a description allows, to show what a reader would refuse."""

from __future__ import annotations

import base64
import math
from typing import Any

from levada.contract.compatibility.wire import (
    Array,
    Choice,
    Map,
    Object,
    Plain,
    Ref,
    Row,
    Types,
    Union,
    Wire,
)

__all__ = ["NONE", "around", "sample"]


class _None:
    """No value could be made."""

    def __repr__(self) -> str:
        return "NONE"


NONE: Any = _None()

_TEXTS = {
    "datetime": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00",
    "duration": "P1D",
    "uuid": "0198f0a0-0000-7000-8000-000000000001",
    "decimal": "1.5",
}


def sample(wire: Wire, types: Types, depth: int = 0) -> Any:
    """A value of a description, as Python's JSON; :data:`NONE` where none can be told (a pattern)."""
    if depth > 12:
        return NONE
    match wire:
        case Plain():
            return _plain(wire)
        case Choice():
            return wire.values[0]
        case Ref():
            return sample(types[wire.name], types, depth + 1)
        case Union():
            found = (sample(option, types, depth + 1) for option in wire.options)
            return next((f for f in found if f is not NONE), NONE)
        case Array():
            return _several(sample(wire.item, types, depth + 1), wire.min_length or 0, wire.unique)
        case Map():
            if not wire.min_length:
                return {}
            key, value = sample(wire.key, types, depth + 1), sample(wire.value, types, depth + 1)
            return NONE if NONE in (key, value) or wire.min_length > 1 else {_key(key): value}
        case Row():
            return _all([sample(p.type, types, depth + 1) for p in wire.parts if p.required])
        case Object():
            return _members(wire, types, depth, {})


def around(wire: Wire, types: Types, place: str | int, inner: Any) -> Any:
    """A value of a description with ``inner`` at a member, an item or a value of it."""
    if inner is NONE:
        return NONE
    match wire:
        case Object():
            return _members(wire, types, 0, {str(place): inner})
        case Map():
            key = sample(wire.key, types)
            return NONE if key is NONE or (wire.min_length or 0) > 1 else {_key(key): inner}
        case Array():
            return _several(inner, max(1, wire.min_length or 0), wire.unique)
        case Row():
            at = int(place)
            items = [inner if i == at else sample(p.type, types) for i, p in enumerate(wire.parts)]
            needed = max([i for i, p in enumerate(wire.parts) if p.required] + [at])
            return _all(items[: needed + 1])
        case _:
            return NONE


def _members(wire: Object, types: Types, depth: int, given: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    if wire.tag is not None and wire.tag_field is not None:
        made[wire.tag_field] = wire.tag
    for member in wire.members:
        if member.name in given:
            made[member.name] = given[member.name]
        elif member.required:
            made[member.name] = sample(member.type, types, depth + 1)
    return NONE if any(v is NONE for v in made.values()) else made


def _all(items: list[Any]) -> Any:
    return NONE if any(i is NONE for i in items) else items


def _several(item: Any, n: int, unique: bool) -> Any:
    if n == 0:
        return []
    return NONE if item is NONE or (unique and n > 1) or n > 1000 else [item] * n


def _key(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _plain(wire: Plain) -> Any:
    match wire.kind:
        case "null" | "any":
            return None
        case "bool":
            return True
        case "int" | "float":
            return _number(wire)
        case "str":
            if wire.pattern is not None:
                return NONE
            return "x" * max(
                wire.min_length or 0, min(1, wire.max_length if wire.max_length is not None else 1)
            )
        case "bytes":
            return base64.b64encode(bytes(wire.min_length or 0)).decode()
        case "datetime" if wire.tz is False:
            return _TEXTS["datetime"].rstrip("Z")
        case kind:
            return _TEXTS[kind]


def _number(wire: Plain) -> Any:
    step = 1 if wire.kind == "int" else 0.5
    candidates: list[Any] = [0, 1, -1]
    for bound in (wire.ge, wire.gt, wire.le, wire.lt):
        if bound is not None:
            candidates += [bound, bound + step, bound - step]
    if wire.multiple_of:
        low = wire.ge if wire.ge is not None else wire.gt if wire.gt is not None else 0
        candidates += [math.ceil(low / wire.multiple_of) * wire.multiple_of, wire.multiple_of]
    for value in candidates:
        value = int(value) if wire.kind == "int" else float(value)
        if within(wire, value):
            return value
    return NONE


def within(wire: Plain, value: float) -> bool:
    """Whether a number keeps the bounds."""
    return (
        (wire.ge is None or value >= wire.ge)
        and (wire.gt is None or value > wire.gt)
        and (wire.le is None or value <= wire.le)
        and (wire.lt is None or value < wire.lt)
        and (not wire.multiple_of or value % wire.multiple_of == 0)
    )
