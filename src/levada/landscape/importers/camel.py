"""Apache Camel: routes in YAML and XML, Kamelet bindings and pipes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from levada.landscape.importers._address import addresses, is_local, node_of_host
from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers._products import by_word
from levada.landscape.importers._xml import XmlNode
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["Camel"]

_INTERNAL = frozenset(
    [
        "direct",
        "seda",
        "vm",
        "timer",
        "log",
        "mock",
        "bean",
        "class",
        "ref",
        "dataformat",
        "language",
        "scheduler",
        "quartz",
        "cron",
        "stub",
        "validator",
        "xslt",
        "xslt-saxon",
        "jslt",
        "freemarker",
        "velocity",
        "mustache",
        "jq",
        "controlbus",
        "dataset",
        "browse",
        "random",
        "string-template",
        "rest",
        "rest-api",
        "platform-http",
        "netty-http-in",
        "servlet",
        "undertow",
        "jetty",
        "chunk",
        "file-watch",
        "disruptor",
        "spring-event",
        "vertx-websocket-in",
        "exec",
        "json-schema-validator",
        "jsonata",
        "joltx",
        "jolt",
        "atlasmap",
        "knative-in",
        "timer-source",
        "cron-source",
        "log-sink",
        "log-action",
        "webhook-source",
        "throttle",
        "micrometer",
        "stream",
        "sql-stored-in",
        "saga",
        "tarfile",
        "zipfile",
        "docling",
    ]
)
_TOPICS = frozenset(["kafka", "jms", "activemq", "activemq6", "amqp", "rabbitmq", "spring-rabbitmq", "sjms", "sjms2", "mqtt", "paho", "paho-mqtt5", "nats", "pulsar", "aws2-sqs", "aws2-sns", "google-pubsub", "azure-servicebus", "azure-eventhubs", "stomp", "solace"])  # fmt: skip
_STEPS = frozenset(["to", "toD", "tod", "wireTap", "enrich", "pollEnrich", "interceptSendToEndpoint"])
_ACTION = re.compile(r"-(action|filter|transform(?:er)?)$")


class Camel:
    """A file is an application; a binding or pipe is one under its own name."""

    name = "camel"
    formats: tuple[str, ...] = (
        "Camel YAML DSL",
        "Camel XML DSL and Spring XML",
        "KameletBinding, Pipe, Integration",
    )
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """Camel's API group, its XML namespace, or routes."""
        if file.suffix in (".yaml", ".yml"):
            if re.search(r"apiVersion:\s*camel\.apache\.org/", file.head):
                return 0.0 if re.search(r"^kind:\s*Kamelet\s*$", file.head, re.MULTILINE) else 1.0
            return (
                0.9
                if re.search(r"^- (route|from|rest|routeConfiguration|beans):", file.head, re.MULTILINE)
                and "uri:" in file.head
                else 0.0
            )
        if file.suffix == ".xml" and re.search(
            r"camel\.apache\.org/schema/|<(camel|camelContext|routes?)\b[^>]*>", file.head
        ):
            return 0.9 if "<from" in file.head or "camelContext" in file.head else 0.2
        return 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Endpoints that lead outside, with properties of ``application.properties`` beside the file filled in."""
        values = _properties(file, context)
        if file.suffix == ".xml":
            yield from _endpoints(_app(file), _xml_uris(file.xml), file, context, values)
            return
        for document in file.documents:
            if isinstance(document, dict) and document.get("kind") in ("KameletBinding", "Pipe"):
                yield from _binding(document, file, context, values)
            elif isinstance(document, dict):
                name = str((document.get("metadata") or {}).get("name") or _app(file))
                yield from _endpoints(name, _yaml_uris(document.get("spec") or {}, 0), file, context, values)
            else:
                yield from _endpoints(_app(file), _yaml_uris(document, 0), file, context, values)


Uri = tuple[str, dict[str, Any], bool, int | None]


def _app(file: SourceFile) -> str:
    """The file's name under its project's: ``route.camel.yaml`` stands in many folders."""
    stem = re.sub(r"\.camel$", "", file.path.stem)
    folder = file.source.rpartition("/")[0].partition("/src/main/")[0].rpartition("/")[2]
    return stem if folder in ("", stem) else f"{folder}.{stem}"


def _properties(file: SourceFile, context: Context) -> dict[str, str]:
    values: dict[str, str] = {}
    for other in context.beside(file, "application.properties"):
        try:
            lines = other.text.splitlines()
        except Malformed:
            continue  # told when it is read itself
        for line in lines:
            key, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith("#"):
                values[key.strip()] = value.strip()
    return values


def _xml_uris(root: XmlNode) -> Iterator[Uri]:
    for node in root.walk():
        uri = node.attrs.get("uri")
        if uri and (node.name in _STEPS or node.name == "from"):
            yield uri, {}, node.name == "from", node.line


def _yaml_uris(value: Any, depth: int) -> Iterator[Uri]:
    if depth > 60:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if key in _STEPS or key == "from":
                uri = (
                    child if isinstance(child, str) else child.get("uri") if isinstance(child, dict) else None
                )
                if isinstance(uri, str):
                    parameters: Any = child.get("parameters") if isinstance(child, dict) else None
                    yield (
                        uri,
                        parameters if isinstance(parameters, dict) else {},
                        key == "from",
                        line_of(value, key),
                    )
            yield from _yaml_uris(child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _yaml_uris(child, depth + 1)


def _endpoints(
    name: str, uris: Iterable[Uri], file: SourceFile, context: Context, values: Mapping[str, str]
) -> Iterator[Item]:
    me = f"camel/{slug(name).replace('/', '-')}"
    yield Node(id=me, name=name, kind="app", attributes={"tool": "camel"}, evidence=context.at(file, 1))
    for uri, parameters, listens, line in uris:
        yield from _endpoint(me, uri, parameters, listens, context.at(file, line), context, values)


def _endpoint(
    me: str, uri: str, parameters: Mapping[str, Any], listens: bool, evidence: tuple[Evidence, ...],
    context: Context, values: Mapping[str, str],
) -> Iterator[Item]:  # fmt: skip
    uri = re.sub(
        r"\{\{([^{}:]+)(?::([^{}]*))?\}\}",
        lambda m: values.get(m[1], m[2] if m[2] is not None else m[0]),
        uri,
    )
    scheme, _, rest = uri.partition(":")
    rest, _, query = rest.partition("?")
    scheme = scheme.lower()
    options: dict[str, str] = {
        **{p.partition("=")[0]: p.partition("=")[2] for p in query.split("&") if p},
        **{k: str(v) for k, v in parameters.items()},
    }
    options = {
        k: re.sub(r"\{\{([^{}]+)\}\}", lambda m: values.get(m[1], m[0]), unquote(v))
        for k, v in options.items()
    }
    if scheme == "kamelet":
        yield from _kamelet(me, rest.split("/")[0], options, listens, evidence, context)
    elif scheme in _TOPICS:
        topic = (
            re.sub(r"^(queue|topic|temp-queue):", "", rest.lstrip("/"))
            or options.get("topic")
            or options.get("destinationName")
            or "?"
        )
        yield from _topic(me, scheme, topic, options, listens, evidence, context)
    elif scheme in (
        "http",
        "https",
        "netty-http",
        "vertx-http",
        "ahc",
        "cxf",
        "cxfrs",
        "spring-ws",
        "grpc",
        "rest-openapi",
        "http4",
        "https4",
        "undertow",
        "ws",
        "wss",
        "ftp",
        "sftp",
        "ftps",
    ):
        if not listens or scheme in ("ftp", "sftp", "ftps"):
            base = {"http4": "http", "https4": "https"}.get(scheme, scheme)
            rest = options.get("httpUri", "") if not rest.strip("/") else rest
            url = rest if "://" in rest else f"{base}://{rest.lstrip('/')}"
            yield from url_flow(me, url.replace("netty-http://", "").replace("vertx-http://", ""), evidence)
    elif scheme == "file":
        yield Node(id=f"{me}/files", name=f"Files of {me}", evidence=evidence)
        yield Flow(
            consumer=me,
            provider=f"{me}/files",
            object=rest or None,
            mode="file",
            protocol="file",
            evidence=evidence,
        )
    elif scheme not in _INTERNAL and scheme and "{" not in scheme:
        what = (
            options.get("table")
            or options.get("collection")
            or options.get("sObjectName")
            or (rest.lstrip("/") or None)
        )
        yield from _addressed(me, scheme, what, options, listens, evidence)


def _kamelet(
    me: str, name: str, options: Mapping[str, str], listens: bool, evidence: tuple[Evidence, ...], context: Context,
) -> Iterator[Item]:  # fmt: skip
    if name in _INTERNAL or _ACTION.search(name) or _own_kamelet(name, context):
        return
    word = re.sub(r"-(source|sink)$", "", name)
    if word == name or word in _INTERNAL:
        return
    word = re.sub(
        r"-(not-secured|secured|scram|batch|streaming|azure-schema-registry|apicurio-registry.*|avro.*|create|update|delete|search|feed)$",
        "",
        word,
    )
    if word == "http" or word == "http-secured" or word == "oauth-http":
        yield from url_flow(me, options.get("url", options.get("contentUrl", "")), evidence)
        return
    while by_word(word) is None and "-" in word and by_word(word.rpartition("-")[0]) is not None:
        word = word.rpartition("-")[0]
    listens = listens or name.endswith("-source")
    topic = (
        options.get("topic")
        or options.get("destinationName")
        or options.get("queueNameOrArn")
        or options.get("topicNameOrArn")
    )
    base = re.sub(r"^(jms)-(amqp|apache-activemq|apache-artemis|ibm-mq|pooled.*)$", r"\1", word)
    if (
        topic
        and (by_word(base) is not None or base in _TOPICS)
        and (getattr(by_word(base), "kind", "") == "broker" or base in _TOPICS)
    ):
        yield from _topic(me, base, topic, options, listens, evidence, context)
        return
    what = (
        options.get("tableName")
        or options.get("table")
        or options.get("collection")
        or options.get("bucketNameOrArn")
        or options.get("sObjectName")
        or options.get("query")
    )
    yield from _addressed(me, word, what, options, listens, evidence)


def _own_kamelet(name: str, context: Context) -> bool:
    """Is it defined in the import itself? Then its definition tells, not its name."""
    return any(s.endswith(f"/{name}.kamelet.yaml") or s == f"{name}.kamelet.yaml" for s in context.files)


def _addressed(
    me: str,
    word: str,
    what: str | None,
    options: Mapping[str, str],
    listens: bool,
    evidence: tuple[Evidence, ...],
) -> Iterator[Item]:
    """A connector, at the host that its options name, else as its product."""
    product = by_word(word)
    if what is not None and (len(what) > 60 or "{" in what or " " in what):
        what = None
    for key in (
        "serverName",
        "host",
        "hosts",
        "url",
        "server",
        "brokers",
        "bootstrapServers",
        "brokerURL",
        "addresses",
    ):
        for address in addresses(options.get(key, ""), "HOST"):
            if not is_local(address.host) and product is not None and product.kind in ("db", "broker"):
                node = node_of_host(address.host, evidence)
                yield Node(
                    id=node.id, name=node.name, kind=product.kind, aliases=node.aliases, evidence=evidence
                )
                mode = "db" if product.kind == "db" else "async"
                yield Flow(
                    consumer=me,
                    provider=node.id,
                    object=what or options.get("databaseName"),
                    mode=mode,
                    protocol=product.id,
                    evidence=evidence,
                )
                return
    yield from connector_flow(me, word, evidence, what=what, listens=listens)


def _topic(
    me: str, scheme: str, topic: str, options: Mapping[str, str], listens: bool, evidence: tuple[Evidence, ...],
    context: Context,
) -> Iterator[Item]:  # fmt: skip
    product = by_word(scheme)
    broker, name = (product.id, product.name) if product else (scheme, scheme)
    for key in ("brokers", "bootstrapServers", "brokerURL", "brokerUrl", "remoteURI", "addresses"):
        for address in addresses(options.get(key, ""), "HOST"):
            if not is_local(address.host) and broker in ("kafka", "jms", "activemq", "rabbitmq"):
                broker = node_of_host(address.host).id
                name = address.host
                break
    yield Node(id=broker, name=name, kind="broker", evidence=evidence)
    for one in topic.split(","):
        context.topic(
            "reads" if listens else "writes",
            me,
            one,
            evidence,
            broker=broker,
            protocol=product.id if product else scheme,
        )


def _binding(
    document: Mapping[str, Any], file: SourceFile, context: Context, values: Mapping[str, str]
) -> Iterator[Item]:
    meta: Any = document.get("metadata") or {}
    name = str(meta.get("name") or file.path.stem)
    me = f"camel/{slug(name).replace('/', '-')}"
    yield Node(
        id=me,
        name=name,
        kind="app",
        attributes={"tool": "camel"},
        evidence=context.at(file, line_of(meta, "name")),
    )
    spec: Any = document.get("spec") or {}
    steps: Any = spec.get("steps") or []
    for end, listens in [(spec.get("source"), True), *((s, False) for s in steps), (spec.get("sink"), False)]:
        if not isinstance(end, dict):
            continue
        reference: Any = end.get("ref") if isinstance(end.get("ref"), dict) else {}
        properties: Any = end.get("properties") if isinstance(end.get("properties"), dict) else {}
        options = {str(k): str(v) for k, v in properties.items()}
        evidence = context.at(file, line_of(reference, "name") or line_of(end))
        kind = str(reference.get("kind") or "")
        if end.get("uri"):
            yield from _endpoint(me, str(end["uri"]), options, listens, evidence, context, values)
        elif kind == "Kamelet":
            yield from _kamelet(me, str(reference.get("name")), options, listens, evidence, context)
        elif kind == "KafkaTopic":
            yield from _topic(me, "kafka", str(reference.get("name")), options, listens, evidence, context)
        elif kind in ("Channel", "InMemoryChannel", "Broker"):
            topic = str(options.get("type") or reference.get("name"))
            yield Node(id="knative", name="Knative Eventing", kind="broker", evidence=evidence)
            context.topic("reads" if listens else "writes", me, topic, evidence, broker="knative")
        elif reference.get("name"):
            yield Flow(
                consumer=me, provider=str(reference["name"]), mode="sync", protocol="http", evidence=evidence
            )
