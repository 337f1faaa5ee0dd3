"""``@handles(Event)``: a method that an event starts as a durable run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, overload

from msgspec import Struct

from levada.contract.errors import ContractError, here
from levada.contract.event import Event

__all__ = ["Handler", "HandlerSpec", "handles"]

S = TypeVar("S")
E = TypeVar("E", bound=Event)


class HandlerSpec(Struct, frozen=True):
    """What ``@handles`` says of a method."""

    event: type[Event]
    version: int | None
    """As stated; None: one above the former versions."""
    across_waits: bool
    line: str


class Handler(Generic[S, E]):
    """A handler, with its former versions. Called as a method it runs as plain code."""

    def __init__(self, function: Callable[[S, E], Coroutine[Any, Any, None]], spec: HandlerSpec) -> None:
        self.function = function
        self.spec = spec
        self.former: dict[int, Handler[S, E]] = {}
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    @property
    def number(self) -> int:
        """The version of this code."""
        return self.spec.version or max(self.former, default=0) + 1

    def version(
        self, number: int
    ) -> Callable[[Callable[[S, E], Coroutine[Any, Any, None]]], Callable[[S, E], Coroutine[Any, Any, None]]]:
        """Keep the former code, under another name: runs begun under it end under it."""
        if (
            number in self.former
            or number < 1
            or (self.spec.version is not None and number >= self.spec.version)
        ):
            raise ContractError(
                place=f"{self.__name__} ({here()})",
                reason=f"version({number}) is not a former version of a handler of version {self.number}",
                mend="Raise the handler's own version, @handles(…, version=n), and keep each former number once",
            )

        def keep(
            function: Callable[[S, E], Coroutine[Any, Any, None]],
        ) -> Callable[[S, E], Coroutine[Any, Any, None]]:
            old = HandlerSpec(self.spec.event, number, self.spec.across_waits, here())
            self.former[number] = Handler(function, old)
            return function

        return keep

    @overload
    def __get__(self, instance: None, owner: type) -> Handler[S, E]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Callable[[E], Coroutine[Any, Any, None]]: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        """The handler on the class, the plain method on an instance."""
        return self if instance is None else self.function.__get__(instance, owner)


def handles(
    event: type[E],
    *,
    version: int | None = None,
    across_waits: bool = False,
) -> Callable[[Callable[[S, E], Coroutine[Any, Any, None]]], Handler[S, E]]:
    """Handle events of a type, each as a durable run.

    Args:
        event: The type of event; it names the subscription together with the method.
        version: The number of this code; default: one above the former versions. With each
            edit keep the former code with ``@method.version(n)`` until its runs have ended.
        across_waits: Keep the event's key through waits: no later event of the key
            begins before this run has ended.
    """
    if not (isinstance(event, type) and issubclass(event, Event)):
        raise ContractError(
            place=here(),
            reason=f"@handles takes an event class, not {event!r}",
            mend="Name the event: @handles(OrderPlaced)",
        )
    line = here()

    def mark(function: Callable[[S, E], Coroutine[Any, Any, None]]) -> Handler[S, E]:
        return Handler(function, HandlerSpec(event, version, across_waits, line))

    return mark
