"""Arguments in one form, so that equal values are equal bytes.

Two calls are the same call when their decoded values are equal (durability, rule 1):
fields at their default are left out, sets are sorted, decimals count by value,
members are in the order of their names. The bytes are JSON and decode as the types
they came from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from inspect import isawaitable
from typing import Any, cast

import msgspec
from msgspec.structs import fields as struct_fields

__all__ = ["canonical"]

_ENCODE = msgspec.json.Encoder(order="deterministic").encode
_PLAIN = frozenset((str, int, bool, type(None), float))


def canonical(value: object) -> bytes:
    """The canonical JSON of a value: structs, dataclasses, collections and scalars of msgspec."""
    try:
        return _ENCODE(_plain(value))
    except TypeError as error:
        if name := _unawaited(value):
            raise TypeError(f"{name} is a call that was not awaited: write await before it") from error
        raise


def _unawaited(value: Any) -> str | None:
    """The name of the argument that is a coroutine, if one is."""
    named = cast("Mapping[Any, Any]", value) if isinstance(value, Mapping) else {}
    return next((str(name) for name, each in named.items() if isawaitable(each)), None)


def _plain(value: Any) -> Any:
    kind: type[Any] = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {_key(k): _plain(v) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [_plain(item) for item in value]
    return _reduce(value, kind)


def _reduce(value: Any, kind: type[Any]) -> Any:
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, msgspec.Struct):
        return _struct(value, kind)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {_key(k): _plain(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Set):
        return sorted((_plain(item) for item in cast("Set[Any]", value)), key=_ENCODE)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    if dataclasses.is_dataclass(kind):
        return _dataclass(value)
    return value


def _key(key: Any) -> Any:
    plain = _plain(key)
    return plain if isinstance(plain, str | int) else str(plain)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


@lru_cache(maxsize=4096)
def _members(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, object, Callable[[], Any] | None], ...]:
    return tuple(
        (
            f.name,
            f.encode_name,
            f.default,
            None if f.default_factory is msgspec.NODEFAULT else f.default_factory,
        )
        for f in struct_fields(kind)
    )


def _struct(value: msgspec.Struct, kind: type[msgspec.Struct]) -> Any:
    config = kind.__struct_config__
    if config.array_like:
        head = [] if config.tag is None else [config.tag]
        return head + [_plain(getattr(value, name)) for name, *_ in _members(kind)]
    out: dict[Any, Any] = {}
    if config.tag is not None:
        out[config.tag_field] = config.tag
    for name, wire, default, factory in _members(kind):
        member = getattr(value, name)
        if member is msgspec.UNSET or _is_default(member, factory() if factory else default):
            continue
        out[wire] = _plain(member)
    return out


def _dataclass(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for f in dataclasses.fields(value):
        factory = f.default_factory
        default = f.default if factory is dataclasses.MISSING else factory()
        if not _is_default(member := getattr(value, f.name), default):
            out[f.name] = _plain(member)
    return out


def _is_default(member: object, default: object) -> bool:
    return member is default or (type(member) is type(default) and member == default)
