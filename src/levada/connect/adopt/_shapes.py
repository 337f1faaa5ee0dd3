"""How a value of the contract and one of a SOAP message are made of each other, as source."""

from __future__ import annotations

from dataclasses import dataclass, field

from levada.contract._generate.text import quoted

__all__ = ["Listed", "Member", "Plain", "Record", "Shape", "read", "write"]


@dataclass
class Plain:
    """A simple value; ``type`` is Python source."""

    type: str


@dataclass
class Listed:
    """Repeated elements; with ``wrapper`` they are within an element that holds nothing else."""

    item: Shape
    wrapper: str | None = None


@dataclass
class Member:
    """A member of a record or an argument: its name in Python, in the message, and whether it may be absent."""

    name: str
    wire: str
    shape: Shape
    optional: bool = False
    doc: str = ""

    @property
    def type(self) -> str:
        """Its type as source."""
        return _type(self.shape) + (" | None" if self.optional and not isinstance(self.shape, Listed) else "")

    @property
    def default(self) -> str | None:
        """Its default as source, or None where it has to be given."""
        return None if not self.optional else "()" if isinstance(self.shape, Listed) else "None"


@dataclass
class Record:
    """A complex type that became a struct; ``reader`` and ``writer`` name the functions that map it."""

    name: str
    reader: str
    writer: str
    members: list[Member] = field(default_factory=list[Member])
    doc: str = ""


Shape = Plain | Listed | Record


def _type(shape: Shape) -> str:
    match shape:
        case Plain(type=type_):
            return type_
        case Listed(item=item):
            return f"tuple[{_type(item)}, ...]"
        case Record(name=name):
            return name


def read(source: str, shape: Shape, *, optional: bool = False) -> str:
    """The contract's value, of what stands in a message."""
    match shape:
        case Listed(item=item, wrapper=wrapper):
            inside = f"_items({source}, {quoted(wrapper)})" if wrapper else f"{source} or ()"
            one = read("each", item)
            return f"tuple({inside})" if one == "each" else f"tuple({one} for each in {inside})"
        case Record(reader=reader):
            return f"_some({source}, {reader})" if optional else f"{reader}({source})"
        case Plain(type="str") if not optional:
            # An empty element comes as nothing.
            return f'{source} or ""'
        case Plain():
            return source


def write(source: str, shape: Shape, *, optional: bool = False) -> str:
    """What goes into a message, of the contract's value."""
    match shape:
        case Listed(item=item, wrapper=wrapper):
            one = write("each", item)
            inside = f"list({source})" if one == "each" else f"[{one} for each in {source}]"
            return f"{{{quoted(wrapper)}: {inside}}}" if wrapper else inside
        case Record(writer=writer):
            return f"_some({source}, {writer})" if optional else f"{writer}({source})"
        case Plain():
            return source
