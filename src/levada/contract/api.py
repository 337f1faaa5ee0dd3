"""The base classes of APIs, and what is known of a contract.

A class that states ``version=`` is a contract; a subclass that does not keeps it. The
one-class form, contract and implementation together, is for APIs that no other API
depends on.
"""

from __future__ import annotations

import difflib
import inspect
import re
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from levada.contract._version import Version
from levada.contract.errors import ContractError, here, locals_of_definition
from levada.contract.http import Http
from levada.contract.lifecycle import lifecycle_dates
from levada.contract.operation import Operation, Undo, operation_of

__all__ = [
    "API",
    "Contract",
    "ContractClass",
    "ExperienceAPI",
    "Layer",
    "ProcessAPI",
    "SystemAPI",
    "contract_of",
    "is_contract",
]

Layer: TypeAlias = Literal["system", "process", "experience"]


@dataclass(frozen=True)
class Contract:
    """What an API promises. Identity is (domain, name, major), not the class."""

    cls: type[API]
    layer: Layer
    domain: str
    name: str
    version: Version
    operations: Mapping[str, Operation]
    doc: str
    line: str
    paths: tuple[str, ...] = ()
    channels: tuple[Any, ...] = ()
    undone: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Methods that undo, by the name of the operation they undo."""
    deprecated: date | None = None
    """From when on consumers are told to move to the next major."""
    sunset: date | None = None
    """When it ends."""

    @property
    def id(self) -> str:
        """``sales/Customers/v2``: the identity, in bindings, documents and logs."""
        return f"{self.domain}/{self.name}/v{self.version.major}"

    @property
    def path(self) -> str:
        """Where it is served: ``/sales/customers/v2``."""
        return f"/{self.domain}/{slug(self.name)}/v{self.version.major}"

    @property
    def concrete(self) -> bool:
        """Whether the class also keeps the promise (the one-class form)."""
        return not any(getattr(getattr(self.cls, n), "__isabstractmethod__", False) for n in self.operations)

    def operation_id(self, name: str) -> str:
        """``sales/Customers/v2.customer``."""
        return f"{self.id}.{name}"


class API(ABC):
    """The base of the three layers; derive from one of those."""

    __layer__: ClassVar[Layer]
    __contract__: ClassVar[Contract]
    __stated__: ClassVar[Mapping[str, Any]]

    def __init_subclass__(
        cls,
        *,
        domain: str | None = None,
        version: str | None = None,
        name: str | None = None,
        paths: Sequence[str] = (),
        channels: Sequence[Any] = (),
        protect: Any = None,
        deprecated: str | None = None,
        sunset: str | None = None,
    ) -> None:
        """Take the class keywords of contracts and implementations.

        Args:
            domain: Who owns it; a namespace that never changes.
            version: ``"major.minor"``: makes the class a contract.
            name: Keeps the URL when the class is renamed.
            paths: Existing paths that it takes over.
            channels: Of an Experience API: mobile, partner, agent.
            protect: Of an adapter: a :class:`~levada.app.Protect` that shields its system.
            deprecated: ``YYYY-MM-DD``: from when on each answer tells consumers to move (RFC 9745).
            sunset: ``YYYY-MM-DD``: when this major ends, told in each answer (RFC 8594).
        """
        super().__init_subclass__()
        line = here()
        cls.__stated__ = {"line": line, "protect": protect, "locals": locals_of_definition()}
        if cls.__module__ == __name__:
            return
        place = f"{cls.__name__} ({line})"
        if not hasattr(cls, "__layer__"):
            raise ContractError(
                place=place,
                reason="API itself has no layer",
                mend="Derive from SystemAPI, ProcessAPI or ExperienceAPI",
            )
        if version is not None:
            made = _contract(cls, domain, version, name, tuple(paths), tuple(channels), line, place)
            begins, ends = lifecycle_dates(deprecated, sunset, place)
            cls.__contract__ = replace(made, deprecated=begins, sunset=ends)
            if protect is not None:
                raise ContractError(
                    place=place,
                    reason="protect= shields a system, and a contract has none",
                    mend="State it on the adapter",
                )
            return
        stated = {"domain": domain, "name": name, "paths": paths, "channels": channels}
        _check_implementation(cls, place, **stated, deprecated=deprecated, sunset=sunset)


class SystemAPI(API):
    """A stable contract on a system, with nothing of the system in it."""

    __layer__ = "system"


class ProcessAPI(API):
    """Business logic across System APIs and other Process APIs."""

    __layer__ = "process"


class ExperienceAPI(API):
    """What a channel is given: mobile, partner portal, agent."""

    __layer__ = "experience"


def is_contract(cls: Any) -> bool:
    """Whether a class states a contract itself (an implementation only inherits one)."""
    return isinstance(cls, type) and issubclass(cls, API) and "__contract__" in cls.__dict__


A = TypeVar("A", bound=API)
ContractClass: TypeAlias = Callable[..., A]
"""A contract's class where it is handed over to be called or faked: ``app[Orders]``.

Not ``type[A]``: contracts are abstract, and mypy gives no abstract class to ``type[A]``.
"""


def contract_of(cls: type[API] | ContractClass[API]) -> Contract:
    """The contract that a class states or keeps.

    Raises:
        ContractError: It has none.
    """
    found = getattr(cls, "__contract__", None)
    if found is None:
        raise ContractError(
            place=getattr(cls, "__name__", repr(cls)),
            reason="it states no contract and keeps none",
            mend='State it: class Name(SystemAPI, domain="…", version="1.0")',
        )
    return found


def slug(name: str) -> str:
    """``OrderHistory`` -> ``order-history``, as it stands in a path."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _contract(
    cls: type[API],
    domain: str | None,
    version: str,
    name: str | None,
    paths: tuple[str, ...],
    channels: tuple[Any, ...],
    line: str,
    place: str,
) -> Contract:
    inherited: Contract | None = getattr(cls.__base__, "__contract__", None)
    domain = domain or (inherited.domain if inherited else None)
    if domain is None:
        raise ContractError(
            place=place,
            reason="a contract belongs to a domain",
            mend=f'State it: domain="…" beside version="{version}"',
        )
    if not _NAME.fullmatch(domain):
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
    locals_ = cls.__stated__["locals"]
    operations: dict[str, Operation] = dict(inherited.operations) if inherited else {}
    for attribute, value in vars(cls).items():
        spec = getattr(value, "__levada_http__", None)
        if isinstance(spec, Http):
            operations[attribute] = operation_of(cls, attribute, value, spec, locals_, spec.line)
        elif getattr(value, "__isabstractmethod__", False):
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({line})",
                reason="an abstract method of a contract has no HTTP shape",
                mend='Put @http.get("/…") (or post, put, patch, delete) over @abstractmethod',
            )
    _check_routes(operations, place)
    undone = dict(inherited.undone) if inherited else {}
    for attribute, value in vars(cls).items():
        target = getattr(value, "__levada_undoes__", None)
        if target is not None:
            _take_undo(cls, attribute, value, target, operations, undone, line)
    return Contract(
        cls=cls,
        layer=cls.__layer__,
        domain=domain,
        name=name or cls.__name__,
        version=Version.parse(version, place),
        operations=operations,
        doc=inspect.cleandoc(cls.__doc__) if cls.__doc__ else "",
        line=line,
        paths=paths,
        channels=channels,
        undone=undone,
    )


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


def _take_undo(
    cls: type[API],
    attribute: str,
    method: Callable[..., Any],
    target: Callable[..., Any],
    operations: dict[str, Operation],
    undone: dict[str, Callable[..., Any]],
    line: str,
) -> None:
    name = getattr(target, "__name__", "")
    place = f"{cls.__name__}.{attribute} ({line})"
    operation = operations.get(name)
    if operation is None or operation.function is not target:
        raise ContractError(
            place=place,
            reason=f"it undoes {name or target!r}, which is no operation of this contract",
            mend="Name an operation defined above it",
        )
    operations[name] = replace(operation, undo=undo_of(operation, attribute, method, place))
    undone[name] = method


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


def _check_implementation(cls: type[API], place: str, **stated: Any) -> None:
    for keyword, value in stated.items():
        if value:
            raise ContractError(
                place=place,
                reason=f"{keyword}= belongs to a contract, and a class without version= keeps one",
                mend=f"Add version=, or take {keyword}= away",
            )
    contract: Contract | None = getattr(cls, "__contract__", None)
    if contract is None:
        raise ContractError(
            place=place,
            reason="it keeps no contract",
            mend='Derive from a contract, or state one: domain="…", version="1.0"',
        )
    for attribute, value in vars(cls).items():
        if isinstance(getattr(value, "__levada_http__", None), Http):
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason="an implementation adds no operations",
                mend=f"Add it to the contract {contract.cls.__name__}",
            )
        if attribute in {o.undo.method for o in contract.operations.values() if o.undo}:
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason="what undoes an operation is part of the contract and is not overridden",
                mend="Take it away; what it calls may be overridden",
            )
    for name, operation in contract.operations.items():
        _check_method(cls, name, operation, place)
    if getattr(cls, "__levada_fake__", False):
        _check_spelling(cls, contract, place)


def _check_method(cls: type[API], name: str, operation: Operation, place: str) -> None:
    method = getattr(cls, name)
    where = f"{cls.__name__}.{name} ({place})"
    if getattr(method, "__isabstractmethod__", False):
        if getattr(cls, "__levada_fake__", False):
            setattr(cls, name, _left_out(cls, name))
        elif not cls.__name__.startswith("_"):
            raise ContractError(
                place=where,
                reason="the operation is left out",
                mend=f"Write async def {name}(…) as the contract has it",
            )
        return
    if method is operation.function or hasattr(method, "__levada_fake__"):
        return
    want, have = inspect.signature(operation.function), inspect.signature(method)
    if [p.name for p in want.parameters.values()][1:] != [p.name for p in have.parameters.values()][1:]:
        raise ContractError(
            place=where,
            reason=f"it is {name}{have}, the contract has {name}{want}",
            mend="Take the parameters as the contract names them",
        )
    if operation.shape == "stream":
        if not inspect.isasyncgenfunction(method) and inspect.iscoroutinefunction(method):
            raise ContractError(
                place=where,
                reason="a stream is not a coroutine",
                mend=f"Write async def {name}(…) with yield",
            )
        return
    if not inspect.iscoroutinefunction(method) and not hasattr(method, "__levada_blocking__"):
        raise ContractError(
            place=where,
            reason="it is not async",
            mend="Write async def, or mark blocking code with @blocking",
        )


def _check_spelling(cls: type[API], contract: Contract, place: str) -> None:
    """A fake may leave operations out: what is misspelt would be left out unseen."""
    left = [n for n in contract.operations if hasattr(getattr(cls, n), "__levada_left_out__")]
    for attribute, value in vars(cls).items():
        if (
            attribute in contract.operations
            or attribute.startswith("_")
            or not inspect.iscoroutinefunction(value)
        ):
            continue
        near = difflib.get_close_matches(attribute, left, 1, 0.75)
        if near:
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason=f"the contract has no operation {attribute}, and {near[0]} is left out",
                mend=f"Write {near[0]}, or give what is something else another name",
            )


def _left_out(cls: type[API], name: str) -> Callable[..., Any]:
    async def left_out(self: Any, *arguments: Any) -> Any:
        raise NotImplementedError(f"{cls.__name__} fakes no {name}; the test called it with {arguments!r}")

    left_out.__levada_fake__ = True  # type: ignore[attr-defined]
    left_out.__levada_left_out__ = True  # type: ignore[attr-defined]
    return left_out
