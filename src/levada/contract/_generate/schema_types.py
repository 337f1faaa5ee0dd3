"""Python types for JSON schemas: classes for named objects, expressions for the rest."""

from __future__ import annotations

from typing import Any

from levada.contract._generate.model import EnumClass, Field, Module, StructClass, class_name, snake_name
from levada.contract._generate.schemas import DECIMAL
from levada.contract._generate.text import quoted

__all__ = ["Types"]

_FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "uuid": "UUID",
    "decimal": "Decimal",
    "byte": "bytes",
    "binary": "bytes",
}
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
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Types:
    """Makes types of one document's schemas and puts their classes into the module."""

    def __init__(self, document: dict[str, Any], module: Module) -> None:
        self._document = document
        self._module = module
        self._named: dict[str, str] = {}
        self._taken: set[str] = {module.name}
        self._enums: set[str] = set()

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What a schema or another object of the document refers to."""
        seen: set[str] = set()
        while (ref := schema.get("$ref")) is not None:
            if not isinstance(ref, str) or not ref.startswith("#/") or ref in seen:
                self._module.notes.append(f"{ref}: a reference that is not followed; it is Any")
                return {}
            seen.add(ref)
            found: Any = self._document
            for part in ref[2:].split("/"):
                found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
            schema = found
        return schema

    def take(self, wanted: str) -> str:
        """A class name that no other class has."""
        name, count = class_name(wanted), 2
        while name in self._taken:
            name, count = f"{class_name(wanted)}{count}", count + 1
        self._taken.add(name)
        return name

    def of(self, schema: Any, hint: str) -> str:
        """The type's source; ``hint`` names a class for an object without a name."""
        if not isinstance(schema, dict) or not schema:
            return "Any"
        made: dict[str, Any] = schema
        if "$ref" in made:
            return self._reference(made["$ref"], hint)
        for word in ("anyOf", "oneOf"):
            if word in made:
                return self._union(made[word], hint)
        if "allOf" in made:
            return self._object(self._merged(made), hint, None)
        if "enum" in made or "const" in made:
            values = made.get("enum", [made.get("const")])
            if made.get("title") and all(isinstance(v, str | int) for v in values):
                return self._enum(made, hint)
            return _literal(values)
        return self._kind(made, hint)

    def default(self, value: Any, type_: str) -> str:
        """A default's source, as the type needs it."""
        base = type_.removesuffix(" | None").removesuffix(" | UnsetType")
        if base.startswith("Annotated["):
            base = base[len("Annotated[") :].split(",")[0]
        if value is None or isinstance(value, bool | int | float):
            return f'Decimal("{value}")' if base == "Decimal" and value is not None else repr(value)
        if isinstance(value, str):
            if base in ("str", "Any") or base.startswith("Literal["):
                return quoted(value)
            if base in ("Decimal", "UUID") or base in self._enums:
                return f"{base}({quoted(value)})"
            if base in ("date", "datetime", "time"):
                return f"{base}.fromisoformat({quoted(value)})"
        if value == [] and base.startswith("tuple["):
            return "()"
        return "UNSET"

    def fields(self, schema: dict[str, Any], hint: str) -> list[Field]:
        """The fields of an object's schema."""
        required = set(schema.get("required", ()))
        found: list[Field] = []
        taken: set[str] = set()
        for wire, inner in schema.get("properties", {}).items():
            name = snake_name(wire)
            while name in taken:
                name += "_"
            taken.add(name)
            type_ = self.of(inner, f"{hint}_{wire}")
            default: str | None = None
            if wire not in required:
                default = (
                    self.default(inner["default"], type_)
                    if isinstance(inner, dict) and "default" in inner
                    else "UNSET"
                )
                if default == "UNSET":
                    type_ = f"{type_} | UnsetType"
            found.append(Field(name, type_, default, None if name == wire else wire))
        return found

    def _reference(self, ref: str, hint: str) -> str:
        if ref in self._named:
            return self._named[ref]
        schema = self.resolve({"$ref": ref})
        wanted = str(schema.get("title") or ref.rpartition("/")[2])
        wanted = wanted if wanted.isidentifier() else ref.rpartition("/")[2]
        if "allOf" in schema:
            schema = self._merged(schema)
        if schema.get("type") == "object" and "properties" in schema:
            return self._object(schema, wanted, ref)
        if "enum" in schema and all(isinstance(v, str | int) for v in schema["enum"]):
            return self._enum({**schema, "title": wanted}, wanted, ref)
        if schema.get("type") == "object" and not schema.get("additionalProperties"):
            return self._object(schema, wanted, ref)
        # Guards against a schema that is its own item.
        self._named[ref] = "Any"
        made = self._named[ref] = self.of(schema, wanted or hint)
        return made

    def _object(self, schema: dict[str, Any], wanted: str, ref: str | None) -> str:
        name = self.take(wanted)
        if ref is not None:
            self._named[ref] = name
        made = StructClass(
            name, [], schema.get("description", ""), schema.get("additionalProperties") is False
        )
        self._module.structs.append(made)
        made.fields = self.fields(schema, name)
        return name

    def _enum(self, schema: dict[str, Any], wanted: str, ref: str | None = None) -> str:
        name = self.take(schema.get("title") or wanted)
        if ref is not None:
            self._named[ref] = name
        self._enums.add(name)
        self._module.enums.append(EnumClass(name, list(schema["enum"]), schema.get("description", "")))
        return name

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in [*schema.get("allOf", []), {k: v for k, v in schema.items() if k != "allOf"}]:
            found = self.resolve(part)
            found = self._merged(found) if "allOf" in found else found
            made["properties"].update(found.get("properties", {}))
            made["required"] += found.get("required", [])
        return made

    def _union(self, options: list[Any], hint: str) -> str:
        parts = list(dict.fromkeys(self.of(o, hint) for o in options))
        some = [p for p in parts if p != "None"]
        null = " | None" if len(some) < len(parts) else ""
        plain = {"str", "int", "float", "bool"}
        if len(some) > 1 and not set(some) <= plain:
            self._module.notes.append(
                f"{hint}: one of {', '.join(some)}, which cannot be told apart; it is Any"
            )
            return "Any"
        return " | ".join(some) + null

    def _kind(self, schema: dict[str, Any], hint: str) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._union([{**schema, "type": k} for k in kind], hint)  # pyright: ignore[reportUnknownVariableType] - JSON
        null = " | None" if schema.get("nullable") else ""
        if kind == "array":
            made = self._array(schema, hint)
            words = () if "prefixItems" in schema else ("minItems", "maxItems")
            return _bounded(made, schema, words) + null
        if kind == "object" or "properties" in schema:
            inner = schema.get("additionalProperties")
            if "properties" not in schema:
                return f"dict[str, {self.of(inner, hint)}]{null}"
            return self._object(schema, str(schema.get("title") or hint), None) + null
        if kind == "string":
            found = "bytes" if schema.get("contentEncoding") == "base64" else None
            found = found or _FORMATS.get(str(schema.get("format")), "str")
            if found != "str":
                return found + null
            return _bounded("str", schema, ("pattern", "minLength", "maxLength")) + null
        if kind in ("integer", "number"):
            words = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
            return _bounded(_PLAIN[kind], schema, words) + null
        return _PLAIN.get(str(kind), "Any") + null

    def _array(self, schema: dict[str, Any], hint: str) -> str:
        if "prefixItems" in schema:
            return f"tuple[{', '.join(self.of(s, hint) for s in schema['prefixItems'])}]"
        return f"tuple[{self.of(schema.get('items'), f'{hint}_item')}, ...]"


def _literal(values: list[Any]) -> str:
    if not all(isinstance(v, str | int) for v in values):
        return "Any"
    return f"Literal[{', '.join(quoted(v) if isinstance(v, str) else repr(v) for v in values)}]"


def _bounded(type_: str, schema: dict[str, Any], words: tuple[str, ...]) -> str:
    if schema.get("pattern") == DECIMAL:
        return type_
    found: list[str] = []
    for word in words:
        value = schema.get(word)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        found.append(f"{_META[word]}={quoted(value) if isinstance(value, str) else value!r}")
    return f"Annotated[{type_}, Meta({', '.join(found)})]" if found else type_
