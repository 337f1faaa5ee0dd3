"""Upcasters: how what was stored in an older form is brought into the present one.

::

    class OrderPlaced(Event, version="1.1"):
        order: OrderKey[str]
        lines: tuple[Line, ...]

        @upcaster
        def from_single_item(stored: dict[str, Any]) -> dict[str, Any]:
            if "item" in stored:
                stored["lines"] = [{"item": stored.pop("item"), "quantity": 1}]
            return stored
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, get_origin

import msgspec

__all__ = ["Upcaster", "decode_stored", "upcaster", "upcasters_of"]

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


def upcaster(function: Upcaster) -> staticmethod[[dict[str, Any]], dict[str, Any]]:
    """Mark a function in a struct or an event that brings an older stored form into the present one.

    It is given the members of every stored value, as JSON, before they are decoded: from the log, a run's input
    and its journal. It tells an older form by its members and leaves the present one as it is. Several are called in
    the order in which they stand. Before a deployment starts it is tried on an example of each older form
    that the store still holds.
    """
    function.__levada_upcaster__ = True  # type: ignore[attr-defined]
    return staticmethod(function)


@lru_cache(maxsize=4096)
def upcasters_of(kind: Any) -> tuple[Upcaster, ...]:
    """The upcasters of a class, in the order in which they stand; none for anything else."""
    cls = get_origin(kind) or kind
    if not (isinstance(cls, type) and issubclass(cls, msgspec.Struct)):
        return ()
    found = [v.__func__ for v in vars(cls).values() if isinstance(v, staticmethod)]
    return tuple(f for f in found if hasattr(f, "__levada_upcaster__"))


def decode_stored(kind: Any, data: bytes) -> Any:
    """What was stored, in the present form.

    Raises:
        msgspec.ValidationError: It does not fit, also after the upcasters.
    """
    upcasters = _upcasters(kind)
    if not upcasters:
        return msgspec.json.decode(data, type=kind)
    stored = msgspec.json.decode(data)
    if isinstance(stored, dict):
        for upcast in upcasters:
            try:
                stored = upcast(stored)
            except Exception as error:
                name = getattr(upcast, "__qualname__", repr(upcast))
                raise msgspec.ValidationError(
                    f"the upcaster {name} failed: {type(error).__name__}: {error}"
                ) from error
    return msgspec.json.decode(msgspec.json.encode(stored), type=kind)


def _upcasters(kind: Any) -> tuple[Upcaster, ...]:
    try:
        return upcasters_of(kind)
    except TypeError:  # an annotation that cannot be hashed is no class
        return ()
