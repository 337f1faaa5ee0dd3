"""The operation: one call of an API, and all that is known of it.

Servers, clients, proxies, fakes, documents and tools are made from this one record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec

from levada.contract._hints import allows_none, is_list
from levada.contract.problem import Problem, struct_of

__all__ = ["Operation", "Parameter", "Place", "Shape", "Undo"]

Place: TypeAlias = Literal["path", "query", "body", "member", "content"]
"""Where a parameter travels: in the path, the query, as the body, as a member of the body, as raw bytes."""

Shape: TypeAlias = Literal["value", "none", "page", "stream", "bytes"]

SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an operation."""

    name: str
    type: Any
    place: Place
    default: Any = msgspec.NODEFAULT

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is msgspec.NODEFAULT

    @property
    def absent(self) -> Any:
        """What it is where a request does not have it; NODEFAULT: then the request is refused.

        A query has no way to say None or an empty list but to leave them out.
        """
        if not self.required or self.place != "query":
            return self.default
        if allows_none(self.type):
            return None
        return msgspec.convert((), self.type) if is_list(self.type) else msgspec.NODEFAULT


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of an API.

    ``function`` is the contract's own (abstract) method. ``path`` is relative to the
    API's. ``raises`` are the problems it declares; the standard ones need none.
    """

    name: str
    method: str
    path: str
    status: int
    parameters: tuple[Parameter, ...]
    result: Any
    shape: Shape
    raises: tuple[type[Problem], ...]
    scopes: frozenset[str]
    durable: bool
    tool: str | None
    timeout: float | None
    final: bool
    doc: str
    line: str
    function: Callable[..., Any] = field(repr=False, compare=False)
    undo: Undo | None = field(default=None, compare=False)
    body: Any = field(default=None, compare=False)
    """The struct of the request's body: the parameter's own type, or one made of the members; else None."""
    query: Any = field(default=None, compare=False)
    """A struct made of the query's parameters, or None."""
    places: Any = field(default=None, compare=False)
    """A struct made of the path's parameters, or None."""

    @property
    def safe(self) -> bool:
        """Whether it changes nothing (RFC 9110, 9.2.1) and so may be repeated freely."""
        return self.method in SAFE

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.splitlines()[0] if self.doc else self.name

    @property
    def declared(self) -> dict[str, type[Problem]]:
        """Declared problems by code."""
        return {p.code: p for p in self.raises}

    def at(self, place: Place) -> tuple[Parameter, ...]:
        """The parameters that travel there."""
        return tuple(p for p in self.parameters if p.place == place)

    def digest(self) -> str:
        """A hash of what a consumer relies on: method, path, types, problems, scopes.

        Two classes whose operations have one digest are the same contract.
        """
        schema, components = msgspec.json.schema_components(
            [struct_of(p) for p in sorted(self.raises, key=lambda p: p.code)]
            + [p.type for p in self.parameters]
            + ([] if self.shape in ("none", "bytes", "stream") else [self.result]),
            ref_template="#/{name}",
        )
        parts: list[Any] = [
            self.method,
            self.path,
            self.status,
            self.shape,
            sorted(self.scopes),
            schema,
            components,
        ]
        parts.append([(p.name, p.place, p.required) for p in self.parameters])
        parts.append(sorted((p.code, p.status) for p in self.raises))
        text = msgspec.json.encode(parts, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Undo:
    """The method that undoes an operation, and whether it also takes the call's arguments."""

    method: str
    takes_arguments: bool
