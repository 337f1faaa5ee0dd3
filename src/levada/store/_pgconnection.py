"""A connection to PostgreSQL that runs named queries, each prepared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from levada.store._queries import Query, queries
from levada.store.errors import QueryUnknown, StoreError, StoreHindered, StoreUnusable
from levada.store.protocol import Row, Value

__all__ = ["Connection", "PostgresSettings", "driver", "failures", "told"]


class PostgresSettings(Struct, frozen=True, kw_only=True):
    """How a store uses its server. All times in seconds.

    Attributes:
        readers: Connections for reading at most. Default 8.
        idle: After this the server ends a transaction that does nothing. Keep it below the lease
            of workers, so that a paused one holds no lock when it is taken for dead. Default 5.
        network: After this the server takes a client that acknowledges nothing for gone, and who listens
            asks whether the server is still there. Default 5.
        lock: How long a statement waits for a row that another process holds. Default 10.
        answer: How long a statement may take. Default 30.
        patience: How long units wait for a server that is lost to come back, counted from its loss: a failover
            takes a few seconds. After that one at a time tries, and the others fail at once. Default 5.
    """

    readers: int = 8
    idle: float = 5.0
    network: float = 5.0
    lock: float = 10.0
    answer: float = 30.0
    patience: float = 5.0

    @classmethod
    def within(cls, lease: float) -> PostgresSettings:
        """As they are for a process with this lease: its locks end, and it counts as gone, before its lease does."""
        end = min(5.0, 0.6 * lease)
        return cls(idle=end, network=end)


def driver() -> Any:
    """asyncpg, or an error that says how to get it."""
    try:
        import asyncpg
    except ImportError as error:
        raise StoreUnusable(
            place="postgresql", reason='It needs asyncpg: pip install "levada[postgres]".'
        ) from error
    return asyncpg


def failures() -> tuple[type[Exception], ...]:
    """What a connection may raise that is the server's or the network's doing.

    ``InternalClientError`` is among them: the driver raises it where a connection that has just been told
    that the server ends it is used once more, before it has seen it closed.
    """
    pg = driver()
    return (OSError, pg.PostgresError, pg.InterfaceError, pg.InternalClientError)


_HINDERED = ("08", "25006", "40", "53", "55P03", "57", "58", "XX")
"""SQLSTATEs that tell of the server, its disk or who else is there, and nothing of what was to be written."""


def told(error: Exception) -> StoreError:
    """An error as callers get it."""
    if isinstance(error, StoreError):
        return error
    state = str(getattr(error, "sqlstate", None) or "")
    hindered = isinstance(error, OSError) or state.startswith(_HINDERED)
    return (StoreHindered if hindered else StoreError)(reason=f"{error}.")


class Connection:
    """One connection. Not to be used concurrently."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._queries = queries("postgresql")
        self._prepared: dict[str, Any] = {}

    @classmethod
    async def open(cls, url: str, settings: PostgresSettings) -> Connection:
        """Connect.

        Raises:
            OSError, asyncpg.PostgresError: The server cannot be reached, or refuses.
        """

        def ms(seconds: float) -> str:
            return str(round(seconds * 1000))

        raw = await driver().connect(
            url,
            timeout=settings.patience,
            command_timeout=settings.answer,
            server_settings={
                "application_name": "levada",
                "idle_in_transaction_session_timeout": ms(settings.idle),
                "tcp_user_timeout": ms(settings.network),
                "tcp_keepalives_idle": str(max(1, round(settings.network))),
                "lock_timeout": ms(settings.lock),
            },
        )
        return cls(raw)

    def query(self, name: str) -> Query:
        """A query by name."""
        found = self._queries.get(name)
        if found is None:
            raise QueryUnknown(query=name, dialect="postgresql")
        return found

    async def run(self, query: Query, params: Mapping[str, Value], now: int = 0) -> tuple[Sequence[Row], int]:
        """The rows of a query, and how many it returned or changed."""
        prepared = self._prepared.get(query.name)
        if prepared is None:
            prepared = self._prepared[query.name] = await self.raw.prepare(query.positional)
        try:
            values = [now if name == "now" else params[name] for name in query.names]
        except KeyError as error:
            raise StoreError(reason=f"{query.name} needs the parameter {error.args[0]}.") from None
        rows = await prepared.fetch(*values)
        if prepared.get_attributes():
            return [_row(row) for row in rows], len(rows)
        last = prepared.get_statusmsg().rpartition(" ")[2]
        return (), int(last) if last.isdecimal() else 0

    async def one(self, name: str, **params: Value) -> Row:
        """The one row of a query of the store's own."""
        rows, _ = await self.run(self.query(name), params)
        return rows[0]

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that the connection is of no more use."""
        pg = driver()
        if isinstance(error, pg.PostgresError) and getattr(error, "severity_en", None) in ("FATAL", "PANIC"):
            return True  # the server ends a session after these, whether it is seen closed already or not
        # One statement that took too long leaves a connection of unknown state, as does one the driver is lost in.
        return self.raw.is_closed() or isinstance(
            error, (OSError, pg.PostgresConnectionError, pg.InternalClientError)
        )

    def drop(self) -> None:
        """Let go at once."""
        self.raw.terminate()


def _row(record: Any) -> Row:
    return {name: _value(value) for name, value in record.items()}


def _value(value: Any) -> Value:
    """The same kinds of value as from SQLite, which knows neither truth nor decimals."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
