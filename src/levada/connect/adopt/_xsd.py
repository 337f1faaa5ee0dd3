"""The types of a schema, as zeep has read it, as structs of a contract."""

from __future__ import annotations

from typing import Any

# zeep comes without usable types: what it gives is Any here.
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
from levada.connect.adopt._shapes import Listed, Member, Plain, Record, Shape
from levada.contract._generate.model import Field, Module, StructClass, field_name, snake_name
from levada.contract._generate.names import Taken

__all__ = ["XsdTypes"]

_PLAIN: tuple[tuple[str, str], ...] = (
    ("Boolean", "bool"),
    ("Integer", "int"),
    ("Decimal", "Decimal"),
    ("Float", "float"),
    ("Double", "float"),
    ("DateTime", "datetime"),
    ("Date", "date"),
    ("Time", "time"),
    ("Duration", "timedelta"),
    ("Base64Binary", "bytes"),
    ("String", "str"),
    ("AnyURI", "str"),
    ("QName", "str"),
    ("HexBinary", "str"),
)
"""zeep's classes, the nearer before the farther: its integers derive from Decimal or Integer."""


class XsdTypes:
    """Makes structs of complex types and puts them into the module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.records: list[Record] = []
        self._known: dict[int, Shape] = {}
        self._kept: list[Any] = []
        self._attributed: set[str] = set()
        self.taken = Taken(module)

    def members(self, kind: Any, hint: str) -> list[Member]:
        """The elements and attributes of a complex type."""
        found: list[Member] = []
        for _, nested in kind.elements_nested:
            found += self._nested(nested, hint, optional=False)
        for key, attribute in kind.attributes:
            if attribute.name is None:
                self._note(f"{hint}: attributes of any name are left out")
                continue
            shape = self.of(attribute.type, f"{hint}_{attribute.name}")
            found.append(Member("", key, shape, optional=not attribute.required))
        taken: set[str] = set()
        for member in found:
            wire = "value" if member.wire == "_value_1" else member.wire.removeprefix("attr__")
            member.name = field_name(wire, taken)
        return found

    def of(self, kind: Any, hint: str) -> Shape:
        """The shape of a type; ``hint`` names one that has no name."""
        from zeep.xsd.types.any import AnyType
        from zeep.xsd.types.collection import ListType, UnionType
        from zeep.xsd.types.complex import ComplexType
        from zeep.xsd.types.simple import AnySimpleType

        if isinstance(kind, ComplexType):
            return self._complex(kind, hint)
        if isinstance(kind, ListType):
            return Listed(self.of(kind.item_type, hint))
        if isinstance(kind, UnionType):
            return Plain("str")
        if isinstance(kind, AnySimpleType):
            return Plain(_plain(kind))
        if isinstance(kind, AnyType):
            self._note(f"{hint}: of any type; it is Any")
        return Plain("Any")

    def alone(self, shape: Shape) -> Member | None:
        """The only member of a record, where it has one only, and that is an element."""
        if not isinstance(shape, Record) or len(shape.members) != 1 or shape.name in self._attributed:
            return None
        return shape.members[0]

    def record_of(self, wanted: str, members: list[Member]) -> Record:
        """A struct of these members."""
        record = self._record(wanted)
        self._fill(record, members)
        return record

    def _complex(self, kind: Any, hint: str) -> Shape:
        known = self._known.get(id(kind))
        if known is not None:
            return known
        self._kept.append(kind)  # an id is only good as long as what it names lives
        if kind._array_type is not None:
            self._note(f"{hint}: an array of SOAP encoding; it is Any")
            return Plain("Any")
        elements = kind.elements
        if len(elements) == 1 and not kind.attributes and elements[0][1].accepts_multiple:
            return self._wrapped(kind, hint)
        qname = getattr(kind, "qname", None)
        record = self._record(qname.localname if qname is not None else hint)
        self._known[id(kind)] = record
        if kind.attributes:
            self._attributed.add(record.name)
        self._fill(record, self.members(kind, record.name))
        if kind._extension_types:
            self._note(f"{record.name}: what derives from it is read and written as {record.name} itself")
        return record

    def _wrapped(self, kind: Any, hint: str) -> Shape:
        self._known[id(kind)] = Plain("Any")  # guards against a list of itself
        (only,) = self.members(kind, hint) or [None]
        if only is None or not isinstance(only.shape, Listed):
            return Plain("Any")
        made = self._known[id(kind)] = Listed(only.shape.item, only.wire)
        return made

    def _record(self, wanted: str) -> Record:
        name = self.taken.take(wanted)
        snake = snake_name(name).rstrip("_")
        record = Record(name, f"_{snake}", f"_to_{snake}")
        self.records.append(record)
        return record

    def _fill(self, record: Record, members: list[Member]) -> None:
        record.members = members
        made = StructClass(record.name, [], "")
        # Those without a default first; all are given by name.
        made.fields = [Field(m.name, m.type, m.default) for m in members]
        self.module.structs.append(made)

    def _nested(self, item: Any, hint: str, *, optional: bool) -> list[Member]:
        from zeep.xsd.elements import Any as AnyElement
        from zeep.xsd.elements import Choice, Element

        if isinstance(item, AnyElement):
            self._note(f"{hint}: elements of any name are left out")
            return []
        if isinstance(item, Element):
            return [self._element(item, hint, optional=optional)]
        if item.accepts_multiple:
            self._note(f"{hint}: a repeated group of elements is left out")
            return []
        found: list[Member] = []
        loose = optional or item.is_optional or isinstance(item, Choice)
        for inner in item:
            found += self._nested(inner, hint, optional=loose)
        if isinstance(item, Choice) and len(found) > 1:
            self._note(f"{hint}: one of {', '.join(m.wire for m in found)}; the contract takes any of them")
        return found

    def _element(self, item: Any, hint: str, *, optional: bool) -> Member:
        shape = self.of(item.type, f"{hint}_{item.name}")
        if item.accepts_multiple:
            shape = Listed(shape)
        return Member("", item.attr_name, shape, optional or item.is_optional or item.nillable)

    def _note(self, text: str) -> None:
        if text not in self.module.notes:
            self.module.notes.append(text)


def _plain(kind: Any) -> str:
    from zeep.xsd.types import builtins as xsd

    for name, python in _PLAIN:
        if isinstance(kind, getattr(xsd, name)):
            return python
    return "str"
