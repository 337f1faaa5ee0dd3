"""Personal data in values of contracts: which parts of a value are somebody's, and whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, cast, get_args, get_origin

import msgspec
from msgspec import Struct

from levada.contract.errors import ContractError
from levada.contract.operation import Operation
from levada.contract.types import PersonalMark

__all__ = ["Found", "has_personal", "names_of", "of_arguments", "of_value", "takes_personal"]


class Found(Struct, frozen=True):
    """One piece of personal data: whose it is (``kind`` is the field that says so) and what it says."""

    kind: str
    subject: str
    value: Any


_known: dict[Any, bool] = {}


def has_personal(type_: Any) -> bool:
    """Whether values of a type can hold fields marked ``Personal``.

    Raises:
        ContractError: A mark names a subject that is no field beside it.
    """
    if type_ not in _known:
        _known[type_] = _looks(type_, set())
    return _known[type_]


def takes_personal(operation: Operation) -> bool:
    """Whether an operation takes personal data or answers with it."""
    names = {p.name for p in operation.parameters}
    for parameter in operation.parameters:
        mark = _mark(parameter.type)
        if mark is not None and mark.subject not in names:
            raise _no_subject(f"{operation.name} ({operation.line})", mark)
        if mark is not None or has_personal(parameter.type):
            return True
    if (mark := _mark(operation.result)) is not None:
        raise _no_subject(f"the result of {operation.name} ({operation.line})", mark)
    return operation.shape not in ("none", "bytes") and has_personal(operation.result)


def names_of(operation: Operation) -> set[str]:
    """The names in JSON of all personal data that an operation takes or answers with."""
    found = {p.name for p in operation.parameters if _mark(p.type) is not None}
    seen: set[Any] = set()
    for parameter in operation.parameters:
        found |= _names(parameter.type, seen)
    return found if operation.shape in ("none", "bytes") else found | _names(operation.result, seen)


def _names(type_: Any, seen: set[Any]) -> set[str]:
    if type_ in seen or not has_personal(type_):
        return set()
    if not _is_struct(type_):
        return {name for a in get_args(type_) if _is_type(a) for name in _names(a, seen)}
    seen.add(type_)
    fields = msgspec.structs.fields(type_)
    found = {field.encode_name for field in fields if _mark(field.type) is not None}
    return found.union(*(_names(field.type, seen) for field in fields))


def of_value(type_: Any, value: Any) -> Iterator[Found]:
    """The personal data in a value of a type; nothing for None."""
    if value is not None and has_personal(type_):
        yield from _walk(type_, value)


def of_arguments(operation: Operation, arguments: Sequence[Any]) -> Iterator[Found]:
    """The personal data in the arguments of a call, in the contract's order."""
    named = {p.name: a for p, a in zip(operation.parameters, arguments, strict=True)}
    for parameter in operation.parameters:
        value = named[parameter.name]
        if (mark := _mark(parameter.type)) is None:
            yield from of_value(parameter.type, value)
        elif value is not None:
            yield Found(mark.subject, str(named[mark.subject]), value)


def _walk(type_: Any, value: Any) -> Iterator[Found]:
    origin = get_origin(type_)
    if origin is Annotated:
        yield from _walk(get_args(type_)[0], value)
    elif _is_struct(type_):
        if isinstance(value, origin or type_):
            yield from _fields(type_, value)
    elif isinstance(value, Mapping):
        for item in cast("Mapping[Any, Any]", value).values():
            yield from _each(type_, item)
    elif isinstance(value, (list, tuple, Set)) or not isinstance(value, (str, bytes)):
        items = cast("Any", value) if isinstance(value, (list, tuple, Set)) else (value,)
        for item in items:
            yield from _each(type_, item)


def _each(type_: Any, item: Any) -> Iterator[Found]:
    for argument in get_args(type_):
        if item is not None and has_personal(argument):
            yield from _walk(argument, item)


def _fields(type_: Any, value: Any) -> Iterator[Found]:
    for field in msgspec.structs.fields(type_):
        held = getattr(value, field.name)
        if held is None or held is msgspec.UNSET:
            continue
        if (mark := _mark(field.type)) is not None:
            yield Found(mark.subject, str(getattr(value, mark.subject)), held)
        elif has_personal(field.type):
            yield from _walk(field.type, held)


def _looks(type_: Any, seen: set[Any]) -> bool:
    """Whether marks are below a type; ``seen``: those that are being looked at, for types that hold themselves."""
    if type_ in seen:
        return False
    if not _is_struct(type_):
        return any(_looks(argument, seen) for argument in get_args(type_) if _is_type(argument))
    seen.add(type_)
    try:
        fields = msgspec.structs.fields(type_)
    except NameError:
        return False  # the contract's own check tells of it
    names = {field.name for field in fields}
    found = False
    for field in fields:
        if (mark := _mark(field.type)) is not None:
            if mark.subject not in names:
                raise _no_subject(getattr(type_, "__qualname__", str(type_)), mark)
            found = True
        found = _looks(field.type, seen) or found
    return found


def _is_type(argument: Any) -> bool:
    return isinstance(argument, type) or get_origin(argument) is not None


def _is_struct(type_: Any) -> bool:
    made = get_origin(type_) or type_
    return isinstance(made, type) and issubclass(made, Struct)


def _mark(type_: Any) -> PersonalMark | None:
    """The mark of a field: on its type, or on a part of it (``list[Personal[…]]``), which then holds for all of it."""
    if get_origin(type_) is Annotated:
        found = next((m for m in type_.__metadata__ if isinstance(m, PersonalMark)), None)
        return found or _mark(get_args(type_)[0])
    return next((found for a in get_args(type_) if (found := _mark(a)) is not None), None)


def _no_subject(place: str, mark: PersonalMark) -> ContractError:
    return ContractError(
        place=place,
        reason=f"personal data names the subject {mark.subject}, which does not stand beside it",
        mend="Name the field, or the parameter, that tells whose data it is",
    )
