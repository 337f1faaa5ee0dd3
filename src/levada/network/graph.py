"""The network: one typed graph behind every view of Levada.

The landscape as found, the catalog, the blueprint, the gateway's routes and the
plan are all pictures of this graph. Nodes are systems, APIs, events and consumers;
edges are flows; every edge carries its evidence. Unknown is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field, structs

from levada.network._combine import changed as _changed
from levada.network._combine import finding_key, merge_flows, merge_nodes, moved, order_evidence

Kind: TypeAlias = Literal[
    "record", "saas", "channel", "partner", "broker", "db", "app", "api", "event", "consumer"
]
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
    def of(
        cls, nodes: Iterable[Node], flows: Iterable[Flow] = (), findings: Iterable[Finding] = ()
    ) -> Network:
        """A network of these parts; the later of two with one id wins."""
        return cls(nodes={n.id: n for n in nodes}, flows={f.id: f for f in flows}, findings=list(findings))

    # -- building -----------------------------------------------------------

    def add_node(self, node: Node) -> Node:
        """Add a node, or what it says beyond the one that stands under its id; returns the result.

        What stands wins where the two disagree, and the disagreement becomes a finding.
        """
        held = self.nodes.get(node.id)
        if held is None:
            self.nodes[node.id] = node
            return node
        merged, conflicts = merge_nodes(held, node)
        self.nodes[node.id] = merged
        self._note(conflicts)
        return merged

    def add_flow(self, flow: Flow) -> Flow:
        """Add a flow, or its evidence and figures to the one of the same id; returns the result.

        Ends that no node stands for are made as bare nodes, so that a network is always closed.
        """
        for end in (flow.consumer, flow.provider):
            if end not in self.nodes:
                self.nodes[end] = Node(id=end, name=end)
        held = self.flows.get(flow.id)
        if held is None:
            self.flows[flow.id] = flow
            return flow
        merged, conflicts = merge_flows(held, flow)
        self.flows[flow.id] = merged
        self._note(conflicts)
        return merged

    def add_finding(self, finding: Finding) -> None:
        """Add a finding once."""
        self._note((finding,))

    def _note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding not in self.findings:
                self.findings.append(finding)

    # -- whole networks -----------------------------------------------------

    def merge(self, *others: Network) -> Network:
        """This network and the others as one; evidence and aliases are united, none is lost.

        Idempotent. Where two say different things of one node or flow the earlier one
        stands (put what a person wrote first) and a finding of kind ``conflict`` names both.
        """
        out = Network(nodes=dict(self.nodes), flows=dict(self.flows), findings=list(self.findings))
        seen = set(out.findings)
        for other in others:
            for node in other.nodes.values():
                out.add_node(node)
            for flow in other.flows.values():
                out.add_flow(flow)
            for finding in other.findings:
                if finding not in seen:
                    seen.add(finding)
                    out.findings.append(finding)
        return out

    def renamed(self, names: Mapping[str, str]) -> Network:
        """This network with nodes put under other ids; nodes that share one become one.

        The old id stays as an alias ``id:<old>``. A flow whose two ends become one is
        dropped with a finding of kind ``merged-flow``, never silently.
        """
        out = Network()
        for node in self.nodes.values():
            new = names.get(node.id, node.id)
            out.add_node(node if new == node.id else moved(node, new))
        for finding in self.findings:
            out.findings.append(finding)
        for flow in self.flows.values():
            consumer, provider = (
                names.get(flow.consumer, flow.consumer),
                names.get(flow.provider, flow.provider),
            )
            if consumer == provider:
                where = flow.evidence[0] if flow.evidence else Evidence(source="")
                out.findings.append(
                    Finding(
                        kind="merged-flow",
                        severity="info",
                        text=f"{flow.id} lies within {consumer} since its two ends were merged",
                        source=where.source or None,
                        line=where.line,
                    )
                )
                continue
            moved_flow = structs.replace(flow, consumer=consumer, provider=provider)
            held = out.flows.get(moved_flow.id)
            if held is None:
                out.add_flow(moved_flow)
                continue
            out.flows[held.id], conflicts = merge_flows(held, moved_flow, apart=True)
            out._note(conflicts)
        return out

    def difference(self, after: Network) -> Difference:
        """What has to be added, removed and changed to come from this network to ``after``.

        Evidence alone is no change.
        """
        return Difference(
            nodes_added=tuple(sorted(after.nodes.keys() - self.nodes.keys())),
            nodes_removed=tuple(sorted(self.nodes.keys() - after.nodes.keys())),
            nodes_changed=tuple(
                sorted(i for i, n in self.nodes.items() if i in after.nodes and _changed(n, after.nodes[i]))
            ),
            flows_added=tuple(sorted(after.flows.keys() - self.flows.keys())),
            flows_removed=tuple(sorted(self.flows.keys() - after.flows.keys())),
            flows_changed=tuple(
                sorted(i for i, f in self.flows.items() if i in after.flows and _changed(f, after.flows[i]))
            ),
        )

    # -- queries ------------------------------------------------------------

    def resolve(self, name: str) -> Node | None:
        """The node of this id, alias or (if just one has it) name; None if none or several."""
        if name in self.nodes:
            return self.nodes[name]
        if not name:
            return None
        wanted = name.casefold()
        if not wanted:
            return None
        hits = [
            n
            for n in self.nodes.values()
            if n.name.casefold() == wanted
            or any(a.casefold() == wanted or a.partition(":")[2].casefold() == wanted for a in n.aliases)
        ]
        return hits[0] if len(hits) == 1 else None

    def pairs(self) -> dict[tuple[str, str], list[Flow]]:
        """Flows by (consumer, provider)."""
        out: dict[tuple[str, str], list[Flow]] = {}
        for flow in self.flows.values():
            out.setdefault((flow.consumer, flow.provider), []).append(flow)
        return out

    def consumers(self, of: str) -> list[str]:
        """Ids of those that use ``of``, sorted."""
        return sorted({f.consumer for f in self.flows.values() if f.provider == of})

    def providers(self, of: str) -> list[str]:
        """Ids of those that ``of`` uses, sorted."""
        return sorted({f.provider for f in self.flows.values() if f.consumer == of})

    def sorted(self) -> Network:
        """The same network in the order of the text formats: by id, evidence sorted."""
        return Network(
            nodes={
                i: structs.replace(
                    n, aliases=tuple(sorted(set(n.aliases))), evidence=order_evidence(n.evidence)
                )
                for i, n in sorted(self.nodes.items())
            },
            flows={
                i: structs.replace(f, evidence=order_evidence(f.evidence))
                for i, f in sorted(self.flows.items())
            },
            findings=sorted(self.findings, key=finding_key),
        )


class Difference(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Ids of what differs between two networks."""

    nodes_added: tuple[str, ...] = ()
    nodes_removed: tuple[str, ...] = ()
    nodes_changed: tuple[str, ...] = ()
    flows_added: tuple[str, ...] = ()
    flows_removed: tuple[str, ...] = ()
    flows_changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)
