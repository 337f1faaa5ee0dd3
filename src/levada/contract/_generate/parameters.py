"""What an operation of an OpenAPI document takes, as arguments; and what cannot be carried over."""

from __future__ import annotations

import ast
import keyword
from typing import Any

from levada.contract._generate.model import Field, Method, snake_name
from levada.contract._generate.schema_types import Types

__all__ = ["LeftOut", "take_body", "take_parameter"]

_OURS = frozenset({"accept", "authorization", "content-type", "idempotency-key"})
"""Headers that an OpenAPI document does not describe, or that we send anyway."""
_SIMPLE = frozenset(
    {"str", "int", "float", "bool", "Decimal", "date", "datetime", "time", "timedelta", "UUID"}
)


class LeftOut(Exception):
    """Why an operation cannot be carried over."""


def take_parameter(made: Method, given: dict[str, Any], types: Types) -> None:
    """Add a parameter to a method.

    Raises:
        LeftOut: The call cannot be made without it, and it cannot be expressed.
    """
    name, place = str(given.get("name", "")), given.get("in")
    required = bool(given.get("required"))
    if place == "path":
        _path(made, name, given, types)
        return
    if place == "query":
        reason = _query(made, name, given, types)
        if reason is None:
            return
    elif place == "header" and name.lower() in _OURS:
        return
    else:
        reason = f"the {place} parameter {name} cannot be sent with a call"
    if required:
        raise LeftOut(f"{reason}, and it is required")
    types.note(f"{made.name}: {reason}; left out")


def _path(made: Method, name: str, given: dict[str, Any], types: Types) -> None:
    if "{" + name + "}" not in made.path:
        types.note(f"{made.name}: the path parameter {name} is not in the path; left out")
        return
    python = snake_name(name)
    while any(a.name == python for a in made.arguments):
        python += "_"
    made.path = made.path.replace("{" + name + "}", "{" + python + "}")
    type_ = types.of(_schema(given), f"{made.name}_{name}").removesuffix(" | None")
    made.arguments.append(Field(python, type_ if _is_simple(type_, types) else "str"))


def _query(made: Method, name: str, given: dict[str, Any], types: Types) -> str | None:
    """Why a query parameter cannot be carried over; None: it was."""
    if made.verb not in ("get", "delete"):
        return f"the query parameter {name} of a {made.verb.upper()} cannot be sent"
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name) or name == "self":
        return f"the query parameter {name} cannot be named in Python"
    if any(a.name == name for a in made.arguments):
        return f"the query parameter {name} has the name of another parameter"
    if "content" in given or given.get("style") == "deepObject":
        return f"the query parameter {name} is written in a way of its own"
    said = given.get("schema")
    schema: dict[str, Any] = said if isinstance(said, dict) else {}
    type_ = types.of(_schema(given), f"{made.name}_{name}")
    if type_.startswith("tuple[") and (
        given.get("explode") is False or given.get("style") not in (None, "form")
    ):
        return f"the query parameter {name} is a list that is not written by repeating it"
    bare = type_.removesuffix(" | None")
    if not types.own and not _is_simple(bare, types, lists=True):
        return f"the query parameter {name} is no simple value"
    made.arguments.append(Field(name, *_default(given, schema, type_, types)))
    return None


def _default(
    given: dict[str, Any], schema: dict[str, Any], type_: str, types: Types
) -> tuple[str, str | None]:
    """The type and the default of a query parameter: what is left out is the default, so nothing else may be."""
    bare = type_.removesuffix(" | None")
    if given.get("x-levada-required"):
        return type_, None
    if bare.startswith("tuple["):  # left out and empty are the same
        return bare, "()"
    if given.get("required"):
        return type_, None
    default = types.default(schema["default"], type_) if "default" in schema else "None"
    if default not in ("UNSET", "None"):
        return bare, default
    return (type_ if "None" in type_ else f"{type_} | None"), "None"


def take_body(made: Method, given: dict[str, Any], types: Types) -> None:
    """Add the body to a method.

    Raises:
        LeftOut: It cannot be sent.
    """
    found = given.get("content")
    content: dict[str, Any] = found if isinstance(found, dict) else {}
    json = next((c for k, c in content.items() if "json" in k or k == "*/*"), None)
    if made.verb in ("get", "delete"):
        if given.get("required"):
            raise LeftOut(f"a {made.verb.upper()} has no body here")
        types.note(f"{made.name}: a body with {made.verb.upper()} is left out")
        return
    if not isinstance(json, dict):
        if types.own or any(k.startswith("application/octet-stream") for k in content):
            made.arguments.append(Field("content", "bytes"))
            return
        raise LeftOut(f"its body is {', '.join(content) or 'of no known kind'}, not JSON")
    schema: dict[str, Any] = json.get("schema") or {}
    whole = given.get("x-levada-parameter")
    if whole is not None:
        made.arguments.append(Field(whole, types.of(schema, f"{made.name}_body")))
        return
    inner = types.resolve(schema)
    # Levada's own body of several members is a class only on the wire.
    if (
        types.own
        and str(inner.get("title", "")).endswith("Body")
        and inner.get("additionalProperties") is False
    ):
        made.arguments += types.fields(inner, made.name)
        return
    type_ = types.of(schema, f"{made.name}_body")
    bare = type_.removesuffix(" | None")
    if not types.own and bare not in types.structs:
        raise LeftOut(f"its body is {bare}, and here a body is an object of known members")
    name = "body"
    while any(a.name == name for a in made.arguments):
        name += "_"
    made.arguments.append(Field(name, bare if not types.own else type_))


def _schema(given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("x-levada-schema") or given.get("schema")
    return found if isinstance(found, dict) else {"type": "string"}


def _is_simple(type_: str, types: Types, *, lists: bool = False) -> bool:
    """Whether a value of the type can stand in an address."""
    return _simple(ast.parse(type_, mode="eval").body, types, lists=lists)


def _simple(node: ast.expr, types: Types, *, lists: bool) -> bool:
    match node:
        case ast.Name(id=name):
            return name in _SIMPLE or name in types.enums
        case ast.Constant(value=None):
            return True
        case ast.BinOp(left=left, right=right):
            return _simple(left, types, lists=lists) and _simple(right, types, lists=lists)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            return _simple(inner, types, lists=lists)
        case ast.Subscript(
            value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inner, ast.Constant(value=v)])
        ) if v is ...:
            return lists and _simple(inner, types, lists=False)
        case _:
            return False
