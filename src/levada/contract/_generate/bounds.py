"""Bounds, literals and unions that msgspec takes: what it would refuse is widened, and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from levada.contract._generate.schemas import DECIMAL
from levada.contract._generate.text import quoted
from levada.contract._integers import LEAST, MOST

__all__ = ["bounded", "harmless", "literal", "union"]

_META = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "pattern": "pattern",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_LARGEST = 2**63
_OF_INT = {"minimum": LEAST, "maximum": MOST}
"""Bounds that each whole number of a contract has."""
_TEXTS = frozenset({"str", "bytes", "datetime", "date", "time", "timedelta", "UUID", "Decimal"})


def bounded(
    type_: str, schema: dict[str, Any], words: Sequence[str], note: Callable[[str], None], hint: str
) -> str:
    """``Annotated[type, Meta(…)]`` with those bounds of a schema that can be kept."""
    if schema.get("pattern") == DECIMAL:
        return type_
    found: dict[str, Any] = {}
    for word in words:
        if word not in schema or (type_ == "int" and schema[word] == _OF_INT.get(word)):
            continue
        value = _bound(type_, word, schema)
        if value is None:
            if schema[word] is not False:
                note(f"{hint}: {word} {schema[word]!r:.60} cannot be kept")
            continue
        found[
            _META[word]
            if schema[word] is not True
            else {"exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}[word]
        ] = value
    # Of two bounds on one side the one that leaves its value out was meant to narrow the other.
    for narrow, wide in (("gt", "ge"), ("lt", "le")):
        if narrow in found:
            found.pop(wide, None)
    given = ", ".join(f"{k}={quoted(v) if isinstance(v, str) else repr(v)}" for k, v in found.items())
    return f"Annotated[{type_}, Meta({given})]" if given else type_


def _bound(type_: str, word: str, schema: dict[str, Any]) -> Any:
    value = schema[word]
    if value is True and word.startswith("exclusive"):
        # OpenAPI 3.0 says so of the bound beside it.
        value = schema.get("minimum" if word == "exclusiveMinimum" else "maximum")
    if word == "pattern":
        return value if isinstance(value, str) and _compiles(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _LARGEST:
        return None
    if type_ == "int" or "ength" in word or "Items" in word:
        if value != int(value):
            return None
        value = int(value)
    if word not in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") and value < (
        word == "multipleOf"
    ):
        return None if word != "multipleOf" or value <= 0 else value
    return value


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def literal(values: Any) -> str:
    """``Literal[…]`` of an enumeration's values, or the type that they have in common."""
    if not isinstance(values, list) or not values:
        return "Any"
    null = " | None" if None in values else ""
    some = list(dict.fromkeys(v for v in values if v is not None and not isinstance(v, list | dict)))
    if not some:
        return "None" if null else "Any"
    if all(isinstance(v, bool) for v in some):
        return f"bool{null}"
    if all(
        isinstance(v, str) or (isinstance(v, int) and not isinstance(v, bool) and abs(v) < _LARGEST)
        for v in some
    ):
        return f"Literal[{', '.join(quoted(v) if isinstance(v, str) else repr(v) for v in some)}]{null}"
    return f"float{null}" if all(isinstance(v, int | float) for v in some) else "Any"


def harmless(parts: Sequence[str]) -> list[str]:
    """The types of a union without the bounds that a contract refuses beside an array or a dict."""
    several = [p for p in parts if p.removeprefix("Annotated[").startswith(("tuple[", "dict["))]
    fixed = any(p.startswith("tuple[") and not p.endswith(", ...]") for p in several)
    return [
        p[len("Annotated[") : p.index(", Meta(")]
        if several and p.startswith("Annotated[") and (fixed or "pattern=" in p) and p not in several
        else p
        for p in parts
    ]


def union(parts: list[str], enums: Mapping[str, str], structs: Set[str]) -> str | None:
    """The union of types, or None where a value would not tell which of them it is."""
    null = any(p == "None" or p.endswith(" | None") for p in parts)
    some = list(dict.fromkeys(p.removesuffix(" | None") for p in parts if p != "None"))
    if not some:
        return "None"
    if len(some) > 1 and "Any" in some:
        return "Any"
    kinds = [_kind(p, enums, structs) for p in some]
    if len(some) > 1 and (None in kinds or len(set(kinds)) < len(kinds)):
        # Several kinds of text are text, several kinds of whole numbers are numbers.
        if set(kinds) == {"text"}:
            some = ["str"]
        elif set(kinds) <= {"int", "float"} and not any(s in enums for s in some):
            some = ["int | float" if "float" in kinds else "int"]
        else:
            return None
    made = " | ".join(some)
    return f"{made} | None" if null and made != "Any" else made


def _kind(type_: str, enums: Mapping[str, str], structs: Set[str]) -> str | None:
    """What a value of a type is in JSON."""
    base = type_.removeprefix("Annotated[")
    word = re.match(r"\w*", base)
    name = word[0] if word else ""
    if " | " in type_ and not type_.startswith(("Annotated[", "tuple[", "dict[")):
        return None
    if name in _TEXTS:
        return "text"
    if name in enums:
        return enums[name]
    if name == "Literal":
        return "text" if re.fullmatch(r"Literal\[(?:(?:\"[^\"\\]*\"|'[^'\\]*')(?:, )?)+\]", base) else None
    if name in ("int", "float", "bool"):
        return name
    if name == "tuple":
        return "array"
    return "object" if name == "dict" or name in structs else None
