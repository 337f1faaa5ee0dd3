"""Spring Boot: ``application.yml`` and ``.properties``, bootstrap files, and those of a config server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from levada.landscape.importers._address import addresses, host_id, is_local
from levada.landscape.importers._programs import (
    Meaning,
    Program,
    Setting,
    flattened,
    local_calls,
    program_flows,
)
from levada.landscape.importers._properties import unescaped
from levada.landscape.importers._schedules import united
from levada.landscape.importers._spring_jobs import Jobs, Sources, module_of
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network._yaml import YamlError, read_yaml
from levada.network.graph import Evidence, Finding, Flow, Node
from levada.network.names import slug

__all__ = ["Spring", "mounted_flows"]

_OWN = re.compile(r"(application|bootstrap)(?:-([\w.,-]+))?\.(?:ya?ml|properties)\Z")
_SPRING = re.compile(
    r"^(?:spring|eureka|feign|zuul|ribbon|management)(?:\.[\w.-]+\s*[:=]|:)|^server:\s*\n(?:\s+#.*\n)*\s+(?:port|servlet)\s*:",
    re.MULTILINE,
)
_PROFILE = re.compile(
    r"-(prod|production|docker|kubernetes|k8s|cloud|dev|development|local|test|staging|stage|qa|uat)\Z"
)
_NOTHING = re.compile(
    r"^(?:logging|server|springdoc|swagger|info|eureka\.instance)\b|^management\.(?:server|endpoints?|health|info)\b"
    r"|^spring\.(?:mvc|web|jackson|thymeleaf|messages|banner|jpa|application|session|servlet)\b"
    r"|cors|allowedorigin|redirect|audience|scopes?\b|logout|frontend|fallback|schema|namespace|contextpath|callback"
    r"|\.(?:dialect|driverclassname|path|predicates(?:\[\d+\])?|filters.*)\Z"
)
_WHAT = (
    (
        re.compile(r"^eureka\.client\.serviceurl|^spring\.cloud\.(?:consul|zookeeper|nacos|kubernetes)"),
        "discovery",
    ),
    (re.compile(r"^spring\.config\.import|^spring\.cloud\.(?:config|vault)\b"), "configuration"),
    (
        re.compile(r"^management\.|^spring\.(?:zipkin|sleuth|boot\.admin)|^(?:otel|zipkin|jaeger|sentry)\b"),
        "telemetry",
    ),
)
_SIGN_ON = re.compile(
    r"oauth2|issuer|jwks?|wellknown|token(?:endpoint)?(?:uri|url)|accesstokenuri|userinfo|openid|authorizationu|keycloak"
)
_HOSTS = {
    "spring.data.mongodb": "mongodb", "spring.mongodb": "mongodb", "spring.redis": "redis", "spring.data.redis": "redis",
    "spring.rabbitmq": "amqp", "spring.mail": "smtp", "spring.artemis": "jms", "spring.cloud.consul": "http",
}  # fmt: skip
"""Prefixes whose ``host``, ``port`` and ``database`` are one address, and its scheme."""
_LISTS = (
    (re.compile(r"bootstrapservers\Z|^spring\.cloud\.stream\.kafka\..*brokers\Z"), "kafka"),
    (re.compile(r"^spring\.rabbitmq\.addresses\Z"), "amqp"),
    (re.compile(r"^spring\.(?:data\.)?redis\.(?:cluster|sentinel)\.nodes"), "redis"),
    (re.compile(r"^spring\.(?:data\.)?cassandra\.contactpoints"), "cassandra"),
    (re.compile(r"^spring\.(?:data\.)?elasticsearch\.(?:rest\.)?uris"), "http"),
)
_SURE = re.compile(
    r"^spring\.(?:datasource|r2dbc|data\.mongodb\.uri|activemq\.brokerurl|neo4j\.uri|ldap\.urls)"
)
_BINDING = re.compile(r"^spring\.cloud\.stream\.bindings\.([^.]+)\.destination\Z", re.IGNORECASE)
_ZUUL = re.compile(r"^zuul\.routes\.([^.]+)(?:\.(path|url|serviceid))?\Z")
_TOPIC = re.compile(r"(?:^|[.-])topics?(?:[.-]name)?\Z")


class _File(Struct):
    """What one settings file holds: of which program or of all in its folder, by profile."""

    folder: str
    stem: str
    own: bool
    settings: list[Setting]


class Spring:
    """A program is the folder of its settings files; those of a config server are named by the program."""

    name = "spring"
    formats: tuple[str, ...] = (
        "Spring Boot settings (application, bootstrap, a config server's; YAML and .properties, with profiles)",
    )
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._files: list[_File] = []

    def recognise(self, file: SourceFile) -> float:
        """By the name, or by Spring's own keys at the beginning of a line."""
        if file.suffix not in (".yml", ".yaml", ".properties") or re.search(
            r"^apiVersion:", file.head, re.MULTILINE
        ):
            return 0.0
        spring = bool(_SPRING.search(file.head))
        if _OWN.match(file.name):
            return 0.95 if spring or re.search(r"(^|/)(resources|config)/", file.source) else 0.5
        return 0.6 if spring else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Settings with their profile; programs are put together at the end."""
        if file.of_tests:
            yield context.finding("test-settings", "settings of tests; not read", file, severity="info")
            return
        own = _OWN.match(file.name)
        stem, profile = (own[1], own[2]) if own else _split(file, context)
        settings: list[Setting] = []
        self._files.append(_File(file.source.rpartition("/")[0], stem, own is not None, settings))
        if file.suffix == ".properties":
            documents = _properties(file.text)
        else:
            documents = (_rows(d) for d in file.documents)
        for document in documents:
            of = _profile(document) or profile
            for key, value, line in document:
                settings.append(Setting(key, value, context.at(file, line)[0], of))

    def finish(self, context: Context) -> Iterable[Item]:
        """The programs, what they use, and whom their calls of local ports mean."""
        programs = self._programs(context)
        ports: dict[int, set[str]] = {}
        for program in programs.values():
            port = program.value("server.port")
            if port and port.isdigit() and int(port):
                ports.setdefault(int(port), set()).add(program.id)
            if program.settings:
                first = program.settings[0].evidence
                yield Node(
                    id=program.id,
                    name=program.name,
                    kind="app",
                    aliases=(f"host:{program.name.lower()}",),
                    evidence=(first,),
                )
        names = {p.id: p.name for p in programs.values()}
        sources = Sources(context, (module_of(f"{f.folder}/") for f in self._files))
        for program in programs.values():
            yield from _topics(program, context)
            items = local_calls(program_flows(program, lambda s, p=program: _meaning(s, p)), ports, names)
            jobs = Jobs(program, sources)
            yield from united((i, jobs.schedules(i.evidence) if isinstance(i, Flow) else ()) for i in items)
            yield from _zuul(program)

    def _programs(self, context: Context) -> dict[str, Program]:
        out: dict[str, Program] = {}
        folders: dict[str, list[_File]] = {}
        for file in self._files:
            folders.setdefault(file.folder, []).append(file)
        for folder, files in folders.items():
            common = [s for f in files if f.own for s in f.settings]
            others = [f for f in files if not f.own]
            if others and not folder.endswith("resources") and not _named(common):
                for name in dict.fromkeys([*(f.stem for f in others), *_empty(folder, context)]):
                    program = out.setdefault(slug(name), Program(slug(name), name, []))
                    program.settings += [s for f in others if f.stem == name for s in f.settings] + common
                continue
            if not common or _camel(folder, common, context):
                continue  # nothing says whose these are, or the Camel importer reads them with its routes
            name = _named(common) or _project(folder, context)
            program = out.setdefault(slug(name), Program(slug(name), name, []))
            program.settings += [s for f in files for s in f.settings]
        return out


def _camel(folder: str, settings: Iterable[Setting], context: Context) -> bool:
    return any(s.plain.startswith("camel.") for s in settings) or any(
        ".camel." in f.name for f in context.within(folder)
    )


def _empty(folder: str, context: Context) -> Iterator[str]:
    """Programs whose file of a config server's folder is empty: they have the common settings."""
    for file in context.within(folder):
        if file.suffix in (".yml", ".yaml", ".properties") and not _OWN.match(file.name) and file.size < 3:
            yield file.name.rpartition(".")[0]


def _named(settings: Iterable[Setting]) -> str | None:
    found = (
        s.value
        for s in settings
        if s.plain == "spring.application.name" and "$" not in s.value and "@" not in s.value
    )
    return next(found, None)


def _project(folder: str, context: Context) -> str:
    """The artifact of the module's ``pom.xml``, or else its folder."""
    module = re.sub(r"/?(?:src/main/)?(?:resources|config)(?:/config)?\Z", "", folder)
    for file in context.within(module):
        if file.name == "pom.xml":
            try:
                found = file.xml.text_of("artifactId")
            except (Malformed, OSError):
                break
            if found and "$" not in found:
                return found
    if module:
        return module.rpartition("/")[2]
    return next(iter(context.files.values())).root.name or "spring"


def _split(file: SourceFile, context: Context) -> tuple[str, str | None]:
    """Program and profile of a config server's file: by the file beside it that has no profile, or by a known word."""
    stem = file.name.rpartition(".")[0]
    beside = {f.name.rpartition(".")[0] for f in context.within(file.source.rpartition("/")[0])} - {stem}
    base = max((b for b in beside if stem.startswith(f"{b}-")), key=len, default=None)
    if base is not None:
        return base, stem[len(base) + 1 :]
    known = _PROFILE.search(stem)
    return (stem[: known.start()], known[1]) if known else (stem, None)


def _profile(document: Iterable[tuple[str, str, int | None]]) -> str | None:
    held = {re.sub(r"[-_]", "", k.lower()): v for k, v, _ in document}
    return held.get("spring.config.activate.onprofile") or held.get("spring.profiles")


def mounted_flows(consumer: str, files: Iterable[tuple[str, str, Evidence]]) -> Iterator[Item]:
    """Flows of a program whose settings files stand in another file (a ConfigMap): name, text and place of each.

    What is no file of Spring's own names says nothing here.
    """
    program = Program(consumer, consumer, [])
    for name, text, seen in files:
        own = _OWN.match(name)
        if own is None:
            continue
        try:
            documents = list(_properties(text)) if name.endswith("s") else [_rows(d) for d in read_yaml(text)]
        except YamlError as exc:
            yield Finding(
                "malformed-file",
                "warning",
                f"{name} of {consumer} is not read: {exc}",
                seen.source,
                seen.line,
            )
            continue
        for document in documents:
            of = _profile(document) or own[2]
            program.settings += [Setting(key, value, seen, of) for key, value, _ in document]
    items = program_flows(program, lambda s: _meaning(s, program))
    yield from local_calls(items, {}, {consumer: consumer})


def _rows(document: Any) -> list[tuple[str, str, int | None]]:
    return list(flattened(document)) if isinstance(document, dict) else []


def _properties(text: str) -> Iterator[list[tuple[str, str, int | None]]]:
    rows: list[tuple[str, str, int | None]] = []
    held, begun = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not held and line.startswith(("#---", "!---")):
            yield rows
            rows = []
        elif held or (line and line[0] not in "#!"):
            begun = begun if held else number
            held += line.removesuffix("\\")
            if not line.endswith("\\"):
                found = re.match(r"((?:\\.|[^\s=:\\])+)\s*[=:\s]\s*(.*)\Z", held)
                if found:
                    rows.append((unescaped(found[1]), unescaped(found[2]), begun))
                held = ""
    yield rows


def _meaning(setting: Setting, program: Program) -> Meaning | None:
    key = setting.plain
    prefix, _, last = key.rpartition(".")
    if _NOTHING.search(key) or _ZUUL.match(key):
        return None
    what = next((w for pattern, w in _WHAT if pattern.search(key)), None)
    if last == "host" and prefix in _HOSTS:
        return Meaning(_HOSTS[prefix], what, url=_of_parts, sure=True)
    if prefix in _HOSTS and last in ("port", "username", "password", "database", "virtualhost"):
        return None
    for pattern, scheme in _LISTS:
        if pattern.search(key):
            return None if scheme == "kafka" and program.topics else Meaning(scheme, what, sure=True)
    if what is None and _SIGN_ON.search(key):
        return Meaning(protocol="oidc")
    return Meaning(what=what, sure=bool(_SURE.search(key) and last.endswith(("url", "uri", "urls"))))


def _of_parts(setting: Setting, program: Program) -> str:
    prefix = setting.key.rpartition(".")[0]
    port = program.value(f"{prefix}.port", setting.profile)
    database = program.value(f"{prefix}.database", setting.profile)
    scheme = _HOSTS[re.sub(r"[-_]", "", prefix.lower())]
    end = f":{port}" if port and port.isdigit() else ""
    return f"{scheme}://{setting.value}{end}" + (f"/{database}" if database and scheme == "mongodb" else "")


def _topics(program: Program, context: Context) -> Iterator[Item]:
    """Destinations of Spring Cloud Stream and the default topic; other topics are told, for nothing says which way."""
    settings = program.settings
    kafka = _broker(program, "kafka")
    rabbit = any(s.plain.startswith("spring.rabbitmq") for s in settings)
    for setting in settings:
        topic, seen = program.filled(setting), (setting.evidence,)
        binding = _BINDING.match(setting.key)
        if binding:
            role = _role(binding[1], settings)
            if role:
                broker, protocol = (_broker(program, "amqp"), "amqp") if rabbit else (kafka, "kafka")
                context.topic(role, program.id, topic, seen, broker=broker, protocol=protocol)
                program.topics = True
        elif setting.plain == "spring.kafka.template.defaulttopic":
            context.topic("writes", program.id, topic, seen, broker=kafka, protocol="kafka")
            program.topics = True
        elif _TOPIC.search(setting.key.lower()) and re.fullmatch(r"[\w.-]+", topic):
            text = f"{program.name} uses the topic {topic}; its settings do not say whether it writes or reads it"
            yield Finding("topic-role", "info", text, setting.evidence.source, setting.evidence.line)


def _role(binding: str, settings: Iterable[Setting]) -> Any:
    if re.search(r"-in-\d+\Z|(?:^|[a-z])[Ii]n(?:put)?\Z", binding):
        return "reads"
    if re.search(r"-out-\d+\Z|(?:^|[a-z])[Oo]ut(?:put)?\Z", binding):
        return "writes"
    group = f"spring.cloud.stream.bindings.{binding}.group".lower()
    return "reads" if any(s.key.lower() == group for s in settings) else None


def _broker(program: Program, scheme: str) -> str:
    """The id of the program's broker: its address's, or the product's."""
    keys = (
        ("spring.kafka.bootstrap-servers", "spring.cloud.stream.kafka.binder.brokers")
        if scheme == "kafka"
        else ("spring.rabbitmq.host",)
    )
    for key in keys:
        for setting in program.settings:
            if setting.plain == re.sub(r"[-_]", "", key):
                for address in addresses(f"{scheme}://{program.filled(setting)}"):
                    if not is_local(address.host):
                        return host_id(address.host)
    return "kafka" if scheme == "kafka" else "rabbitmq"


def _zuul(program: Program) -> Iterator[Item]:
    """Routes of Zuul: to a URL, to a service, or to the service of the route's own name."""
    routes: dict[str, dict[str, tuple[str, Evidence]]] = {}
    for setting in program.settings:
        found = _ZUUL.match(setting.key.lower().replace("-id", "id"))
        if found:
            routes.setdefault(found[1], {}).setdefault(
                found[2] or "path", (program.filled(setting), setting.evidence)
            )
    for name, route in routes.items():
        url, seen = route.get("url") or route.get("serviceid") or (name, next(iter(route.values()))[1])
        text = url if "://" in url else f"lb://{url}"
        routed = Program(program.id, program.name, [Setting(f"zuul.{name}.url", text, seen)])
        yield from local_calls(program_flows(routed, lambda _: Meaning()), {}, {program.id: program.name})
