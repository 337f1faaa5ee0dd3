"""Lines of generated code, broken where a formatter would break them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from levada.contract._generate.text import WIDTH, quoted

__all__ = ["annotated", "class_head", "laid_out", "signature"]


@dataclass(frozen=True)
class _Group:
    """Something in brackets: ``Document(``, its items, ``)``."""

    head: str
    items: tuple[_Group | str, ...]
    tail: str
    single: bool = False
    """A tuple of one, which needs its comma on one line too."""
    literal: bool = False
    """A list, a tuple or a dict: broken, it has each item on a line of its own."""

    def flat(self) -> str:
        inside = ", ".join(_flat(i) for i in self.items)
        return f"{self.head}{inside}{',' if self.single else ''}{self.tail}"


def laid_out(statement: str, indent: str = "") -> str:
    """A simple statement on one line, or broken at its last bracket and further inward."""
    if len(indent + statement) <= WIDTH:
        return indent + statement
    head, value, tail = _parts(statement)
    group = _document(value) if value is not None else statement
    if isinstance(group, str):
        fits = value is not None and len(f"{indent}{head}(") <= WIDTH and len(f"{indent}    {group}") <= WIDTH
        return f"{indent}{head}(\n{indent}    {group}\n{indent})" if fits and not tail else indent + statement
    whole = _Group(head + group.head, group.items, group.tail + tail, group.single, group.literal)
    if len(indent + whole.head) > WIDTH and not tail and head:
        return f"{indent}{head}(\n{_render(group, indent + '    ')}\n{indent})"
    return _render(whole, indent)


def annotated(name: str, type_: str, default: str | None, indent: str) -> str:
    """A field: ``name: type = default``, broken at the default, or else around its type."""
    head = f"{indent}{name}: "
    value = "" if default is None else f" = {default}"
    if len(head + type_ + value) <= WIDTH:
        return head + type_ + value
    made = _document(_expression(type_))
    call = None if default is None else _document(_expression(default))
    if (
        default is not None
        and len(f"{head}{type_} = {call.head if isinstance(call, _Group) else '('}") <= WIDTH
    ):
        if isinstance(call, _Group):
            return _render(_Group(f"{name}: {type_} = {call.head}", call.items, call.tail), indent)
        return f"{head}{type_} = (\n{indent}    {default}\n{indent})"
    if isinstance(made, _Group):
        return _render(_Group(f"{name}: {made.head}", made.items, made.tail), indent, value)
    inner = indent + "    "
    parts: list[_Group | str] = [type_] if len(inner + type_) <= WIDTH else _alternatives(_expression(type_))
    lines = "\n".join(_render(_after("| " if at else "", p), inner) for at, p in enumerate(parts))
    return f"{head}(\n{lines}\n{indent}){value}"


def _alternatives(node: ast.expr) -> list[_Group | str]:
    if isinstance(node, ast.BinOp):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [_document(node)]


def _after(head: str, item: _Group | str) -> _Group | str:
    return head + item if isinstance(item, str) else _Group(head + item.head, item.items, item.tail)


def class_head(name: str, bases: Sequence[str]) -> str:
    """``class Name(Base, keyword=value):``."""
    return _render(_Group(f"class {name}(", tuple(bases), "):"), "")


def signature(head: str, arguments: Sequence[str], tail: str, indent: str) -> str:
    """``async def name(`` arguments ``) -> Type:``, broken where it is too long."""
    return _render(_Group(head, tuple(_argument(a, f"{indent}    ") for a in arguments), tail), indent)


def _argument(source: str, indent: str) -> _Group | str:
    name, colon, rest = source.partition(": ")
    if not colon or len(f"{indent}{source},") <= WIDTH:
        return source
    type_, equals, default = rest.rpartition(" = ")
    if not equals:
        type_, default = rest, ""
    first, *others = _alternatives(_expression(type_))
    if isinstance(first, str) or not all(isinstance(o, str) for o in others):
        return source
    tail = "".join(f"\n{indent}| {_flat(o)}" for o in others) + equals + default
    return _Group(f"{name}: {first.head}", first.items, first.tail + tail)


def _flat(item: _Group | str) -> str:
    return item if isinstance(item, str) else item.flat()


def _render(item: _Group | str, indent: str, tail: str = "") -> str:
    flat = indent + _flat(item) + tail
    if isinstance(item, str) or not item.items or all(len(part) <= WIDTH for part in flat.split("\n")):
        return flat
    inner = indent + "    "
    line = inner + ", ".join(_flat(i) for i in item.items) + ("," if item.single else "")
    if len(line) <= WIDTH and not item.literal:
        return f"{indent}{item.head}\n{line}\n{indent}{item.tail}{tail}"
    lines = "\n".join(_render(i, inner, ",") for i in item.items)
    return f"{indent}{item.head}\n{lines}\n{indent}{item.tail}{tail}"


def _parts(statement: str) -> tuple[str, ast.expr | None, str]:
    """What stands before the value that is broken, the value, and what stands behind it."""
    shown = statement.removeprefix("@")
    (node,) = ast.parse(shown).body
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr):
        return statement, None, ""
    while isinstance(value, ast.Await):
        value = value.value
    if isinstance(node, ast.AnnAssign) and not isinstance(value, ast.Call | ast.Tuple | ast.List | ast.Dict):
        value = node.annotation
    source = ast.get_source_segment(shown, value) or ""
    start = statement.rindex(source) if not isinstance(node, ast.AnnAssign) else statement.index(source)
    return statement[:start], _expression(source), statement[start + len(source) :]


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def _document(node: ast.expr | None) -> _Group | str:
    if node is None:
        return ""
    source = ast.unparse(node)
    match node:
        case ast.Call(func=func, args=args, keywords=words):
            items = [
                *(_document(a) for a in args),
                *(_named(f"{w.arg}=" if w.arg else "**", w.value) for w in words),
            ]
            return _Group(f"{_text(func)}(", tuple(items), ")")
        case ast.Subscript(value=value, slice=ast.Tuple(elts=elts)):
            return _Group(f"{_text(value)}[", tuple(_document(e) for e in elts), "]")
        case ast.Subscript(value=value, slice=inner):
            return _Group(f"{_text(value)}[", (_document(inner),), "]")
        case ast.Tuple(elts=elts):
            return _Group("(", tuple(_document(e) for e in elts), ")", len(elts) == 1, literal=True)
        case ast.List(elts=elts):
            return _Group("[", tuple(_document(e) for e in elts), "]", literal=True)
        case ast.Dict(keys=keys, values=values):
            items = [
                _named("**" if k is None else f"{_text(k)}: ", v) for k, v in zip(keys, values, strict=True)
            ]
            return _Group("{", tuple(items), "}", literal=True)
        case ast.Constant():
            return _text(node)
        case _:
            return source.replace("'", '"') if '"' not in source else source


def _named(head: str, value: ast.expr) -> _Group | str:
    made = _document(value)
    if isinstance(made, str):
        return head + made
    return _Group(head + made.head, made.items, made.tail, made.single, made.literal)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return quoted(node.value)
    return ast.unparse(node)
