"""The files of a gateway for a fleet of Envoys that Levada does not start itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from levada.gateway.envoy.render import render
from levada.gateway.envoy.write import ORDER, differing, write_files
from levada.gateway.errors import UpstreamInvalid
from levada.gateway.model import GatewayConfiguration

__all__ = ["FleetFiles", "checked_addresses", "plan_fleet", "write_fleet"]

_ADDRESS = re.compile(r"unix:/[^\0\n]+|[A-Za-z0-9.-]+:(?P<port>\d{1,5})")

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


def checked_addresses(addresses: Sequence[str]) -> list[str]:
    """Addresses of the app as the Envoys of a fleet reach it.

    Raises:
        UpstreamInvalid: One is neither ``unix:/PATH`` nor ``host:port``.
    """
    for address in addresses:
        found = _ADDRESS.fullmatch(address)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
            raise UpstreamInvalid(address=address)
    return list(addresses)


def plan_fleet(
    configuration: GatewayConfiguration, runs_in: str, *, watched_directory: bool = True
) -> Mapping[str, bytes]:
    """The files of a fleet by their names, as they will lie in ``runs_in``; nothing is written."""
    return render(configuration, runs_in, watched_directory=watched_directory)


def write_fleet(
    configuration: GatewayConfiguration,
    folder: Path,
    *,
    runs_in: str | None = None,
    watched_directory: bool = True,
    dry_run: bool = False,
) -> FleetFiles:
    """Write a fleet's files, mode 0600, each by rename; those that are the same stay as they are.

    Args:
        configuration: What the fleet is told. Its upstreams must be reachable from the Envoys; the app believes
            what a gateway says of a caller on a Unix socket alone.
        folder: Where to write.
        runs_in: The absolute path under which the Envoys see these files, ``/etc/envoy``; without it, ``folder``.
        watched_directory: Whether they change as a mounted ConfigMap does, by a link of the folder's.
        dry_run: Only tell what would be written.
    """
    there = runs_in or str(folder.resolve())
    files = plan_fleet(configuration, there, watched_directory=watched_directory)
    changed = differing(files, folder) if dry_run else write_files(files, folder)
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
