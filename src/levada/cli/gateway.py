"""``levada gateway``: what the gateway is told, and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyclopts import App

from levada.cli._operate import At, Common, ask, emit, table

__all__ = ["app"]

app = App(name="levada gateway", version_flags=())


@app.command
def status(*, common: Common = At) -> int:
    """How the gateway of the running deployment is. Exit code 3: it does not run, or has refused its configuration."""
    found: dict[str, Any] = ask(common, "gateway.status")
    emit(
        common,
        found,
        lambda: table(("", ""), list(found.items()), empty=""),
    )
    return 0 if found["running"] and not found.get("reason") else 3


@app.command
def render(*, out: Path | None = None, common: Common = At) -> int:
    """Show the configuration that Envoy would be given, without keys; or write it to a folder.

    Args:
        out: A folder to write the files to.
        common: Options of every operating verb.
    """
    import msgspec

    from levada.deployment.build import build_app
    from levada.deployment.configuration import load_configuration
    from levada.deployment.serve_places import worker_path
    from levada.gateway import GatewayConfiguration, Listener, Upstream
    from levada.gateway.assembly import plans_of, routes_of
    from levada.gateway.envoy import render as files_of

    configuration = load_configuration(common.config, common.env)
    section = configuration.gateway
    paths = [f"unix:{worker_path(configuration, n)}" for n in range(configuration.server.workers)]
    asked = GatewayConfiguration(
        listener=Listener(host=section.host, port=section.port, body_limit=section.body_limit),
        routes=routes_of(build_app(configuration)),
        upstreams=[Upstream(name="app", addresses=paths)],
        plans=plans_of({name: plan.rate for name, plan in configuration.plans.items()}),
        environment=configuration.app.environment,
    )
    files = files_of(asked, str(out or configuration.path(section.dir)))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    data = {name: msgspec.json.decode(content) for name, content in files.items()}
    rows = [(r.method, r.path, r.operation, f"{r.timeout:g} s") for r in asked.routes]
    emit(
        common,
        data,
        lambda: table(
            ("Method", "Path", "Operation", "Timeout"),
            rows,
            empty="No Experience API is served: the gateway offers these alone.",
        ),
    )
    return 0
