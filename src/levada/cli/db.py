"""``levada db``: the store's schema."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from levada.cli._operate import At, Common, ask, emit, table, when, would

__all__ = ["app"]

app = App(name="levada db", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command
def status(*, common: Common = At) -> int:
    """Show which migrations the store has. Exit code 3: some are pending, or the store is newer than this program."""
    from levada.store import schema

    found = asyncio.run(schema.status(_url(common)))
    _show(common, found)
    return 3 if found.pending or found.newer else 0


@app.command
def migrate(*, dry_run: _Flag = False, common: Common = At) -> int:
    """Bring the store's schema up to date; the older program goes on with it.

    Args:
        dry_run: Only show what is pending.
        common: Options of every operating verb.

    Examples:
        levada db migrate --dry-run
        levada db migrate --config /etc/shop/levada.toml --env production
    """
    from levada.store import schema

    url = _url(common)
    _show(common, asyncio.run(schema.status(url) if dry_run else schema.migrate(url)))
    return 0


@app.command
def backup(file: Path, /, *, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Write a copy of the store as it is at one moment, also while it is used; of mode 0600.

    The master secret is not in it, and has to be kept apart. PostgreSQL: pg_dump.

    Args:
        file: Where to; it must not be there yet.
        why: Why; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    if dry_run:
        from levada.deployment.backup import writable

        writable(file)
        would(common, f"write a backup to {file.absolute()}", "db.backup")
        return 0
    done: dict[str, Any] = ask(common, "db.backup", file=str(file.absolute()), why=why)
    emit(common, done, lambda: print(f"Wrote {done['file']}, {done['bytes']:,} bytes."))
    return 0


@app.command
def restore(file: Path, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Put a backup in the place of the store and open a new epoch. Refused while a deployment runs.

    Of runs that are open then, every unsafe call counts as one of unknown outcome: it is repeated
    under its key or looked up, and makes the run stuck where the system recognises no repeat.

    Args:
        file: A backup of ``levada db backup``.
        why: Why; it goes into the audit.
        dry_run: Only look whether the backup is whole.
        common: Options of every operating verb.
    """
    from levada.deployment.backup import BackupElsewhere, check, restore

    url, who = _platform(common)
    if not url.startswith("sqlite:"):
        raise BackupElsewhere(verb="restored", tools="pg_restore, then `levada db restored --why …`")
    if dry_run:
        asyncio.run(check(file))
        emit(common, {"would": "restore"}, lambda: print(f"{file} is whole. Nothing was changed."))
        return 0
    path = Path(url.removeprefix("sqlite:").removeprefix("//").partition("?")[0])
    _reopened(common, asyncio.run(restore(path, file, who=who, why=why)))
    return 0


@app.command
def restored(*, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Open a new epoch after the store was restored with the database's own tools, before anything runs.

    Args:
        why: Why; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    from levada.deployment.backup import Reopened, open_epoch
    from levada.store import open_store

    url, who = _platform(common)
    if dry_run:
        would(common, "open a new epoch of the store", "db.restored")
        return 0

    async def opening() -> Reopened:
        store = await open_store(url)
        try:
            return await open_epoch(store, who=who, why=why, source="the database's own tools")
        finally:
            await store.close()

    _reopened(common, asyncio.run(opening()))
    return 0


@app.command
def purge(*, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Delete now what is past its time by [retention]; a deployment that runs does so by itself.

    Args:
        why: Why; it goes into the audit.
        dry_run: Only count what would be deleted; what subscriptions have not read stays.
        common: Options of every operating verb.
    """
    found: dict[str, int] = ask(common, "db.purgeable") if dry_run else ask(common, "db.purge", why=why)
    said = ", ".join(f"{n:,} {what}" for what, n in found.items())
    emit(common, found, lambda: print(f"{'Would delete' if dry_run else 'Deleted'} {said}."))
    return 0


def _platform(common: Common) -> tuple[str, str]:
    """The store's URL, and who asks, if that person may."""
    from levada.deployment.build import store_url
    from levada.deployment.configuration import load_configuration
    from levada.deployment.roles import Roles

    configuration = load_configuration(common.config, common.env)
    who = common.as_ or getpass.getuser()
    Roles(configuration.roles, configuration.app.environment).check(who, "db.restore", None)
    return store_url(configuration), who


def _reopened(common: Common, found: Any) -> None:
    def show() -> None:
        print(f"The store is in epoch {found.epoch}.")
        if found.aside:
            print(
                f"What was there is {found.aside}; it holds the keys of subjects forgotten since. Delete it."
            )
        table(
            ("Run", "State", "Code", "Key"),
            [(r["id"], r["state"], r["code"], r["key"]) for r in found.runs[:50]],
            empty="No run was open.",
        )
        if found.runs:
            print(
                f"{len(found.runs)} open runs: their unsafe calls are repeated under their keys or looked up; those that "
                "no system recognises get stuck and wait for you (levada runs list --state stuck)."
            )
        print(
            "Events that were published after the backup without a system's outbox are not in it: their callers repeat."
        )

    emit(common, msgspec.to_builtins(found), show)


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
