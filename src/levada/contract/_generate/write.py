"""A contract module as Python source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping

from levada.contract._generate.layout import annotated, class_head, laid_out, signature
from levada.contract._generate.model import EnumClass, Field, Method, Module, ProblemClass, StructClass
from levada.contract._generate.text import WIDTH, comment, docstring, quoted
from levada.contract._kebab import kebab

__all__ = ["IMPORTED", "heading", "imports", "marker", "members", "whole", "write"]

_LAYERS = {"system": "SystemAPI", "process": "ProcessAPI", "experience": "ExperienceAPI"}
IMPORTED: dict[str, str] = {
    "abstractmethod": "abc",
    "AsyncIterator": "collections.abc",
    "UTC": "datetime",
    "Sequence": "collections.abc",
    "Mapping": "collections.abc",
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "timedelta": "datetime",
    "Decimal": "decimal",
    "Enum": "enum",
    "Annotated": "typing",
    "Any": "typing",
    "TypeVar": "typing",
    "Literal": "typing",
    "UUID": "uuid",
    "UNSET": "msgspec",
    "Meta": "msgspec",
    "Struct": "msgspec",
    "UnsetType": "msgspec",
    "field": "msgspec",
    "ExperienceAPI": "levada",
    "Page": "levada",
    "Protect": "levada",
    "Problem": "levada",
    "ProcessAPI": "levada",
    "SystemAPI": "levada",
    "effect": "levada",
    "http": "levada",
    "resource": "levada",
    "testing": "levada",
}
"""What generated code may import, and from where; no class of a contract is named so."""
_MODULES = frozenset({"asyncio", "msgspec", "os", "pytest"})


def write(module: Module, *, title: str | None = None) -> str:
    """The module's source, formatted."""
    parts = [
        *(_enum(e) for e in module.enums),
        *(_struct(s) for s in module.structs),
        *(_problem(p) for p in module.problems),
        _contract(module),
    ]
    body = "\n\n\n".join(parts)
    head = docstring(title or f"The contract {module.domain}/{module.name}, version {module.version}.", "")
    return whole(head + "\n\nfrom __future__ import annotations", imports(body), body)


def whole(head: str, imported: str, body: str) -> str:
    """A module of its docstring, its imports and its code."""
    gap = "\n\n\n" if body.startswith(("class ", "def ", "@")) else "\n\n"
    return f"{head}\n\n{imported}{gap}{body}\n"


def imports(body: str, extra: Mapping[str, str] | None = None) -> str:
    """The import lines for the names that a body of generated code uses.

    Args:
        body: The code.
        extra: Name -> module, for names of the generated package itself.
    """
    known = {**IMPORTED, **(extra or {})}
    used = {n.id for n in ast.walk(ast.parse(body)) if isinstance(n, ast.Name)}
    names, whole = used & set(known), used & _MODULES
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(known[name], []).append(name)

    def lines(wanted: Callable[[str], bool]) -> str:
        plain = [f"import {m}" for m in sorted(whole) if wanted(m)]
        return "\n".join([*plain, *(_import(m, groups[m]) for m in sorted(groups) if wanted(m))])

    third = {"levada", "msgspec", "pytest"}
    parts = (
        lines(lambda m: m.partition(".")[0] in sys.stdlib_module_names),
        lines(lambda m: m.partition(".")[0] in third),
        lines(lambda m: m.partition(".")[0] not in {*sys.stdlib_module_names, *third}),
    )
    return "\n\n".join(p for p in parts if p)


def _import(module: str, names: list[str]) -> str:
    # As isort sorts: constants, classes, then the rest, and numbers by their value.
    def place(name: str) -> tuple[int, list[str], str]:
        kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
        parts = [p.zfill(9) if p.isdigit() else p for p in re.split(r"(\d+)", name.lower())]
        return kind, parts, name

    ordered = sorted(names, key=place)
    if len(line := f"from {module} import {', '.join(ordered)}") <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {n},\n" for n in ordered) + ")"


def _class(head: str, doc: str, lines: list[str]) -> str:
    parts = [head]
    if doc:
        parts.append(docstring(doc, "    "))
        if lines:
            parts.append("")
    elif not lines:
        parts.append("    pass")
    return "\n".join([*parts, *lines])


def _enum(made: EnumClass) -> str:
    lines = [laid_out(f"{n} = {quoted(v) if isinstance(v, str) else v}", "    ") for n, v in members(made)]
    return _class(class_head(made.name, ["Enum"]), made.doc, lines)


def members(made: EnumClass) -> list[tuple[str, str | int]]:
    """The members of an enumeration: names that Python takes, and their values."""
    found: dict[str, str | int] = {}
    for value in made.values:
        name = re.sub(r"\W", "_", str(value), flags=re.ASCII).upper().strip("_") or "EMPTY"
        name = name if name.isidentifier() else f"V_{name}"
        while name in found:
            name += "_"
        found[name] = value
    return list(found.items())


def _field(made: Field) -> str:
    default = made.default
    if made.wire is not None:
        inner = "" if default is None else f"default={default}, "
        default = f"field({inner}name={quoted(made.wire)})"
    line = annotated(made.name, made.type, default, "    ")
    return line + (f"\n{docstring(made.doc, '    ')}" if made.doc else "")


def _struct(made: StructClass) -> str:
    closed = ["forbid_unknown_fields=True"] if made.closed else []
    bases = ["Struct", "frozen=True", "kw_only=True", *closed]
    return _class(class_head(made.name, bases), made.doc, [_field(f) for f in made.fields])


def _problem(made: ProblemClass) -> str:
    words = [f"status={made.status}"]
    if made.detail is not None:
        words.append(f"detail={quoted(made.detail)}")
    if made.code is not None and made.code != kebab(made.name):
        words.append(f"code={quoted(made.code)}")
    return _class(class_head(made.name, ["Problem", *words]), made.doc, [_field(f) for f in made.fields])


def _contract(module: Module) -> str:
    words = [f"domain={quoted(module.domain)}", f"version={quoted(module.version)}"]
    head = class_head(module.name, [_LAYERS[module.layer], *words])
    decide = [marker(d) for d in module.decide]
    methods = "\n\n".join(_method(m) for m in module.methods)
    body = [*decide, *([""] if decide and methods else []), methods]
    return _class(head, module.doc or module.name, [b for b in body if b or methods])


def _method(made: Method) -> str:
    options = "".join(f", {k}={v}" for k, v in made.options.items())
    decorator = laid_out(f"@http.{made.verb}({quoted(made.path)}{options})", "    ")
    marks = [marker(d) for d in made.decide]
    doc = docstring(made.doc or made.name.replace("_", " ").capitalize() + ".", "        ")
    return "\n".join([*marks, decorator, "    @abstractmethod", heading(made), doc])


def marker(decision: str) -> str:
    """The comment that marks what a person has to decide: ``kind: words``."""
    kind, _, words = decision.partition(": ")
    return comment(f"TO DECIDE ({kind}): {words}", "    ")


def heading(made: Method) -> str:
    """The line, or lines, of ``async def``."""
    result = f"AsyncIterator[{made.result}]" if made.stream else made.result
    arguments = ["self", *(_argument(a) for a in _ordered(made.arguments))]
    start = "def" if made.stream else "async def"
    return signature(f"{start} {made.name}(", arguments, f") -> {result}:", "    ")


def _ordered(arguments: list[Field]) -> list[Field]:
    return sorted(arguments, key=lambda a: a.default is not None)


def _argument(made: Field) -> str:
    return f"{made.name}: {made.type}" + ("" if made.default is None else f" = {made.default}")
