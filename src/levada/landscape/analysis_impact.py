"""What a change of one system may reach, nearest first, down to fields where lineage is known."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError
from levada.network.graph import Network

__all__ = ["Impact", "UnknownSystem", "blast_radius"]


class UnknownSystem(LevadaError, code="LV1910"):
    """No system of the map is called {name}, or several are{near}. See its systems with: levada map DIR --json"""


class Impact(Struct, frozen=True, kw_only=True):
    """Who may notice a change of a system."""

    system: str
    rings: tuple[tuple[str, ...], ...]
    """Ids by distance: direct consumers, their consumers, …; each system stands once."""
    share: float | None
    """Share (0 to 1) of the other systems; None if there is no other."""
    owners: tuple[str, ...]
    """Who has to be told; those of unknown owner are counted in ``owner_unknown``."""
    owner_unknown: int
    fields: dict[str, tuple[str, ...]]
    """Direct consumer -> fields it is known to take; a consumer without an entry takes unknown ones."""


def blast_radius(network: Network, system: str, *, field: str | None = None) -> Impact:
    """Who may notice a change of ``system``, or of one ``field`` of it.

    With ``field`` a direct consumer is left out only if its fields are known and this is not
    among them: what is unknown counts as touched.

    Raises:
        UnknownSystem: the network has no such id, alias or unambiguous name.
    """
    node = network.resolve(system)
    if node is None:
        raise UnknownSystem(name=system, near=_near(network, system))
    users: dict[str, set[str]] = defaultdict(set)
    lineage: dict[str, set[str]] = defaultdict(set)
    blind: set[str] = set()
    for flow in network.flows.values():
        users[flow.provider].add(flow.consumer)
        if flow.provider == node.id:
            held = _fields(flow.attributes)
            lineage[flow.consumer].update(held)
            if not held:
                blind.add(flow.consumer)
    first = {c for c in users[node.id] if field is None or c in blind or _takes(lineage[c], field)} - {
        node.id
    }
    rings: list[tuple[str, ...]] = []
    seen, ring = {node.id}, first
    while ring:
        rings.append(tuple(sorted(ring)))
        seen |= ring
        ring = {c for s in ring for c in users[s]} - seen
    touched = seen - {node.id}
    owners = {network.nodes[s].owner for s in touched}
    others = len(network.nodes) - 1
    return Impact(
        system=node.id,
        rings=tuple(rings),
        share=len(touched) / others if others else None,
        owners=tuple(sorted(o for o in owners if o)),
        owner_unknown=sum(network.nodes[s].owner is None for s in touched),
        fields={c: tuple(sorted(f)) for c, f in sorted(lineage.items()) if f and c not in blind},
    )


def _near(network: Network, name: str) -> str:
    """What may have been meant: ids of systems that are called so, or nearly so."""
    from difflib import get_close_matches

    wanted = name.casefold()
    ids = {n.id.casefold(): n.id for n in network.nodes.values()}
    named = sorted(n.id for n in network.nodes.values() if n.name.casefold() == wanted)
    found = named or [ids[i] for i in get_close_matches(wanted, ids)] or sorted(i for i in ids if wanted in i)
    return f" (nearest: {', '.join(found[:5])})" if found else ""


def _fields(attributes: dict[str, Any]) -> set[str]:
    """Source fields of a flow: lineage is noted as ``target <- source`` or as a list of names."""
    held = attributes.get("fields") or ()
    names = held.replace(";", ",").split(",") if isinstance(held, str) else held
    return {str(n).rpartition("<-")[2].strip() for n in names} - {""}


def _takes(fields: set[str], wanted: str) -> bool:
    """Whether one of the fields is the wanted one, lies in it, or holds it: who takes ``customer`` takes its email."""
    parts = wanted.casefold().split(".")
    for field in fields:
        held = field.casefold().split(".")
        short, long = sorted((held, parts), key=len)
        if "*" in held or long[: len(short)] == short or long[-len(short) :] == short:
            return True
    return False
