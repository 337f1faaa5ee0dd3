"""Apache Camel: routes in YAML, XML and Java, Kamelet bindings and pipes."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any
from urllib.parse import unquote

from msgspec import Struct, structs

from levada.landscape.importers._address import addresses, is_local, node_of_host
from levada.landscape.importers._camel_routes import Endpoint, Routes, poll_of
from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers._products import by_word
from levada.landscape.importers._properties import Properties
from levada.landscape.importers._schedules import united
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers._xml import XmlNode
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
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
        "caffeine-cache",
        "caffeine-loadcache",
        "ehcache",
        "jcache",
        "jmx",
        "xquery",
        "micrometer",
        "stream",
        "sql-stored-in",
        "saga",
        "tarfile",
        "zipfile",
        "docling",
        "reactive-streams",
        "spring-ai-chat",
        "spring-ai-tools",
        "spring-ai-embeddings",
        "spring-ai-vector-store",
        "langchain4j-chat",
        "langchain4j-tools",
        "langchain4j-agent",
        "langchain4j-embeddings",
    ]
)
_TOPICS = frozenset(["kafka", "jms", "activemq", "activemq6", "amqp", "rabbitmq", "spring-rabbitmq", "sjms", "sjms2", "mqtt", "paho", "paho-mqtt5", "nats", "pulsar", "aws2-sqs", "aws2-sns", "google-pubsub", "azure-servicebus", "azure-eventhubs", "stomp", "solace"])  # fmt: skip
_STEPS = frozenset(["to", "toD", "tod", "wireTap", "enrich", "pollEnrich", "interceptSendToEndpoint"])
_MAIL = ("imap", "imaps", "pop3", "pop3s", "smtp", "smtps")
_DATABASES = frozenset(
    ["sql", "sql-stored", "jdbc", "jpa", "mybatis", "mybatis-bean", "hibernate", "spring-jdbc"]
)
_BROKERS = ("brokers", "bootstrapServers", "brokerURL", "brokerUrl", "remoteURI", "addresses", "serverName", "host", "hostName")  # fmt: skip
_ACTION = re.compile(r"-(action|filter|transform(?:er)?)$")


class Camel:
    """A file is an application; a binding or pipe is one under its own name."""

    name = "camel"
    formats: tuple[str, ...] = (
        "Camel YAML DSL",
        "Camel XML DSL and Spring XML",
        "KameletBinding, Pipe, Integration",
        "Camel Java DSL (endpoints written as text)",
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
        if file.suffix in (".java", ".kt", ".groovy"):
            camel = "org.apache.camel" in file.head or "RouteBuilder" in file.head
            return 0.8 if camel and "/src/test/" not in f"/{file.source}" and _JAVA.search(file.text) else 0.0
        if file.suffix == ".xml" and re.search(
            r"camel\.apache\.org/schema/|<(camel|camelContext|routes?)\b[^>]*>", file.head
        ):
            return 0.9 if "<from" in file.head or "camelContext" in file.head else 0.2
        return 0.0

    def __init__(self) -> None:
        self._routes = Routes()
        self._uses: list[_Use] = []
        self._opened = 0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The applications, and what their routes name; with properties of ``application.properties`` beside the file filled in."""
        values = _properties(file, context)
        self._routes.look(file, _group(file))
        if file.suffix == ".xml":
            yield self._application(_app(file), _xml_uris(file.xml), file, context, values)
            return
        if file.suffix in (".java", ".kt", ".groovy"):
            yield self._application(_java_app(file), _java_uris(file.text), file, context, values)
            return
        for document in file.documents:
            if isinstance(document, dict) and document.get("kind") in ("KameletBinding", "Pipe"):
                yield self._binding(document, file, context, values)
            elif isinstance(document, dict):
                name = str((document.get("metadata") or {}).get("name") or _app(file))
                yield self._application(name, _yaml_uris(document.get("spec") or {}), file, context, values)
            else:
                yield self._application(_app(file), _yaml_uris(document), file, context, values)

    def _application(
        self, name: str, uris: Iterable[Uri], file: SourceFile, context: Context, values: Mapping[str, str]
    ) -> Node:
        me = f"camel/{slug(name).replace('/', '-')}"
        begun = self._opened
        for uri in uris:
            route = begun + uri.route if uri.route else 0
            self._opened = max(self._opened, route)
            self._take(
                me, structs.replace(uri, route=route), context.at(file, uri.line), _group(file), values
            )
        return Node(id=me, name=name, kind="app", attributes={"tool": "camel"}, evidence=context.at(file, 1))

    def _take(
        self, me: str, uri: Uri, evidence: tuple[Evidence, ...], group: str, values: Mapping[str, str]
    ) -> None:
        if not uri.uri:
            self._routes.opened(uri.route, group)
            return
        endpoint = _endpoint_of(uri, values)
        self._routes.add(endpoint, group)
        self._uses.append(_Use(me, endpoint, evidence, values))

    def _binding(
        self, document: Mapping[str, Any], file: SourceFile, context: Context, values: Mapping[str, str]
    ) -> Node:
        meta: Any = document.get("metadata") or {}
        name = str(meta.get("name") or file.path.stem)
        me = f"camel/{slug(name).replace('/', '-')}"
        self._opened += 1
        spec: Any = document.get("spec") or {}
        steps: Any = spec.get("steps") or []
        ends = [(spec.get("source"), True), *((s, False) for s in steps), (spec.get("sink"), False)]
        for end, listens in ends:
            uri = _uri_of_end(end, listens, self._opened) if isinstance(end, dict) else None
            if uri is not None:
                self._take(me, uri, context.at(file, uri.line), _group(file), values)
        seen = context.at(file, line_of(meta, "name"))
        return Node(id=me, name=name, kind="app", attributes={"tool": "camel"}, evidence=seen)

    def finish(self, context: Context) -> Iterable[Item]:
        """What the endpoints lead to, each flow with the schedules of all routes that it belongs to."""
        schedules = self._routes.schedules(context)
        yield from united(
            (item, [poll] if poll else starts)
            for use, starts, poll in self._timed(schedules)
            for item in _endpoint(use, starts, context)
        )

    def _timed(self, schedules: Mapping[int, set[str]]) -> Iterator[tuple[_Use, set[str], str | None]]:
        for use in self._uses:
            yield use, schedules[use.endpoint.route], poll_of(use.endpoint) if use.endpoint.listens else None


class Uri(Struct, frozen=True):
    """An endpoint as a file names it, and the how manieth of the file's routes it belongs to (0: to none).

    One without an address begins a route in a way that cannot be read.
    """

    uri: str
    parameters: dict[str, Any]
    listens: bool
    line: int | None
    route: int


class _Use(Struct, frozen=True):
    me: str
    endpoint: Endpoint
    evidence: tuple[Evidence, ...]
    values: Mapping[str, str]


def _group(file: SourceFile) -> str:
    """The project, or folder, whose routes call each other."""
    before, inside, _ = f"/{file.source}".partition("/src/main/")
    return before.strip("/") if inside else file.source.rpartition("/")[0]


def _app(file: SourceFile) -> str:
    """The file's name under its project's: ``route.camel.yaml`` stands in many folders."""
    stem = re.sub(r"\.camel$", "", file.path.stem)
    folder = file.source.rpartition("/")[0].partition("/src/main/")[0].rpartition("/")[2]
    return stem if folder in ("", stem) else f"{folder}.{stem}"


def _properties(file: SourceFile, context: Context) -> dict[str, str]:
    """The application's properties beside the file, else among its project's resources."""
    names = ("application.properties", "application.yml", "application.yaml")
    found = context.beside(file, *names)
    project, inside, _ = f"/{file.source}".partition("/src/main/")
    if inside:
        found += [f for f in context.within(f"{project}/src/main/resources".strip("/")) if f.name in names]
    return {k: p.value for k, p in Properties(list(dict.fromkeys(found))).values.items()}


_JAVA = re.compile(
    r'(?<!//)(?<![\w"])(from|to|toD|wireTap|enrich|pollEnrich)(F?)\(\s*"([a-z][a-z0-9+-]*:[^"\n]*)"(\s*,)?'
)
_BEGINS = re.compile(r"(?<![\w\"])(?:from|fromF|rest|onException|onCompletion|errorHandler|intercept\w*)\(")


def _java_app(file: SourceFile) -> str:
    """The project's folder: the routes of a Java project are one application."""
    folder = f"/{file.source}".partition("/src/main/")[0].rpartition("/")[2]
    return (
        folder
        if "/src/main/" in f"/{file.source}" and folder
        else file.root.name
        if "/src/" in f"/{file.source}"
        else file.path.stem
    )


def _java_uris(text: str) -> Iterator[Uri]:
    code = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    code = re.sub(r"(?m)(?<!:)//.*$", "", code)
    begins = [m.start() for m in _BEGINS.finditer(code)]
    read: set[int] = set()
    for found in _JAVA.finditer(code):
        route, line = bisect(begins, found.start()), code.count("\n", 0, found.start()) + 1
        listens = found[1] == "from"
        if (not listens and route not in read) or (listens and found[4] and not found[2]):
            # It begins with an endpoint that is no text, with several, or handles what goes wrong elsewhere.
            yield Uri("", {}, True, line, route)
        read.add(route)
        yield Uri(found[3], {}, listens, line, route)


def _xml_uris(root: XmlNode) -> Iterator[Uri]:
    routes = [n for n in root.walk() if n.name == "route"]
    of = {id(n): number for number, route in enumerate(routes, 1) for n in route.walk()}
    for number, route in enumerate(routes, 1):
        if not any(n.name == "from" and n.attrs.get("uri") for n in route.walk()):
            yield Uri("", {}, True, route.line, number)
    for node in root.walk():
        uri = node.attrs.get("uri")
        if uri and (node.name in _STEPS or node.name == "from"):
            yield Uri(uri, {}, node.name == "from", node.line, of.get(id(node), 0))


def _yaml_uris(value: Any) -> Iterator[Uri]:
    return _uris_within(value, count(1), 0, 0)


def _uris_within(value: Any, numbers: Iterator[int], route: int, depth: int) -> Iterator[Uri]:
    if depth > 60:
        return
    if isinstance(value, dict):
        here = next(numbers) if "from" in value and not route else route
        for key, child in value.items():
            if key in _STEPS or key == "from":
                found = child.get("uri") if isinstance(child, dict) else child
                if isinstance(found, str):
                    held: Any = child.get("parameters") if isinstance(child, dict) else None
                    parameters = held if isinstance(held, dict) else {}
                    yield Uri(found, parameters, key == "from", line_of(value, key), here)
            yield from _uris_within(child, numbers, here, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _uris_within(child, numbers, route, depth + 1)


_WRAPPED = re.compile(r"^(?:master:[^:]*:|webhook:)", re.IGNORECASE)
"""What only says when or how another endpoint is used: ``master:LOCK:ftp:…``, ``webhook:telegram:…``."""


def _endpoint_of(uri: Uri, values: Mapping[str, str]) -> Endpoint:
    def filled(text: str) -> str:
        return re.sub(
            r"\{\{\??([^{}:]+)(?::([^{}]*))?\}\}",
            lambda m: values.get(m[1], m[2] if m[2] is not None else m[0]),
            text,
        )

    scheme, _, rest = _WRAPPED.sub("", filled(uri.uri)).partition(":")
    rest, _, query = rest.partition("?")
    options: dict[str, str] = {
        **{p.partition("=")[0]: unquote(p.partition("=")[2]) for p in query.split("&") if p},
        **{k: unquote(str(v)) for k, v in uri.parameters.items()},
    }
    options = {k: filled(v) for k, v in options.items()}
    return Endpoint(scheme.lower(), rest, options, uri.listens, uri.route)


_URLS = frozenset(
    ("http", "https", "netty", "netty4", "mina", "netty-http", "vertx-http", "ahc", "cxf", "cxfrs", "spring-ws", "grpc", "rest-openapi", "http4", "https4",
     "undertow", "ws", "wss", "ftp", "sftp", "ftps", *_MAIL)
)  # fmt: skip
"""Components whose endpoint is an address."""


def _endpoint(use: _Use, starts: Iterable[str], context: Context) -> Iterator[Item]:
    me, evidence, endpoint = use.me, use.evidence, use.endpoint
    scheme, rest, options, listens = endpoint.scheme, endpoint.rest, endpoint.options, endpoint.listens
    if scheme == "kamelet":
        yield from _kamelet(me, rest.split("/")[0], options, listens, evidence, context, starts)
    elif scheme in _OF_KUBERNETES:
        yield from _object(me, scheme, rest, options, listens, evidence, context, starts)
    elif scheme in _TOPICS:
        topic = (
            re.sub(r"^(queue|topic|temp-queue):", "", rest.lstrip("/"))
            or options.get("topic")
            or options.get("destinationName")
            or "?"
        )
        yield from _topic(me, scheme, topic, options, listens, evidence, context, starts)
    elif scheme in _URLS:
        if not listens or scheme in ("ftp", "sftp", "ftps", *_MAIL):
            base = {"http4": "http", "https4": "https"}.get(scheme, scheme)
            rest = options.get("httpUri", "") if not rest.strip("/") else rest
            url = rest if "://" in rest else f"{base}://{rest.lstrip('/')}"
            yield from url_flow(me, url.replace("netty-http://", "").replace("vertx-http://", ""), evidence)
    elif scheme == "file":
        rest = rest or options.get("directoryName", "")
        yield Node(id=f"{me}/files", name=f"Files of {me}", evidence=evidence)
        yield Flow(
            consumer=me,
            provider=f"{me}/files",
            object=rest or None,
            mode="file",
            protocol="file",
            evidence=evidence,
        )
    elif scheme in _DATABASES:
        yield from _database(me, scheme, rest, evidence, use.values)
    elif scheme not in _INTERNAL and scheme and "{" not in scheme:
        what = (
            options.get("table")
            or options.get("collection")
            or options.get("sObjectName")
            or (rest.lstrip("/") or None)
        )
        yield from _addressed(me, scheme, what, options, listens, evidence)


def _database(
    me: str, scheme: str, statement: str, evidence: tuple[Evidence, ...], values: Mapping[str, str]
) -> Iterator[Item]:
    """A component that speaks through a data source: the one of the project's properties, if it has one."""
    tables: list[str | None] = [*tables_in(unquote(statement))] if scheme.startswith("sql") else []
    found = [
        a
        for k, v in values.items()
        if re.search(r"(?i)(url|jdbc)$", k) and "jdbc:" in v
        for a in addresses(v, "URL")
    ]
    node = Node(id=f"{me}/database", name=f"Database of {me}", kind="db", evidence=evidence)
    if found and not is_local(found[0].host):
        node = structs.replace(node_of_host(found[0].host, evidence), kind="db")
    yield node
    protocol = found[0].how[1] if found else "jdbc"
    for table in tables or [None]:
        yield Flow(
            consumer=me, provider=node.id, object=table, mode="db", protocol=protocol, evidence=evidence
        )


def _kamelet(
    me: str, name: str, options: Mapping[str, str], listens: bool, evidence: tuple[Evidence, ...], context: Context,
    starts: Iterable[str],
) -> Iterator[Item]:  # fmt: skip
    if name in _INTERNAL or _ACTION.search(name) or _own_kamelet(name, context):
        return
    word = re.sub(r"-(source|sink)$", "", name)
    if word == name or word in _INTERNAL:
        return
    word = _base(word)
    if word == "http" or word == "http-secured" or word == "oauth-http":
        yield from url_flow(me, options.get("url", options.get("contentUrl", "")), evidence)
        return
    listens = listens or name.endswith("-source")
    topic = (
        options.get("topic")
        or options.get("destinationName")
        or options.get("queueNameOrArn")
        or options.get("topicNameOrArn")
    )
    product = by_word(word)
    if topic and (word in _TOPICS or (product is not None and product.kind == "broker")):
        yield from _topic(me, word, topic, options, listens, evidence, context, starts)
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


def _base(word: str) -> str:
    """What a Kamelet is made for, without how: ``kafka-not-secured-avro`` is Kafka."""
    parts = word.split("-")
    for kept in range(len(parts), 0, -1):
        shorter = "-".join(parts[:kept])
        if shorter in _TOPICS or by_word(shorter) is not None:
            return shorter
    return re.sub(r"-(secured|batch|streaming|create|update|delete|search|feed)$", "", word)


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
    context: Context, starts: Iterable[str],
) -> Iterator[Item]:  # fmt: skip
    product = by_word(scheme)
    broker, name = (product.id, product.name) if product else (scheme, scheme)
    given = (options.get(key, "") for key in _BROKERS)
    found = [a for text in given for a in addresses(text, "HOST")]
    if found and broker in ("kafka", "jms", "activemq", "rabbitmq"):
        outside = next((a.host for a in found if not is_local(a.host)), None)
        # A broker on the machine itself is another one for each project.
        broker = node_of_host(outside).id if outside else f"{_project(evidence)}{broker}"
        name = outside or f"{name} of {_project(evidence).strip('.')}"
    yield Node(id=broker, name=name, kind="broker", evidence=evidence)
    for one in topic.split(","):
        context.topic(
            "reads" if listens else "writes",
            me,
            one,
            evidence,
            broker=broker,
            protocol=product.id if product else scheme,
            schedules=starts,
        )


def _project(evidence: tuple[Evidence, ...]) -> str:
    folder = evidence[0].source.rpartition("/")[0].partition("/src/main/")[0].rpartition("/")[2]
    return f"{slug(folder)}." if folder else ""


def _uri_of_end(end: Mapping[str, Any], listens: bool, route: int) -> Uri | None:
    """An end of a binding as an endpoint; what is no Kamelet stands under its kind (``k8s-channel:orders``)."""
    reference: Any = end.get("ref") if isinstance(end.get("ref"), dict) else {}
    held: Any = end.get("properties")
    properties = held if isinstance(held, dict) else {}
    line = line_of(reference, "name") or line_of(end)
    if end.get("uri"):
        return Uri(str(end["uri"]), properties, listens, line, route)
    kind, name = str(reference.get("kind") or ""), reference.get("name")
    if not name:
        return None
    scheme = {
        "Kamelet": "kamelet", "KafkaTopic": "kafka", "Channel": "k8s-channel", "InMemoryChannel": "k8s-channel",
        "Broker": "k8s-channel",
    }.get(kind, "k8s-object")  # fmt: skip
    return Uri(f"{scheme}:{name}", properties, listens, line, route)


_OF_KUBERNETES = frozenset(("k8s-channel", "k8s-object"))


def _object(
    me: str, scheme: str, name: str, options: Mapping[str, str], listens: bool, evidence: tuple[Evidence, ...],
    context: Context, starts: Iterable[str],
) -> Iterator[Item]:  # fmt: skip
    if scheme == "k8s-channel":
        topic = options.get("type") or name
        yield Node(id="knative", name="Knative Eventing", kind="broker", evidence=evidence)
        context.topic(
            "reads" if listens else "writes", me, topic, evidence, broker="knative", schedules=starts
        )
    else:
        yield Flow(consumer=me, provider=name, mode="sync", protocol="http", evidence=evidence)
