"""Docker Compose: services, and the addresses in their environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from levada.landscape.importers._products import Product, by_word, kind_of_image
from levada.landscape.importers._settings import expand, settings_flows
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Node

__all__ = ["Compose"]

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
        variables = _dotenv(context, folder)
        for document in file.documents:
            services: Any = document.get("services") if isinstance(document, dict) else None
            if not isinstance(services, dict):
                continue
            for service, body in services.items():
                yield from self._service(
                    file,
                    context,
                    folder,
                    service,
                    body if isinstance(body, dict) else {},
                    services,
                    names,
                    variables,
                )

    def _project(self, folder: str, context: Context) -> set[str]:
        if folder not in self._services:
            names: set[str] = set()
            for file in context.within(folder):
                if self.recognise(file) > 0:
                    try:
                        documents = file.documents
                    except ValueError:
                        continue  # told when that file itself is read
                    for document in documents:
                        services: Any = document.get("services") if isinstance(document, dict) else None
                        names.update(str(s) for s in services or {})
            self._services[folder] = names
        return self._services[folder]

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
            attributes={"image": image} if image and "$" not in image else {},
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
        for flow in self._flows.values():
            yield self._typed(flow)
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


def scope(folder: str, name: str) -> str:
    """A name as an id: under its project's folder where it means another thing in every project."""
    parts = [p for p in folder.split("/") if p.lower() not in _PLACES]
    project = parts[-1] if parts else folder.rpartition("/")[2]
    return f"{project}.{name}" if name.lower() in GENERIC and project else name


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
