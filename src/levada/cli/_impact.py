"""``levada map DIR… --impact SYSTEM``: who may notice a change of a system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import to_builtins

from levada.cli._operate import table
from levada.cli._shown import write_json
from levada.landscape.words import many

if TYPE_CHECKING:
    from rich.console import Console

    from levada.landscape.analysis_impact import Impact
    from levada.network.graph import Network

__all__ = ["show_impact"]


def show_impact(network: Network, system: str, field: str | None, console: Console, *, as_json: bool) -> None:
    """Print the blast radius of a change.

    Raises:
        UnknownSystem: There is no such system on the map, or its name is that of several.
    """
    from levada.landscape.analysis_impact import blast_radius

    found = blast_radius(network, system, field=field)
    if as_json:
        write_json({**to_builtins(found), "field": field})
        return
    _verdict(network, found, field, console)
    if found.rings:
        _rings(network, found)
        _to_tell(found, console)


def _verdict(network: Network, found: Impact, field: str | None, console: Console) -> None:
    name = network.nodes[found.system].name or found.system
    what = f"{field} of {name}" if field else name
    count = sum(len(ring) for ring in found.rings)
    share = "" if found.share is None else f" ({found.share:.0%})"
    told = (
        f"{many(count, 'system')} of {len(network.nodes) - 1:,}{share}" if count else "No system on this map"
    )
    console.print(f"\n{told} may notice a change of {what}.\n", markup=False, highlight=False, soft_wrap=True)


def _rings(network: Network, found: Impact) -> None:
    rows: list[tuple[int, str, str, str]] = []
    for steps, ring in enumerate(found.rings, 1):
        for id_ in ring:
            node = network.nodes[id_]
            # What the others take is of systems between, not of this one.
            takes = ", ".join(found.fields.get(id_, ("unknown fields",))) if steps == 1 else ""
            rows.append((steps, node.name or id_, node.owner or "unknown", takes))
    table(("Steps", "System", "Owner", "Takes"), rows, empty="", right=("Steps",))


def _to_tell(found: Impact, console: Console) -> None:
    parts = [", ".join(found.owners)] if found.owners else []
    if found.owner_unknown:
        parts.append(f"the owners of {many(found.owner_unknown, 'system')}, who are unknown")
    told = f"\nTo be told: {'; '.join(parts)}"
    console.print(told, markup=False, highlight=False, soft_wrap=True)
