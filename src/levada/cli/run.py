"""``levada run``: serve the app of ``levada.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Parameter, validators

from levada.cli._shown import console as console_of
from levada.cli._shown import show, write_json

if TYPE_CHECKING:
    from levada.deployment.serve_app import Ready

__all__ = ["PortOption", "WorkersOption", "run", "tell"]

PortOption: TypeAlias = Annotated[int | None, Parameter(validator=validators.Number(gte=0, lte=65535))]
WorkersOption: TypeAlias = Annotated[int | None, Parameter(validator=validators.Number(gte=1))]


def run(
    *,
    config: Path = Path("levada.toml"),
    env: str | None = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Serve the app of levada.toml until it is stopped (Ctrl-C or SIGTERM); no request in flight is cut.

    Args:
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        port: The port instead of [server] port; 0 is a free one.
        workers: Processes instead of [server] workers.
        json: Say what is served as a line of JSON, and log JSON lines to stderr.

    Examples:
        levada run
        levada run --config shop/levada.toml --env test --port 0
    """
    from levada.deployment.configuration import load_configuration
    from levada.deployment.serve import run_loop, serve
    from levada.deployment.serve_app import Options
    from levada.deployment.serve_logs import set_up_logs

    configuration = load_configuration(config, env)
    set_up_logs(json=json)
    options = Options(port=port, workers=workers, file=config, environment=env, json=json)
    return run_loop(serve(configuration, options, lambda ready: tell(ready, json=json)))


def tell(ready: Ready, *, json: bool) -> None:
    """Say what is served."""
    import sys

    if json:
        import msgspec

        write_json({"event": "ready", **msgspec.to_builtins(ready)}, line=True)
        sys.stdout.flush()
        return
    from rich.table import Table

    console = console_of(highlight=False, rows=True)
    facts = Table.grid(padding=(0, 2))
    front = ready.gateway or ready.url
    facts.add_row("[dim]Serving", f"[bold green]{front}[/]")
    facts.add_row("[dim]Environment", ready.environment)
    facts.add_row("[dim]Store", ready.store)
    if ready.workers > 1:
        facts.add_row("[dim]Workers", str(ready.workers))
    apis = Table.grid(padding=(0, 2))
    for name, url in ready.apis:
        apis.add_row(f"  [bold]{name}[/]", f"[cyan]{url}[/]")
    console.print()
    show(console, facts)
    console.print()
    show(console, apis)
    console.print()
    console.print("[dim]What an API takes stands below its address, in /openapi.json.")
    console.print("[dim]Ctrl-C stops; requests in flight are answered first.")
