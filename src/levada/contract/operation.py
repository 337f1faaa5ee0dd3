"""The operation: one call of an API, and all that is known of it.

Servers, clients, proxies, fakes, documents and tools are made from this one record.
"""

from __future__ import annotations

import hashlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec

from levada.contract._travel import check_travel
from levada.contract.errors import ContractError, TypeNotFound
from levada.contract.http import Http
from levada.contract.problem import Problem, struct_of
from levada.contract.types import Page

__all__ = ["Operation", "Parameter", "Place", "Shape", "operation_of"]

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
            [struct_of(p) for p in self.raises]
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


def operation_of(
    cls: type, name: str, function: Callable[..., Any], spec: Http, locals_: Mapping[str, Any], line: str
) -> Operation:
    """The operation of a contract's method.

    Raises:
        ContractError: A rule of the model is broken; names place, reason and mend.
    """
    place = f"{cls.__module__}.{cls.__qualname__}.{name} ({line})"
    hints = _hints(function, locals_, place)
    signature = inspect.signature(function)
    in_path = _path_names(spec.path, place)
    parameters = _parameters(signature, hints, spec, in_path, place)
    result, shape = _result(function, hints, place)
    _check_problems(spec.raises, place)
    status = spec.status or (204 if shape == "none" else 200)
    made = Operation(
        name=name,
        method=spec.method,
        path=spec.path,
        status=status,
        parameters=parameters,
        result=result,
        shape=shape,
        raises=tuple(spec.raises),
        scopes=frozenset(spec.scopes),
        durable=spec.durable,
        tool=spec.tool,
        timeout=spec.timeout,
        final=spec.final,
        doc=inspect.getdoc(function) or "",
        line=line,
        function=function,
        body=_body(name, parameters, cls),
        query=_struct(f"{name}_query", [p for p in parameters if p.place == "query"], cls),
        places=_struct(f"{name}_path", [p for p in parameters if p.place == "path"], cls),
    )
    _check_encodable(made, place)
    return made


def _hints(function: Callable[..., Any], locals_: Mapping[str, Any], place: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns=dict(locals_), include_extras=True)
    except NameError as error:
        raise TypeNotFound(
            place=place,
            reason=f"a type of its signature cannot be found: {error}",
            mend="Import or define it at the module's top level, not under TYPE_CHECKING and not after the contract",
        ) from None


def _path_names(path: str, place: str) -> list[str]:
    names: list[str] = []
    for segment in path.split("/"):
        if not segment.startswith("{"):
            if "{" in segment or "}" in segment:
                raise ContractError(
                    place=place,
                    reason=f"in the path {path}, {segment!r} is partly a parameter",
                    mend="Let a parameter be a whole segment",
                )
            continue
        name = segment[1:-1]
        if not segment.endswith("}") or not name.isidentifier() or name in names:
            raise ContractError(
                place=place,
                reason=f"in the path {path}, {segment!r} is no parameter of its own",
                mend="Write {name}, each name once",
            )
        names.append(name)
    return names


def _parameters(
    signature: inspect.Signature, hints: dict[str, Any], spec: Http, in_path: list[str], place: str
) -> tuple[Parameter, ...]:
    given = list(signature.parameters.values())[1:]
    rest = [p for p in given if p.name not in in_path]
    if missing := sorted(set(in_path) - {p.name for p in given}):
        raise ContractError(
            place=place,
            reason=f"the path {spec.path} has {', '.join('{' + m + '}' for m in missing)}, the method does not",
            mend="Add a parameter of that name, or take it out of the path",
        )
    made: list[Parameter] = []
    for p in given:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise ContractError(
                place=place, reason=f"it takes *{p.name}", mend="Name each parameter, a contract is explicit"
            )
        if p.name not in hints:
            raise ContractError(
                place=place, reason=f"its parameter {p.name} has no type", mend=f"Write {p.name}: Type"
            )
        where: Place = "path" if p.name in in_path else _place(spec.method, hints[p.name], rest)
        default = msgspec.NODEFAULT if p.default is p.empty else p.default
        if where == "path" and default is not msgspec.NODEFAULT:
            raise ContractError(
                place=place, reason=f"{p.name} is in the path and has a default", mend="Take the default away"
            )
        if where in ("path", "query") and not _is_simple(hints[p.name], lists=where == "query"):
            raise ContractError(
                place=place,
                reason=f"{p.name} travels in the {where} and cannot be a {hints[p.name]!r}",
                mend="Use text, a number, a date, an enum or a UUID, or send it in a body with POST, PUT or PATCH",
            )
        if where == "query":
            _check_query(p.name, hints[p.name], default, place)
        made.append(Parameter(p.name, hints[p.name], where, default))
    return tuple(made)


def allows_none(hint: Any) -> bool:
    """Whether None is a value of the type."""
    return _any_of(hint, lambda part: part is None or part is type(None))


def is_list(hint: Any) -> bool:
    """Whether the type is a list of some kind, or one of several types of which one is."""
    return _any_of(hint, lambda part: get_origin(part) in _LISTS)


_LISTS = (list, tuple, Sequence, frozenset, set)


def _any_of(hint: Any, test: Callable[[Any], bool]) -> bool:
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _any_of(get_args(hint)[0], test)
    if origin in (typing.Union, __import__("types").UnionType):
        return any(_any_of(part, test) for part in get_args(hint))
    return test(hint)


def _check_query(name: str, hint: Any, default: Any, place: str) -> None:
    """What a query cannot say but by leaving it out is the default, or a callee would be given another value."""
    optional, several = allows_none(hint), is_list(hint)
    if optional and several:
        reason, mend = "an empty list and None are the same there", "Let it be a list, with () as its default"
    elif optional and default not in (None, msgspec.NODEFAULT):
        reason, mend = f"None cannot be told from {default!r} there", "Let None be its default"
    elif several and default is not msgspec.NODEFAULT and default:
        reason, mend = f"an empty list cannot be told from {default!r} there", "Let () be its default"
    else:
        return
    raise ContractError(place=place, reason=f"{name} travels in the query: {reason}", mend=mend)


def _place(method: str, hint: Any, rest: Sequence[inspect.Parameter]) -> Place:
    if method in ("GET", "HEAD", "DELETE"):
        return "query"
    if len(rest) == 1 and hint is bytes:
        return "content"
    return "body" if len(rest) == 1 and _is_struct(hint) else "member"


def _is_struct(hint: Any) -> bool:
    base = get_origin(hint) or hint
    return isinstance(base, type) and issubclass(base, msgspec.Struct)


def _is_simple(hint: Any, *, lists: bool) -> bool:
    import datetime
    import decimal
    import uuid

    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _is_simple(get_args(hint)[0], lists=lists)
    if origin is Literal:
        return True
    if origin in (typing.Union, __import__("types").UnionType):
        return all(a is type(None) or _is_simple(a, lists=lists) for a in get_args(hint))
    if origin in (list, tuple, Sequence, frozenset, set):
        return lists and all(a is Ellipsis or _is_simple(a, lists=False) for a in get_args(hint))
    simple = (
        str,
        int,
        float,
        bool,
        decimal.Decimal,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        uuid.UUID,
        Enum,
    )
    return isinstance(hint, type) and issubclass(hint, simple)


def _result(function: Callable[..., Any], hints: dict[str, Any], place: str) -> tuple[Any, Shape]:
    if "return" not in hints:
        raise ContractError(
            place=place, reason="it does not say what it returns", mend="Write -> Type, or -> None"
        )
    hint = hints["return"]
    origin = get_origin(hint)
    is_async = inspect.iscoroutinefunction(function)
    if origin is AsyncIterator or hint is AsyncIterator:
        if is_async:
            raise ContractError(
                place=place,
                reason="a stream cannot be async def, a generator could not override it",
                mend="Write plain def … -> AsyncIterator[T]",
            )
        return (get_args(hint) or (Any,))[0], "stream"
    if inspect.isasyncgenfunction(function):
        raise ContractError(
            place=place,
            reason="it yields but does not return AsyncIterator[T]",
            mend="Write -> AsyncIterator[T]",
        )
    if not is_async:
        raise ContractError(
            place=place,
            reason="it is not async",
            mend="Write async def (blocking code is marked @blocking in the adapter)",
        )
    if hint is None or hint is type(None):
        return None, "none"
    if hint is bytes:
        return bytes, "bytes"
    if origin is Page or hint is Page:
        return hint, "page"
    return hint, "value"


def _check_problems(raises: Sequence[Any], place: str) -> None:
    codes: dict[str, type] = {}
    for problem in raises:
        if not (isinstance(problem, type) and issubclass(problem, Problem)):
            raise ContractError(
                place=place,
                reason=f"raises= has {problem!r}, which is no Problem",
                mend="Write class Name(Problem, status=4xx)",
            )
        if codes.setdefault(problem.code, problem) is not problem:
            raise ContractError(
                place=place,
                reason=f"two problems share the code {problem.code}",
                mend="Give one of them a code: class Name(Problem, code=…)",
            )
        for member in msgspec.structs.fields(struct_of(problem)):
            check_travel(place, f"{member.name} of its problem {problem.__name__}", member.type)


def _struct(name: str, parameters: Sequence[Parameter], cls: type) -> Any:
    if not parameters:
        return None
    fields = [
        (p.name, p.type) if p.absent is msgspec.NODEFAULT else (p.name, p.type, p.absent) for p in parameters
    ]
    return msgspec.defstruct(name, fields, frozen=True, kw_only=True, module=cls.__module__)


def _body(name: str, parameters: Sequence[Parameter], cls: type) -> Any:
    for p in parameters:
        if p.place == "body":
            return p.type
    members = [p for p in parameters if p.place == "member"]
    if not members:
        return None
    fields = [(p.name, p.type) if p.required else (p.name, p.type, p.default) for p in members]
    title = "".join(w.capitalize() for w in f"{name}_body".split("_"))
    return msgspec.defstruct(
        title, fields, frozen=True, kw_only=True, forbid_unknown_fields=True, module=cls.__module__
    )


def _check_encodable(operation: Operation, place: str) -> None:
    types = [(f"its parameter {p.name}", p.type) for p in operation.parameters if p.place != "content"]
    if operation.shape in ("value", "page", "stream"):
        types.append(("its answer", operation.result))
    for what, hint in types:
        check_travel(place, what, hint)
