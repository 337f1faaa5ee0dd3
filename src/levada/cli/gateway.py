"""``levada gateway``: what the gateway is told, and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from levada.cli._operate import At, Common, ask, emit, table

if TYPE_CHECKING:
    from levada.gateway import GatewayConfiguration
    from levada.gateway.fleet import FleetFiles

__all__ = ["app"]

app = App(name="levada gateway", version_flags=())


@app.command
def status(*, common: Common = At) -> int:
    """How the gateway of the running deployment is. Exit code 3: it does not run, or has refused its configuration."""
    found: dict[str, Any] = ask(common, "gateway.status")
    emit(
        common,
        found,
        lambda: table(
            ("Gateway", "State"), [(name, _said(value)) for name, value in found.items()], empty=""
        ),
    )
    return 0 if found["running"] and not found.get("reason") else 3


def _said(value: Any) -> Any:
    return ("yes" if value else "no") if isinstance(value, bool) else value


@app.command
def render(
    *,
    out: Path | None = None,
    runs_in: str | None = None,
    upstream: Annotated[list[str] | None, Parameter(negative="")] = None,
    keys: bool = True,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    common: Common = At,
) -> int:
    """Show the configuration that Envoy would be given, without keys; or write all of it to a folder, for a fleet of Envoys.

    What is written is checked by Envoy itself, where there is one here, and then put in place, each file by rename and with mode
    0600: files that are the same stay as they are. Exit code 1: Envoy would refuse it, and nothing was written.

    Args:
        out: A folder to write the files to.
        runs_in: Where the Envoys will find that folder, as an absolute path: /etc/envoy. Nothing is then written there: the access log
            goes to /dev/stdout, Envoy's own administration to /tmp/envoy-admin.sock. By default it is the folder itself.
        upstream: An address of the app as the Envoys reach it, unix:/PATH or host:port; may be given several times. By default the
            sockets of this deployment's workers. The app believes what a gateway says of a caller on a Unix socket alone.
        keys: Whether the keys that are good now are written, too (ecds.json, in clear: mount it as a secret).
        dry_run: Check it and say what would be written, and write nothing.
        common: Options of every operating verb.

    Examples:
        levada gateway render
        levada gateway render --out envoy/ --runs-in /etc/envoy --upstream unix:/run/levada/app.sock
    """
    import asyncio

    from levada.cli._gateway import for_fleet
    from levada.deployment.configuration import load_configuration

    configuration = load_configuration(common.config, common.env)
    asked = asyncio.run(for_fleet(configuration, upstream, keys=keys and out is not None))
    return _show(common, asked) if out is None else _write(common, asked, out, runs_in, dry_run=dry_run)


def _show(common: Common, asked: GatewayConfiguration) -> int:
    import msgspec

    from levada.gateway.envoy import render as files_of

    files = files_of(asked, "/etc/envoy")
    rows = [(r.method, r.path, r.operation, f"{r.timeout:g} s") for r in asked.routes]
    emit(
        common,
        {name: msgspec.json.decode(content) for name, content in files.items()},
        lambda: table(
            ("Method", "Path", "Operation", "Timeout"),
            rows,
            empty="No Experience API is served: the gateway offers these alone.",
        ),
    )
    return 0


def _write(
    common: Common, asked: GatewayConfiguration, out: Path, runs_in: str | None, *, dry_run: bool
) -> int:
    import asyncio

    import msgspec

    from levada.gateway.envoy.process import validate
    from levada.gateway.errors import EnvoyMissing, FleetRejected
    from levada.gateway.fleet import plan_fleet, write_fleet

    there = runs_in or str(out.resolve())
    if runs_in is not None:
        elsewhere = msgspec.structs.replace(asked.listener, log="/dev/stdout", admin="/tmp/envoy-admin.sock")  # noqa: S108 - in the container of an Envoy
        asked = msgspec.structs.replace(asked, listener=elsewhere)
    try:
        reason = asyncio.run(validate(plan_fleet(asked, there)))
        checked = True
    except EnvoyMissing:
        reason, checked = None, False
    if reason is not None:
        raise FleetRejected(reason=reason)
    written = write_fleet(asked, out, runs_in=there, dry_run=dry_run)
    notes = [] if checked else ["There is no Envoy here: what was written was not checked by it."]
    if any(not a.startswith("unix:") for u in asked.upstreams for a in u.addresses):
        notes.append(
            "Over TCP the app believes no gateway who calls: operations with scopes will refuse every caller."
        )
    data = {**msgspec.structs.asdict(written), "checked": checked, "written": not dry_run, "notes": notes}
    emit(common, data, lambda: _say_written(written, notes, dry_run=dry_run))
    return 0


def _say_written(written: FleetFiles, notes: list[str], *, dry_run: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    changed = ", ".join(written.changed) or "nothing: all is as it was"
    say(f"{'Would write' if dry_run else 'Written'} to {written.folder}: {changed}")
    say(f"{written.routes} routes, {written.keys} keys, {written.upstreams} upstreams")
    if written.keys:
        say(f"Keys in clear are in {', '.join(written.secret)}: mount it as a secret.")
    for note in notes:
        say(note)
    say(f"Each Envoy: {' '.join(written.command)}")
