"""What a generated contract module consists of, before it is written as Python."""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass, field

__all__ = [
    "RESERVED",
    "EnumClass",
    "Field",
    "Method",
    "Module",
    "ProblemClass",
    "StructClass",
    "class_name",
    "field_name",
    "snake_name",
]

RESERVED = frozenset(
    {
        "bool",
        "bytes",
        "date",
        "datetime",
        "dict",
        "effect",
        "field",
        "float",
        "http",
        "int",
        "resource",
        "str",
    }
    | {"testing", "time", "timedelta", "tuple"}
)
"""Lower-case names that generated code uses: a member of that name would hide them in its class."""


@dataclass
class Field:
    """A field or an argument: ``type`` and ``default`` are Python source."""

    name: str
    type: str
    default: str | None = None
    wire: str | None = None
    """Its name on the wire, where that is another."""
    doc: str = ""


@dataclass
class StructClass:
    name: str
    fields: list[Field]
    doc: str = ""
    closed: bool = False
    """Whether unknown members are refused."""


@dataclass
class EnumClass:
    name: str
    values: list[str | int]
    doc: str = ""


@dataclass
class ProblemClass:
    name: str
    status: int
    fields: list[Field]
    doc: str = ""
    detail: str | None = None
    code: str | None = None


@dataclass
class Method:
    """An operation; ``options`` are further arguments of the decorator, as source."""

    name: str
    verb: str
    path: str
    arguments: list[Field]
    result: str
    doc: str = ""
    stream: bool = False
    options: dict[str, str] = field(default_factory=dict[str, str])
    decide: list[str] = field(default_factory=list[str])
    """What a person has to decide: ``kind: words``."""

    @property
    def types(self) -> list[str]:
        """The sources of its types."""
        return [self.result, *(f"{a.type} {a.default}" for a in self.arguments)]


@dataclass
class Module:
    """One contract and its types."""

    name: str
    layer: str
    domain: str
    version: str
    doc: str = ""
    enums: list[EnumClass] = field(default_factory=list[EnumClass])
    structs: list[StructClass] = field(default_factory=list[StructClass])
    problems: list[ProblemClass] = field(default_factory=list[ProblemClass])
    methods: list[Method] = field(default_factory=list[Method])
    notes: list[str] = field(default_factory=list[str])
    """What could not be carried over, in words."""
    decide: list[str] = field(default_factory=list[str])

    def prune(self) -> None:
        """Take away the classes that nothing uses."""
        classes: dict[str, list[Field]] = {s.name: s.fields for s in self.structs}
        waiting = {w for m in self.methods for t in m.types for w in _names(t)}
        waiting |= {w for p in self.problems for f in p.fields for w in _names(f.type)}
        used: set[str] = set()
        while waiting:
            used |= waiting
            fields = [f for name in waiting for f in classes.get(name, ())]
            waiting = {w for f in fields for w in _names(f"{f.type} {f.default}")} - used
        self.structs = [s for s in self.structs if s.name in used]
        self.enums = [e for e in self.enums if e.name in used]


def _names(source: str) -> list[str]:
    return re.findall(r"[A-Za-z_]\w*", source)


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", text)


def class_name(text: str) -> str:
    """``customer_ref``, ``customerRef`` and ``Customer-Ref`` -> ``CustomerRef``."""
    if re.fullmatch(r"[A-Z][A-Za-z0-9]*", text) and not keyword.iskeyword(text):
        return text
    made = "".join(w[0].upper() + w[1:] for w in _words(text)) or "Type"
    return f"T{made}" if made[0].isdigit() or keyword.iskeyword(made) else made


def snake_name(text: str) -> str:
    """``customerRef`` -> ``customer_ref``, never a word of the language."""
    if text.isidentifier() and text.isascii() and text == text.lower() and not text.startswith("_"):
        made = text
    else:
        made = "_".join(w.lower() for w in _words(text)) or "value"
    if made[0].isdigit():
        made = f"n{made}"
    return f"{made}_" if keyword.iskeyword(made) or made == "self" else made


def field_name(wire: str, taken: set[str]) -> str:
    """The name of a member: free, and none that its class needs itself."""
    name = snake_name(wire)
    while name in taken or name in RESERVED:
        name += "_"
    taken.add(name)
    return name
