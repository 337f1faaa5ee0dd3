"""XML that others wrote, with lines, without entities, through defusedxml."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

__all__ = ["XmlError", "XmlNode", "read_xml"]

MAX_DEPTH = 200
MAX_ELEMENTS = 1_000_000


class XmlError(ValueError):
    """Malformed, or with entities, or beyond the limits; ``line`` where known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class XmlNode(Struct, eq=False):
    """One element: namespace URI and local name apart, its line.

    Attributes of a namespace stand as ``<last part of the URI>:<name>``, others by name.
    """

    uri: str
    name: str
    attrs: dict[str, str]
    line: int
    text: str = ""
    children: list[XmlNode] = field(default_factory=list)

    def walk(self) -> Iterator[XmlNode]:
        """This element and all below it, in document order."""
        stack: list[XmlNode] = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def find(self, *names: str) -> Iterator[XmlNode]:
        """All below (and this) whose local name is one of ``names``."""
        wanted = frozenset(names)
        return (n for n in self.walk() if n.name in wanted)

    def child(self, name: str) -> XmlNode | None:
        """The first direct child of this local name."""
        return next((c for c in self.children if c.name == name), None)

    def text_of(self, name: str) -> str | None:
        """The stripped text of a direct child, None if absent or empty."""
        found = self.child(name)
        return (found.text.strip() or None) if found else None


class _Builder:
    def __init__(self) -> None:
        self.expat: Any = None
        self.root: XmlNode | None = None
        self._open: list[XmlNode] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self._count += 1
        line = int(self.expat.CurrentLineNumber) if self.expat is not None else 0
        if self._count > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            raise XmlError("too many elements, or nested too deep", line)
        uri, name = _split(tag)
        node = XmlNode(uri, name, {_attribute(k): v for k, v in attrs.items()}, line)
        if self._open:
            self._open[-1].children.append(node)
        elif self.root is None:
            self.root = node
        self._open.append(node)
        self._texts.append([])

    def data(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def end(self, _tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def close(self) -> XmlNode | None:
        return self.root


def read_xml(text: str) -> XmlNode:
    """The root of a document.

    Raises:
        XmlError: Malformed, declares entities, or beyond the limits.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser, ParseError
    except ImportError as exc:
        raise XmlError("reading XML needs defusedxml: install levada[landscape]") from exc
    builder = _Builder()
    parser: Any = DefusedXMLParser(
        target=builder, forbid_dtd=False, forbid_entities=True, forbid_external=True
    )
    builder.expat = getattr(parser, "parser", None)
    try:
        parser.feed(text)
        root: XmlNode | None = parser.close()
    except DefusedXmlException as exc:
        raise XmlError(
            f"refused: {type(exc).__name__} (entities and external references are not read)"
        ) from exc
    except ParseError as exc:
        position: Any = getattr(exc, "position", None)
        raise XmlError(f"malformed XML: {exc}", position[0] if position else None) from exc
    if root is None:
        raise XmlError("empty document", 1)
    return root


@lru_cache(4096)
def _split(tag: str) -> tuple[str, str]:
    if tag.startswith("{"):
        uri, _, name = tag[1:].partition("}")
        return uri, name
    return "", tag.rpartition(":")[2]


@lru_cache(4096)
def _attribute(name: str) -> str:
    uri, local = _split(name)
    return f"{uri.rstrip('/').rpartition('/')[2]}:{local}" if uri else local
