"""A class that states ``version=``: its keywords checked, its methods read as operations and undos."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levada.contract._signature import operation_of
from levada.contract.errors import ContractError
from levada.contract.http import Http
from levada.contract.operation import Operation, Undo

if TYPE_CHECKING:
    from levada.contract.api import API

__all__ = ["check_keywords", "operations_of", "undo_of", "undos_of"]

_DOMAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_keywords(
    cls: type[API],
    *,
    domain: str | None,
    version: str,
    name: str | None,
    channels: tuple[Any, ...],
    place: str,
) -> str:
    """The domain, once the keywords of a contract are found to be right.

    Raises:
        ContractError: There is no domain, it cannot stand in a path, the name is none of a class, or
            channels are stated of another layer than experience.
    """
    if domain is None:
        raise ContractError(
            place=place,
            reason="a contract belongs to a domain",
            mend=f'State it: domain="…" beside version="{version}"',
        )
    if not _DOMAIN.fullmatch(domain):
        raise ContractError(
            place=place,
            reason=f"domain={domain!r} cannot stand in a path",
            mend="Use small letters, digits and single hyphens",
        )
    if channels and cls.__layer__ != "experience":
        raise ContractError(
            place=place,
            reason=f"a {cls.__layer__} API has no channels",
            mend="Package it in an ExperienceAPI",
        )
    if name is not None and not name.isidentifier():
        raise ContractError(
            place=place,
            reason=f"name={name!r} is no class name",
            mend='Write it like a class: name="Customers"',
        )
    return domain


def operations_of(
    cls: type[API], inherited: Mapping[str, Operation], line: str, place: str
) -> dict[str, Operation]:
    """The operations of a contract by name: those it inherits, and its own.

    Raises:
        ContractError: A method breaks a rule, or two operations share a route.
    """
    operations = dict(inherited)
    for attribute, value in vars(cls).items():
        spec = getattr(value, "__levada_http__", None)
        if isinstance(spec, Http):
            operations[attribute] = operation_of(
                cls, attribute, value, spec, cls.__stated__["locals"], spec.line
            )
        elif getattr(value, "__isabstractmethod__", False):
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({line})",
                reason="an abstract method of a contract has no HTTP shape",
                mend='Put @http.get("/…") (or post, put, patch, delete) over @abstractmethod',
            )
    _check_routes(operations, place)
    return operations


def _check_routes(operations: Mapping[str, Operation], place: str) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, operation in operations.items():
        route = (operation.method, re.sub(r"\{[^}]*\}", "{}", operation.path))
        if (other := seen.setdefault(route, name)) != name:
            raise ContractError(
                place=place,
                reason=f"{other} and {name} are both {operation.method} {operation.path}",
                mend="Give one of them another path or method",
            )


def undos_of(
    cls: type[API], operations: Mapping[str, Operation], line: str
) -> tuple[dict[str, Operation], dict[str, Callable[..., Any]]]:
    """The operations that the class itself says how to undo, with that, and the methods that undo them; by operation.

    Raises:
        ContractError: A method undoes what is no operation of this contract, or does not take its result.
    """
    undoable: dict[str, Operation] = {}
    methods: dict[str, Callable[..., Any]] = {}
    for attribute, method in vars(cls).items():
        target = getattr(method, "__levada_undoes__", None)
        if target is None:
            continue
        name = getattr(target, "__name__", "")
        place = f"{cls.__name__}.{attribute} ({line})"
        operation = operations.get(name)
        if operation is None or operation.function is not target:
            raise ContractError(
                place=place,
                reason=f"it undoes {name or target!r}, which is no operation of this contract",
                mend="Name an operation defined above it",
            )
        undoable[name] = replace(operation, undo=undo_of(operation, attribute, method, place))
        methods[name] = method
    return undoable, methods


def undo_of(operation: Operation, attribute: str, method: Callable[..., Any], place: str) -> Undo:
    """How a method undoes an operation; its signature is checked against the operation's.

    Raises:
        ContractError: It takes neither (result) nor (result, *arguments).
    """
    if operation.safe:
        raise ContractError(
            place=place,
            reason=f"{operation.name} changes nothing, there is nothing to undo",
            mend="Take @undoes away",
        )
    if not inspect.iscoroutinefunction(method):
        raise ContractError(place=place, reason="it is not async", mend="Write async def")
    takes = list(inspect.signature(method).parameters.values())[1:]
    arguments = len(operation.parameters)
    if takes and _differ(taken := takes[0].annotation, operation.result):
        raise ContractError(
            place=place,
            reason=f"it undoes {operation.name}, which answers {operation.result.__name__}, but takes a {taken.__name__}",
            mend=f"Take what {operation.name} answers: {takes[0].name}: {operation.result.__name__}",
        )
    if len(takes) == 1:
        return Undo(attribute, takes_arguments=False)
    names = [p.name for p in takes[1:]]
    if len(takes) == 1 + arguments and names == [p.name for p in operation.parameters]:
        return Undo(attribute, takes_arguments=True)
    wanted = ", ".join(p.name for p in operation.parameters)
    raise ContractError(
        place=place,
        reason=f"it takes {len(takes)} arguments",
        mend=f"Take (result) or (result, {wanted}), as {operation.name} has them",
    )


def _differ(taken: Any, result: Any) -> bool:
    """Whether two annotations are plain classes of which the first cannot take the second."""
    nothing = (inspect.Parameter.empty, Any)
    plain = isinstance(taken, type) and isinstance(result, type) and taken not in nothing
    return plain and not issubclass(result, taken)
