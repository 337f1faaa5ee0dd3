"""A contract module as Python source."""

from __future__ import annotations

import re

from levada.contract._generate.model import EnumClass, Field, Method, Module, ProblemClass, StructClass
from levada.contract.problem import problem_code

__all__ = ["docstring", "imports", "quoted", "write"]

WIDTH = 100

_LAYERS = {"system": "SystemAPI", "process": "ProcessAPI", "experience": "ExperienceAPI"}
_FROM: dict[str, str] = {
    "abstractmethod": "abc",
    "AsyncIterator": "collections.abc",
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
    "Literal": "typing",
    "UUID": "uuid",
    "UNSET": "msgspec",
    "Meta": "msgspec",
    "Struct": "msgspec",
    "UnsetType": "msgspec",
    "field": "msgspec",
    "ExperienceAPI": "levada",
    "Page": "levada",
    "Problem": "levada",
    "ProcessAPI": "levada",
    "SystemAPI": "levada",
    "http": "levada",
}
_STANDARD = ("abc", "collections.abc", "datetime", "decimal", "enum", "typing", "uuid")


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
    return f"{head}\n\nfrom __future__ import annotations\n\n{imports(body)}\n\n\n{body}\n"


def imports(body: str) -> str:
    """The import lines for the names that a body of generated code uses."""
    code = re.sub(r'"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"', '""', body)
    used = {n for n in re.findall(r"(?<![\w.])[A-Za-z_]\w*", code) if n in _FROM}
    groups: dict[str, list[str]] = {}
    for name in used:
        groups.setdefault(_FROM[name], []).append(name)

    def lines(modules: list[str]) -> str:
        return "\n".join(_import(m, groups[m]) for m in modules)

    standard = lines([m for m in _STANDARD if m in groups])
    third = lines([m for m in ("msgspec", "levada") if m in groups])
    return "\n\n".join(p for p in (standard, third) if p)


def _import(module: str, names: list[str]) -> str:
    # As isort sorts: constants, classes, then the rest.
    ordered = sorted(names, key=lambda n: (0 if n.isupper() else 1 if n[0].isupper() else 2, n))
    return f"from {module} import {', '.join(ordered)}"


def quoted(text: str) -> str:
    """A string literal in double quotes, whatever the text holds."""
    inner = repr("'" + text)[2:-1]
    return '"' + inner.replace("\\'", "'").replace('"', '\\"') + '"' if '\\"' not in inner else repr(text)


def docstring(text: str, indent: str) -> str:
    """A docstring; what the text holds cannot end it."""
    clean = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    if clean.endswith('"'):
        clean += "."
    lines = [line.rstrip() for line in clean.splitlines()] or [""]
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    rest = "\n".join(f"{indent}{line}".rstrip() for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{rest}\n{indent}"""'


def _class(head: str, doc: str, lines: list[str]) -> str:
    parts = [f"class {head}:"]
    if doc:
        parts.append(docstring(doc, "    "))
        if lines:
            parts.append("")
    elif not lines:
        parts.append("    pass")
    return "\n".join([*parts, *lines])


def _enum(made: EnumClass) -> str:
    lines: list[str] = []
    seen: set[str] = set()
    for value in made.values:
        name = re.sub(r"\W", "_", str(value), flags=re.ASCII).upper().strip("_") or "EMPTY"
        name = name if name.isidentifier() else f"V_{name}"
        while name in seen:
            name += "_"
        seen.add(name)
        lines.append(f"    {name} = {quoted(value) if isinstance(value, str) else value}")
    return _class(f"{made.name}(Enum)", made.doc, lines)


def _field(made: Field) -> str:
    default = made.default
    if made.wire is not None:
        inner = "" if default is None else f"default={default}, "
        default = f"field({inner}name={quoted(made.wire)})"
    return f"    {made.name}: {made.type}" + ("" if default is None else f" = {default}")


def _struct(made: StructClass) -> str:
    closed = ", forbid_unknown_fields=True" if made.closed else ""
    head = f"{made.name}(Struct, frozen=True, kw_only=True{closed})"
    return _class(head, made.doc, [_field(f) for f in made.fields])


def _problem(made: ProblemClass) -> str:
    words = [f"status={made.status}"]
    if made.detail is not None:
        words.append(f"detail={quoted(made.detail)}")
    if made.code is not None and made.code != problem_code(made.name):
        words.append(f"code={quoted(made.code)}")
    head = f"{made.name}(Problem, {', '.join(words)})"
    return _class(head, made.doc, [_field(f) for f in made.fields])


def _contract(module: Module) -> str:
    words = f"domain={quoted(module.domain)}, version={quoted(module.version)}"
    head = f"{module.name}({_LAYERS[module.layer]}, {words})"
    decide = [f"    # TO DECIDE: {d}" for d in module.decide]
    methods = "\n\n".join(_method(m) for m in module.methods)
    body = [*decide, *([""] if decide and methods else []), methods]
    return _class(head, module.doc or module.name, [b for b in body if b or methods])


def _method(made: Method) -> str:
    options = "".join(f", {k}={v}" for k, v in made.options.items())
    decorator = f"    @http.{made.verb}({quoted(made.path)}{options})"
    if len(decorator) > WIDTH:
        items = [quoted(made.path), *(f"{k}={v}" for k, v in made.options.items())]
        decorator = "    @http." + made.verb + "(\n" + "".join(f"        {i},\n" for i in items) + "    )"
    result = f"AsyncIterator[{made.result}]" if made.stream else made.result
    arguments = ["self", *(_argument(a) for a in _ordered(made.arguments))]
    start = "    def" if made.stream else "    async def"
    line = f"{start} {made.name}({', '.join(arguments)}) -> {result}:"
    if len(line) > WIDTH:
        line = f"{start} {made.name}(\n        {', '.join(arguments)}\n    ) -> {result}:"
        if any(len(part) > WIDTH for part in line.splitlines()):
            inner = "".join(f"        {a},\n" for a in arguments)
            line = f"{start} {made.name}(\n{inner}    ) -> {result}:"
    marks = [f"    # TO DECIDE: {d}" for d in made.decide]
    doc = docstring(made.doc or made.name.replace("_", " ").capitalize() + ".", "        ")
    return "\n".join([*marks, decorator, "    @abstractmethod", line, doc])


def _ordered(arguments: list[Field]) -> list[Field]:
    return sorted(arguments, key=lambda a: a.default is not None)


def _argument(made: Field) -> str:
    return f"{made.name}: {made.type}" + ("" if made.default is None else f" = {made.default}")
