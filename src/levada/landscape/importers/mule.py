"""Mule 4 and Mule 3 projects: operation -> config -> connection -> properties.

Elements are known by namespace URI, never by prefix. A connector that nobody listed is
read like any other: through the ``config-ref`` of its operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct, field, structs

from levada.landscape.importers import _mule_targets as targets
from levada.landscape.importers._mule_project import artifact, pattern, project_folder
from levada.landscape.importers._properties import Properties
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers._xml import XmlNode
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["Mule"]

CORE = "http://www.mulesoft.org/schema/mule/"
_INTERNAL = frozenset(
    [
        "core",
        "ee-core",
        "ee",
        "documentation",
        "mule-apikit",
        "jtokkit",
        "mule-soapkit",
        "apikit-odata",
        "os",
        "objectstore",
        "vm",
        "cron",
        "schedulers",
        "java",
        "scripting",
        "validation",
        "batch",
        "munit",
        "munit-tools",
        "mtf",
        "apikit",
        "apikit-soap",
        "tracking",
        "api-gateway",
        "json",
        "xml-module",
        "xml",
        "compression",
        "crypto",
        "secure-properties",
        "spring",
        "context",
        "oauth",
        "tls",
        "cluster",
        "quartz",
        "oauth2-provider",
        "security",
        "http-policy",
        "cache",
        "secure-property-placeholder",
        "file-common",
        "sockets",
        "aggregators",
        "tracing",
        "custom-metrics",
        "data-mapper",
        "mulexml",
        "transformer",
    ]
)
_OBJECT = ("type", "sObjectType", "objectType", "destination", "topic", "queue", "queueName", "topicName", "key",
           "functionName", "tableName", "table", "channel", "bucketName", "collectionName", "exchangeName", "logicalName", "bucket",
           "directoryPath", "directory", "operation", "path")  # fmt: skip
_LOG = re.compile(r"(^|-)(logger|log)$", re.IGNORECASE)
"""An operation that writes a log line, whosever connector it is."""
_ENDPOINTS = ("inbound-endpoint", "outbound-endpoint")
_SOURCE = re.compile(
    r"listener|subscri|consumer|^on-|inbound|trigger|replay|poll|receive|^read|fetch|-source$", re.IGNORECASE
)
_FLOWS = ("flow", "sub-flow", "job", "error-handler", "processor-chain")


class _Config(Struct):
    connector: str
    element: str
    attrs: list[tuple[str, str, str, int]]
    file: str
    line: int


class _Call(Struct):
    connector: str
    element: str
    config: str | None
    attrs: dict[str, str]
    sql: str
    file: str
    line: int
    schedule: tuple[str, ...] | None
    """What the schedulers of its flow say; None where it has none."""


class _Project(Struct):
    folder: str
    name: str = ""
    domain: bool = False
    configs: dict[str, _Config] = field(default_factory=dict)
    calls: list[_Call] = field(default_factory=list)
    property_files: list[str] = field(default_factory=list)
    own_values: dict[str, str] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)
    seen: tuple[Evidence, ...] = ()
    resolved: dict[tuple[Any, ...], targets.Target] = field(default_factory=dict)
    """What configurations and calls with these attributes lead to: a project has many of the same."""
    named: set[tuple[Any, ...]] = field(default_factory=set)
    """Systems that were told of, each with its place."""
    lost: set[str] = field(default_factory=set)
    """Configurations that its operations name and nobody has."""


class Mule:
    """A project is the folder of its ``pom.xml`` or above ``src/main``; its files are joined at the end."""

    name = "mule"
    formats: tuple[str, ...] = ("Mule 4 projects", "Mule 3 projects (from the specification)")
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._projects: dict[str, _Project] = {}

    def recognise(self, file: SourceFile) -> float:
        """An XML whose head names Mule's core namespace."""
        if file.suffix != ".xml" or "/src/test/" in f"/{file.source}":
            return 0.0
        head = file.head
        return (
            1.0
            if CORE + "core" in head
            and re.search(r"<(?:[\w.-]+:)?(mule|mule-domain|domain:mule-domain)\b", head)
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Keeps configurations and calls of the file; says what is configured with no literal place yet."""
        folder = project_folder(file.source)
        project = self._projects.get(folder)
        if project is None:
            project = self._projects[folder] = _Project(folder, artifact(folder, context))
            project.seen = context.at(file, 1)
        root = file.xml
        project.domain = project.domain or root.name == "mule-domain"
        for child in root.children:
            self._top(child, project, file.source)
        yield Node(
            id=slug(project.name), name=project.name, kind="app",
            aliases=(f"package:{project.name}",), evidence=project.seen,
        )  # fmt: skip

    def _top(self, child: XmlNode, project: _Project, source: str) -> None:
        connector = _connector(child.uri)
        if (
            child.name in ("configuration-properties", "config")
            and "file" in child.attrs
            and connector in ("core", "secure-properties")
        ):
            project.property_files.append(child.attrs["file"])
        elif child.name == "property-placeholder":
            project.property_files.extend(child.attrs.get("location", "").split(","))
        elif child.name == "global-property":
            project.own_values[child.attrs.get("name", "")] = child.attrs.get("value", "")
        elif child.name in _FLOWS:
            pollers = [n for n in child.walk() if n.name in ("scheduler", "poll") or _clock(n)]
            schedule = tuple(_schedule(n) for n in pollers) if pollers else None
            api = re.match(
                r"(get|post|put|patch|delete|head|options):\\?([^:]*)",
                child.attrs.get("name", ""),
                re.IGNORECASE,
            )
            if api:
                project.operations.append(f"{api[1].upper()} /{api[2].replace(chr(92), '/').lstrip('/')}")
            for node in child.walk():
                self._call(node, project, source, schedule=schedule)
        elif child.attrs.get("name") and connector not in ("core", "documentation"):
            attrs = [(n.name, k, v, n.line) for n in child.walk() for k, v in (n.attrs or {"": ""}).items()]
            project.configs[child.attrs["name"]] = _Config(connector, child.name, attrs, source, child.line)

    @staticmethod
    def _call(node: XmlNode, project: _Project, source: str, *, schedule: tuple[str, ...] | None) -> None:
        connector = _connector(node.uri)
        config = node.attrs.get("config-ref") or node.attrs.get("connector-ref")
        direct = node.attrs.get("url") or node.attrs.get("address") or node.name.endswith("bound-endpoint")
        if connector == "core" and node.name in _ENDPOINTS:
            connector, config = "endpoint", node.attrs.get("ref")
        if connector in _INTERNAL or not connector or not (config or direct):
            return
        if _LOG.search(node.name) and targets.named_product(connector) is None:
            return
        sql = " ".join(n.text for n in node.walk() if n.name == "sql" or "query" in n.name)
        project.calls.append(
            _Call(connector, node.name, config, dict(node.attrs), sql[:20_000], source, node.line, schedule)
        )

    def finish(self, context: Context) -> Iterable[Item]:
        """The flows of every project, with what could not be resolved."""
        shared = {n: (c, p) for p in self._projects.values() if p.domain for n, c in p.configs.items()}
        of_domain = {p.folder: self._properties(p, context) for _, p in shared.values()}
        first: dict[str, _Project] = {}
        for project in self._projects.values():
            other = first.setdefault(project.name, project)
            if other is not project:
                text = (
                    f"{project.name} is the artifact of {other.folder} and of {project.folder}; taken as one"
                )
                place = context.files.get(project.seen[0].source) if project.seen else None
                yield context.finding("same-artifact", text, place, severity="info")
            properties = self._properties(project, context)
            for file, problem in properties.unread:
                yield context.finding("malformed-file", f"properties not read: {problem}", file)
            if project.operations:
                operations = sorted(set(project.operations))
                yield Node(
                    id=slug(project.name), attributes={"operations": operations}, evidence=project.seen
                )
            for call in project.calls:
                config, values = project.configs.get(call.config or ""), properties
                if config is None and call.config in shared:
                    config, domain = shared[call.config]
                    values = of_domain[domain.folder]
                yield from _flows(*_meant(call, config, project), project, values, context)

    @staticmethod
    def _properties(project: _Project, context: Context) -> Properties:
        wanted = [re.compile(pattern(name.strip())) for name in project.property_files if name.strip()]
        under = [f for f in context.under(project.folder) if f.suffix in (".properties", ".yaml", ".yml")]
        resources = [
            f for f in under if "/src/test/" not in f"/{f.source}" and "/target/" not in f"/{f.source}"
        ]
        chosen = [f for f in resources if any(p.search(f.source) for p in wanted)]
        properties = Properties(chosen)
        for key, value in project.own_values.items():
            properties.values.setdefault(key, targets.own_property(value, project.seen))
        return properties


def _clock(node: XmlNode) -> bool:
    """Mule 3's timer, an endpoint of Quartz."""
    return node.name == "inbound-endpoint" and _connector(node.uri) == "quartz"


def _meant(call: _Call, config: _Config | None, project: _Project) -> tuple[_Call, _Config | None]:
    """The call at the endpoint that Mule 3 keeps under a name, with the connector below it."""
    if config is None or config.element != "endpoint":
        return call, config
    said = {name: value for element, name, value, _ in config.attrs if element == "endpoint"}
    below = project.configs.get(said.get("connector-ref", ""))
    attrs = [*(below.attrs if below else ()), *config.attrs]
    call = structs.replace(call, connector=config.connector, attrs={**said, **call.attrs})
    return call, structs.replace(config, attrs=attrs)


def _flows(
    call: _Call, config: _Config | None, project: _Project, properties: Properties, context: Context
) -> Iterator[Item]:
    me = slug(project.name)
    if call.connector in _INTERNAL:
        return  # an endpoint under a name, of messages within the project
    evidence: list[Evidence] = [Evidence(call.file, call.line, importer="mule")]
    if config is not None and targets.serves(config.connector, config.element):
        return
    if targets.serves(call.connector, call.element) and not call.attrs.get("url"):
        return
    lost = bool(call.config and config is None and "${" not in call.config and not call.attrs.get("url"))
    if lost and call.config not in project.lost:
        project.lost.add(call.config or "")
        yield context.finding(
            "unresolved-config", f"{project.name}: no configuration is called {call.config!r}",
            context.files.get(call.file), call.line,
        )  # fmt: skip
    attrs = [
        *(config.attrs if config else ()),
        *((call.element, k, v, call.line) for k, v in call.attrs.items()),
    ]
    if config is not None:
        evidence.append(Evidence(config.file, config.line, importer="mule"))
    target = _target(call, config, attrs, project, properties)
    evidence.extend(Evidence(p.source, p.line, importer="mule") for p in target.properties if p.source)
    if not lost and call.connector != "endpoint":
        yield from _untold(call, config, attrs, target, project, context)
    if target.node is None:
        return
    if target.node.id.startswith(f"{me}/local-http") and _ports(attrs, properties) & _own_ports(
        project, properties
    ):
        return  # the project calls itself
    seen = tuple(dict.fromkeys(evidence))
    yield from _named(structs.replace(target.node, evidence=seen[1:2] or seen), project)
    yield from _used(
        call, _objects(call, config, properties), target.node.id, target, project, properties, seen, context
    )


def _untold(
    call: _Call, config: _Config | None, attrs: list[tuple[str, str, str, int]], target: targets.Target, project: _Project,
    context: Context,
) -> Iterator[Item]:  # fmt: skip
    """What the files do not say of a call's target: settings without a value, an address that is computed."""
    for key in target.missing:
        yield context.finding(
            "unresolved-setting", f"{project.name}: ${{{key}}} has no readable value in the project's properties",
            context.files.get(config.file if config else call.file), config.line if config else call.line,
        )  # fmt: skip
    if target.node is None:
        computed = next((v for _, _, v, _ in attrs if v.startswith("#[")), call.attrs.get("url", ""))
        text = f"{project.name}: the address of {call.config or call.element} is computed at run time: {excerpt(computed, 100)}"
        yield context.finding("unresolved-address", text, context.files.get(call.file), call.line)


def _used(
    call: _Call, objects: list[str], provider: str, target: targets.Target, project: _Project, properties: Properties,
    seen: tuple[Evidence, ...], context: Context,
) -> Iterator[Item]:  # fmt: skip
    """The flows of a call whose target is known; what lies with a broker is joined with who else uses it."""
    me = slug(project.name)
    source = bool(_SOURCE.search(call.element)) and target.protocol != "soap"
    # What another flow of the project calls too is started by both, and a sub-flow by who knows whom.
    others = [UNSCHEDULED] if any(c.schedule for c in project.calls) else []
    schedules = others if call.schedule is None else [properties.fill(s)[0] for s in call.schedule]
    if target.queue:
        role = "reads" if source else "writes"
        for name in objects or ["?"]:
            context.topic(
                role, me, name, seen, broker=provider, protocol=target.protocol, schedules=schedules
            )
        return
    mode = "async" if source and target.mode == "sync" else target.mode
    attributes: dict[str, Any] = {} if call.schedule is None else {"scheduled": True}
    if schedules:
        attributes["schedule"] = " | ".join(dict.fromkeys(schedules))
    for name in objects or [None]:
        yield Flow(
            consumer=me, provider=provider, object=name, mode=mode, protocol=target.protocol,
            evidence=seen, attributes=attributes,
        )  # fmt: skip


def _schedule(poller: XmlNode) -> str:
    """``<cron expression>`` and ``<fixed-frequency>``, and those of Mule 3."""
    for node in poller.walk():
        if node.name.endswith(("cron", "cron-scheduler")) and node.attrs.get("expression"):
            return node.attrs["expression"]
        if node.attrs.get("cronExpression"):
            return node.attrs["cronExpression"]
        frequency = node.attrs.get("frequency") or node.attrs.get("repeatInterval")
        if frequency and frequency != "0":
            return f"every {frequency} {node.attrs.get('timeUnit', 'MILLISECONDS').lower()}"
    return UNSCHEDULED


def _target(
    call: _Call, config: _Config | None, attrs: list[tuple[str, str, str, int]], project: _Project, properties: Properties
) -> targets.Target:  # fmt: skip
    alike = (call.connector, call.config, call.element, *call.attrs.items())
    found = project.resolved.get(alike)
    if found is None:
        connector = config.connector if config else call.connector
        found = project.resolved[alike] = targets.resolve(connector, attrs, properties, slug(project.name))
    return found


def _named(node: Node, project: _Project) -> Iterator[Node]:
    """The system, once for each place that tells of it."""
    told = (node.id, node.name, node.kind, node.aliases, node.evidence)
    if told not in project.named:
        project.named.add(told)
        yield node


def _own_ports(project: _Project, properties: Properties) -> set[str]:
    """Ports that the project itself listens on."""
    served = (c for c in project.configs.values() if targets.serves(c.connector, c.element))
    return {port for config in served for port in _ports(config.attrs, properties)}


def _ports(attrs: Iterable[tuple[str, str, str, int]], properties: Properties) -> set[str]:
    """Ports as numbers where they are known, else under their property's name."""
    return {properties.fill(value)[0] or value for _, name, value, _ in attrs if name == "port"}


def _objects(call: _Call, config: _Config | None, properties: Properties) -> list[str]:
    sql = call.sql or call.attrs.get("query", "")
    if sql.strip() and not sql.strip().startswith("#["):
        return tables_in(sql)[:20]
    for name in _OBJECT:
        value = call.attrs.get(name)
        if value:
            if name == "path" and config is not None:
                value = _below(config, value)
            filled = re.sub(r"^//+", "/", properties.fill(value)[0].strip())
            if filled and "#[" not in filled and "${" not in filled and filled != "/" and len(filled) < 120:
                return [filled]
    return []


def _below(config: _Config, path: str) -> str:
    """A path of a request below the base that its configuration gives."""
    base = next((v for e, k, v, _ in config.attrs if k == "basePath" and e == config.element), "")
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if base.strip("/") else path


@lru_cache(4096)
def _connector(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2].lower() if "/mule/" in uri or "mulesoft" in uri else ""
