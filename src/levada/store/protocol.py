"""What holds Levada's own data: runs, journal, timers, log, subscriptions, audit.

A store knows no meaning. It runs *named queries* (the ``.sql`` files beside this
module) in *units*. A unit is data, so it can wait in a queue, be grouped with
others into one transaction, and cross a socket to the process that owns the file.
No user code runs inside a transaction (durability, rule 2).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = dict[str, Any]


class Statement(Struct, frozen=True, array_like=True):
    """One named query and its parameters.

    ``rows``: how many rows it has to change or return. Any other number refuses the
    unit, which is then undone whole. ``None``: any number will do.
    ``:now`` needs no parameter: it is the store's clock, in microseconds since
    1970-01-01 UTC, the same within a transaction, and it never goes back.
    """

    query: str
    params: Mapping[str, Value] = {}
    rows: int | None = None


class Unit(Struct, frozen=True, array_like=True):
    """Statements that commit together or not at all, in the order given.

    ``notify``: channels whose listeners, in every process, are woken after the commit.
    """

    statements: Sequence[Statement]
    notify: Sequence[str] = ()


class Outcome(Struct, frozen=True, array_like=True):
    """What became of a unit.

    ``refused``: the position of the statement whose ``rows`` did not hold (nothing of
    the unit remains then), or None once all of it is durable. ``rows``: what each
    statement returned.
    """

    rows: Sequence[Sequence[Row]] = ()
    refused: int | None = None

    @property
    def committed(self) -> bool:
        """Whether all of the unit is durable."""
        return self.refused is None


@runtime_checkable
class Store(Protocol):
    """A store. All methods may be called concurrently from one event loop."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``: which of a query's texts is used."""
        ...

    async def commit(self, unit: Unit) -> Outcome:
        """Run a unit; returns once it is durable, or refused.

        Units of concurrent callers are grouped into one transaction. An error in one
        of them (a constraint, an unknown query) reaches only its own caller.

        Raises:
            StoreError: The unit did not commit and nothing of it remains.
            StoreUnknown: The connection was lost while committing: it may or may not
                have been committed.
        """
        ...

    async def read(self, query: str, params: Mapping[str, Value] | None = None) -> Sequence[Row]:
        """The rows of a named query that changes nothing; sees what was committed."""
        ...

    async def now(self) -> int:
        """The store's clock, in microseconds since 1970-01-01 UTC; never goes back."""
        ...

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Wake-ups for channels, from any process; may be merged, and may come without cause.

        A hint only: who listens also looks by itself from time to time.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything. Calling it twice is fine."""
        ...
