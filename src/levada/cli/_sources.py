"""What the verbs of the landscape are given: folders, and running clusters as ``kafka://HOST:PORT``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from rich.console import Console

    from levada.landscape.live import KafkaCluster
    from levada.landscape.mapping import Mapped, Progress
    from levada.network.graph import Network

__all__ = ["Sources", "read_network", "read_sources", "sources_of", "unread"]


class Sources(Struct, frozen=True):
    """Folders and clusters, each in the order given."""

    folders: tuple[Path, ...]
    clusters: tuple[KafkaCluster, ...]


def sources_of(given: Sequence[str | Path], kafka_settings: str | None) -> Sources:
    """Folders and clusters apart.

    Raises:
        KafkaSettingsError: An address or a setting of a cluster is malformed.
    """
    addresses = [str(s) for s in given if _is_cluster(s)]
    folders = tuple(Path(s) for s in given if not _is_cluster(s))
    if not addresses:
        return Sources(folders, ())
    from levada.landscape import live

    settings = [live.kafka_settings(address, kafka_settings) for address in addresses]
    different = list({s.address: s for s in settings}.values())
    return Sources(folders, tuple(live.clusters(different)))


def _is_cluster(source: str | Path) -> bool:
    return str(source).lower().startswith("kafka:")


def read_network(sources: Sources, console: Console, progress: Progress | None = None) -> tuple[Network, int]:
    """The map, and the exit code: 1 where a cluster did not answer or nothing was read, which is told."""
    mapped, code = read_sources(sources, console, progress)
    return mapped.network, code


def read_sources(sources: Sources, console: Console, progress: Progress | None = None) -> tuple[Mapped, int]:
    """As :func:`read_network`, with what became of each file."""
    from levada.landscape.mapping import map_folders

    mapped = map_folders(sources.folders, live=sources.clusters, progress=progress)
    missing = unread(mapped, sources)
    for source, why in missing:
        console.print(
            f"Not read: {source}: {why}", style="yellow", markup=False, highlight=False, soft_wrap=True
        )
    if not mapped.read:
        console.print("Nothing was read. What can be: levada map --formats", style="yellow", soft_wrap=True)
    return mapped, 1 if missing or not mapped.read else 0


def unread(mapped: Mapped, sources: Sources) -> list[tuple[str, str]]:
    """The clusters that did not answer, each with the reason."""
    live = {c.source for c in sources.clusters}
    return [(f.source, f.skipped) for f in mapped.files if f.source in live and f.skipped is not None]
