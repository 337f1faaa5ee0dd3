"""How a repeat of an unsafe call is recognised: one of these marks each unsafe operation of an adapter.

Without one the app is not assembled: a call whose answer was lost is repeated, and
what tells the repeat from a second call has to be stated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from types import CoroutineType

__all__ = ["Effect", "EffectKind", "at_least_once", "lookup", "passes_key", "table"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
EffectKind: TypeAlias = Literal["table", "passes_key", "lookup", "at_least_once"]


class Effect(Struct, frozen=True):
    """What a mark says: the kind, the method that looks up by key, or the reason."""

    kind: EffectKind
    find: Callable[..., Any] | None = None
    reason: str | None = None


def _mark(function: Any, effect: Effect) -> Any:
    function.__levada_effect__ = effect
    return function


def table(function: Callable[P, Awaitable[R]]) -> Callable[P, CoroutineType[Any, Any, R]]:
    """The call's key is written with its change in one transaction, and a repeat is answered from it.

    The operation makes its change in one ``async with db.begin()``; the transaction
    commits when the operation returns, with the result (table ``levada_effect``).
    """
    return _mark(function, Effect("table"))


def passes_key(function: Callable[P, Awaitable[R]]) -> Callable[P, CoroutineType[Any, Any, R]]:
    """The system itself honours an idempotency key: hand it ``levada.current().key``."""
    return _mark(function, Effect("passes_key"))


def lookup(
    find: Callable[..., Awaitable[Any]],
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, CoroutineType[Any, Any, R]]]:
    """Ask the system whether the call was done: ``find`` answers its result, or None if it was not.

    It takes ``(self, key)``, or ``(self, key, *arguments of the call)`` where the system
    is asked by something that the call carries, such as a reference.
    """

    def mark(function: Callable[P, Awaitable[R]]) -> Callable[P, CoroutineType[Any, Any, R]]:
        return _mark(function, Effect("lookup", find=find))

    return mark


def at_least_once(
    reason: str,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, CoroutineType[Any, Any, R]]]:
    """A repeat cannot be told from a second call. An outcome that is not known makes the run stuck.

    Args:
        reason: Why nothing better can be had; shown to whoever resolves it.
    """

    def mark(function: Callable[P, Awaitable[R]]) -> Callable[P, CoroutineType[Any, Any, R]]:
        return _mark(function, Effect("at_least_once", reason=reason))

    return mark
