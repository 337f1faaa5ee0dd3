"""Where in a type it is that it cannot travel as JSON."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec

from levada.contract.errors import ContractError

__all__ = ["check_travel", "untravelled"]


def check_travel(place: str, what: str, hint: Any) -> None:
    """Refuse a type that has no form as JSON.

    Raises:
        ContractError: Names the part of it, and the fields that lead there.
    """
    if (found := untravelled(hint)) is None:
        return
    path, name, why = found
    within = f" ({path})" if path else ""
    raise ContractError(
        place=place,
        reason=f"{what}{within} is a {name}, which cannot travel: {why}",
        mend=f"Make {name} a msgspec Struct, or take a standard type",
    )


def untravelled(hint: Any) -> tuple[str, str, str] | None:
    """The innermost part of a type that has no form as JSON: the path to it, the part, and why; None: all have one.

    The path names the fields that lead there: ``Order.lines, Line.price``.
    """
    error = _error(hint)
    return None if error is None else _innermost(hint, error, "", set())


def _innermost(hint: Any, error: str, path: str, seen: set[int]) -> tuple[str, str, str]:
    seen.add(id(hint))
    for step, part in _parts(hint):
        if id(part) not in seen and (why := _error(part)) is not None:
            return _innermost(part, why, ", ".join(filter(None, (path, step))), seen)
    return path, getattr(hint, "__name__", None) or repr(hint), error


def _parts(hint: Any) -> Iterator[tuple[str, Any]]:
    base = get_origin(hint) or hint
    if base is typing.Annotated:
        yield "", get_args(hint)[0]
    elif isinstance(base, type) and issubclass(base, msgspec.Struct):
        yield from ((f"{base.__name__}.{f.name}", f.type) for f in msgspec.structs.fields(hint))
    elif isinstance(base, type) and vars(base).get(
        "__annotations__"
    ):  # dataclasses, typed dicts, named tuples
        yield from (
            (f"{base.__name__}.{n}", t) for n, t in typing.get_type_hints(base, include_extras=True).items()
        )
    else:
        yield from (("", part) for part in get_args(hint) if part is not Ellipsis)


def _error(hint: Any) -> str | None:
    try:
        msgspec.json.Decoder(hint)
        msgspec.json.schema(hint)
    except (TypeError, NameError) as error:
        told = str(error)
        # What it advises is for those who use it themselves.
        return (
            "no such type is in JSON" if told.startswith("Generating JSON schema") else told.splitlines()[0]
        )
    return None
