"""``@undoes(operation)``: what a run calls to take back what an operation did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

__all__ = ["undoes"]

S = TypeVar("S")
R = TypeVar("R")
P = ParamSpec("P")


class undoes(Generic[S, P, R]):  # noqa: N801 - reads as a decorator
    """Mark the method that undoes an operation: it takes ``(result)`` or ``(result, *arguments)``.

    It stands in the contract beside the operation, or in a process for a contract
    that somebody else made. It runs at the caller's run, what it calls are steps, and
    an adapter does not override it.
    """

    def __init__(self, operation: Callable[Concatenate[S, P], Awaitable[R]]) -> None:
        self.operation: Callable[..., Any] = operation

    @overload
    def __call__(
        self, method: Callable[[Any, R], Coroutine[Any, Any, None]]
    ) -> Callable[[Any, R], Coroutine[Any, Any, None]]: ...

    @overload
    def __call__(
        self, method: Callable[Concatenate[Any, R, P], Coroutine[Any, Any, None]]
    ) -> Callable[Concatenate[Any, R, P], Coroutine[Any, Any, None]]: ...

    def __call__(self, method: Any) -> Any:
        """Mark the method."""
        method.__levada_undoes__ = self.operation
        return method
