"""Marks on methods of an implementation: ``@coalesced`` and ``@blocking``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from types import CoroutineType

__all__ = ["blocking", "coalesced"]

S = TypeVar("S")
K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")

_BATCH = 256


class coalesced(Generic[S, K, V]):  # noqa: N801 - reads as a decorator
    """Concurrent calls become one: the method takes many keys and answers many values.

    ``await self._customers(id)`` answers the value, or None for a key that is missing
    in the answer. While one batch is under way the next one gathers, so it adds no
    waiting to a single call; a batch has at most 256 keys. An error reaches each caller of
    its batch. May be called concurrently, from one event loop.
    """

    def __init__(self, method: Callable[[S, Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__
        self._slot = f"__coalesced_{getattr(method, '__name__', 'method')}__"

    def __get__(
        self, instance: S, owner: type[S] | None = None
    ) -> Callable[[K], CoroutineType[Any, Any, V | None]]:
        """The method that takes one key."""
        from levada.contract._coalesce import Coalescer

        if instance is None:
            return self  # type: ignore[return-value]
        own = vars(instance)
        found = own.get(self._slot)
        if found is None:
            found = own[self._slot] = Coalescer(self.method, instance, _BATCH)
        return found


def blocking(function: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The method blocks: it is run on a thread, and awaited like any other."""
    import asyncio
    import functools

    @functools.wraps(function)
    async def on_thread(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(function, self, *args, **kwargs)

    on_thread.__levada_blocking__ = True  # type: ignore[attr-defined]
    return on_thread
