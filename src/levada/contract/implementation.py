"""What is known of a class that keeps a contract: what it may call, publish, await and use."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Annotated, Any, ClassVar, get_args, get_origin

from levada.contract._stating import undo_of
from levada.contract.api import API, Contract, contract_of, is_contract
from levada.contract.effect import Effect
from levada.contract.errors import ContractError, TypeNotFound
from levada.contract.event import Event, EventType, event_type
from levada.contract.handlers import Handler
from levada.contract.operation import Undo
from levada.contract.ports import Awaits, Named, Publishes, ResourceRef

__all__ = ["Dependency", "Implementation", "implementation_of"]


@dataclass(frozen=True)
class Dependency:
    """A contract that a class may call, under an attribute's name."""

    attribute: str
    contract: Contract
    name: str | None = None
    """Tells adapters of one contract apart (``Annotated[Customers, named("eu")]``)."""

    @property
    def id(self) -> str:
        """The contract's identity, with ``@name`` where one is stated."""
        return self.contract.id if self.name is None else f"{self.contract.id}@{self.name}"


@dataclass(frozen=True)
class Implementation:
    """A class that keeps a contract, and what its attributes license it to do."""

    cls: type[API]
    contract: Contract
    place: str
    dependencies: Mapping[str, Dependency]
    publishes: Mapping[str, EventType]
    awaits: Mapping[str, EventType]
    resources: Mapping[str, tuple[ResourceRef, Any]]
    handlers: Mapping[str, Handler[Any, Any]]
    effects: Mapping[str, Effect]
    undone: Mapping[tuple[str, str], tuple[Undo, Callable[..., Any]]]
    """(contract id, operation) -> what undoes it, stated in this class for a contract that states none."""
    protect: Any = None
    called: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(attribute, operation) pairs that the code of the class names."""
    steps: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """Those of them that are within reach of a handler or a durable operation."""


_known: dict[type[API], Implementation] = {}


def implementation_of(cls: type[API]) -> Implementation:
    """What is known of an implementation, checked once.

    Raises:
        ContractError: An attribute is neither a contract, a port, a resource nor has a
            value; a rule of the layers is broken; names place, reason and mend.
    """
    if (known := _known.get(cls)) is None:
        known = _known[cls] = _analyse(cls)
    return known


def _analyse(cls: type[API]) -> Implementation:
    contract = contract_of(cls)
    place = f"{cls.__module__}.{cls.__qualname__} ({cls.__stated__['line']})"
    if is_contract(cls) and not contract.concrete:
        raise ContractError(
            place=place,
            reason="it is a contract: its operations are abstract",
            mend=f"Name a subclass that keeps it: class My{cls.__name__}({cls.__name__})",
        )
    licence = _licence(cls, place)
    handlers = {n: v for n, v in _members(cls) if isinstance(v, Handler)}
    _check_layers(contract, licence.dependencies, place)
    _check_handlers(cls, contract, handlers, place)
    called, steps = _calls(cls, contract, handlers, licence.dependencies)
    return Implementation(
        cls=cls,
        contract=contract,
        place=place,
        dependencies=licence.dependencies,
        publishes=licence.publishes,
        awaits=licence.awaits,
        resources=licence.resources,
        handlers=handlers,
        effects={n: v.__levada_effect__ for n, v in _members(cls) if hasattr(v, "__levada_effect__")},
        undone=_undone(cls, contract, licence.dependencies),
        protect=cls.__stated__.get("protect"),
        called=called,
        steps=steps,
    )


@dataclass
class _Licence:
    """What the typed attributes of a class let it do, by the attribute's name."""

    dependencies: dict[str, Dependency] = field(default_factory=dict)
    publishes: dict[str, EventType] = field(default_factory=dict)
    awaits: dict[str, EventType] = field(default_factory=dict)
    resources: dict[str, tuple[ResourceRef, Any]] = field(default_factory=dict)


def _licence(cls: type[API], place: str) -> _Licence:
    made = _Licence()
    for name, hint in _annotations(cls, place).items():
        where = f"{cls.__qualname__}.{name} ({cls.__stated__['line']})"
        value = inspect.getattr_static(cls, name, None)
        if get_origin(hint) is ClassVar or hint is ClassVar:
            continue
        if isinstance(value, ResourceRef):
            made.resources[name] = (value, hint)
        elif (dependency := _dependency(name, hint)) is not None:
            made.dependencies[name] = dependency
        elif get_origin(hint) is Publishes:
            made.publishes[name] = _event(hint, where)
        elif get_origin(hint) is Awaits:
            made.awaits[name] = _awaited(hint, where)
        elif not hasattr(cls, name):
            raise ContractError(place=where, reason=_unknown(hint), mend=_mend(hint))
    return made


def _members(cls: type) -> list[tuple[str, Any]]:
    seen: dict[str, Any] = {}
    for base in cls.__mro__:
        for name, value in vars(base).items():
            seen.setdefault(name, value)
    return list(seen.items())


def _annotations(cls: type[API], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ == API.__module__ or not issubclass(base, API):
            continue
        locals_ = {**base.__stated__["locals"], **vars(base)}
        try:
            found.update(inspect.get_annotations(base, eval_str=True, locals=locals_))
        except NameError as error:
            raise TypeNotFound(
                place=place,
                reason=f"the type of an attribute cannot be found: {error}",
                mend="Import it at the module's top level, not under TYPE_CHECKING: attributes are read at run time",
            ) from None
    return found


def _dependency(name: str, hint: Any) -> Dependency | None:
    label: str | None = None
    if get_origin(hint) is Annotated:
        marks = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Named)]
        label = marks[0].name if marks else None
        hint = get_args(hint)[0]
    if isinstance(hint, type) and issubclass(hint, API) and is_contract(hint):
        return Dependency(name, contract_of(hint), label)
    return None


def _event(hint: Any, place: str) -> EventType:
    (cls,) = get_args(hint)
    if not (isinstance(cls, type) and issubclass(cls, Event)):
        raise ContractError(
            place=place, reason=f"{cls!r} is no event", mend='Write class Name(Event, version="1.0")'
        )
    return event_type(cls)


def _awaited(hint: Any, place: str) -> EventType:
    kind = _event(hint, place)
    if kind.key is None:
        raise ContractError(
            place=place,
            reason=f"{kind.cls.__name__} has no order key, and a run finds the event that it waits for by its key",
            mend="Mark the field that names what it is about: order: OrderKey[str]",
        )
    return kind


def _mentions_api(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, API):
        return True
    return any(_mentions_api(a) for a in get_args(hint))


def _unknown(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, API):
        return f"{hint.__name__} is an implementation, not a contract"
    if _mentions_api(hint):
        return f"{hint!r} contains an API but is not one, so it would be no dependency"
    return f"an attribute of the type {getattr(hint, '__name__', hint)!r} is neither a contract, a port nor a resource, and has no value"


def _mend(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, API):
        base = getattr(hint, "__contract__", None)
        return f"Name its contract, {base.cls.__name__}" if base else "Name a contract"
    if _mentions_api(hint):
        return "Name the contract alone; where two adapters are wanted write Annotated[Contract, named(…)]"
    return 'Give it a value, make it a ClassVar, or write = resource("name")'


_MAY_CALL = {"system": (), "process": ("system", "process"), "experience": ("system", "process")}


def _check_layers(contract: Contract, dependencies: Mapping[str, Dependency], place: str) -> None:
    for dependency in dependencies.values():
        layer = dependency.contract.layer
        if layer not in _MAY_CALL[contract.layer]:
            raise ContractError(
                place=place,
                reason=f"a {contract.layer} API may not call the {layer} API {dependency.id} ({dependency.attribute})",
                mend="A System API calls nothing but its system; compose them in a Process API"
                if contract.layer == "system"
                else "Call the Process and System APIs behind it",
            )


def _check_handlers(
    cls: type[API], contract: Contract, handlers: Mapping[str, Handler[Any, Any]], place: str
) -> None:
    if handlers and contract.layer != "process":
        name = next(iter(handlers))
        raise ContractError(
            place=f"{cls.__qualname__}.{name} ({place})",
            reason=f"a {contract.layer} API handles no events",
            mend="Handle it in a Process API",
        )
    for name, handler in handlers.items():
        for version in (handler, *handler.former.values()):
            takes = list(inspect.signature(version.function).parameters.values())
            if len(takes) != 2 or not inspect.iscoroutinefunction(version.function):
                raise ContractError(
                    place=f"{cls.__qualname__}.{name} ({handler.spec.line})",
                    reason="a handler is async and takes the event",
                    mend=f"Write async def {name}(self, event: {handler.spec.event.__name__}) -> None",
                )
            taken = takes[1].annotation
            if isinstance(taken, type) and issubclass(taken, Event) and taken is not handler.spec.event:
                raise ContractError(
                    place=f"{cls.__qualname__}.{name} ({version.spec.line})",
                    reason=f"it handles {handler.spec.event.__name__} and takes {taken.__name__}",
                    mend=f"Take the event that it handles: {takes[1].name}: {handler.spec.event.__name__}",
                )
        event_type(handler.spec.event)


def _undone(
    cls: type[API], contract: Contract, dependencies: Mapping[str, Dependency]
) -> dict[tuple[str, str], tuple[Undo, Callable[..., Any]]]:
    found: dict[tuple[str, str], tuple[Undo, Callable[..., Any]]] = {}
    for name, value in _members(cls):
        target = getattr(value, "__levada_undoes__", None)
        if target is None or value in contract.undone.values():
            continue
        place = f"{cls.__qualname__}.{name} ({cls.__stated__['line']})"
        for dependency in dependencies.values():
            operation = dependency.contract.operations.get(getattr(target, "__name__", ""))
            if operation is None or operation.function is not target:
                continue
            if operation.undo is not None:
                raise ContractError(
                    place=place,
                    reason=f"{dependency.id} itself says what undoes {operation.name}",
                    mend="Take this one away, the contract's is final",
                )
            found[dependency.contract.id, operation.name] = (undo_of(operation, name, value, place), value)
            break
        else:
            raise ContractError(
                place=place,
                reason=f"it undoes {getattr(target, '__qualname__', target)!r}, which is no operation of a contract that this class depends on",
                mend="Name an operation of a dependency",
            )
    return found


def _calls(
    cls: type[API],
    contract: Contract,
    handlers: Mapping[str, Handler[Any, Any]],
    dependencies: Mapping[str, Dependency],
) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Pairs (attribute, operation) named in the code of the class; all, and within reach of runs."""
    methods: dict[str, CodeType] = {}
    for name, value in _members(cls):
        function = (
            value.function
            if isinstance(value, Handler)
            else inspect.unwrap(value)
            if callable(value)
            else None
        )
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            methods[name] = code
        if isinstance(value, Handler):
            methods.update({f"{name}@{n}": old.function.__code__ for n, old in value.former.items()})
    chains = {name: _chains(code) for name, code in methods.items()}

    def pairs(names: set[str]) -> frozenset[tuple[str, str]]:
        return frozenset(
            (c[0], c[1])
            for n in names
            for c in chains[n]
            if len(c) > 1 and c[0] in dependencies and c[1] in dependencies[c[0]].contract.operations
        )

    roots = {n for n in methods if n.split("@")[0] in handlers}
    roots |= {n for n, o in contract.operations.items() if o.durable and n in methods}
    reached: set[str] = set()
    while roots:
        name = roots.pop()
        reached.add(name)
        roots |= {c[0] for c in chains[name] if c[0] in methods} - reached
    return pairs(set(methods)), pairs(reached)


def _chains(code: CodeType) -> set[tuple[str, ...]]:
    """Attribute chains on ``self``: ``self.customers.hold`` is ("customers", "hold")."""
    found: set[tuple[str, ...]] = set()
    chain: list[str] | None = None
    for instruction in dis.get_instructions(code):
        if (
            instruction.opname.startswith(("LOAD_FAST", "LOAD_DEREF"))
            and _first(instruction.argval) == "self"
        ):
            chain = []
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and chain is not None:
            chain.append(str(instruction.argval))
            found.add(tuple(chain))
        elif instruction.opname not in ("CACHE", "RESUME", "NOP"):
            chain = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _chains(constant)
    return found


def _first(argument: Any) -> Any:
    return argument[-1] if isinstance(argument, tuple) else argument
