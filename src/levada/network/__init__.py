"""The network: nodes, flows, evidence and findings, and the formats they are kept in."""

from __future__ import annotations

from levada.network.graph import (
    Difference,
    Evidence,
    Finding,
    Flow,
    Kind,
    Mode,
    Network,
    Node,
    Severity,
    Status,
)
from levada.network.names import slug

__all__ = [
    "Difference",
    "Evidence",
    "Finding",
    "Flow",
    "Kind",
    "Mode",
    "Network",
    "Node",
    "Severity",
    "Status",
    "slug",
]
