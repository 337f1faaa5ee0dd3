"""Values of a contract's types, as source: for fakes and tests, where a value has to be of the type and no more."""

from __future__ import annotations

import ast
import re
from typing import Any

from levada.contract._generate.model import EnumClass, Module, StructClass
from levada.contract._generate.text import quoted
from levada.contract._generate.write import members

__all__ = ["NoSample", "Samples", "plain"]

_TRIED = (
    "",
    "a",
    "A",
    "1",
    "0",
    "ab",
    "AB",
    "abc",
    "a1",
    "12",
    "123",
    "1234",
    "00:00",
    "2026-01-31",
    "a@b.c",
    "a-b",
    "/a",
)
_MOST_NESTED = 12


class NoSample(Exception):
    """No value of the type is known to be one: a pattern, or a type that holds itself."""


class Samples:
    """Makes values of the types of one module.

    Args:
        module: Whose types they are.
        full: Whether members that may be left out are given, too.
    """

    def __init__(self, module: Module, *, full: bool = False) -> None:
        self._structs: dict[str, StructClass] = {s.name: s for s in module.structs}
        self._enums: dict[str, EnumClass] = {e.name: e for e in module.enums}
        self._full = full
        self._within: list[str] = []

    def of(self, type_: str, name: str) -> str:
        """A value of a type, told apart from others by the name that it is for.

        Raises:
            NoSample: None can be made.
        """
        return self._node(ast.parse(type_, mode="eval").body, name)

    def _node(self, node: ast.expr, name: str) -> str:
        match node:
            case ast.Constant(value=None):
                return "None"
            case ast.Name(id=found) if found in self._structs:
                return self._struct(self._structs[found])
            case ast.Name(id=found) if found in self._enums:
                return f"{found}.{members(self._enums[found])[0][0]}"
            case ast.Name(id=found):
                return plain(found, name)
            case ast.BinOp(left=left):
                return self._node(left, name)
            case ast.Subscript(value=ast.Name(id=outer), slice=inner):
                return self._generic(outer, inner, name)
            case _:
                raise NoSample(ast.unparse(node))

    def _generic(self, outer: str, inner: ast.expr, name: str) -> str:
        items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
        match outer:
            case "tuple" if isinstance(items[-1], ast.Constant) and items[-1].value is ...:
                return self._some(items[0], name)
            case "tuple":
                made = ", ".join(self._node(i, name) for i in items)
                return f"({made},)" if len(items) == 1 else f"({made})"
            case "dict":
                return f'{{"key": {self._node(items[1], name)}}}' if self._full else "{}"
            case "Page":
                return f"Page({self._some(items[0], name)})"
            case "Literal":
                return ast.unparse(items[0]) if not _is_text(items[0]) else quoted(ast.literal_eval(items[0]))
            case "Annotated":
                return self._bounded(items[0], items[1], name)
            case _:
                raise NoSample(outer)

    def _some(self, item: ast.expr, name: str) -> str:
        try:
            return f"({self._node(item, name)},)"
        except NoSample:
            return "()"

    def _struct(self, struct: StructClass) -> str:
        if struct.name in self._within or len(self._within) >= _MOST_NESTED:
            raise NoSample(f"{struct.name} holds itself")
        self._within.append(struct.name)
        try:
            given: list[str] = []
            for field in struct.fields:
                if field.default is not None and not self._full:
                    continue
                try:
                    given.append(f"{field.name}={self.of(field.type, field.name)}")
                except NoSample:
                    if field.default is None:
                        raise
            return f"{struct.name}({', '.join(given)})"
        finally:
            self._within.pop()

    def _bounded(self, type_: ast.expr, meta: ast.expr, name: str) -> str:
        assert isinstance(meta, ast.Call)
        words: dict[str, Any] = {str(w.arg): ast.literal_eval(w.value) for w in meta.keywords}
        source = ast.unparse(type_)
        if "tz" in words:
            return _zoned(plain(source, name), zone=words["tz"])
        if source.startswith("tuple["):
            if words.get("min_length", 0) <= 1:
                made = self.of(source, name)
                return made if words.get("max_length", 1) >= 1 else "()"
            one = self.of(source, name)[1:-2]
            return f"({', '.join([one] * words['min_length'])})"
        if source == "str":
            return quoted(_text(words, name))
        return _number(source, words, name)


def plain(type_: str, name: str) -> str:
    """A value of a plain type; numbers and texts go by the name, so that two members hardly have the same."""
    count = len(name)
    known = {
        "str": quoted(name), "int": str(count), "float": f"{count}.5", "bool": "True", "bytes": f'b"{count}"',
        "Decimal": f'Decimal("{count}.50")', "date": f"date(2026, 1, {count % 28 + 1})",
        "datetime": f"datetime(2026, 1, {count % 28 + 1}, 12, tzinfo=UTC)", "time": f"time({count % 24})",
        "timedelta": f"timedelta(hours={count})", "Any": quoted(name),
        "UUID": f'UUID(int={count})',
    }  # fmt: skip
    if type_ not in known:
        raise NoSample(type_)
    return known[type_]


def _zoned(value: str, *, zone: bool) -> str:
    bare = value.replace(", tzinfo=UTC", "")
    return f"{bare[:-1]}, tzinfo=UTC)" if zone else bare


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(words: dict[str, Any], name: str) -> str:
    least, most = words.get("min_length", 0), words.get("max_length", 1 << 30)
    pattern = words.get("pattern")
    for tried in (name, *_TRIED):
        for made in (tried, tried[:most].ljust(least, tried[-1:] or "a")):
            if least <= len(made) <= most and (pattern is None or re.search(pattern, made)):
                return made
    raise NoSample(f"text like {pattern}")


def _number(source: str, words: dict[str, Any], name: str) -> str:
    step = words.get("multiple_of") or 1
    least = words.get("ge", words.get("gt"))
    most = words.get("le", words.get("lt"))
    for made in (
        len(name),
        1,
        0,
        least,
        most,
        *(() if least is None else (least + step, least // step * step + step)),
    ):
        if made is None or (source == "int" and made != int(made)):
            continue
        made = int(made) if made == int(made) else made
        fits = (
            made >= words.get("ge", made)
            and made > words.get("gt", made - 1)
            and made <= words.get("le", made)
            and made < words.get("lt", made + 1)
            and made % step == 0
        )
        if fits:
            return (
                str(made)
                if source == "int"
                else f'Decimal("{made}")'
                if source == "Decimal"
                else repr(float(made))
            )
    raise NoSample(f"{source} within {words}")
