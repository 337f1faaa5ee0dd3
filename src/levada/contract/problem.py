"""Problems: the errors that a contract declares, the same in process and over HTTP.

On the wire a problem is RFC 9457 *Problem Details for HTTP APIs*.
"""

import inspect
import sys
from typing import Any, ClassVar, dataclass_transform, get_origin

import msgspec

from levada.contract._kebab import kebab
from levada.contract.errors import ContractError, TypeNotFound, here

__all__ = ["Problem"]

RESERVED = frozenset(
    {"type", "title", "status", "detail", "instance", "args", "code", "add_note", "with_traceback"}
)


class _ProblemMeta(type):
    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        status: int | None = None,
        title: str | None = None,
        detail: str | None = None,
        code: str | None = None,
    ) -> Any:
        own = namespace.get("__annotations__", {})
        fields = [f for f in own if not _is_classvar(own[f])]
        if bad := sorted(RESERVED.intersection(fields)):
            raise ContractError(
                place=f"{name} ({here()})",
                reason=f"the field name {', '.join(bad)} is reserved by RFC 9457",
                mend="Rename the field",
            )
        defaults = {f: namespace.pop(f) for f in fields if f in namespace}
        cls: Any = super().__new__(mcs, name, bases, namespace)
        parent: Any = bases[0] if bases else None
        cls.__own_fields__ = tuple(fields)
        cls.__own_defaults__ = defaults
        if parent is Exception:
            return cls
        if status is not None and not 400 <= status <= 599:
            raise ContractError(
                place=f"{name} ({here()})",
                reason=f"status={status} is no error",
                mend="Choose one from 400 to 599",
            )
        cls.status = status if status is not None else getattr(parent, "status", 500)
        cls.code = code or kebab(name)
        cls.title = title or _title(name, namespace.get("__doc__"))
        cls.template = detail if detail is not None else getattr(parent, "template", None)
        cls.__struct__ = None
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any) -> None:  # pyright: ignore[reportInconsistentConstructor] - type.__init__ takes no keywords
        super().__init__(name, bases, namespace)


def _is_classvar(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return "ClassVar" in annotation
    return get_origin(annotation) is ClassVar or annotation is ClassVar


def _title(name: str, doc: str | None) -> str:
    if doc:
        return doc.strip().splitlines()[0].strip()
    words = kebab(name).replace("-", " ")
    return words[:1].upper() + words[1:] + "."


@dataclass_transform(kw_only_default=True)
class Problem(Exception, metaclass=_ProblemMeta):
    """An error that an operation declares: ``class CustomerNotFound(Problem, status=404)``.

    Annotated fields become members of the problem document and arguments of the
    constructor, by name. Class keywords: ``status`` (400 to 599), ``title`` (default:
    the docstring's first line), ``detail`` (a template over the fields), ``code``
    (default: the class's name in kebab case; stands in the header ``levada-problem``).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "problem"
    title: ClassVar[str] = ""
    template: ClassVar[str | None] = None

    def __init_subclass__(
        cls,
        *,
        status: int | None = None,
        title: str | None = None,
        detail: str | None = None,
        code: str | None = None,
    ) -> None:
        """Take the class keywords; a misspelt one is a TypeError that names it."""
        super().__init_subclass__()

    def __init__(self, **fields: Any) -> None:
        known = fields_of(type(self))
        if unknown := sorted(set(fields) - set(known)):
            raise TypeError(
                f"{type(self).__name__}() has no field {', '.join(unknown)}; it has: {', '.join(known) or 'none'}"
            )
        missing: list[str] = []
        for name, default in known.items():
            if name in fields:
                value = fields[name]
            elif default is not msgspec.NODEFAULT:
                value = default
            else:
                missing.append(name)
                continue
            object.__setattr__(self, name, value)
        if missing:
            raise TypeError(f"{type(self).__name__}() lacks {', '.join(missing)}")
        super().__init__(*(getattr(self, n) for n in known))

    @property
    def detail(self) -> str:
        """What is the matter in this occurrence, in a sentence."""
        if self.template is None:
            return self.title
        return self.template.format_map({n: getattr(self, n) for n in fields_of(type(self))})

    def document(self) -> dict[str, Any]:
        """The RFC 9457 document, with the fields as further members."""
        members = {n: getattr(self, n) for n in fields_of(type(self))}
        return {
            "type": f"urn:levada:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **members,
        }

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Problem":
        """The problem of a document; raises msgspec.ValidationError where it does not fit."""
        values = msgspec.convert(
            {n: document[n] for n in fields_of(cls) if n in document}, struct_of(cls), strict=False
        )
        return cls(**msgspec.structs.asdict(values))

    def __str__(self) -> str:
        return self.detail

    def __repr__(self) -> str:
        inner = ", ".join(f"{n}={getattr(self, n)!r}" for n in fields_of(type(self)))
        return f"{type(self).__name__}({inner})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in fields_of(type(self)))

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), {n: getattr(self, n) for n in fields_of(type(self))})


def _revive(cls: type[Problem], fields: dict[str, Any]) -> Problem:
    return cls(**fields)


def fields_of(cls: type[Problem]) -> dict[str, Any]:
    """Field names with their defaults (msgspec.NODEFAULT where there is none), base classes first."""
    cached = cls.__dict__.get("__fields__")
    if cached is not None:
        return cached
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own: tuple[str, ...] = base.__dict__.get("__own_fields__", ())
        if base is Problem:
            continue
        defaults: dict[str, Any] = base.__dict__.get("__own_defaults__", {})
        for name in own:
            found[name] = defaults.get(name, msgspec.NODEFAULT)
    type.__setattr__(cls, "__fields__", found)
    return found


def struct_of(cls: type[Problem]) -> type[msgspec.Struct]:
    """A struct of the problem's fields, which validates and describes them."""
    if (known := cls.__dict__.get("__struct__")) is not None:
        return known
    hints: dict[str, Any] = {}
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        for name in base.__dict__.get("__own_fields__", ()):
            if base is Problem or name in hints:
                continue
            annotation = inspect.get_annotations(base).get(name)
            if isinstance(annotation, str):
                try:
                    annotation = eval(annotation, vars(module) if module else {})  # noqa: S307 - as typing.get_type_hints does
                except NameError as error:
                    raise TypeNotFound(
                        place=f"{cls.__module__}.{cls.__qualname__}.{name}",
                        reason=f"the type {annotation!r} cannot be found ({error})",
                        mend="Define it at the module's top level, before the problem",
                    ) from None
            hints[name] = annotation
    fields = [
        (name, hints[name]) if default is msgspec.NODEFAULT else (name, hints[name], default)
        for name, default in fields_of(cls).items()
    ]
    made = msgspec.defstruct(cls.__name__, fields, kw_only=True, frozen=True, module=cls.__module__)
    type.__setattr__(cls, "__struct__", made)
    return made
