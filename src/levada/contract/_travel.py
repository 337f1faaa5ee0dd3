"""Where in a type it is that it cannot travel as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from levada.contract._unions import fatal_union, parts_of
from levada.contract.errors import ContractError

__all__ = ["check_travel", "untravelled"]


def check_travel(place: str, what: str, hint: Any) -> None:
    """Refuse a type that has no form as JSON, or that would take the process down.

    Raises:
        ContractError: Names the part of it, and the fields that lead there.
    """
    # Before anything is decoded into it: that alone may end the process.
    if (fatal := fatal_union(hint)) is not None:
        path, one, other = fatal
        within = f" ({path})" if path else ""
        raise ContractError(
            place=place,
            reason=f"{what}{within} may be {one} or {other}, and msgspec, which reads it, crashes on this pair",
            mend="Leave one of the two away, take the bound or pattern off, or put one into a Struct",
        )
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
    for step, part in parts_of(hint):
        if id(part) not in seen and (why := _error(part)) is not None:
            return _innermost(part, why, ", ".join(filter(None, (path, step))), seen)
    return path, getattr(hint, "__name__", None) or repr(hint), error


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
