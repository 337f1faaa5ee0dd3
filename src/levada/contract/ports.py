"""Ports: typed attributes through which a class publishes events, awaits them, or uses a resource."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec import Struct

from levada.contract.event import Event

__all__ = ["Awaits", "Named", "Publishes", "ResourceRef", "Transaction", "named", "resource"]

E = TypeVar("E", bound=Event)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)


class Transaction(Protocol):
    """An open transaction of a system's database, as ``db.begin()`` gives it."""

    @property
    def dialect(self) -> str:
        """``postgresql``, ``sqlite``, …."""
        ...

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def fetch(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Run a query; its rows, each a mapping by column."""
        ...


if TYPE_CHECKING:

    class Publishes(Generic[E_contra]):
        """A port to publish events of one type: ``placed: Publishes[OrderPlaced]``.

        With a transaction of the system's database the event goes to its outbox and
        commits with the change. In a run it is a step. In any other operation it is
        held back and committed before the answer.
        """

        async def __call__(self, event: E_contra, tx: Transaction | None = None, /) -> None:
            """Publish the event."""

    class Awaits(Generic[E]):
        """A port to wait for an event in a run: ``payment: Awaits[PaymentReceived]``."""

        async def __call__(self, *, key: object, timeout: timedelta | None = None) -> E | None:
            """The oldest event of this key not yet taken by this run; None after the time-out."""
            raise NotImplementedError

else:

    class Publishes(Generic[E]):
        """A port to publish events of one type: ``placed: Publishes[OrderPlaced]``."""

    class Awaits(Generic[E]):
        """A port to wait for an event in a run: ``payment: Awaits[PaymentReceived]``."""


class Named(Struct, frozen=True):
    """Tells adapters of one contract apart: ``Annotated[Customers, named("eu")]``."""

    name: str


def named(name: str) -> Named:
    """Name the adapter that is wanted where several keep one contract."""
    return Named(name)


class ResourceRef(Struct, frozen=True):
    """A named resource of ``levada.toml``, bound when the app is assembled."""

    name: str


def resource(name: str) -> Any:
    """Ask for what ``levada.toml`` names; an adapter writes ``db: Database = resource`` with the name."""
    return ResourceRef(name)
