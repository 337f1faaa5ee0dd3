"""The network: one typed graph behind every view of Levada.

The landscape as found, the catalog, the blueprint, the gateway's routes and the
plan are all pictures of this graph. Nodes are systems, APIs, events and consumers;
edges are flows; every edge carries its evidence. Unknown is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

Kind: TypeAlias = Literal["record", "saas", "channel", "partner", "broker", "db", "app", "api", "event", "consumer"]
Mode: TypeAlias = Literal["sync", "async", "batch", "file", "db", "unknown"]
Status: TypeAlias = Literal["declared", "configured", "observed"]
Severity: TypeAlias = Literal["info", "warning", "error"]


class Evidence(Struct, frozen=True, order=True, omit_defaults=True):
    """Who says so: a file and line (or a trace, a person), when, and how strongly."""

    source: str
    line: int | None = None
    seen: str | None = None
    """RFC 3339 time at which the source was seen or the traffic happened."""
    status: Status = "configured"
    importer: str | None = None


class Node(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A system, API, event or consumer. ``id`` never changes; names and owners do."""

    id: str
    name: str = ""
    kind: Kind | None = None
    layer: Literal["system", "process", "experience"] | None = None
    owner: str | None = None
    domain: str | None = None
    aliases: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


class Flow(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One consumer uses one provider for one object in one way.

    Identity is (consumer, provider, object, mode, protocol): :attr:`id`.
    """

    consumer: str
    provider: str
    object: str | None = None
    mode: Mode = "unknown"
    protocol: str | None = None
    evidence: tuple[Evidence, ...] = ()
    volume_day: float | None = None
    errors_day: float | None = None
    hours_month: float | None = None
    incidents_90d: float | None = None
    freshness_s: float | None = None
    contract: str | None = None
    classification: str | None = None
    process: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """A readable, stable id: ``consumer > provider [object] (mode/protocol)``."""
        obj = f" [{self.object}]" if self.object else ""
        how = self.mode if self.protocol is None else f"{self.mode}/{self.protocol}"
        return f"{self.consumer} > {self.provider}{obj} ({how})"

    @property
    def status(self) -> Status | None:
        """The strongest status among the evidence: observed > configured > declared."""
        held = {e.status for e in self.evidence}
        for status in ("observed", "configured", "declared"):
            if status in held:
                return status
        return None


class Finding(Struct, frozen=True, order=True, omit_defaults=True):
    """Something a person should know: unresolved, skipped, contradictory, a secret."""

    kind: str
    severity: Severity
    text: str
    source: str | None = None
    line: int | None = None


class Network(Struct, kw_only=True):
    """Nodes by id, flows by id, findings. Merge adds evidence and never loses any."""

    nodes: dict[str, Node] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of(cls, nodes: Iterable[Node], flows: Iterable[Flow] = (), findings: Iterable[Finding] = ()) -> Network:
        """A network of these parts; the later of two with one id wins."""
        return cls(nodes={n.id: n for n in nodes}, flows={f.id: f for f in flows}, findings=list(findings))
