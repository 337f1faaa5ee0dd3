"""What a type looks like on the wire, as data: it can be kept in a file or a store and be compared years later.

A description says exactly what msgspec encodes and what it decodes; two descriptions
are compared by :mod:`levada.contract.compatibility.compare` without the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import msgspec
from msgspec import Struct, inspect

__all__ = [
    "Array",
    "Choice",
    "Map",
    "Member",
    "Object",
    "Part",
    "Plain",
    "Ref",
    "Row",
    "Types",
    "Union",
    "Wire",
    "wire_of",
]


class Plain(Struct, frozen=True, omit_defaults=True, tag="plain", tag_field="is"):
    """A scalar. ``kind``: ``null bool int float str bytes datetime date time duration uuid decimal any``."""

    kind: str
    ge: float | int | None = None
    gt: float | int | None = None
    le: float | int | None = None
    lt: float | int | None = None
    multiple_of: float | int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    tz: bool | None = None


class Choice(Struct, frozen=True, tag="choice", tag_field="is"):
    """One of some values: an enum or a literal."""

    values: tuple[str | int, ...]


class Array(Struct, frozen=True, omit_defaults=True, tag="array", tag_field="is"):
    """Items of one type; ``unique``: a set."""

    item: Wire
    min_length: int | None = None
    max_length: int | None = None
    unique: bool = False


class Part(Struct, frozen=True, omit_defaults=True):
    """One position of a row."""

    type: Wire
    required: bool = True


class Row(Struct, frozen=True, omit_defaults=True, tag="row", tag_field="is"):
    """Items by position: a tuple, or a struct written as an array. ``closed``: more items are refused."""

    parts: tuple[Part, ...]
    closed: bool = True


class Map(Struct, frozen=True, omit_defaults=True, tag="map", tag_field="is"):
    """Values by key."""

    key: Wire
    value: Wire
    min_length: int | None = None
    max_length: int | None = None


class Member(Struct, frozen=True, omit_defaults=True):
    """One member of an object, by its name on the wire. ``default``: as JSON, where it can be told."""

    name: str
    type: Wire
    required: bool = True
    default: str | None = None


class Object(Struct, frozen=True, omit_defaults=True, tag="object", tag_field="is"):
    """Members by name. ``closed``: unknown ones are refused. ``tag``: what tells it from others in a union."""

    name: str
    members: tuple[Member, ...]
    closed: bool = False
    tag_field: str | None = None
    tag: str | int | None = None


class Union(Struct, frozen=True, tag="union", tag_field="is"):
    """One of several, told apart by the kind of JSON, objects by their tags."""

    options: tuple[Wire, ...]


class Ref(Struct, frozen=True, tag="ref", tag_field="is"):
    """A type of the table that goes with the description."""

    name: str


Wire: TypeAlias = Plain | Choice | Array | Row | Map | Object | Union | Ref
Types: TypeAlias = dict[str, Wire]
"""The named types that descriptions refer to."""


def wire_of(hint: Any, types: Types) -> Wire:
    """The description of a type; what it refers to is added to ``types``.

    Raises:
        TypeError: msgspec cannot write it as JSON.
    """
    return _Describer(types).of(inspect.type_info(hint))


_BOUNDS = ("ge", "gt", "le", "lt", "multiple_of")
_LENGTHS = ("min_length", "max_length")


class _Describer:
    KINDS: ClassVar[Mapping[type, str]] = {
        inspect.AnyType: "any",
        inspect.RawType: "any",
        inspect.NoneType: "null",
        inspect.BoolType: "bool",
        inspect.IntType: "int",
        inspect.FloatType: "float",
        inspect.StrType: "str",
        inspect.BytesType: "bytes",
        inspect.ByteArrayType: "bytes",
        inspect.MemoryViewType: "bytes",
        inspect.DateTimeType: "datetime",
        inspect.DateType: "date",
        inspect.TimeType: "time",
        inspect.TimeDeltaType: "duration",
        inspect.UUIDType: "uuid",
        inspect.DecimalType: "decimal",
    }

    def __init__(self, types: Types) -> None:
        self._types = types
        self._names: list[tuple[Any, str]] = []

    def of(self, info: Any) -> Wire:
        """Of what msgspec tells of a type."""
        kind = self.KINDS.get(type(info))
        if kind is not None:
            words = {w: getattr(info, w) for w in (*_BOUNDS, *_LENGTHS, "pattern", "tz") if hasattr(info, w)}
            return Plain(kind, **words)
        match info:
            case inspect.Metadata():
                return self.of(info.type)
            case inspect.EnumType():
                return _choice([member.value for member in info.cls])
            case inspect.LiteralType():
                return _choice(list(info.values))
            case inspect.UnionType():
                return _union([self.of(option) for option in info.types])
            case inspect.TupleType():
                return Row(tuple(Part(self.of(item)) for item in info.item_types))
            case inspect.DictType() | inspect.FrozenDictType():
                return Map(self.of(info.key_type), self.of(info.value_type), info.min_length, info.max_length)
            case inspect.CollectionType():
                unique = isinstance(info, inspect.SetType | inspect.FrozenSetType)
                return Array(self.of(info.item_type), info.min_length, info.max_length, unique)
            case (
                inspect.StructType()
                | inspect.DataclassType()
                | inspect.TypedDictType()
                | inspect.NamedTupleType()
            ):
                return self._named(info)
            case _:
                raise TypeError(f"{info!r} cannot be written as JSON by itself")

    def _named(self, info: Any) -> Ref:
        for known, name in self._names:
            if known is info.cls or known == info.cls:
                return Ref(name)
        wanted = str(getattr(info.cls, "__qualname__", info.cls)).rpartition("<locals>.")[2]
        name, count = wanted, 2
        while name in self._types:
            name, count = f"{wanted}_{count}", count + 1
        self._names.append((info.cls, name))
        self._types[name] = Plain("any")  # holds the place while its members are looked at
        self._types[name] = self._object(info, name)
        return Ref(name)

    def _object(self, info: Any, name: str) -> Wire:
        closed = bool(getattr(info, "forbid_unknown_fields", False))
        tag = getattr(info, "tag", None)
        if isinstance(info, inspect.NamedTupleType) or getattr(info, "array_like", False):
            parts = [Part(self.of(f.type), f.required) for f in info.fields]
            head = [] if tag is None else [Part(_choice([tag]))]
            return Row((*head, *parts), closed or isinstance(info, inspect.NamedTupleType))
        members = [Member(f.encode_name, self.of(f.type), f.required, _default(f)) for f in info.fields]
        return Object(name, tuple(members), closed, getattr(info, "tag_field", None), tag)


def _default(field: Any) -> str | None:
    if field.required:
        return None
    value = field.default
    if value is msgspec.NODEFAULT and field.default_factory in (list, dict, set, tuple, frozenset):
        value = field.default_factory()
    try:
        return None if value is msgspec.NODEFAULT else msgspec.json.encode(value).decode()
    except TypeError:
        return None


def _choice(values: list[Any]) -> Wire:
    some = [v for v in values if v is not None]
    made: Wire = Choice(tuple(sorted(some, key=lambda v: (isinstance(v, str), v))))
    return made if len(some) == len(values) else Union((made, Plain("null")))


def _union(options: list[Wire]) -> Wire:
    flat = [o for option in options for o in (option.options if isinstance(option, Union) else (option,))]
    return flat[0] if len(flat) == 1 else Union(tuple(flat))
