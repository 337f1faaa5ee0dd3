"""Skeletons of a blueprint's contracts: one Python module of Levada classes to begin with.

What the landscape does not tell (fields, further operations) is left to the owner, and the
skeleton says so. OpenAPI comes from the classes themselves: ``levada.contract.openapi``.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from levada.landscape.blueprint import Blueprint, Built

__all__ = ["skeletons"]

Words: TypeAlias = tuple[str, ...]

_PARAMETER = re.compile(r"\{[^{}]*\}|(?<=/):[^/]+")
_WORD = re.compile(r"[^\W_]+")
BASES = {"system": "SystemAPI", "process": "ProcessAPI", "experience": "ExperienceAPI"}


def skeletons(made: Blueprint) -> str:
    """The source of a module with a class for each API and an event for each topic; it can be imported as it is."""
    taken = {*BASES.values(), "Event", "Struct", "str"}  # what the module itself imports and uses
    objects = _by_words(sorted({o for b in made.apis for o in (b.objects or b.providers)}))
    values = {words: (o, _unique(_pascal(" ".join(words)), taken)) for words, o in objects.items()}
    bases = sorted({BASES[b.layer] for b in made.apis} | ({"Event"} if made.topics else set[str]()))
    names = [*bases, *(["http"] if made.apis else [])]
    parts = [
        '"""Contracts that the blueprint proposes; fields and operations are for their owners to complete."""',
        "from abc import abstractmethod\n\nfrom msgspec import Struct\n\n" + _imports(names),
    ]
    parts += [
        f'class {name}(Struct, frozen=True):\n    """{_doc(o)}. Its fields are to be agreed."""\n\n    id: str'
        for o, name in values.values()
    ]
    parts += [_event(b, taken) for b in made.topics]
    parts += [_api(b, values, taken) for b in made.apis]
    return "\n\n\n".join(parts) + "\n"


def _imports(names: list[str]) -> str:
    return f"from levada import {', '.join(names)}" if names else ""


def _event(box: Built, taken: set[str]) -> str:
    name = _unique(_pascal(box.objects[0] if box.objects else box.id) + "Changed", taken)
    who = ", ".join(box.consumers)
    return (
        f'class {name}(Event, version="0.1", domain="{_slug(box.domain or box.providers[0])}"):\n'
        f'    """Of {_doc(", ".join(box.providers))}. Owner: {_doc(box.owner or "unknown")}. Subscribers: {_doc(who)}."""\n\n'
        "    id: str"
    )


def _api(box: Built, values: Mapping[Words, tuple[str, str]], taken: set[str]) -> str:
    name = _unique(_pascal(box.id.partition(":")[2]) + "API", taken)
    out = [
        f'class {name}({BASES[box.layer]}, domain="{_slug(box.domain or box.providers[0])}", version="0.1"):',
        f'    """In front of {_doc(", ".join(box.providers))}. Owner: {_doc(box.owner or "unknown")}.',
        "",
        f"    Consumers: {_doc(', '.join(box.consumers))}.",
        '    """',
    ]
    used: set[str] = set()
    for words in _by_words(box.objects or box.providers):
        o, value = values[words]
        path = _unique(_slug(" ".join(words)), used)
        out += [
            "",
            f'    @http.get("/{path}/{{id}}")',
            "    @abstractmethod",
            f"    async def get_{path.replace('-', '_')}(self, id: str) -> {value}:",
            f'        """One {_doc(o)} by its id."""',
        ]
    return "\n".join(out)


def _by_words(objects: Iterable[str]) -> dict[Words, str]:
    """The first object of each that differ in words: ``/v1/invoices/{}`` and ``V1 Invoices`` are one resource."""
    out: dict[Words, str] = {}
    for o in objects:
        bare = _PARAMETER.sub("/", o).casefold()
        out.setdefault(tuple(_WORD.findall(unicodedata.normalize("NFKC", bare))), o)
    return out


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return slug if slug[:1].isalpha() else f"x-{slug}".rstrip("-")


def _pascal(text: str) -> str:
    name = "".join(w[:1].upper() + w[1:] for w in _slug(text).split("-"))
    return name + "_" if keyword.iskeyword(name) else name


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}{number}", number + 1
    taken.add(unique)
    return unique


def _doc(text: str) -> str:
    """Text within a docstring: no name of a system can end it."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
