"""Traces of OpenTelemetry, Jaeger and Zipkin, and service-graph metrics: who was seen to call whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from levada.landscape.importers._observed import Counter, normal_path
from levada.landscape.importers._products import by_word
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.words import many
from levada.network.graph import Mode, Node

__all__ = ["Traces"]

MAX_SPANS = 2_000_000
_METRIC = re.compile(r"^traces_service_graph_request_(total|failed_total)\{([^}]*)\}\s+([0-9.eE+-]+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_NAMELESS = frozenset(("unknown", "unknown_service", ""))
_TOPICS = ("messaging.destination.name", "messaging.destination", "message_bus.destination", "kafka.topic", "jms.queue", "jms.topic",
           "rabbit.queue", "rabbit.exchange")  # fmt: skip
"""Tags that name a topic or queue, of OpenTelemetry, OpenTracing and Brave."""
_DB = {"postgresql": "postgres", "mssql": "mssql", "mysql": "mysql", "redis": "redis", "mongodb": "mongodb"}


class _Span(Struct):
    service: str
    parent: str | None
    kind: str
    name: str
    at: float | None
    error: bool
    tags: dict[str, str]
    source: str
    line: int | None


class Traces:
    """A call is a span whose parent is of another service; a client span without child leads to its peer."""

    name = "traces"
    formats: tuple[str, ...] = (
        "OTLP JSON",
        "Jaeger JSON",
        "Zipkin v2 JSON",
        "service-graph metrics (Prometheus text)",
    )
    verified: Verified = "from the specification"

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], _Span] = {}
        self._calls = Counter(self.name)
        self._nowhere: dict[str, tuple[int, _Span]] = {}
        self._unnamed = 0

    def recognise(self, file: SourceFile) -> float:
        """Members that only these formats have."""
        head = file.head
        if "traces_service_graph_request_" in head:
            return 1.0
        if file.suffix not in (".json", ".jsonl", ".ndjson", ".gz", ""):
            return 0.0
        if re.search(r'"resource_?[sS]pans"', head):
            return 1.0
        if '"traceID"' in head and ('"spans"' in head or '"processes"' in head):
            return 1.0
        return 1.0 if '"traceId"' in head and '"localEndpoint"' in head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Spans are kept until all files are read: a caller may stand in another file."""
        if "traces_service_graph_request_" in file.head:
            self._metrics(file)
            return
        for number, value in _values(file):
            for trace, span_id, span in _spans(value, file, number):
                if len(self._spans) >= MAX_SPANS:
                    yield context.finding(
                        "too-many-spans", f"more than {MAX_SPANS:,} spans; the rest is not read", file, number
                    )
                    return
                self._spans[trace, span_id] = span

    def _metrics(self, file: SourceFile) -> None:
        for number, line in file.lines():
            found = _METRIC.match(line)
            labels = dict(_LABEL.findall(found[2])) if found else {}
            if found and labels.get("client") and labels.get("server"):
                failed = found[1] != "total"
                kind = labels.get("connection_type", "")
                mode: Mode = "async" if kind == "messaging_system" else "db" if kind == "database" else "sync"
                count = float(found[3])
                self._calls.add(
                    (labels["client"], labels["server"], None, mode, None), source=file.source, line=number,
                    count=0 if failed else count, errors=count if failed else 0,
                )  # fmt: skip

    def finish(self, context: Context) -> Iterable[Item]:
        """Joins spans with their parents, and counts."""
        sides: dict[str, dict[str, set[str]]] = {"PRODUCER": {}, "CONSUMER": {}}
        for span in self._spans.values():
            if span.kind in sides and (topic := _topic(span)):
                sides[span.kind].setdefault(topic, set()).add(span.service)
        parents: set[tuple[str, str]] = set()
        for (trace, _), span in self._spans.items():
            parent = self._spans.get((trace, span.parent)) if span.parent else None
            if parent is not None and parent.service != span.service:
                parents.add((trace, span.parent or ""))
                self._joined(parent, span)
        for at, span in self._spans.items():
            self._outward(span, sides, answered=at in parents)
        services: dict[str, _Span] = {}
        for span in self._spans.values():
            services.setdefault(span.service, span)
        for service, first in sorted(services.items()):
            if service in _NAMELESS or service.startswith("unknown_service"):
                continue
            seen = context.at(context.files[first.source], first.line, status="observed")
            yield Node(id=service, name=service, kind="app", evidence=seen)
        for service, (count, span) in sorted(self._nowhere.items()):
            text = f"{service}: {count:,} call{'s' if count > 1 else ''} out of what is traced, and nothing says where to"
            yield context.finding(
                "unresolved-call", text, context.files[span.source], span.line, severity="info"
            )
        if self._unnamed:
            text = f"{many(self._unnamed, 'call')} by or to services whose spans do not name them"
            yield context.finding("unnamed-service", text, severity="info")
        yield from self._calls.flows()

    def _outward(self, span: _Span, sides: dict[str, dict[str, set[str]]], *, answered: bool) -> None:
        """A span that leads out of what is traced."""
        if span.kind == "CLIENT" and not answered:
            self._peer(span)
        elif span.kind in ("PRODUCER", "CONSUMER") and (topic := _topic(span)):
            system = span.tags.get("messaging.system")
            other = "PRODUCER" if span.kind == "CONSUMER" else "CONSUMER"
            others = sides[other].get(topic, set()) - {span.service}
            if span.kind == "PRODUCER" and others:
                return  # told with those that take it
            for provider in sorted(others) or [system or "broker"]:
                self._add(span.service, provider, topic, "async", system, span)

    def _joined(self, parent: _Span, child: _Span) -> None:
        if parent.kind == "PRODUCER" or child.kind == "CONSUMER":
            self._add(
                child.service,
                parent.service,
                _topic(child) or _topic(parent),
                "async",
                child.tags.get("messaging.system"),
                child,
            )
            return
        protocol = _protocol(child) or _protocol(parent)
        self._add(parent.service, child.service, _what(child), "sync", protocol, child)

    def _peer(self, span: _Span) -> None:
        tags = span.tags
        system = tags.get("db.system") or tags.get("db.system.name")
        peer = (
            tags.get("peer.service")
            or tags.get("server.address")
            or tags.get("net.peer.name")
            or tags.get("http.host")
            or tags.get("net.peer.ip")
        )
        known = by_word(peer or "")
        if (
            not system
            and (known is None or known.kind != "db")
            and tags.keys() & {"sql.query", "db.statement"}
        ):
            self._add(span.service, peer or "database", None, "db", None, span)
            return
        if known is not None and known.kind == "db":
            system = system or known.id
        if peer and re.fullmatch(r"(localhost|127\.0\.0\.1|unix.*|\[?::1\]?)", peer):
            return
        if system:
            what = (
                tags.get("db.collection.name")
                or tags.get("db.sql.table")
                or tags.get("db.namespace")
                or tags.get("db.name")
            )
            self._add(
                span.service,
                f"host:{peer}" if peer and "." in peer else peer or system,
                what,
                "db",
                _DB.get(system, system),
                span,
            )
        elif peer:
            provider = peer if tags.get("peer.service") else f"host:{peer}"
            self._add(span.service, provider, _what(span), "sync", _protocol(span), span)
        else:
            count, first = self._nowhere.get(span.service, (0, span))
            self._nowhere[span.service] = count + 1, first

    def _add(
        self, consumer: str, provider: str, what: str | None, mode: Mode, protocol: str | None, span: _Span
    ) -> None:
        if {consumer, provider} & _NAMELESS or consumer.startswith("unknown_service"):
            self._unnamed += 1
            return
        self._calls.add(
            (consumer, provider, what, mode, protocol), source=span.source, line=span.line, at=span.at,
            errors=1 if span.error else 0,
        )  # fmt: skip


def _protocol(span: _Span) -> str | None:
    if span.tags.get("rpc.system"):
        return span.tags["rpc.system"]
    return (
        "http"
        if any(k in span.tags for k in ("http.method", "http.request.method", "http.url", "url.full"))
        else None
    )


def _what(span: _Span) -> str | None:
    route = span.tags.get("http.route") or span.tags.get("url.path") or span.tags.get("http.target")
    if route:
        return normal_path(route)
    return span.tags.get("rpc.service")


def _topic(span: _Span) -> str | None:
    return next((span.tags[t] for t in _TOPICS if span.tags.get(t)), None)


def _values(file: SourceFile) -> Iterator[tuple[int | None, Any]]:
    """A whole JSON document, or a document a line; the latter without holding the file."""
    first = file.head.lstrip()
    newline = first.find("\n")
    if newline > 0 and first[:newline].rstrip().endswith("}") and first.startswith("{"):
        for number, line in file.lines():
            try:
                yield number, json.loads(line)
            except ValueError:
                continue
        return
    yield None, file.json


def _spans(value: Any, file: SourceFile, number: int | None) -> Iterator[tuple[str, str, _Span]]:
    if isinstance(value, dict) and ("resourceSpans" in value or "resource_spans" in value):
        yield from _otlp(value, file, number)
    elif isinstance(value, dict) and isinstance(value.get("data"), list):
        for trace in value["data"]:
            if isinstance(trace, dict):
                yield from _jaeger(trace, file, number)
    elif isinstance(value, dict) and "processes" in value:
        yield from _jaeger(value, file, number)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, list):
                yield from _spans(item, file, number)
            elif isinstance(item, dict) and "traceId" in item:
                yield _zipkin(item, file, number)


def _otlp(value: dict[str, Any], file: SourceFile, number: int | None) -> Iterator[tuple[str, str, _Span]]:
    kinds = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
    for resource in value.get("resourceSpans") or value.get("resource_spans") or ():
        service = _otlp_tags((resource.get("resource") or {}).get("attributes")).get(
            "service.name", "unknown_service"
        )
        for scope in (
            resource.get("scopeSpans")
            or resource.get("scope_spans")
            or resource.get("instrumentationLibrarySpans")
            or ()
        ):
            for span in scope.get("spans") or ():
                kind = span.get("kind")
                kind = (
                    kinds.get(kind, "INTERNAL")
                    if isinstance(kind, int)
                    else str(kind or "").removeprefix("SPAN_KIND_")
                )
                status: Any = span.get("status") or {}
                at = span.get("startTimeUnixNano") or span.get("start_time_unix_nano")
                yield str(span.get("traceId")), str(span.get("spanId")), _Span(
                    service, str(span.get("parentSpanId") or "") or None, kind, str(span.get("name") or ""),
                    int(at) / 1e9 if at else None, status.get("code") in (2, "STATUS_CODE_ERROR"),
                    _otlp_tags(span.get("attributes")), file.source, number,
                )  # fmt: skip


def _otlp_tags(attributes: Any) -> dict[str, str]:
    out: dict[str, str] = {}
    for entry in attributes or ():
        value: Any = entry.get("value") or {}
        out[str(entry.get("key"))] = (
            str(next(iter(value.values()), "")) if isinstance(value, dict) else str(value)
        )
    return out


def _jaeger(trace: dict[str, Any], file: SourceFile, number: int | None) -> Iterator[tuple[str, str, _Span]]:
    processes: Any = trace.get("processes") or {}
    for span in trace.get("spans") or ():
        tags = {str(t.get("key")): str(t.get("value")) for t in span.get("tags") or ()}
        process: Any = processes.get(span.get("processID")) or span.get("process") or {}
        parent = next((str(r.get("spanID")) for r in span.get("references") or ()), None)
        at = span.get("startTime")
        yield str(span.get("traceID")), str(span.get("spanID")), _Span(
            str(process.get("serviceName") or "unknown"), parent, tags.get("span.kind", "").upper(),
            str(span.get("operationName") or ""), at / 1e6 if isinstance(at, int | float) else None,
            tags.get("error", "").lower() == "true" or tags.get("otel.status_code") == "ERROR", tags, file.source, number,
        )  # fmt: skip


def _zipkin(span: dict[str, Any], file: SourceFile, number: int | None) -> tuple[str, str, _Span]:
    tags = {str(k): str(v) for k, v in (span.get("tags") or {}).items()}
    remote: Any = span.get("remoteEndpoint") or {}
    if remote.get("serviceName"):
        tags.setdefault("peer.service", str(remote["serviceName"]).lower())
    local: Any = span.get("localEndpoint") or {}
    at = span.get("timestamp")
    kind = str(span.get("kind") or "")
    # In Zipkin both sides of a call may share one span id: the server's is kept apart.
    span_id = str(span.get("id"))
    parent = str(span.get("parentId") or "") or None
    if span.get("shared"):
        parent, span_id = span_id, f"{span_id}/server"
    return str(span.get("traceId")), span_id, _Span(
        str(local.get("serviceName") or "unknown").lower(), parent, kind, str(span.get("name") or ""),  # Zipkin's names have no case
        at / 1e6 if isinstance(at, int | float) else None, "error" in tags, tags, file.source, number,
    )  # fmt: skip
