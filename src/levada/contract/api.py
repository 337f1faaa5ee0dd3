"""The base classes of APIs, and what is known of a contract.

A class that states ``version=`` is a contract; a subclass that does not keeps it. The
one-class form, contract and implementation together, is for APIs that no other API
depends on.
"""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from levada.contract._kebab import kebab
from levada.contract._keeping import check_implementation
from levada.contract._stating import check_keywords, operations_of, undos_of
from levada.contract._version import Version
from levada.contract.errors import ContractError, here, locals_of_definition
from levada.contract.lifecycle import lifecycle_dates
from levada.contract.operation import Operation

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
        return f"/{self.domain}/{kebab(self.name)}/v{self.version.major}"

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
        check_implementation(cls, place, **stated, deprecated=deprecated, sunset=sunset)


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
    domain = check_keywords(
        cls,
        domain=domain or (inherited.domain if inherited else None),
        version=version,
        name=name,
        channels=channels,
        place=place,
    )
    operations = operations_of(cls, inherited.operations if inherited else {}, line, place)
    undoable, methods = undos_of(cls, operations, line)
    return Contract(
        cls=cls,
        layer=cls.__layer__,
        domain=domain,
        name=name or cls.__name__,
        version=Version.parse(version, place),
        operations=operations | undoable,
        doc=inspect.cleandoc(cls.__doc__) if cls.__doc__ else "",
        line=line,
        paths=paths,
        channels=channels,
        undone={**(inherited.undone if inherited else {}), **methods},
    )
