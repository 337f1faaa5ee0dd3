"""Events: facts, published once, for any number of consumers."""

import sys
from collections.abc import Sequence
from inspect import isawaitable
from typing import Annotated, Any, ClassVar, dataclass_transform, get_args, get_origin

import msgspec
from msgspec import Struct, StructMeta

from levada.contract._integers import integers_of
from levada.contract._travel import check_travel
from levada.contract._version import Version
from levada.contract.errors import ContractError, TypeNotFound, here
from levada.contract.personal import has_personal
from levada.contract.types import FORGOTTEN, OrderKeyMark, PersonalMark
from levada.contract.upcast import decode_stored

__all__ = ["Event", "EventType", "event_type"]


class EventMeta(StructMeta):
    """Takes the class keywords of events and makes frozen, keyword-only structs."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        version: str = "",
        domain: str | None = None,
        event_name: str | None = None,
        frozen: bool = True,
        kw_only: bool = True,
        **unknown: Any,
    ) -> Any:
        if unknown:
            raise ContractError(
                place=f"{name} ({here()})",
                reason=f"an event takes no class keyword {', '.join(sorted(unknown))}",
                mend="It takes version, domain and event_name",
            )
        if not (frozen and kw_only):
            raise ContractError(
                place=f"{name} ({here()})",
                reason="an event is a fact and cannot change",
                mend="Leave frozen and kw_only out",
            )
        cls: Any = super().__new__(mcs, name, bases, namespace, frozen=True, kw_only=True)  # pyright: ignore[reportArgumentType]
        if namespace.get("__module__") == __name__:
            return cls
        if not version:
            raise ContractError(
                place=f"{name} ({here()})",
                reason="an event needs a version",
                mend=f'Write class {name}(Event, version="1.0")',
            )
        cls.__event__ = _Stated(
            Version.parse(version, f"{name} ({here()})"), domain, event_name or name, here()
        )
        return cls


class _Stated(Struct, frozen=True):
    version: Version
    domain: str | None
    name: str
    line: str


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Event(Struct, frozen=True, kw_only=True, metaclass=EventMeta):
    """The base of events: ``class OrderPlaced(Event, version="1.0")``.

    Class keywords: ``version`` (``"major.minor"``), ``domain`` (default: that of the
    contracts in the same module), ``event_name`` (default: the class's name). One
    field may be the :data:`OrderKey`: events with the same value keep their order.
    """

    __event__: ClassVar[Any]

    def __init_subclass__(
        cls,
        *,
        version: str = "",
        domain: str | None = None,
        event_name: str | None = None,
        frozen: bool = True,
        kw_only: bool = True,
    ) -> None:
        """Name the keywords for type checkers; the metaclass takes them."""
        super().__init_subclass__()


class EventType(Struct, frozen=True):
    """What Levada knows of an event class."""

    cls: type[Event]
    domain: str
    name: str
    version: Version
    key: str | None
    """The field that events are ordered by, or None: unordered."""
    personal: dict[str, str]
    """Fields with personal data, and the field that names the subject of each."""
    forgotten: dict[str, bytes | None] = {}
    """What such a field reads as once its subject was forgotten, as JSON; None: it is left out, its default stands."""
    wires: dict[str, str] = {}
    """Fields that have another name in JSON, with that name."""

    def wire(self, field: str) -> str:
        """A field's name in JSON."""
        return self.wires.get(field, field)

    @property
    def type(self) -> str:
        """The CloudEvents type: ``sales.OrderPlaced``."""
        return f"{self.domain}.{self.name}"

    @property
    def topic(self) -> str:
        """The topic it is published to: ``sales.OrderPlaced.v1``."""
        return f"{self.type}.v{self.version.major}"

    def key_of(self, event: Event) -> str | None:
        """The value of the order key, as text."""
        return None if self.key is None else str(getattr(event, self.key))

    def encode(self, event: Event) -> bytes:
        """The event as JSON."""
        return msgspec.json.encode(event)

    def misfit(self, event: Event) -> str | None:
        """Why an event is not as its class says: Python makes one of any values. None: it is."""
        for field in self.cls.__struct_fields__:
            if isawaitable(getattr(event, field)):
                return f"its field {field} is a call that was not awaited: write await before it"
        try:
            data = msgspec.json.encode(event)
            integers_of(self.cls).check(msgspec.json.decode(data, type=self.cls), data)
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
            return str(error)
        return None

    def decode(self, data: bytes) -> Event:
        """The event of JSON, through the upcasters of its class; raises msgspec.ValidationError or DecodeError."""
        return decode_stored(self.cls, data)


_types: dict[type[Event], EventType] = {}


def event_type(cls: type[Event]) -> EventType:
    """What is known of an event class, checked once.

    Raises:
        ContractError: No domain, two keys, or personal data without its subject.
    """
    if (known := _types.get(cls)) is not None:
        return known
    stated: _Stated | None = getattr(cls, "__event__", None)
    if stated is None:
        raise ContractError(
            place=repr(cls), reason="it is not an event", mend='Write class Name(Event, version="1.0")'
        )
    made = _types[cls] = _analyse(cls, stated, f"{cls.__name__} ({stated.line})")
    return made


def _analyse(cls: type[Event], stated: _Stated, place: str) -> EventType:
    fields = _fields(cls, place)
    marked = [(f.name, mark) for f in fields for mark in _marks(f.type)]
    keys = [name for name, mark in marked if isinstance(mark, OrderKeyMark)]
    personal = {name: mark.subject for name, mark in marked if isinstance(mark, PersonalMark)}
    if len(keys) > 1:
        raise ContractError(
            place=place,
            reason=f"it has two order keys, {' and '.join(keys)}",
            mend="Keep one, events are ordered by one",
        )
    _check_personal(place, fields, keys, personal)
    for field in fields:
        check_travel(place, f"its field {field.name}", field.type)
    return EventType(
        cls,
        stated.domain or _domain_of_module(cls, place),
        stated.name,
        stated.version,
        keys[0] if keys else None,
        personal,
        {f.name: _forgotten(place, f) for f in fields if f.name in personal},
        {f.name: f.encode_name for f in fields if f.name != f.encode_name},
    )


def _fields(cls: type[Event], place: str) -> tuple[msgspec.structs.FieldInfo, ...]:
    try:
        return msgspec.structs.fields(cls)
    except NameError as error:
        raise TypeNotFound(
            place=place,
            reason=str(error),
            mend="Define the types of its fields at the module's top level, before it",
        ) from None


def _check_personal(
    place: str, fields: Sequence[msgspec.structs.FieldInfo], keys: list[str], personal: dict[str, str]
) -> None:
    """What orders events, and what tells whose they are, is a field and stands in clear beside them."""
    names = {f.name for f in fields}
    if missing := sorted(s for s in personal.values() if s not in names):
        raise ContractError(
            place=place,
            reason=f"personal data names the subject {', '.join(missing)}, which is no field",
            mend="Name the field that tells whose data it is",
        )
    if keys and keys[0] in personal:
        raise ContractError(
            place=place,
            reason=f"{keys[0]} is personal data and the order key, which is kept in clear",
            mend="Order by something that names nobody: an id",
        )
    if both := sorted(subject for subject in personal.values() if subject in personal):
        raise ContractError(
            place=place,
            reason=f"{', '.join(both)} names the subject and is personal data itself",
            mend="Name the subject by an id; it is kept in clear",
        )
    if deep := [f.name for f in fields if f.name not in personal and has_personal(f.type)]:
        raise ContractError(
            place=place,
            reason=f"{', '.join(deep)} holds personal data inside, which would be stored in clear",
            mend='Mark the field itself, and name the subject beside it: Personal[Address, "customer_id"]',
        )


def _forgotten(place: str, field: msgspec.structs.FieldInfo) -> bytes | None:
    """What a personal field reads as without its key: its default, None, or a word that says so."""
    if not field.required:
        return None
    for value in (None, FORGOTTEN):
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            continue
        return msgspec.json.encode(value)
    raise ContractError(
        place=place,
        reason=f"{field.name} is personal data that may be forgotten, and could then be nothing",
        mend="Give it a default, or let it be None",
    )


def _marks(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return list(getattr(annotation, "__metadata__", ()))
    return [m for a in get_args(annotation) for m in _marks(a)]


def _domain_of_module(cls: type[Event], place: str) -> str:
    module = sys.modules.get(cls.__module__)
    domains: set[str] = set()
    for value in vars(module).values() if module else ():
        if isinstance(value, type) and (spec := value.__dict__.get("__contract__")) is not None:
            domains.add(spec.domain)
    if len(domains) != 1:
        found = "no contract" if not domains else "contracts of " + ", ".join(sorted(domains))
        raise ContractError(
            place=place,
            reason=f"its domain is not known: its module has {found}",
            mend=f'State it: class {cls.__name__}(Event, version="{cls.__event__.version}", domain="…")',
        )
    return domains.pop()
