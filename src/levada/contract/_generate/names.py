"""Names in generated code that hide nothing it uses, and that nothing else has."""

from __future__ import annotations

import builtins

from levada.contract._generate.model import RESERVED, Module, class_name, snake_name
from levada.contract._generate.write import IMPORTED

__all__ = ["Taken", "method_name"]

_OF_ADAPTERS = frozenset({"db", "soap", "start", "stop"})
"""What adapters have besides the operations of their contract."""


class Taken:
    """The class names of one module; the names of what it imports are taken from the start."""

    def __init__(self, module: Module) -> None:
        self._taken: set[str] = {module.name, *IMPORTED, *dir(builtins)}

    def take(self, wanted: str) -> str:
        """A class name that no other class has."""
        base = class_name(wanted)
        name, count = base, 2
        while name in self._taken:
            name, count = f"{base}{count}", count + 1
        self._taken.add(name)
        return name


def method_name(wanted: str, module: Module) -> str:
    """The name of an operation that no other has."""
    name = snake_name(wanted)
    while name in RESERVED | _OF_ADAPTERS or any(m.name == name for m in module.methods):
        name += "_"
    return name
