"""JSON schemas of a contract's types, as they stand in its documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from levada.contract._generate.times import tell_times
from levada.contract._integers import LEAST, MOST
from levada.contract.api import Contract
from levada.contract.operation import Operation
from levada.contract.problem import Problem, struct_of
from levada.contract.standard import STANDARD

__all__ = ["DECIMAL", "REF", "TRACE", "Schemas", "mend", "schemas_of"]

REF = "#/components/schemas/{name}"
DECIMAL = r"^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$"
"""Digits with a point; exponents and infinities are read but not promised."""
TRACE = "x-levada-trace"
"""Marks the member of a failure that the border adds; a field of that name that a problem declares has no mark."""
_TRACE = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "Of an answer of status 500 or above: the trace under which its operator finds the cause (W3C Trace Context).",
    TRACE: True,
}


class Schemas:
    """The schemas of one contract, with its components made together so that their names agree."""

    def __init__(self, contract: Contract) -> None:
        operations = list(contract.operations.values())
        types = _distinct(t for o in operations for t in _types(o))
        self.declared = _distinct(p for o in operations for p in o.raises)
        structs = [struct_of(p) for p in self.declared]
        made, self.components = schemas_of([*types, *structs])
        self._types = list(zip(types, made[: len(types)], strict=True))
        self._problems: dict[type[Problem], dict[str, Any]] = {}
        for problem, schema in zip(self.declared, made[len(types) :], strict=True):
            self._declare(problem, schema)

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a type that occurs in the contract."""
        for known, schema in self._types:
            if known is hint or known == hint:
                return schema
        raise LookupError(hint)

    def flat(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of a query parameter: null cannot be written in a query."""
        options: list[Any] | None = schema.get("anyOf")
        if options is None:
            return schema
        some = [o for o in options if o.get("type") != "null"]
        rest = {k: v for k, v in schema.items() if k != "anyOf" and not (k == "default" and v is None)}
        return {**some[0], **rest} if len(some) == 1 else {"anyOf": some, **rest}

    def line(self, item: Any) -> dict[str, Any]:
        """The schema of one line of a stream."""
        return {
            "oneOf": [
                _object({"item": self.of(item)}),
                _object({"end": {"const": True}}),
                _object({"problem": self._any()}),
            ]
        }

    def problem(self, problem: type[Problem]) -> dict[str, Any]:
        """A reference to a problem's document, declared or standard."""
        return self._problems[problem] if problem in self._problems else self._any()

    def _any(self) -> dict[str, Any]:
        name = "levada.Problem"
        if name not in self.components:
            self.components[name] = {
                "title": "Problem",
                "description": "Problem details (RFC 9457) of the network itself.",
                **_document(
                    {"enum": sorted(f"urn:levada:problem:{c}" for c in STANDARD)}, {"type": "integer"}
                ),
            }
            self.components[name]["properties"]["trace"] = _TRACE
        return {"$ref": REF.format(name=name)}

    def _declare(self, problem: type[Problem], schema: dict[str, Any]) -> None:
        name = schema["$ref"].rpartition("/")[2]
        own = self.components[name]
        whole = _document({"const": f"urn:levada:problem:{problem.code}"}, {"const": problem.status})
        if problem.status >= 500:
            whole["properties"]["trace"] = _TRACE
        whole["properties"].update(own.get("properties", {}))
        whole["required"] += own.get("required", [])
        self.components[name] = {
            "title": problem.__name__,
            "description": problem.title,
            **whole,
            "x-levada-problem": problem.code,
        }
        if problem.template is not None:
            self.components[name]["x-levada-detail"] = problem.template
        self._problems[problem] = schema


def schemas_of(types: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schemas of types and the components that they refer to, with what msgspec leaves open."""
    made, parts = msgspec.json.schema_components(types, ref_template=REF)
    schemas: list[dict[str, Any]] = [mend(schema) for schema in made]
    components: dict[str, Any] = {name: mend(schema) for name, schema in parts.items()}
    seen: set[str] = set()
    for schema, info in zip(schemas, inspect.multi_type_info(types), strict=True):
        tell_times(schema, info, components, seen)
    return schemas, components


def mend(schema: Any) -> Any:
    """What msgspec leaves open and the border is strict about: how a decimal is written, how wide a whole number is."""
    if isinstance(schema, list):
        return [mend(s) for s in schema]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {k: mend(v) for k, v in schema.items()}  # pyright: ignore[reportUnknownVariableType] - JSON
    if found.get("format") == "decimal" and found.get("type") == "string":
        found.setdefault("pattern", DECIMAL)
    if found.get("type") == "integer":
        found["format"] = "int64"
        if "exclusiveMinimum" not in found:
            found.setdefault("minimum", LEAST)
        if "exclusiveMaximum" not in found:
            found.setdefault("maximum", MOST)
    return found


def _types(operation: Operation) -> list[Any]:
    found = [p.type for p in operation.parameters if p.place != "content"]
    if operation.body is not None:
        found.append(operation.body)
    if operation.shape not in ("none", "bytes"):
        found.append(operation.result)
    return found


def _distinct(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not any(item is f or item == f for f in found):
            found.append(item)
    return found


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _document(kind: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return _object(
        {"type": kind, "title": {"type": "string"}, "status": status, "detail": {"type": "string"}}
    )
