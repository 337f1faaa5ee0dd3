"""The map as JSON that others rely on: systems, flows, findings (``map.schema.json``)."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from levada.network.graph import Network

__all__ = ["as_map", "from_map"]


def as_map(network: Network) -> dict[str, Any]:
    """The network in the shape of ``levada map --json``, in stable order; unknown is null.

    Keys may be added to it, none is ever renamed or taken away.
    """
    ordered = network.sorted()
    return {
        "systems": [
            {
                "id": n.id,
                "name": n.name or n.id,
                "kind": n.kind,
                "owner": n.owner,
                "domain": n.domain,
                "layer": n.layer,
                "aliases": list(n.aliases),
                "attributes": to_builtins(n.attributes),
                "evidence": [_evidence(e) for e in n.evidence],
            }
            for n in ordered.nodes.values()
        ],
        "flows": [
            {
                **{name: getattr(f, name) for name in _FLOW},
                "id": f.id,
                "status": f.status,
                "attributes": to_builtins(f.attributes),
                "evidence": [_evidence(e) for e in f.evidence],
            }
            for f in ordered.flows.values()
        ],
        "findings": [
            {"kind": f.kind, "severity": f.severity, "source": f.source, "line": f.line, "text": f.text}
            for f in ordered.findings
        ],
    }


def from_map(data: dict[str, Any]) -> Network:
    """The network of what :func:`as_map` made; ids, figures and evidence come back as they were."""
    from msgspec import convert

    from levada.network.graph import Finding, Flow, Node

    def known(row: dict[str, Any], drop: tuple[str, ...] = ()) -> dict[str, Any]:
        return {k: v for k, v in row.items() if v is not None and k not in drop}

    def evidence(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [known(e) for e in row.get("evidence", ())]

    network = Network()
    for row in data["systems"]:
        network.add_node(convert({**known(row), "evidence": evidence(row)}, Node))
    for row in data["flows"]:
        network.add_flow(convert({**known(row, ("id", "status")), "evidence": evidence(row)}, Flow))
    network.findings.extend(convert(known(row), Finding) for row in data["findings"])
    return network


_FLOW = (
    "consumer", "provider", "object", "mode", "protocol", "volume_day", "errors_day", "hours_month",
    "incidents_90d", "freshness_s", "contract", "classification", "process",
)  # fmt: skip


def _evidence(evidence: Any) -> dict[str, Any]:
    return {name: getattr(evidence, name) for name in ("source", "line", "seen", "status", "importer")}
