"""Opens a store by its URL."""

from __future__ import annotations

from levada.store.clock import Clock
from levada.store.errors import StoreUnusable
from levada.store.protocol import Store

__all__ = ["open_store"]

_WRITE = "Write sqlite:PATH, postgresql://… or unix:PATH."
_DURABILITY = {"": "FULL", "synchronous=FULL": "FULL", "synchronous=NORMAL": "NORMAL"}


async def open_store(url: str, *, clock: Clock | None = None) -> Store:
    """Open a store and bring its schema up to date.

    Args:
        url: ``sqlite:PATH`` (``sqlite::memory:`` ends with the process; ``?synchronous=NORMAL``),
            ``postgresql://…``, or ``unix:PATH``: the socket of the process that owns a SQLite file.
        clock: Tells the time of an embedded store; tests turn it.

    Raises:
        StoreLocked: Another process owns the file.
        StoreNewer: It was written by a newer program.
        StoreUnusable: The URL names no store, or it cannot be used.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        from levada.store.sqlite import SqliteStore

        path, _, options = rest.partition("?")
        path = path.removeprefix("//")
        if not path or options not in _DURABILITY:
            raise StoreUnusable(
                place=url,
                reason="Write sqlite:PATH or sqlite:PATH?synchronous=NORMAL; nothing else is known.",
            )
        return await SqliteStore(path, clock=clock, synchronous=_DURABILITY[options]).open()
    if scheme in ("postgresql", "postgres"):
        from levada.store.postgres import PostgresStore

        return await PostgresStore(url).open()
    if scheme == "unix" and rest:
        from levada.store.socket import SocketStore

        return await SocketStore(rest).open()
    # Not the URL itself: it may hold a password.
    raise StoreUnusable(place=f"{scheme}:…", reason=_WRITE)
