"""The files of a gateway for a fleet of Envoys that Levada does not start itself."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from levada.gateway.envoy.render import render
from levada.gateway.envoy.write import ORDER, write_files
from levada.gateway.model import GatewayConfiguration

__all__ = ["FleetFiles", "write_fleet"]

ARGUMENTS = ("--disable-hot-restart", "--reject-unknown-dynamic-fields", "--file-flush-interval-msec", "1000")


class FleetFiles(Struct, frozen=True, kw_only=True):
    """What was written. ``folder``: where; ``runs_in``: where the Envoys will find it; ``changed``: those not as before.

    ``secret``: files that hold keys in clear, to be mounted as a secret. ``command``: how each Envoy is started.
    """

    folder: str
    runs_in: str
    files: tuple[str, ...]
    changed: tuple[str, ...]
    secret: tuple[str, ...]
    routes: int
    upstreams: int
    keys: int
    command: tuple[str, ...]


def write_fleet(
    configuration: GatewayConfiguration,
    folder: Path,
    *,
    runs_in: str | None = None,
    watched_directory: bool = True,
) -> FleetFiles:
    """Write a fleet's files, mode 0600, each by rename; those that are the same stay as they are.

    Args:
        configuration: What the fleet is told. Its upstreams must be reachable from the Envoys; the app believes
            what a gateway says of a caller on a Unix socket alone.
        folder: Where to write.
        runs_in: The absolute path under which the Envoys see these files, ``/etc/envoy``; without it, ``folder``.
        watched_directory: Whether they change as a mounted ConfigMap does, by a link of the folder's.
    """
    there = runs_in or str(folder.resolve())
    files = render(configuration, there, watched_directory=watched_directory)
    changed = write_files(files, folder)
    return FleetFiles(
        folder=str(folder),
        runs_in=there,
        files=ORDER,
        changed=tuple(changed),
        secret=("ecds.json",),
        routes=len(configuration.routes),
        upstreams=len(configuration.upstreams),
        keys=len(configuration.credentials),
        command=("envoy", "-c", f"{there}/bootstrap.json", *ARGUMENTS),
    )
