"""The files that an adoption writes, and what in them a person has to decide."""

from __future__ import annotations

import ast
import json
import keyword
import re
import sys
from dataclasses import dataclass, field

from msgspec import Struct

from levada.connect.adopt.errors import NotAdopted
from levada.contract._generate.fake import TESTED, FakeClass
from levada.contract._generate.model import Module, snake_name
from levada.contract._generate.text import clean, docstring
from levada.contract._generate.write import imports, whole, write

__all__ = ["Adopted", "Decision", "Package", "package_name", "toml"]


class Decision(Struct, frozen=True):
    """What a person has to decide.

    ``kind``: effect, undo, owner, reading, zone, names, paging or recorded. ``place``: file and line of its mark.
    ``about``: the class or operation.
    """

    kind: str
    place: str
    about: str
    text: str


@dataclass
class Adopted:
    """What is written of a description, by path; ``settings`` are lines for ``levada.toml``."""

    contract: str
    operations: list[str]
    files: dict[str, str]
    decide: list[Decision]
    left_out: list[str]
    settings: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """Variables that the settings name, and what to set them to."""


class Package:
    """Collects the modules of one package: contract, adapter, fake, test."""

    def __init__(self, module: Module, package: str, source: str, *, fake: FakeClass) -> None:
        self.module = module
        self.package = package
        self.source = source
        self.folder = package.replace(".", "/")
        self.fake: FakeClass = fake
        self.files: dict[str, str] = {}
        parts = package.split(".")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            self.files[f"{name}/__init__.py"] = '"""What the domain promises, and what keeps it."""\n'
        title = f"What {module.name} promises. Adopted from {source}; from here on it is yours to shape."
        self.files[f"{self.folder}/contract.py"] = write(module, title=title)
        doc = f"A fake of {module.name}, for the tests of whoever calls it."
        self.add("fake", doc, self.fake.source)

    @property
    def exported(self) -> dict[str, str]:
        """The classes of the contract, and the module that they are in."""
        names = [*self.module.structs, *self.module.enums, *self.module.problems]
        found = {n.name: f"{self.package}.contract" for n in names}
        return {**found, self.module.name: f"{self.package}.contract"}

    def add(self, name: str, doc: str, body: str, extra: dict[str, str] | None = None) -> None:
        """A module of the package."""
        head = docstring(doc, "")
        used = imports(body, {**self.exported, **(extra or {})})
        self.files[f"{self.folder}/{name}.py"] = whole(head, used, body)

    def test(self, doc: str, parts: list[str], extra: dict[str, str]) -> None:
        """The test module: that the fake keeps the contract, and what is given besides."""
        body = "\n\n\n".join([*self.fake.tests(self.module.name), *parts])
        more = len(self.fake.calls) - TESTED
        if more > 0:
            doc += f"\n\nThe first {TESTED} operations stand for the other {more}."
        extra = {**self.exported, f"Fake{self.module.name}": f"{self.package}.fake", **extra}
        name = snake_name(self.module.name)
        self.files[f"tests/test_{name}.py"] = whole(docstring(doc, ""), imports(body, extra), body)

    def adopted(self, settings: str, environment: dict[str, str] | None = None) -> Adopted:
        """All of it."""
        module = self.module
        if f"{self.folder}/adapter.py" in self.files:
            parts = self.package.split(".")
            names = " or ".join(f'"{".".join(parts[:depth])}"' for depth in range(len(parts), 0, -1))
            settings = f"# [app] modules has to name {names}\n{settings}"
        decide = [d for path, text in self.files.items() for d in _decisions(path, text)]
        left_out = [*module.notes, *(f"the fake leaves out {n}" for n in self.fake.left_out)]
        return Adopted(
            contract=f"{module.domain}/{module.name}/v{module.version.partition('.')[0]}",
            operations=[m.name for m in module.methods],
            files=self.files,
            decide=decide,
            left_out=left_out,
            settings=settings,
            environment=environment or {},
        )


def package_name(wanted: str | None, module: Module) -> str:
    """The package that is written; default: the contract's name.

    Raises:
        NotAdopted: It is no name of a package, or hides another.
    """
    name = wanted or snake_name(module.name)
    parts = name.split(".")
    top = parts[0]
    if any(not p.isidentifier() or keyword.iskeyword(p) for p in parts):
        reason = "it is no name of a package"
    elif top in sys.stdlib_module_names or top in ("levada", "tests"):
        reason = f"a package {top} would hide Python's, Levada's or the tests"
    else:
        return name
    raise NotAdopted(place=f"package {name}", reason=reason, mend="Say --package shop.billing")


def toml(text: str) -> str:
    """A basic string of TOML, whatever the text holds; Python's single-quoted literals are others there."""
    return json.dumps(clean(text), ensure_ascii=False)


def _decisions(path: str, text: str) -> list[Decision]:
    """The marks in a file, with what they stand above."""
    found: list[Decision] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not (mark := re.match(r"\s*# TO DECIDE \(([\w-]+)\): (.*)", line)):
            continue
        words = [mark[2]]
        for more in lines[number:]:
            rest = re.match(r"\s*# (?!TO DECIDE)(.*)", more)
            if not rest:
                break
            words.append(rest[1])
        found.append(Decision(mark[1], f"{path}:{number}", _below(lines[number:], text), " ".join(words)))
    return found


def _below(lines: list[str], text: str) -> str:
    """The operation that a mark stands above, or else the class that it is in."""
    for line in lines:
        if not line.strip():
            break  # a mark of the class: a blank line parts it from the operations
        if named := re.match(r"\s+(?:async )?def (\w+)", line):
            return named[1]
        if not re.match(r"\s*(#|@|\)|\w+[=(]|\"|$)", line) and not line.startswith("     "):
            break
    classes = [n.name for n in ast.parse(text).body if isinstance(n, ast.ClassDef)]
    return classes[-1] if classes else ""
