"""What a type annotation of a contract allows."""

from __future__ import annotations

import datetime
import decimal
import typing
import uuid
from collections.abc import Callable, Sequence
from enum import Enum
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec

__all__ = ["allows_none", "is_list", "is_simple", "is_struct"]

_UNIONS = (typing.Union, UnionType)
_LISTS = (list, tuple, Sequence, frozenset, set)
_SIMPLE = (
    str,
    int,
    float,
    bool,
    decimal.Decimal,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    Enum,
)


def allows_none(hint: Any) -> bool:
    """Whether None is a value of the type."""
    return _any_of(hint, lambda part: part is None or part is type(None))


def is_list(hint: Any) -> bool:
    """Whether the type is a list of some kind, or one of several types of which one is."""
    return _any_of(hint, lambda part: get_origin(part) in _LISTS)


def is_struct(hint: Any) -> bool:
    """Whether the type is a struct, also a generic one with its arguments."""
    base = get_origin(hint) or hint
    return isinstance(base, type) and issubclass(base, msgspec.Struct)


def is_simple(hint: Any, *, lists: bool) -> bool:
    """Whether values of the type are one text in a URL, or with ``lists`` several."""
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return is_simple(get_args(hint)[0], lists=lists)
    if origin is Literal:
        return True
    if origin in _UNIONS:
        return all(part is type(None) or is_simple(part, lists=lists) for part in get_args(hint))
    if origin in _LISTS:
        return lists and all(part is Ellipsis or is_simple(part, lists=False) for part in get_args(hint))
    return isinstance(hint, type) and issubclass(hint, _SIMPLE)


def _any_of(hint: Any, test: Callable[[Any], bool]) -> bool:
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _any_of(get_args(hint)[0], test)
    if origin in _UNIONS:
        return any(_any_of(part, test) for part in get_args(hint))
    return test(hint)
