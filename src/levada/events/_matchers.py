"""The single tests of an event pattern: what one value of a field has to be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, cast

from levada._errors import LevadaError

__all__ = ["MISSING", "FilterMalformed", "Test", "matcher"]

MISSING: Any = object()
Test: TypeAlias = Callable[[Any], bool]
_OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class FilterMalformed(LevadaError, code="LV1408"):
    """The pattern is wrong at {path}: {reason}."""


def matcher(path: str, wanted: Any) -> Test:
    """The test for one entry of a pattern's list: a value, or an object with one operator."""
    if isinstance(wanted, dict):
        if len(wanted) != 1:
            raise FilterMalformed(path=path, reason=f"an operator stands alone, not {sorted(wanted)}")
        ((name, argument),) = cast("dict[str, Any]", wanted).items()
        make = _MAKERS.get(name)
        if make is None:
            raise FilterMalformed(
                path=path, reason=f"no operator {name!r}; there are {', '.join(sorted(_MAKERS))}"
            )
        return make(path, argument)
    if isinstance(wanted, list):
        raise FilterMalformed(path=path, reason="a list stands in a list")
    return lambda value: _same(value, wanted)


def _same(value: Any, wanted: Any) -> bool:
    """Equal in JSON: a number by its value, true is not 1, and an absent field is not null."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, int | float | Decimal) and isinstance(wanted, int | float | Decimal):
        return _decimal(value) == _decimal(wanted)
    return type(value) is type(wanted) and value == wanted


def _decimal(value: int | float | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _text(path: str, argument: Any) -> str:
    if not isinstance(argument, str):
        raise FilterMalformed(path=path, reason=f"{argument!r} is no text")
    return argument


def _affix(test: Callable[[str, str], bool]) -> Callable[[str, Any], Test]:
    def make(path: str, argument: Any) -> Test:
        if isinstance(argument, dict) and list(cast("dict[str, Any]", argument)) == ["equals-ignore-case"]:
            folded = _text(path, argument["equals-ignore-case"]).casefold()
            return lambda value: isinstance(value, str) and test(value.casefold(), folded)
        text = _text(path, argument)
        return lambda value: isinstance(value, str) and test(value, text)

    return make


def _ignore_case(path: str, argument: Any) -> Test:
    folded = _text(path, argument).casefold()
    return lambda value: isinstance(value, str) and value.casefold() == folded


def _anything_but(path: str, argument: Any) -> Test:
    if isinstance(argument, dict):
        ((name, inner),) = cast("dict[str, Any]", argument).items() if len(argument) == 1 else (("", None),)
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise FilterMalformed(path=path, reason=f"anything-but takes no {name or 'several operators'}")
        refused = [_MAKERS[name](path, one) for one in _listed(path, inner)]
    else:
        refused = [matcher(path, one) for one in _listed(path, argument)]
    return lambda value: value is not MISSING and not any(test(value) for test in refused)


def _listed(path: str, argument: Any) -> Sequence[Any]:
    found: list[Any] = argument if isinstance(argument, list) else [argument]
    if not found:
        raise FilterMalformed(path=path, reason="the list is empty")
    return found


def _numeric(path: str, argument: Any) -> Test:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise FilterMalformed(path=path, reason='numeric takes [">", 1] or [">", 1, "<=", 5]')
    parts = cast("list[Any]", argument)
    bounds: list[tuple[Callable[[Decimal, Decimal], bool], Decimal]] = []
    for operator, number in zip(parts[::2], parts[1::2], strict=True):
        if operator not in _OPERATORS:
            raise FilterMalformed(
                path=path, reason=f"no comparison {operator!r}; there are {' '.join(_OPERATORS)}"
            )
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
            raise FilterMalformed(path=path, reason=f"{number!r} is no number")
        bounds.append((_OPERATORS[operator], _decimal(number)))

    def test(value: Any) -> bool:
        found = _number(value)
        return found is not None and all(compare(found, bound) for compare, bound in bounds)

    return test


def _number(value: Any) -> Decimal | None:
    """A number, or a text that is one: decimal fields of contracts are written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        return _decimal(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


def _exists(path: str, argument: Any) -> Test:
    if not isinstance(argument, bool):
        raise FilterMalformed(path=path, reason="exists takes true or false")
    return lambda value: (value is not MISSING) is argument


def _cidr(path: str, argument: Any) -> Test:
    try:
        network = ipaddress.ip_network(_text(path, argument), strict=False)
    except ValueError as error:
        raise FilterMalformed(path=path, reason=str(error)) from None

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _wildcard(path: str, argument: Any) -> Test:
    """Literal pieces found from left to right: linear, where a regular expression may explode."""
    pieces, ends = [""], _text(path, argument)
    position = 0
    while position < len(ends):
        char = ends[position]
        if char == "\\":
            position += 1
            if position == len(ends) or ends[position] not in "*\\":
                raise FilterMalformed(path=path, reason="a backslash stands before * or \\ only")
            pieces[-1] += ends[position]
        elif char == "*":
            if ends[position : position + 2] == "**":
                raise FilterMalformed(path=path, reason="two * in a row")
            pieces.append("")
        else:
            pieces[-1] += char
        position += 1
    return lambda value: isinstance(value, str) and _glob(value, pieces)


def _glob(value: str, pieces: list[str]) -> bool:
    if len(pieces) == 1:
        return value == pieces[0]
    first, *middle, last = pieces
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    position, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


_MAKERS: dict[str, Callable[[str, Any], Test]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": _ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
    "wildcard": _wildcard,
}
