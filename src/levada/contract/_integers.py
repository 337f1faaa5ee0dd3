"""Whole numbers of a contract have 64 bits with a sign, unless it states less.

Python's have any size, and so a number would pass that no store, no other language and no journal of a consumer can
keep. It is refused where it crosses a border. What is stored already is read as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias, get_origin

import msgspec
from msgspec import inspect

__all__ = ["LEAST", "MOST", "Integers", "integers_of"]

LEAST, MOST = -(2**63), 2**63 - 1

_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG = b"0" * 19
"""As many digits as the smallest number has that may be too wide."""

_Part: TypeAlias = tuple[str, inspect.Type, Any]
_WITH_FIELDS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)


class Integers:
    """Finds, in values of one type, the whole numbers that are too wide."""

    __slots__ = ("_info", "_keys", "any")

    def __init__(self, hint: Any) -> None:
        self._info = inspect.type_info(hint)
        kinds = {(type(info), key) for info, key in _within(self._info, set())}
        self.any = any(kind is inspect.IntType for kind, _ in kinds)
        # A key is a text in JSON, whose digits may be written otherwise.
        self._keys = (inspect.IntType, True) in kinds

    def check(self, value: Any, encoded: bytes | None = None) -> None:
        """Look through a value.

        Args:
            value: One of the type.
            encoded: The JSON that it was decoded from: without so many digits in a row there is nothing to look for.

        Raises:
            msgspec.ValidationError: A number in it is too wide; names its place.
        """
        if not self.any or not (encoded is None or self._keys or _has_long(encoded)):
            return
        for place, wide in _wide(self._info, value, "$"):
            bound = f"<= {MOST}" if wide > 0 else f">= {LEAST}"
            at = "" if place == "$" else f" - at `{place}`"
            raise msgspec.ValidationError(f"Expected `int` {bound}{at}")


@lru_cache(maxsize=4096)
def _known(hint: Any) -> Integers:
    return Integers(hint)


def integers_of(hint: Any) -> Integers:
    """What looks through values of a type; made once for each."""
    try:
        return _known(hint)
    except TypeError:  # an annotation that cannot be hashed
        return Integers(hint)


def _has_long(encoded: bytes) -> bool:
    return len(encoded) >= len(_LONG) and _LONG in encoded.translate(_DIGITS)


def _within(info: inspect.Type, seen: set[int], *, key: bool = False) -> Iterator[tuple[inspect.Type, bool]]:
    """All types within a type, and of each whether it is a key's."""
    if id(info) in seen:
        return
    seen.add(id(info))
    yield info, key
    match info:
        case inspect.Metadata():
            yield from _within(info.type, seen, key=key)
        case inspect.UnionType():
            for part in info.types:
                yield from _within(part, seen, key=key)
        case inspect.DictType():
            yield from _within(info.key_type, seen, key=True)
            yield from _within(info.value_type, seen)
        case inspect.CollectionType():
            yield from _within(info.item_type, seen)
        case inspect.TupleType():
            for part in info.item_types:
                yield from _within(part, seen)
        case _ if isinstance(info, _WITH_FIELDS):
            for field in info.fields:
                yield from _within(field.type, seen)
        case _:
            return


def _wide(info: inspect.Type, value: Any, place: str) -> Iterator[tuple[str, int]]:
    """The numbers in a value that are too wide, with their places."""
    if isinstance(info, inspect.IntType):
        if type(value) is int and not LEAST <= value <= MOST:
            yield place, value
        return
    for step, part, inner in _parts(info, value):
        yield from _wide(part, inner, place + step)


def _parts(info: inspect.Type, value: Any) -> Iterable[_Part]:
    """What a value of a type consists of; nothing if it is of another type, as in unions."""
    match info:
        case inspect.Metadata():
            return [("", info.type, value)]
        case inspect.UnionType():
            return [("", part, value) for part in info.types]
        case inspect.DictType() if isinstance(value, Mapping):
            return _of_dict(info, value)  # pyright: ignore[reportUnknownArgumentType] - of any type
        case inspect.CollectionType() if isinstance(value, list | tuple | set | frozenset):
            return [(f"[{n}]", info.item_type, item) for n, item in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - the same
        case inspect.TupleType() if isinstance(value, tuple):
            return [
                (f"[{n}]", part, item)
                for n, (part, item) in enumerate(zip(info.item_types, value, strict=False))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - the same
            ]
        case inspect.TypedDictType() if isinstance(value, dict):
            return [(f".{f.encode_name}", f.type, value[f.name]) for f in info.fields if f.name in value]
        case inspect.StructType() | inspect.DataclassType() | inspect.NamedTupleType() if isinstance(
            value, get_origin(info.cls) or info.cls
        ):
            return [(f".{f.encode_name}", f.type, getattr(value, f.name)) for f in info.fields]
        case _:
            return ()


def _of_dict(info: inspect.DictType, value: Mapping[Any, Any]) -> Iterator[_Part]:
    for key, item in value.items():
        yield "[key]", info.key_type, key
        yield "[...]", info.value_type, item
