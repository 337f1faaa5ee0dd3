"""Reads the named queries and the migrations beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from msgspec import Struct

__all__ = ["Migration", "Query", "migrations", "queries"]

_HEAD = re.compile(r"^-- name: (\S+)(?: \[(\w+)\])?[ \t]*$", re.MULTILINE)
_SECTION = re.compile(r"^-- \[(\w+)\][ \t]*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)|'(?:[^']|'')*'|--[^\n]*")


class Query(Struct, frozen=True):
    """One named query.

    ``positional`` has ``$1, $2`` for ``names``, for drivers without names. ``kind``:
    ``read``, ``write``, or ``mixed``: one that may change more than the rows it counts.
    """

    name: str
    text: str
    positional: str
    names: tuple[str, ...]
    kind: Literal["read", "write", "mixed"] = "mixed"

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.kind != "read"


class Migration(Struct, frozen=True):
    """One numbered change of the schema."""

    number: int
    name: str
    text: str


@cache
def queries(dialect: str) -> Mapping[str, Query]:
    """All queries of a dialect, by name."""
    found: dict[str, Query] = {}
    for file in sorted(files("levada.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            parts = _HEAD.split(file.read_text(encoding="utf-8"))[1:]
            for name, stated, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
                if stated in (None, dialect):
                    found[name] = _query(name, body)
    return found


def _query(name: str, body: str) -> Query:
    text = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().rstrip(";")
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        if match[1] not in names:
            names.append(match[1])
        place = f"${names.index(match[1]) + 1}"
        # Its type is known, and servers need not guess it from what stands beside it.
        return f"CAST({place} AS bigint)" if match[1] == "now" else place

    positional = _PARAMETER.sub(number, text)
    return Query(name, text, positional, tuple(names), _kind(text))


def _kind(text: str) -> Literal["read", "write", "mixed"]:
    first = text.split(None, 1)[0].upper()
    if first in ("INSERT", "UPDATE", "DELETE"):
        return "write"
    return "read" if first == "SELECT" else "mixed"


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """All migrations of a dialect, in order."""
    found: list[Migration] = []
    for file in files("levada.store").joinpath("sql").joinpath("migrations").iterdir():
        matched = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if matched is None:
            continue
        parts = _SECTION.split(file.read_text(encoding="utf-8"))[1:]
        text = "\n".join(
            body for stated, body in zip(parts[::2], parts[1::2], strict=True) if stated in (dialect, "all")
        )
        found.append(Migration(int(matched[1]), matched[2], text))
    return tuple(sorted(found, key=lambda m: m.number))
