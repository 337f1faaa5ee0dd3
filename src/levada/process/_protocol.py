"""The borders of this package: what the assembly of an app and the events give it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from levada.process._steps import Step
from levada.store.protocol import Statement

__all__ = [
    "Attempt",
    "Delivery",
    "Effect",
    "Envelope",
    "Handler",
    "HandlerId",
    "Known",
    "Operation",
    "Performed",
    "Performer",
    "Publisher",
    "Refused",
    "Retry",
    "RunInput",
    "Seal",
    "Unknown",
]


class Effect(StrEnum):
    """How a repeat of the same call is recognised (durability, rule 3)."""

    SAFE = "safe"
    TABLE = "table"
    PASSES_KEY = "passes_key"
    LOOKUP = "lookup"
    AT_LEAST_ONCE = "at_least_once"


class Retry(Struct, frozen=True):
    """How a step is tried again. Times are seconds.

    ``first`` is the pause after the first attempt, each following one is ``factor`` times as
    long, up to ``most``. After ``attempts`` the run is stuck, after ``lasting`` of them that
    failed in a way that no repeat changes, and after ``same`` in a row whose provider said that it
    failed itself, in the same words: five minutes, as what it needs may be down for a while.
    ``timeout`` is one attempt's own deadline.
    """

    first: float = 0.2
    factor: float = 2.0
    most: float = 60.0
    attempts: int = 60
    lasting: int = 8
    same: int = 12
    timeout: float = 30.0

    def pause(self, failed: int) -> float:
        """Seconds to wait after so many failed attempts."""
        return min(self.most, self.first * self.factor ** min(failed - 1, 60))


class Operation(Struct, frozen=True):
    """What the process has to know of an operation that a run may call."""

    effect: Effect
    undoable: bool = False
    retry: Retry = Retry()


class HandlerId(Struct, frozen=True):
    """Which code a run runs. Runs stay with the version they began with."""

    domain: str
    process: str
    handler: str
    version: int = 1

    @property
    def code(self) -> str:
        """As one text, ``sales/OrderToCash/fulfil/1``: what rows carry."""
        return f"{self.domain}/{self.process}/{self.handler}/{self.version}"


class RunInput(Struct, frozen=True):
    """What a run begins with. ``time`` is microseconds UTC."""

    run: str
    type: str
    data: bytes
    event: str | None
    key: str | None
    time: int
    initiator: str
    traceparent: str


class Handler(Protocol):
    """One version of one handler, or of a durable operation. Implemented by the assembly.

    Called from the worker's loop; nothing here may block or wait.
    """

    @property
    def id(self) -> HandlerId:
        """Which code this is."""
        ...

    @property
    def awaits(self) -> Sequence[str]:
        """The event types that its `Awaits` ports declare."""
        ...

    @property
    def across_waits(self) -> bool:
        """Whether a run keeps its key while it waits."""
        ...

    def start(self, given: RunInput) -> Coroutine[Any, Any, Any]:
        """The handler's coroutine, not begun; the same for the same input."""
        ...

    def undo(self, step: Step, result: bytes) -> Coroutine[Any, Any, Any] | None:
        """What undoes a call that has succeeded, or None for a final operation."""
        ...

    def operation(self, operation: str) -> Operation:
        """What is to be known of an operation it calls."""
        ...

    def payload(self, step: Step) -> Any:
        """What `call_step` was given as payload, for a call that is known from the journal alone."""
        ...

    def result(self, step: Step, value: bytes) -> Any:
        """The decoded result of a call, or the decoded event of a wait."""
        ...

    def problem(self, step: Step, value: bytes) -> Exception:
        """The exception that a refused call raises."""
        ...

    def encode(self, value: Any) -> bytes:
        """What the handler returned, as bytes."""
        ...


class Attempt(Struct, frozen=True):
    """One attempt of a call.

    Attributes:
        key: The idempotency key: the same at every attempt, in process and over HTTP.
        number: 1 for the first.
        repeated: Whether the outcome of an earlier one is not known: look it up, or repeat it by its key.
        deadline: The end of this attempt, microseconds of the store's clock.
        timeout: The same, as seconds from its start.
        fence: Grows each time another worker takes the run: goes into `levada_effect`.
    """

    run: str
    key: str
    number: int
    repeated: bool
    deadline: int
    timeout: float
    fence: int
    initiator: str
    traceparent: str


class Known(Struct, frozen=True):
    """The call was done. ``value`` is its encoded result, ``type`` the type and version it is of."""

    value: bytes
    type: str = ""


class Refused(Struct, frozen=True):
    """The call was certainly not done.

    ``problem`` is the encoded problem. ``declared``: one that the operation declares.
    ``again``: a passing condition (busy, rate limit, circuit open): it is tried again.
    """

    problem: bytes
    declared: bool = True
    again: bool = False
    reason: str = ""
    type: str = ""


class Unknown(Struct, frozen=True):
    """The call may or may not have been done: a time-out, a lost connection.

    ``lasting``: it failed in a way that no repeat changes (a constraint violated, a defect of the code); few are made.
    ``failed``: the provider itself said that it failed. Whether that lasts shows when it says the same again.
    """

    reason: str
    lasting: bool = False
    failed: bool = False


Performed: TypeAlias = Known | Refused | Unknown


class Performer(Protocol):
    """Performs calls. May be called concurrently."""

    async def perform(self, step: Step, attempt: Attempt) -> Performed:
        """Make one attempt. An exception counts as `Unknown`; cancellation means the worker gives the run up."""
        ...


class Publisher(Protocol):
    """Turns a publish step into rows of the store's own outbox."""

    @property
    def notify(self) -> Sequence[str]:
        """The channels to wake after a commit that published."""
        ...

    def statements(self, step: Step, event_id: str, given: RunInput, now: int) -> Sequence[Statement]:
        """What commits together with the step's entry.

        ``event_id`` is the same at every replay; ``now`` is the store's time, microseconds UTC.
        """
        ...


class Seal(Protocol):
    """Keeps what one run knows of persons closed wherever it is stored. Implemented by the assembly.

    Once the run has learned of a person, all that it journals is closed for that person too.
    What looks something up may raise a StoreError, or another LevadaError that makes the run stuck.
    """

    @property
    def private(self) -> bool:
        """Whether the run knows of a person."""
        ...

    async def input(self, data: bytes) -> bytes:
        """What the run begins with, in clear."""
        ...

    async def event(self, type_: str, data: bytes) -> bytes:
        """An event that it waited for, in clear."""
        ...

    async def open(self, data: bytes) -> bytes:
        """What its journal holds, in clear."""
        ...

    def close(self, data: bytes) -> bytes:
        """What its journal is to hold."""
        ...

    async def prepare(self, steps: Iterable[Step]) -> None:
        """Learn of whom these steps tell, before they are journaled."""
        ...

    async def learn(self, operation: str, value: bytes) -> None:
        """Learn of whom the result of a call tells."""
        ...

    def said(self, text: str) -> str:
        """A text that is kept in clear, without what is personal in it."""
        ...


class Envelope(Protocol):
    """What is needed of an event's envelope. ``at`` is microseconds UTC."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def data(self) -> bytes: ...
    @property
    def at(self) -> int: ...
    @property
    def initiator(self) -> str | None: ...
    @property
    def traceparent(self) -> str | None: ...


class Delivery(Protocol):
    """An event as a subscription hands it over: what `levada.events.Delivery` has."""

    @property
    def id(self) -> str:
        """Another one in each generation."""
        ...

    @property
    def seed(self) -> str:
        """The same in every generation, unless effects are to happen anew."""
        ...

    @property
    def event(self) -> Envelope: ...
    @property
    def subscription(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def part(self) -> int: ...
    @property
    def pos(self) -> int: ...
