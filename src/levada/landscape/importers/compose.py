"""Docker Compose: services, and the addresses in their environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from levada.landscape.importers._products import Product, by_word, kind_of_image
from levada.landscape.importers._settings import expand, settings_flows, used_once
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Node

__all__ = ["Compose", "container_of", "scope"]

GENERIC = frozenset(
    [
        "db",
        "database",
        "postgres",
        "postgresql",
        "mysql",
        "mariadb",
        "mongo",
        "mongodb",
        "redis",
        "cache",
        "web",
        "app",
        "api",
        "server",
        "backend",
        "frontend",
        "nginx",
        "proxy",
        "worker",
        "rabbitmq",
        "kafka",
        "zookeeper",
        "broker",
        "queue",
        "mq",
        "sql",
        "sqldata",
        "minio",
        "elasticsearch",
        "keycloak",
    ]
)
"""Names that mean another thing in every project; they stand under their project's."""

_PLACES = frozenset(
    [
        "docker-compose",
        "docker",
        "compose",
        "deploy",
        "deployment",
        "deployments",
        "infra",
        "infrastructure",
        "local",
        "dev",
        "src",
    ]
)
"""Folders that name a purpose, not a project."""

_TESTS = re.compile(r"(^|/)(tests?|e2e|integration[-_]?tests?)/|[.-](tests?|e2e)\.ya?ml$", re.IGNORECASE)

_IMAGE_HINTS = re.compile(r"(?:^|/)(?:compose|docker-compose)[^/]*\.ya?ml$")


class Compose:
    """A project is a folder: its compose files, override files and ``.env`` are read together."""

    name = "docker-compose"
    formats: tuple[str, ...] = ("Docker Compose files, their .env and env_file",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._services: dict[str, set[str]] = {}
        self._products: dict[str, Product] = {}
        self._flows: dict[str, Flow] = {}
        self._starts: list[Flow] = []
        self._known: set[str] | None = None

    def recognise(self, file: SourceFile) -> float:
        """By the name, or by ``services:`` with images or builds."""
        if file.suffix not in (".yml", ".yaml"):
            return 0.0
        if not re.search(r"^services:", file.head, re.MULTILINE):
            return 0.0
        if _IMAGE_HINTS.search("/" + file.source):
            return 1.0
        return 0.8 if re.search(r"^\s+(image|build|environment):", file.head, re.MULTILINE) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Services as systems; addresses as configured flows; ``depends_on`` as declared ones."""
        folder = file.source.rpartition("/")[0]
        names = self._project(folder, context)
        if _TESTS.search(file.source) and self._deployed(file, context):
            yield context.finding(
                "test-settings", "services as tests start them; not read", file, severity="info"
            )
            return
        variables = _dotenv(context, folder)
        whole = self.whole(folder, context)
        for document in file.documents:
            services: Any = document.get("services") if isinstance(document, dict) else None
            if not isinstance(services, dict):
                continue
            for service, body in services.items():
                yield from self._service(
                    file,
                    context,
                    whole,
                    service,
                    body if isinstance(body, dict) else {},
                    services,
                    names,
                    variables,
                )

    def _project(self, folder: str, context: Context) -> set[str]:
        if folder not in self._services:
            files = [f for f in context.within(folder) if self.recognise(f) > 0]
            names: set[str] = set().union(*(self._names(f) for f in files))
            self._services[folder] = names
        return self._services[folder]

    def whole(self, folder: str, context: Context) -> str:
        """The folder of the project that this one is a part of: the highest above it whose services have names in common."""
        own = {n for n in self._project(folder, context) if n.lower() not in GENERIC}
        found = above = folder
        while above:
            above = above.rpartition("/")[0]
            if own & self._project(above, context):
                found = above
        return found

    def _deployed(self, file: SourceFile, context: Context) -> bool:
        """Does a compose file that is not for tests know one of its services?"""
        names = {n for n in self._names(file) if n.lower() not in GENERIC}
        others = (
            f for f in context.files.values() if self.recognise(f) == 1.0 and not _TESTS.search(f.source)
        )
        return any(names & self._names(other) for other in others)

    @staticmethod
    def _names(file: SourceFile) -> set[str]:
        try:
            documents = file.documents
        except ValueError:
            return set()  # told when that file itself is read
        services: list[Any] = [d.get("services") for d in documents if isinstance(d, dict)]
        return {str(n) for s in services if isinstance(s, dict) for n in s}

    def _service(
        self, file: SourceFile, context: Context, folder: str, service: str, body: Mapping[str, Any],
        services: Any, names: set[str], variables: dict[str, str],
    ) -> Iterator[Item]:  # fmt: skip
        system = scope(folder, service)
        image = expand(str(body.get("image") or ""), variables)
        yield Node(
            id=system,
            name=service,
            kind=kind_of_image(image) or ("app" if body.get("build") or image else None),
            aliases=tuple(f"host:{scope(folder, h)}" for h in _hosts(service, body)),
            attributes=_made_of(image, body),
            evidence=context.at(file, line_of(services, service)),
        )
        product = by_word(image.rpartition("/")[2].split(":")[0])
        if product:
            self._products[system] = product
        settings = list(_environment(file, context, body, variables))
        found = settings_flows(system, settings, own=_hosts(service, body), known=names)
        for item in self._scoped(folder, names, found):
            if isinstance(item, Flow):
                held = self._flows.get(item.id)
                evidence = (*(held.evidence if held else ()), *item.evidence)
                self._flows[item.id] = structs.replace(item, evidence=evidence)
            else:
                yield item
        for other, line in _depends(body):
            if other in names:
                self._starts.append(
                    Flow(
                        consumer=system,
                        provider=scope(folder, other),
                        evidence=context.at(file, line, status="declared"),
                        attributes={"by": "depends_on"},
                    )
                )

    def finish(self, _context: Context) -> Iterable[Item]:
        """The flows: a database or broker is used as one; a start order counts where nothing else is known."""
        yield from used_once(self._typed(flow) for flow in self._flows.values())
        pairs = {(f.consumer, f.provider) for f in self._flows.values()}
        for flow in self._starts:
            if (flow.consumer, flow.provider) not in pairs:
                yield flow

    def _typed(self, flow: Flow) -> Flow:
        product = self._products.get(flow.provider)
        if flow.protocol is not None or product is None or product.kind not in ("db", "broker"):
            return flow
        protocol = {"postgresql": "postgres", "rabbitmq": "amqp"}.get(product.id, product.id)
        return structs.replace(flow, mode="db" if product.kind == "db" else "async", protocol=protocol)

    @staticmethod
    def _scoped(folder: str, names: set[str], items: Iterator[Item]) -> Iterator[Item]:
        """Hosts that are services of this project, under the project's own name for them."""
        for item in items:
            if isinstance(item, Node) and item.id.startswith("host:") and item.id[5:] in names:
                continue
            if isinstance(item, Flow) and item.provider.startswith("host:") and item.provider[5:] in names:
                yield structs.replace(item, provider=scope(folder, item.provider[5:]))
            else:
                yield item


def container_of(file: SourceFile, context: Context) -> str | None:
    """The id of the one service, of a compose file in its folder or above, that has this file in its container."""
    reader, folder, found = Compose(), file.source.rpartition("/")[0], set[str]()
    for _ in range(4):
        for other in context.within(folder):
            if reader.recognise(other) > 0 and file.name in other.head:
                whole = reader.whole(folder, context)
                found |= {scope(whole, s) for s in _with_file(file.source, other, folder)}
        if found or not folder:
            break
        folder = folder.rpartition("/")[0]
    return found.pop() if len(found) == 1 else None


def _with_file(source: str, compose: SourceFile, folder: str) -> Iterator[str]:
    try:
        documents = compose.documents
    except ValueError:
        return  # told when that file itself is read
    for document in documents:
        services: Any = document.get("services") if isinstance(document, dict) else None
        named: Any = document.get("configs") if isinstance(document, dict) else None
        configs = {
            k: _joined(folder, str(v["file"]))
            for k, v in (named or {}).items()
            if isinstance(v, dict) and v.get("file")
        }
        for service, body in services.items() if isinstance(services, dict) else ():
            paths = [
                *_files_of(body, folder),
                *(configs.get(c, "") for c in _listed(body, "configs", "source")),
            ]
            if source in paths:
                yield str(service)


def _files_of(body: Any, folder: str) -> Iterator[str]:
    """Files that a service mounts, or is built with."""
    for volume in _listed(body, "volumes", "source"):
        yield _joined(folder, volume.partition(":")[0])
    build: Any = body.get("build") if isinstance(body, dict) else None
    arguments: Any = build.get("args") if isinstance(build, dict) else None
    values = (
        arguments.values()
        if isinstance(arguments, dict)
        else (str(a).partition("=")[2] for a in arguments or ())
    )
    context = _joined(folder, str(build.get("context") or "")) if isinstance(build, dict) else folder
    yield from (_joined(context, str(v)) for v in values)


def _listed(body: Any, key: str, member: str) -> Iterator[str]:
    entries: Any = body.get(key) if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        yield str(entry.get(member) or "") if isinstance(entry, dict) else str(entry)


def scope(folder: str, name: str) -> str:
    """A name as an id: under its project's folder where it means another thing in every project."""
    parts = [p for p in folder.split("/") if p.lower() not in _PLACES]
    project = parts[-1] if parts else folder.rpartition("/")[2]
    return f"{project}.{name}" if name.lower() in GENERIC and project else name


def _made_of(image: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The image, or where none is named the folder that it is built from."""
    build: Any = body.get("build")
    folder = (
        str((build.get("context") or "") if isinstance(build, dict) else build or "")
        .rstrip("/")
        .rpartition("/")[2]
    )
    if image and "$" not in image:
        return {"image": image}
    bare = re.sub(r"\$\{[^}]*\}", "", image).strip("/:")
    return {"image": bare} if bare else {"image": folder} if folder.strip(".") else {}


def _hosts(service: str, body: Mapping[str, Any]) -> list[str]:
    hosts = [service, *(str(body[k]) for k in ("container_name", "hostname") if isinstance(body.get(k), str))]
    networks: Any = body.get("networks")
    for network in networks.values() if isinstance(networks, dict) else ():
        if isinstance(network, dict):
            hosts.extend(str(a) for a in network.get("aliases") or ())
    return list(dict.fromkeys(h for h in hosts if "$" not in h))


def _environment(
    file: SourceFile, context: Context, body: Mapping[str, Any], variables: dict[str, str]
) -> Iterator[tuple[str, Any, tuple[Evidence, ...]]]:
    environment: Any = body.get("environment") or {}
    if isinstance(environment, dict):
        for name, value in environment.items():
            if value is not None:
                yield name, expand(str(value), variables), context.at(file, line_of(environment, name))
    elif isinstance(environment, list):
        for number, entry in enumerate(environment):
            name, equals, value = str(entry).partition("=")
            value = value if equals else variables.get(name, "")
            yield name, expand(value, variables), context.at(file, line_of(environment, number))
    for key in ("command", "entrypoint"):
        value: Any = body.get(key)
        if value:
            text = " ".join(str(v) for v in value) if isinstance(value, list) else str(value)
            yield "COMMAND_URL", expand(text, variables), context.at(file, line_of(body, key))
    env_files: Any = body.get("env_file") or ()
    for entry in [env_files] if isinstance(env_files, str | dict) else env_files:
        path = str(entry.get("path", "") if isinstance(entry, dict) else entry)
        other = context.files.get(_joined(file.source.rpartition("/")[0], path))
        if other is not None:
            for name, value, line in _env_lines(other):
                yield name, expand(value, variables), context.at(other, line)


def _joined(folder: str, path: str) -> str:
    parts = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _depends(body: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    depends: Any = body.get("depends_on") or ()
    if isinstance(depends, dict):
        yield from ((name, line_of(depends, name)) for name in depends)
    elif isinstance(depends, list):
        yield from ((str(name), line_of(depends, n)) for n, name in enumerate(depends))
    links: Any = body.get("links") or ()
    yield from ((str(link).partition(":")[0], line_of(links, n)) for n, link in enumerate(links))


def _dotenv(context: Context, folder: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in (".env", ".env.override"):
        for file in context.within(folder):
            if file.name == name:
                values.update({k: v for k, v, _ in _env_lines(file)})
    return values


def _env_lines(file: SourceFile) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(file.text.splitlines(), 1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            yield name.strip(), _plain(value.strip()), number


def _plain(value: str) -> str:
    """A value of a ``.env`` without its quotes, or else without the comment behind it."""
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
