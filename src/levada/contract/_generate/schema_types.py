"""Python types for JSON schemas: classes for named objects, expressions for the rest."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from levada.contract._generate.bounds import bounded, harmless, literal, union
from levada.contract._generate.model import EnumClass, Field, Module, StructClass, field_name
from levada.contract._generate.names import Taken
from levada.contract._generate.text import quoted
from levada.contract._generate.times import ANY_ZONE

__all__ = ["Types"]

_FORMATS = {
    "date-time": "datetime",
    "date-time-local": "datetime",
    "date": "date",
    "time": "time",
    "time-local": "time",
    "duration": "timedelta",
    "uuid": "UUID",
    "decimal": "Decimal",
    "byte": "bytes",
}
_PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "file": "bytes",
}
_LONGEST = 60
_DEEPEST = 40


class Types:
    """Makes types of one document's schemas and puts their classes into the module.

    Args:
        document: The whole document; references lead into it.
        module: Where classes and notes go.
        own: Whether Levada wrote the document.
    """

    def __init__(self, document: dict[str, Any], module: Module, *, own: bool = False) -> None:
        self._document = document
        self._module = module
        self._named: dict[str, str] = {}
        self._depth = 0
        self.own = own
        self.taken = Taken(module)
        self.enums: dict[str, str] = {}
        """Name -> what its values are in JSON: text or int."""
        self.structs: set[str] = set()

    def note(self, text: str) -> None:
        """Tell what could not be carried over, once."""
        if text not in self._module.notes:
            self._module.notes.append(text)

    def resolve(self, schema: Any) -> dict[str, Any]:
        """What a schema or another object of the document refers to; nothing where it leads nowhere."""
        seen: set[str] = set()
        while isinstance(schema, dict) and isinstance(ref := schema.get("$ref"), str):
            if not ref.startswith("#/") or ref in seen:
                self.note(f"{ref}: a reference that is not followed; it is Any")
                return {}
            seen.add(ref)
            schema = self._at(ref)
        return schema if isinstance(schema, dict) else {}

    def _at(self, ref: str) -> Any:
        found: Any = self._document
        for part in unquote(ref[2:]).split("/"):
            word = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(word)
            elif isinstance(found, list) and word.isdigit() and int(word) < len(found):
                found = found[int(word)]
            else:
                found = None
            if found is None:
                self.note(f"{ref}: a reference that leads nowhere; it is Any")
                return {}
        return found

    def of(self, schema: Any, hint: str) -> str:
        """The type's source; ``hint`` names a class for an object without a name."""
        if not isinstance(schema, dict) or not schema:
            return "Any"
        if self._depth >= _DEEPEST:
            self.note(f"{hint[:_LONGEST]}…: nested deeper than {_DEEPEST} levels; it is Any")
            return "Any"
        self._depth += 1
        try:
            type_ = self._of(schema, hint)
        finally:
            self._depth -= 1
        nullable = schema.get("nullable") is True and type_ != "Any"
        return f"{type_} | None" if nullable and not type_.endswith("None") else type_

    def _of(self, made: dict[str, Any], hint: str) -> str:
        if isinstance(made.get("$ref"), str):
            return self._reference(made["$ref"], hint)
        for word in ("anyOf", "oneOf"):
            if isinstance(made.get(word), list):
                if made.get("properties"):
                    self.note(f"{hint}: its members and one of several besides; it is Any")
                    return "Any"
                return self._union(made[word], hint)
        if isinstance(made.get("allOf"), list):
            return self._all(made, hint, None)
        if "enum" in made or "const" in made:
            values = made.get("enum", [made.get("const")])
            if made.get("title") and self.own and all(isinstance(v, str | int) for v in values):
                return self._enum(made, hint)
            return literal(values)
        return self._kind(made, hint)

    def default(self, value: Any, type_: str) -> str:
        """A default's source, as the type needs it; UNSET where it does not fit."""
        base = type_.removesuffix(" | None").removesuffix(" | UnsetType")
        if base.startswith("Annotated["):
            base = base[len("Annotated[") :].split(",")[0]
        if value is None:
            return "None" if type_.endswith("None") or base == "Any" else "UNSET"
        if isinstance(value, bool):
            return repr(value) if base in ("bool", "Any") else "UNSET"
        if isinstance(value, int | float):
            if base == "Decimal":
                return f'Decimal("{value}")'
            fits = (
                base in ("float", "Any")
                or (base == "int" and isinstance(value, int))
                or base.startswith("Literal[")
            )
            return repr(value) if fits and value == value and abs(value) != float("inf") else "UNSET"
        if isinstance(value, str):
            if base in ("str", "Any") or (base.startswith("Literal[") and quoted(value) in base):
                return quoted(value)
            if self.own and (base in ("Decimal", "UUID") or base in self.enums):
                return f"{base}({quoted(value)})"
            if self.own and base in ("date", "datetime", "time"):
                return f"{base}.fromisoformat({quoted(value)})"
        if value == [] and base.startswith("tuple["):
            return "()"
        return "UNSET"

    def fields(self, schema: dict[str, Any], hint: str) -> list[Field]:
        """The fields of an object's schema."""
        needed = schema.get("required")
        required = {str(n) for n in needed} if isinstance(needed, list) else set[str]()
        found: list[Field] = []
        taken: set[str] = set()
        for wire, inner in (schema.get("properties") or {}).items():
            wire = str(wire)
            if re.search(r'["\\\x00-\x1f]', wire):
                self.note(f"{hint}: the member {wire!r} has a name that cannot be written; left out")
                continue
            name = field_name(wire, taken)
            type_ = self.of(inner, f"{hint}_{wire}")
            default: str | None = None
            one_way = (
                isinstance(inner, dict) and not self.own and (inner.get("readOnly") or inner.get("writeOnly"))
            )
            if wire not in required or one_way:
                default = (
                    self.default(inner["default"], type_)
                    if isinstance(inner, dict) and "default" in inner
                    else "UNSET"
                )
                if default == "UNSET":
                    type_ = f"{type_} | UnsetType"
            doc = "" if self.own or not isinstance(inner, dict) else str(inner.get("description") or "")
            found.append(Field(name, type_, default, None if name == wire else wire, doc))
        return found

    def _reference(self, ref: str, hint: str) -> str:
        if ref in self._named:
            return self._named[ref]
        schema = self.resolve({"$ref": ref})
        tail = unquote(ref.rpartition("/")[2])
        wanted = str(schema.get("title") or tail) if self.own else tail
        wanted = wanted if wanted.isidentifier() else tail
        if isinstance(schema.get("allOf"), list):
            return self._all(schema, wanted, ref)
        if (
            "enum" in schema
            and literal(schema["enum"]).startswith("Literal[")
            and all(v is not None for v in schema["enum"])
        ):
            values: list[Any] = schema["enum"]
            if len({type(v) for v in values}) == 1:
                return self._enum({**schema, "title": wanted}, wanted, ref)
        if schema.get("type") == "object" and (
            "properties" in schema if not self.own else not schema.get("additionalProperties")
        ):
            made = self._object(schema, wanted, ref)
            if schema.get("nullable") is True:
                made = self._named[ref] = f"{made} | None"
            return made
        # Guards against a schema that is its own item.
        self._named[ref] = "Any"
        made = self._named[ref] = self.of(schema, wanted or hint)
        return made

    def _object(self, schema: dict[str, Any], wanted: str, ref: str | None) -> str:
        name = self.taken.take(wanted[:_LONGEST] if not self.own else wanted)
        if ref is not None:
            self._named[ref] = name
        made = StructClass(
            name,
            [],
            str(schema.get("description") or ""),
            schema.get("additionalProperties") is False and self.own,
        )
        self._module.structs.append(made)
        self.structs.add(name)
        made.fields = self.fields(schema, name)
        if not self.own and schema.get("additionalProperties"):
            self.note(f"{name}: members beyond those it names are not carried")
        return name

    def _enum(self, schema: dict[str, Any], wanted: str, ref: str | None = None) -> str:
        name = self.taken.take(str(schema.get("title") or wanted))
        if ref is not None:
            self._named[ref] = name
        values = list(dict.fromkeys(schema["enum"]))
        self.enums[name] = "text" if isinstance(values[0], str) else "int"
        self._module.enums.append(EnumClass(name, values, str(schema.get("description") or "")))
        return name

    def _all(self, schema: dict[str, Any], hint: str, ref: str | None) -> str:
        """All of several schemas: one object of their members, or the only one that says anything."""
        parts = [p for p in schema["allOf"] if isinstance(p, dict) and p]
        if len(parts) == 1 and not schema.get("properties"):
            if ref is not None:
                self._named[ref] = "Any"
            made = self.of(parts[0], hint)
            if ref is not None:
                self._named[ref] = made
            return made
        merged = self._merged(schema, ())
        if not merged["properties"]:
            self.note(f"{hint}: all of several schemas that are no objects of known members; it is Any")
            return "Any"
        return self._object(merged, hint, ref)

    def _merged(self, schema: dict[str, Any], seen: tuple[int, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in [*schema["allOf"], {k: v for k, v in schema.items() if k != "allOf"}]:
            found = self.resolve(part)
            if id(found) in seen:
                continue
            if isinstance(found.get("allOf"), list):
                found = self._merged(found, (*seen, id(found)))
            for word in ("oneOf", "anyOf"):
                if any(self.resolve(o).get("properties") for o in found.get(word) or ()):
                    self.note(
                        "one of several schemas within all of several: the members of those are not carried"
                    )
            properties, required = found.get("properties"), found.get("required")
            made["properties"].update(properties if isinstance(properties, dict) else {})
            made["required"] += required if isinstance(required, list) else []
        if isinstance(said := schema.get("description"), str):
            made["description"] = said
        return made

    def _union(self, options: list[Any], hint: str) -> str:
        found = list(dict.fromkeys(self.of(o, hint) for o in options))
        parts = harmless(found)
        if parts != found:
            self.note(f"{hint}: one of {', '.join(found)}, of which a bound cannot be kept")
        made = union(parts, self.enums, self.structs)
        if made is None:
            words = ", ".join(p for p in parts if p != "None")
            self.note(f"{hint}: one of {words}, which cannot be told apart; it is Any")
            return "Any"
        return made

    def _kind(self, schema: dict[str, Any], hint: str) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._union([{**schema, "type": k} for k in kind], hint)  # pyright: ignore[reportUnknownVariableType] - JSON
        if kind == "array" or (kind is None and "items" in schema):
            made = self._array(schema, hint)
            words = () if "prefixItems" in schema else ("minItems", "maxItems")
            return bounded(made, schema, words, self.note, hint)
        if kind == "object" or "properties" in schema:
            if not isinstance(schema.get("properties"), dict):
                inner = schema.get("additionalProperties")
                return f"dict[str, {self.of(inner, hint)}]"
            return self._object(schema, str(schema.get("title") or hint) if self.own else hint, None)
        if kind == "string":
            found = "bytes" if schema.get("contentEncoding") == "base64" else None
            found = found or _FORMATS.get(str(schema.get("format")), "str")
            if found in ("datetime", "time"):
                return self._time(found, schema)
            if found != "str":
                return found
            return bounded("str", schema, ("pattern", "minLength", "maxLength"), self.note, hint)
        if kind in ("integer", "number"):
            words = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
            return bounded(_PLAIN[kind], schema, words, self.note, hint)
        return _PLAIN.get(str(kind), "Any")

    def _time(self, found: str, schema: dict[str, Any]) -> str:
        """A time; of a document of our own with a zone, without one, or as it comes."""
        if not self.own or ANY_ZONE in schema:
            return found
        return f"Annotated[{found}, Meta(tz={not str(schema['format']).endswith('-local')})]"

    def _array(self, schema: dict[str, Any], hint: str) -> str:
        if isinstance(schema.get("prefixItems"), list) and schema["prefixItems"]:
            return f"tuple[{', '.join(self.of(s, hint) for s in schema['prefixItems'])}]"
        return f"tuple[{self.of(schema.get('items'), f'{hint}_item')}, ...]"
