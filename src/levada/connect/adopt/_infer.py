"""The JSON schema that a number of values have in common: names and types, never a value."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

__all__ = ["schema_of"]

_NAME = re.compile(r"[A-Za-z_$@][A-Za-z_$-]{0,39}\d{0,2}")
"""A member's name; another key (an id, an address) is data, and its object a map."""
_FORMATS = (
    ("date-time", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")),
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
    ("uuid", re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
)


def schema_of(values: list[Any]) -> dict[str, Any]:
    """The schema that all values fit: a member that one lacks is optional, what was null may be null."""
    some = [v for v in values if v is not None]
    null = len(some) < len(values)
    kinds: dict[str, list[Any]] = defaultdict(list)
    for value in some:
        kinds[_kind(value)].append(value)
    if "number" in kinds and "integer" in kinds:
        kinds["number"] += kinds.pop("integer")
    if not kinds:
        return {}
    made = [_of_kind(kind, found) for kind, found in kinds.items()]
    if null:
        made.append({"type": "null"})
    return made[0] if len(made) == 1 else {"anyOf": made}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _of_kind(kind: str, values: list[Any]) -> dict[str, Any]:
    if kind == "array":
        return {"type": "array", "items": schema_of([item for v in values for item in v])}
    if kind == "object":
        return _object(values)
    if kind == "string":
        for name, pattern in _FORMATS:
            if all(pattern.fullmatch(v) for v in values):
                return {"type": "string", "format": name}
    return {"type": kind}


def _object(values: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for value in values for name in value))
    if not all(_NAME.fullmatch(name) for name in names):
        return {
            "type": "object",
            "additionalProperties": schema_of([v for value in values for v in value.values()]),
        }
    if not names:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {name: schema_of([value[name] for value in values if name in value]) for name in names},
        "required": [name for name in names if all(name in value for value in values)],
    }
