"""The settings of a database."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["SqlSettings"]


class SqlSettings(Struct, frozen=True, kw_only=True):
    """How a database is used.

    Attributes:
        url: ``postgresql://user@host:port/database``, ``sqlite:path`` or a URL of SQLAlchemy; or a reference.
        password: A reference, where it is not in the URL. Read again for each new connection.
        pool: Connections at most. Default 10. Size it to the calls under way at once.
        idle: Connections kept open at least (PostgreSQL). Default 0: none before the first use.
        connect_timeout: Seconds to wait for a new connection. Default 5.
        acquire_timeout: Seconds to wait for a free connection of the pool. Default 5.
        timeout: Seconds that one statement may take. Default 30. A nearer deadline counts first.
        statement_cache: Prepared statements kept for each connection (PostgreSQL). Default 256;
            0 behind a pooler that gives each transaction another server connection.
        reset: ``when_needed`` (default) restores a connection's session only after a statement
            that may have changed it, and saves a round trip for each use; ``always`` does so every time:
            needed where functions or triggers use SET or session locks.
    """

    url: str
    password: str | None = None
    pool: int = 10
    idle: int = 0
    connect_timeout: float = 5.0
    acquire_timeout: float = 5.0
    timeout: float = 30.0
    statement_cache: int = 256
    reset: str = "when_needed"
