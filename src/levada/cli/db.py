"""``levada db``: the store's schema."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from levada.cli._operate import At, Common, emit, table, when

__all__ = ["app"]

app = App(name="levada db", version_flags=())


@app.command
def status(*, common: Common = At) -> int:
    """Show which migrations the store has. Exit code 3: some are pending, or the store is newer than this program."""
    from levada.store import schema

    found = asyncio.run(schema.status(_url(common)))
    _show(common, found)
    return 3 if found.pending or found.newer else 0


@app.command
def migrate(*, dry_run: Annotated[bool, Parameter(negative="")] = False, common: Common = At) -> int:
    """Bring the store's schema up to date; the older program goes on with it.

    Args:
        dry_run: Only show what is pending.
        common: Options of every operating verb.
    """
    from levada.store import schema

    url = _url(common)
    _show(common, asyncio.run(schema.status(url) if dry_run else schema.migrate(url)))
    return 0


def _url(common: Common) -> str:
    from levada.deployment.build import store_url
    from levada.deployment.configuration import load_configuration

    return store_url(load_configuration(common.config, common.env))


def _show(common: Common, found: Any) -> None:
    rows = [(m.number, m.name, when(m.at)) for m in found.applied]
    rows += [(None, name, "pending") for name in found.pending]
    emit(
        common,
        msgspec.to_builtins(found),
        lambda: table(("No", "Migration", "Applied"), rows, empty="The store is empty: levada db migrate"),
    )
