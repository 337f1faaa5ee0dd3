"""What a run may ask for: the steps, and the awaitables that ask for them.

An awaitable here does nothing by itself. It hands a request to whoever drives the
coroutine (`levada.process._core`), and takes the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from enum import StrEnum
from types import coroutine
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from levada.process._canonical import canonical
from levada.process._errors import NotInRun

if TYPE_CHECKING:
    from levada.process._core import Core

__all__ = [
    "Fork",
    "Kind",
    "Request",
    "Step",
    "Suspended",
    "ask",
    "await_step",
    "call_step",
    "current_core",
    "fork",
    "publish_step",
]


class Kind(StrEnum):
    """What kind of step it is."""

    CALL = "call"
    PUBLISH = "publish"
    WAIT = "wait"
    SLEEP = "sleep"
    NOW = "now"
    UUID = "uuid"
    RANDOM = "random"


class Step(Struct, frozen=True):
    """One step of a run. Its id is fixed when it is made (durability, rule 1).

    ``arguments`` is canonical JSON, compared on replay. ``payload`` holds the values
    as they were passed; it is None where a step is known from the journal alone.
    """

    id: str
    kind: Kind
    operation: str
    arguments: bytes
    payload: Any = None


class Request:
    """A step that has no id yet: what the awaitables yield."""

    __slots__ = ("arguments", "kind", "operation", "payload")

    def __init__(self, kind: Kind, operation: str, arguments: object, payload: Any = None) -> None:
        self.kind = kind
        self.operation = operation
        self.arguments = canonical(arguments)
        self.payload = payload


class Fork:
    """Branches to be run side by side. ``race``: the first that ends is the answer."""

    __slots__ = ("branches", "race")

    def __init__(self, branches: Sequence[Coroutine[Any, Any, Any]], *, race: bool) -> None:
        self.branches = branches
        self.race = race


class Suspended(BaseException):
    """The run leaves memory. No step answers any more; it is answered from the journal later."""


_current: ContextVar[Core | None] = ContextVar("levada_run", default=None)

current_core = _current.get
"""The core that drives this code, or None outside a run. Costs some 30 ns."""


@coroutine
def _yield(request: Request | Fork) -> Generator[Request | Fork, Any, Any]:
    return (yield request)


def ask(name: str, kind: Kind, operation: str, arguments: object, payload: Any = None) -> Awaitable[Any]:
    """Ask for a step.

    Raises:
        NotInRun: There is no run around this code.
    """
    if _current.get() is None:
        raise NotInRun(name=name)
    return _yield(Request(kind, operation, arguments, payload))


async def call_step(operation: str, arguments: object, payload: Any = None) -> Any:
    """Call an operation of a dependency as a step of the run.

    Args:
        operation: The operation's identity, ``domain/Api/v1/operation``.
        arguments: A mapping of names to values; compared by value on replay.
        payload: What the performer wants to have besides, kept in memory alone.

    Returns:
        The decoded result.

    Raises:
        Exception: The problem with which the operation refused.
    """
    return await ask(operation, Kind.CALL, operation, arguments, payload)


def fork(name: str, branches: Sequence[Awaitable[Any]], *, race: bool) -> Awaitable[Any]:
    """Run branches side by side."""
    if _current.get() is None:
        raise NotInRun(name=name)
    return _yield(Fork([_as_coroutine(branch) for branch in branches], race=race))


def _as_coroutine(branch: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    return branch if isinstance(branch, Coroutine) else _await(branch)


async def _await(branch: Awaitable[Any]) -> Any:
    return await branch


async def publish_step(event_type: str, key: str | None, data: bytes, payload: Any = None) -> str:
    """Publish an event as a step of the run: it commits together with the journal.

    Args:
        event_type: The event's type.
        key: Its order key.
        data: The encoded event.
        payload: What the publisher wants to have besides.

    Returns:
        The event's id, which derives from the run's key and the step.
    """
    arguments = {"key": key, "data": data}
    return await ask(
        "publishing", Kind.PUBLISH, f"publish {event_type}", arguments, (event_type, key, data, payload)
    )


async def await_step(event_type: str, key: str, timeout: timedelta | float | None = None) -> Any:
    """Wait for the oldest event of a type and key that this run has not taken yet.

    Args:
        event_type: The event's type, one that the handler declares to await.
        key: Its order key.
        timeout: How long, in seconds or as a timedelta; None waits without end.

    Returns:
        The decoded event, or None when the time is over.
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    arguments = {"key": key, "seconds": seconds}
    return await ask("awaiting", Kind.WAIT, f"await {event_type}", arguments, (event_type, key, seconds))
