"""Times in JSON schemas: msgspec says that a text is one only where it must have a zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import inspect

__all__ = ["ANY_ZONE", "tell_times"]

ANY_ZONE = "x-levada-zone"
"""``any`` at a time that comes with or without a zone. Without it ``date-time`` and ``time`` have one, as in RFC 3339."""

_IN_JSON: dict[str, tuple[type[inspect.Type], ...]] = {
    "string": (inspect.DateTimeType, inspect.TimeType),
    "array": (inspect.CollectionType, inspect.TupleType),
    "object": (inspect.DictType,),
}


def tell_times(schema: Any, info: inspect.Type, components: dict[str, Any], seen: set[str]) -> None:
    """Give each time within a type's schema its format, and say where it may come without a zone.

    Args:
        schema: What msgspec made of the type; changed.
        info: What msgspec knows of the type.
        components: What schemas refer to, by name; changed.
        seen: The names of those that were done; added to.
    """
    while isinstance(info, inspect.Metadata):
        info = info.type
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = _name(schema)
        if name not in seen:
            seen.add(name)
            tell_times(components[name], info, components, seen)
    elif isinstance(info, inspect.DateTimeType | inspect.TimeType):
        kind = "date-time" if isinstance(info, inspect.DateTimeType) else "time"
        schema["format"] = f"{kind}-local" if info.tz is False else kind
        if info.tz is None:
            schema[ANY_ZONE] = "any"
    else:
        for part, of in _parts(schema, info, components):
            tell_times(part, of, components, seen)


def _parts(
    schema: dict[str, Any], info: inspect.Type, components: dict[str, Any]
) -> Iterable[tuple[Any, inspect.Type]]:
    """The schemas within a schema, each with its type."""
    match info:
        case inspect.UnionType():
            return [(o, t) for o in _options(schema) for t in info.types if _is_of(o, t, components)]
        case inspect.CollectionType():
            return [(schema.get("items"), info.item_type)]
        case inspect.TupleType():
            return zip(schema.get("prefixItems", ()), info.item_types, strict=False)
        case inspect.DictType():
            return [(schema.get("additionalProperties"), info.value_type)]
        case inspect.StructType() if info.array_like:
            return zip(schema.get("prefixItems", ()), (f.type for f in info.fields), strict=False)
        case (
            inspect.StructType()
            | inspect.DataclassType()
            | inspect.TypedDictType()
            | inspect.NamedTupleType()
        ):
            members = schema.get("properties", {})
            return [(members.get(f.encode_name), f.type) for f in info.fields]
        case _:
            return ()


def _options(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of several; structs that are told apart by a tag stand in a list of their own."""
    for option in schema.get("anyOf", ()):
        yield from _options(option) if "anyOf" in option else (option,)


def _is_of(schema: dict[str, Any], info: inspect.Type, components: dict[str, Any]) -> bool:
    """Whether one of several schemas is that of one of several types: no two of a union look alike in JSON."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if "$ref" in schema:
        title = str(components[_name(schema)].get("title", ""))
        named = getattr(getattr(info, "cls", None), "__name__", None)
        return named is not None and title.partition("[")[0] == named.partition("[")[0]
    return isinstance(info, _IN_JSON.get(str(schema.get("type")), ())) and "format" not in schema


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]
