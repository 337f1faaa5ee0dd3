"""Opens a store by its URL."""

from __future__ import annotations

from levada.store.clock import Clock
from levada.store.errors import StoreLocked, StoreUnusable
from levada.store.protocol import Store

__all__ = ["open_shared", "open_store"]

_WRITE = "Write sqlite:PATH, postgresql://… or unix:PATH."
_DURABILITY = {"": "FULL", "synchronous=FULL": "FULL", "synchronous=NORMAL": "NORMAL"}


async def open_store(url: str, *, clock: Clock | None = None, lease: float | None = None) -> Store:
    """Open a store and bring its schema up to date.

    Args:
        url: ``sqlite:PATH`` (``sqlite::memory:`` ends with the process; ``?synchronous=NORMAL``),
            ``postgresql://…``, or ``unix:PATH``: the socket of the process that owns a SQLite file.
        clock: Tells the time of an embedded store; tests turn it.
        lease: Seconds after which what this process holds is taken over; on a server, a process that is paused
            in a transaction loses its locks before.

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
                place=f"{scheme}:{path}",
                reason="Write sqlite:PATH or sqlite:PATH?synchronous=NORMAL; nothing else is known.",
            )
        return await SqliteStore(path, clock=clock, synchronous=_DURABILITY[options]).open()
    if scheme in ("postgresql", "postgres"):
        from levada.store.postgres import PostgresSettings, PostgresStore

        settings = PostgresSettings() if lease is None else PostgresSettings.within(lease)
        return await PostgresStore(url, settings=settings).open()
    if scheme == "unix" and rest:
        from levada.store.socket import SocketStore

        return await SocketStore(rest).open()
    # Not the URL itself: it may hold a password.
    raise StoreUnusable(place=f"{scheme}:…", reason=_WRITE)


async def open_shared(url: str, *, clock: Clock | None = None) -> Store:
    """Open a store that several processes of this machine use.

    The first one owns a SQLite file and serves the others at ``PATH.sock``; who comes
    later goes through that. When the owner dies the others wait for one to be started;
    none of them takes its place. Another kind of store is opened as it is.

    Raises:
        StoreError: Somebody owns the file and does not serve it.
        StoreUnusable: See :func:`open_store`.
    """
    try:
        store = await open_store(url, clock=clock)
    except StoreLocked as locked:
        from levada.store.socket import SocketStore

        return await SocketStore(f"{locked.values['path']}.sock", patience=5.0).open()
    if url.startswith("sqlite:"):
        from levada.store.sqlite import SqliteStore

        if isinstance(store, SqliteStore) and store.path != ":memory:":
            try:
                await store.serve(f"{store.path}.sock")
            except StoreUnusable:
                await store.close()
                raise
    return store
