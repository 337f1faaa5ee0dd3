"""A method of a contract, read as its operation; a broken rule is told with place, reason and mend."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec

from levada.contract._hints import allows_none, is_list, is_simple, is_struct
from levada.contract._travel import check_travel
from levada.contract.errors import ContractError, TypeNotFound
from levada.contract.http import Http
from levada.contract.operation import Operation, Parameter, Place, Shape
from levada.contract.problem import Problem, struct_of
from levada.contract.types import Page

__all__ = ["operation_of"]


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
    _check_encodable(parameters, result, shape, place)
    return Operation(
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
        if where in ("path", "query") and not is_simple(hints[p.name], lists=where == "query"):
            raise ContractError(
                place=place,
                reason=f"{p.name} travels in the {where} and cannot be a {hints[p.name]!r}",
                mend="Use text, a number, a date, an enum or a UUID, or send it in a body with POST, PUT or PATCH",
            )
        if where == "query":
            _check_query(p.name, hints[p.name], default, place)
        made.append(Parameter(p.name, hints[p.name], where, default))
    return tuple(made)


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
    return "body" if len(rest) == 1 and is_struct(hint) else "member"


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


def _check_encodable(parameters: Sequence[Parameter], result: Any, shape: Shape, place: str) -> None:
    types = [(f"its parameter {p.name}", p.type) for p in parameters if p.place != "content"]
    if shape in ("value", "page", "stream"):
        types.append(("its answer", result))
    for what, hint in types:
        check_travel(place, what, hint)
