"""``levada up``: serve the app of ``levada.toml`` behind the gateway."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import structs

from levada.cli.run import PortOption, WorkersOption

__all__ = ["up"]


def up(
    *,
    config: Path = Path("levada.toml"),
    env: str | None = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Serve the app of levada.toml behind Envoy: keys, limits, access log; until it is stopped.

    Experience APIs are offered outside, to consumers with a key (levada keys create).

    Args:
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        port: The gateway's port instead of [gateway] port; 0 is a free one.
        workers: Processes instead of [server] workers.
        json: Say what is served as a line of JSON, and log JSON lines to stderr.

    Examples:
        levada up
        levada up --env production --workers 4 --json
    """
    from levada.cli._gateway import Door
    from levada.cli.run import tell
    from levada.deployment.configuration import load_configuration
    from levada.deployment.serve import run_loop, serve
    from levada.deployment.serve_app import Options
    from levada.deployment.serve_http import check_tcp
    from levada.deployment.serve_logs import set_up_logs

    configuration = load_configuration(config, env)
    if port is not None:
        configuration = structs.replace(
            configuration, gateway=structs.replace(configuration.gateway, port=port)
        )
    check_tcp(configuration.gateway.host, configuration.gateway.port)  # before anything works behind it
    set_up_logs(json=json)
    door = Door(configuration)
    options = Options(workers=workers, file=config, environment=env, json=json)

    told = partial(tell, json=json)
    return run_loop(serve(configuration, options, told, extend=door.extend, front=door.front))
