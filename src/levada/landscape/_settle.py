"""One connection that several sources speak of, each in its own words, is one flow.

A script says ``batch/http [/soap]``, the access log ``sync/http [/soap]``, the list of interfaces
``soap [Invoices]``. What is configured names the flow; what is observed or declared adds its
evidence and figures to it. Where it cannot be told which flow is meant, both stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import structs

from levada.network._combine import merge_flows
from levada.network.graph import Finding, Flow, Network
from levada.network.tables import FIGURES

__all__ = ["protocol_family", "settle"]

_FAMILIES = {
    name: family
    for family, names in {
        "http": ("http", "https", "rest", "soap", "odata", "graphql", "web service", "webservice", "api"),
        "sql": ("sql", "jdbc", "odbc", "db link", "dblink", "database", "postgres", "postgresql", "mysql", "mariadb",
                "oracle", "mssql", "db2"),
        "files": ("sftp", "ftp", "ftps", "scp", "file", "files", "csv", "rsync", "smb", "csv over sftp", "csv over ftp"),
    }.items()
    for name in names
}  # fmt: skip
_PRECISE = frozenset(
    ("postgres", "postgresql", "mysql", "mariadb", "oracle", "mssql", "db2", "sftp", "ftp", "ftps", "smb")
)
_SUMS = frozenset(FIGURES) - {"freshness_s"}
"""Figures that add up over flows; how fresh each has to be does not."""
_CALLS = frozenset(("sync", "batch"))


def settle(network: Network) -> Network:
    """The network with flows that are only observed or only declared joined to what configures them.

    Figures of a list that fit several flows (a job's hours, for the five tables that it reads)
    are spread evenly, so that their sum stays what a person wrote. Where two differ the first stands
    and a finding of kind ``conflict`` names both.
    """
    flows = dict(network.flows)
    findings = dict.fromkeys(network.findings)
    for pair in network.pairs().values():
        sure = [f for f in pair if any(e.status == "configured" for e in f.evidence)]
        # Traffic first: it is a better witness of volumes and errors than a list.
        for weak in sorted((f for f in pair if f not in sure), key=lambda f: f.status != "observed"):
            targets = _meant(weak, [flows[f.id] for f in sure])
            for target in targets:
                flows[target.id], conflicts = _joined(target, weak, len(targets))
                findings |= dict.fromkeys(conflicts)
            if targets:
                del flows[weak.id]
    if len(flows) == len(network.flows):
        return network
    return Network(nodes=network.nodes, flows=flows, findings=list(findings))


def _meant(weak: Flow, sure: Sequence[Flow]) -> list[Flow]:
    fit = [f for f in sure if _alike(weak, f)]
    same = [f for f in fit if _same_object(weak, f)]
    if weak.status == "observed":
        # A path that no configuration names is a use of its own, unless the configuration names none.
        return same[:1] if len(same) == 1 else [f for f in fit if f.object is None][:1]
    return same or fit


def _same_object(one: Flow, other: Flow) -> bool:
    return one.object is not None and (one.object or "").casefold() == (other.object or "").casefold()


def _alike(weak: Flow, sure: Flow) -> bool:
    modes = weak.mode in ("unknown", sure.mode) or (weak.mode in _CALLS and sure.mode in _CALLS)
    if weak.protocol is None or sure.protocol is None or weak.protocol == sure.protocol:
        return modes
    ours, theirs = protocol_family(weak.protocol), protocol_family(sure.protocol)
    return ours is not None and ours == theirs and not {weak.protocol, sure.protocol} <= _PRECISE


def protocol_family(protocol: str) -> str | None:
    """``http``, ``sql`` or ``files``; None of what is none of them."""
    return _FAMILIES.get(protocol.lower())


def _joined(target: Flow, weak: Flow, shares: int) -> tuple[Flow, list[Finding]]:
    figures = {n: v / shares if n in _SUMS else v for n, v in _figures(weak) if v is not None}
    attributes: dict[str, Any] = dict(weak.attributes)
    if weak.object and not _same_object(weak, target):
        attributes.setdefault("data", weak.object)
    said = structs.replace(
        weak,
        object=target.object,
        mode=target.mode,
        protocol=target.protocol,
        attributes=attributes,
        **figures,
    )
    first, second = (said, target) if weak.status == "observed" else (target, said)
    merged, conflicts = merge_flows(first, second)
    evidence = tuple(dict.fromkeys((*target.evidence, *weak.evidence)))
    return structs.replace(merged, evidence=evidence), conflicts


def _figures(flow: Flow) -> Iterable[tuple[str, float | None]]:
    return ((name, getattr(flow, name)) for name in FIGURES)
