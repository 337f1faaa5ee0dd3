"""Whose is a host: addresses met in settings, joined with systems that say they answer there.

This is exact: a system's own configuration names the host (alias ``host:<name>``). What
only looks alike is for reconciliation to suggest.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from levada.landscape._documents import is_document
from levada.network.graph import Finding, Network

__all__ = ["resolve_hosts"]


def resolve_hosts(network: Network, together: Mapping[str, str] | None = None) -> Network:
    """The network with ``host:x`` nodes replaced by the one system that answers at ``x``.

    A host of nobody stays a system of its own under the host's name. Where several answer
    at one host it stays apart, with a finding. A document that describes an API there is none of them.

    Args:
        network: What was read.
        together: Ids that a person has merged, dropped to kept: two that are one answer as one.
    """
    together = together or {}
    owners: dict[str, list[str]] = {}
    for node in network.nodes.values():
        if not node.id.startswith("host:"):
            for alias in {a for a in node.aliases if a.startswith("host:")} | {f"host:{node.id}"}:
                owners.setdefault(alias.lower(), []).append(node.id)
    names: dict[str, str] = {}
    findings: list[Finding] = []
    for node in network.nodes.values():
        if not node.id.startswith("host:"):
            continue
        host = node.id.removeprefix("host:")
        found: list[str] = []
        for form in _forms(host):
            found = owners.get(f"host:{form}", [])
            found = [n for n in found if not is_document(network.nodes[n])] or found
            if found:
                break
        if len({together.get(n, n) for n in found}) == 1:
            names[node.id] = found[0]
        else:
            names[node.id] = host
            if found:
                text = f"{host} is a host of {', '.join(sorted(set(found)))}; left apart"
                place = node.evidence[0] if node.evidence else None
                findings.append(
                    Finding(
                        "ambiguous-host",
                        "warning",
                        text,
                        place.source if place else None,
                        place.line if place else None,
                    )
                )
    if not names:
        return network
    out = network.renamed(names)
    for new in names.values():
        node = out.nodes[new]
        out.nodes[new] = structs.replace(
            node, aliases=tuple(a for a in node.aliases if not a.startswith("id:host:"))
        )
    out.findings.extend(findings)
    return out


_PUBLIC = frozenset(
    (
        "com",
        "net",
        "org",
        "io",
        "ai",
        "co",
        "eu",
        "de",
        "uk",
        "us",
        "fr",
        "nl",
        "no",
        "se",
        "dk",
        "ch",
        "at",
        "es",
        "pl",
    )
)
"""Ends of names of the Internet: ``shop.com`` is no service ``shop`` of a namespace."""


def _forms(host: str) -> list[str]:
    """A host as others may write it: itself, then a cluster's ``service.namespace``, then ``service``."""
    forms = [host]
    parts = host.split(".")
    if len(parts) == 2 and parts[1] not in _PUBLIC:
        forms.append(parts[0])
    return forms
