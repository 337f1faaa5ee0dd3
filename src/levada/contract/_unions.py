"""Unions that msgspec cannot hold: it frees their parts wrongly, and the process ends with a segmentation fault.

Found by trying all pairs, and hundreds of three and four: an array or a dict beside a text with a pattern, and a tuple
of fixed length beside anything with a bound. The tests try whether it is so still. Types are read here without msgspec, which makes a decoder
of whatever it is asked about.
"""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterator
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

__all__ = ["fatal_union", "parts_of"]

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")

_BARE = (list, dict, set, frozenset, tuple)


def fatal_union(hint: Any) -> tuple[str, str, str] | None:
    """The first union within a type that must not be read: the fields that lead there, and the two of it."""
    try:
        return next(_found(hint, "", set()), None)
    except (TypeError, NameError):
        return None  # a type that cannot be read at all: that is told by itself


def _found(hint: Any, path: str, seen: set[int]) -> Iterator[tuple[str, str, str]]:
    if id(hint) in seen:
        return
    seen.add(id(hint))
    if get_origin(hint) in (typing.Union, UnionType) and (pair := _pair(get_args(hint))) is not None:
        yield path, *pair
    for step, part in parts_of(hint):
        yield from _found(part, ", ".join(filter(None, (path, step))), seen)


def parts_of(hint: Any) -> Iterator[tuple[str, Any]]:
    """The types within a type, each with the field that it is of."""
    base = get_origin(hint) or hint
    if base is typing.Annotated:
        yield "", get_args(hint)[0]
    elif isinstance(base, type) and issubclass(base, msgspec.Struct):
        yield from ((f"{base.__name__}.{f.name}", f.type) for f in msgspec.structs.fields(hint))
    elif isinstance(base, type) and vars(base).get(
        "__annotations__"
    ):  # dataclasses, typed dicts, named tuples
        yield from (
            (f"{base.__name__}.{n}", t) for n, t in typing.get_type_hints(base, include_extras=True).items()
        )
    else:
        yield from (("", part) for part in get_args(hint) if part is not Ellipsis)


def _pair(members: tuple[Any, ...]) -> tuple[str, str] | None:
    bounded = [(m, bounds) for m in members if (bounds := _bounds(m))]
    for member in members:
        bare = _bare(member)
        if not _holds_several(bare):
            continue
        for beside, bounds in bounded:
            if beside is not member and (_is_fixed(bare) or "pattern" in bounds):
                name = getattr(_bare(beside), "__name__", repr(_bare(beside)))
                said = ", ".join(f"{n}={v!r}" for n, v in bounds.items())
                shown = repr(bare) if get_origin(bare) is not None else bare.__name__
                return shown, f"{name} with {said}"
    return None


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint


def _holds_several(hint: Any) -> bool:
    origin = get_origin(hint)
    return hint in _BARE if origin is None else isinstance(origin, type) and issubclass(origin, Collection)


def _is_fixed(hint: Any) -> bool:
    return get_origin(hint) is tuple and get_args(hint)[1:] != (Ellipsis,)


def _bounds(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is not typing.Annotated:
        return {}
    marks = [m for m in get_args(hint)[1:] if isinstance(m, msgspec.Meta)]
    return {n: v for m in marks for n in _BOUNDS if (v := getattr(m, n)) is not None}
