"""By which way a connection can be seen: an access log sees no reader of tables."""

from __future__ import annotations

from levada.landscape._settle import protocol_family
from levada.network.graph import Mode

__all__ = ["way_of"]

_WAYS: dict[str | None, Mode] = {"http": "sync", "sql": "db", "files": "file"}


def way_of(mode: Mode, protocol: str | None) -> Mode:
    """The mode of what an observer sees of it: a nightly batch over HTTP is a call, an SQL query a read of tables.

    ``batch`` and ``unknown`` are left where the protocol does not tell.
    """
    if mode in ("db", "file", "async"):
        return mode
    way = _WAYS.get(protocol_family(protocol or ""))
    return way or mode
