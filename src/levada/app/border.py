"""What crosses the border of a contract in process is as it would be on the wire.

A value that is exactly of its type, deep down, and cannot change passes as it is: an
expression generated from the type tells. Everything else goes through the wire
format, which converts it, copies it, or refuses it.
"""

from __future__ import annotations

import datetime
import decimal
import typing
import uuid
from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec

from levada.contract._integers import LEAST, MOST, integers_of

__all__ = ["Border", "check_expression"]

_SCALARS: tuple[type, ...] = (
    str,
    bool,
    bytes,
    decimal.Decimal,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
)
_DEEPEST = 6


class _Names:
    """Names for the temporary variables and constants of one generated expression."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.count = 0

    def variable(self) -> str:
        self.count += 1
        return f"_v{self.count}_"

    def constant(self, value: Any) -> str:
        for name, known in self.namespace.items():
            if known is value:
                return name
        name = f"_c{len(self.namespace)}"
        self.namespace[name] = value
        return name


def check_expression(hint: Any, variable: str, namespace: dict[str, Any]) -> str | None:
    """An expression that is true only for values that may pass as they are; None: none may.

    Args:
        hint: The type.
        variable: The name of the variable with the value.
        namespace: Takes the constants that the expression needs.
    """
    return _expression(hint, variable, _Names(namespace), 0)


def _expression(hint: Any, value: str, names: _Names, depth: int) -> str | None:
    if depth > _DEEPEST:
        return None
    origin = get_origin(hint)
    if origin is typing.Annotated:
        inner, *marks = get_args(hint)
        return (
            None
            if any(isinstance(m, msgspec.Meta) for m in marks)
            else _expression(inner, value, names, depth)
        )
    if hint is None or hint is NoneType:
        return f"{value} is None"
    if origin in (typing.Union, UnionType):
        parts = [_expression(a, value, names, depth) for a in get_args(hint)]
        return None if None in parts else "(" + " or ".join(f"({p})" for p in parts) + ")"
    if origin is Literal:
        allowed = get_args(hint)
        return " or ".join(
            f"({value} is {names.constant(a)} or ({names.constant(type)}({value}) is {names.constant(type(a))} and {value} == {a!r}))"
            for a in allowed
        )
    if origin is tuple:
        return _tuple(get_args(hint), value, names, depth)
    base = origin or hint
    if not isinstance(base, type):
        return None
    if issubclass(base, msgspec.Struct):
        return _struct(hint, base, value, names, depth)
    return None if origin is not None else _scalar(base, value, names)


def _scalar(base: type, value: str, names: _Names) -> str | None:
    if base is int:
        return f"({names.constant(type)}({value}) is {names.constant(int)} and {LEAST} <= {value} <= {MOST})"
    if base is float:
        # JSON has no infinities and no NaN.
        return f"({names.constant(type)}({value}) is {names.constant(float)} and {value} - {value} == 0.0)"
    if _plain(base) is not None:
        return f"{names.constant(type)}({value}) is {names.constant(base)}"
    return None


def _plain(hint: Any) -> type | None:
    """The type, if every value of exactly this type may pass as it is."""
    if isinstance(hint, type) and (hint in _SCALARS or issubclass(hint, Enum)):
        return hint
    return None


def _tuple(items: tuple[Any, ...], value: str, names: _Names, depth: int) -> str | None:
    if len(items) != 2 or items[1] is not Ellipsis:
        return None
    plain = _plain(items[0])
    if plain is not None:
        # Told without a frame: by the types alone.
        every = names.constant(frozenset({plain}))
        return f"({names.constant(type)}({value}) is {names.constant(tuple)} and {every}.issuperset({names.constant(map)}({names.constant(type)}, {value})))"
    item = names.variable()
    inner = _expression(items[0], item, names, depth + 1)
    if inner is None:
        return None
    return f"({names.constant(type)}({value}) is {names.constant(tuple)} and {names.constant(all)}([{inner} for {item} in {value}]))"


def _struct(hint: Any, base: type[msgspec.Struct], value: str, names: _Names, depth: int) -> str | None:
    if not base.__struct_config__.frozen:
        return None
    parts = [f"{names.constant(type)}({value}) is {names.constant(base)}"]
    for field in msgspec.structs.fields(hint):
        variable = names.variable()
        inner = _expression(field.type, variable, names, depth + 1)
        if inner is None:
            return None
        # The walrus binds the field once, whatever the expression does with it.
        parts.append(
            f"((({variable} := {value}.{field.name}) is {variable}) and {inner})"
            if inner.count(variable) != 1
            else inner.replace(variable, f"{value}.{field.name}", 1)
        )
    return "(" + " and ".join(parts) + ")"


class Border:
    """One type at the border: its check, its wire form."""

    __slots__ = ("_decode", "check", "hint", "integers")

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(hint).decode
        self.integers = integers_of(hint)
        namespace: dict[str, Any] = {}
        expression = check_expression(hint, "value", namespace)
        self.check: Callable[[Any], bool] | None = None
        if expression is not None:
            self.check = eval(f"lambda value: {expression}", namespace)  # noqa: S307 - made from types alone

    def carry(self, value: Any, *, always: bool = False) -> Any:
        """The value as it arrives on the other side; ``always``: by the wire, even if it need not.

        Raises:
            msgspec.ValidationError: It is not of the type.
            TypeError: It has no form on the wire.
        """
        if not always and self.check is not None and self.check(value):
            return value
        return self.decode(msgspec.json.encode(value))

    def decode(self, data: bytes) -> Any:
        """The value of its wire form.

        Raises:
            msgspec.DecodeError: It is no JSON, or (ValidationError) not of the type.
        """
        value = self._decode(data)
        self.integers.check(value, data)
        return value
