"""Proxies and gateways: nginx, Envoy and Kong configurations, routes to upstreams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import structs

from levada.landscape.importers._address import Address, addresses, flow_to, is_local
from levada.landscape.importers._settings import expand
from levada.landscape.importers._templates import documents_of
from levada.landscape.importers.compose import container_of, scope
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Mode, Node
from levada.network.names import slug

__all__ = ["Envoy", "Kong", "Nginx"]


def _gateway(file: SourceFile, fallback: str, context: Context) -> str:
    """The container that has the configuration; else its file's name, or that of the folder where it is one of many."""
    if (container := container_of(file, context)) is not None:
        return container
    stem = file.path.stem.split(".")[0]
    folder = file.source.rpartition("/")[0]
    if stem not in ("nginx", "envoy", "default", "kong", "conf", "config"):
        return scope(folder, slug(stem))
    parts = [
        p
        for p in folder.split("/")
        if p not in ("conf", "config", "conf.d", "etc", "nginx", "envoy", "kong", "src")
    ]
    return slug(parts[-1]) if parts and parts[-1] else fallback


def _path(text: str) -> str | None:
    """A path that is routed; of an expression what it begins with, and nothing of a place within the proxy (``@again``)."""
    begun = re.split(r"[\\(\[*+?|{]", text.lstrip("~^ ").removesuffix("$"))[0]
    return begun if begun.startswith("/") else None


def _routed(me: str, address: Address, seen: tuple[Evidence, ...], what: str | None) -> Iterator[Item]:
    if not is_local(address.host) and "$" not in address.host:
        yield from flow_to(me, address, seen, what=what)


def _values_beside(file: SourceFile, context: Context) -> dict[str, str]:
    """What a template's variables are set to by the image it is built into (``ENV`` of the Dockerfile beside it)."""
    values: dict[str, str] = {}
    for other in context.beside(file, "Dockerfile"):
        text = re.sub(r"\\\n", " ", other.text)
        for line in re.findall(r"(?m)^ENV\s+(.+)$", text):
            pairs = re.findall(r"([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S+)", line) or re.findall(
                r"^(\w+)\s+(.+)$", line
            )
            values.update({k: v.strip("\"' ") for k, v in pairs})
    return values


class Nginx:
    """``proxy_pass`` and its kin, through ``upstream`` blocks."""

    name = "nginx"
    formats: tuple[str, ...] = ("nginx configurations",)
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """Its directives."""
        if file.suffix not in (".conf", ".nginx", ".template", ".tmpl", ""):
            return 0.0
        return (
            0.9
            if re.search(r"\b(proxy_pass|fastcgi_pass|grpc_pass|uwsgi_pass|server_name)\s+[^;]+;", file.head)
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """A gateway, a flow for each upstream server; variables in an address are told."""
        me = _gateway(file, "nginx", context)
        text = re.sub(r"(^|\s)#[^\n]*", lambda m: m[1] + " " * (len(m[0]) - len(m[1])), file.text)
        values = _values_beside(file, context)
        upstreams: dict[str, list[str]] = {}
        for block in re.finditer(r"\bupstream\s+([\w.-]+)\s*\{([^}]*)\}", text):
            upstreams[block[1]] = re.findall(r"\bserver\s+([^\s;]+)", block[2])
        names = [
            n
            for found in re.findall(r"\bserver_name\s+([^;]+);", text)
            for n in found.split()
            if "." in n and "*" not in n and "~" not in n
        ]
        yield Node(
            id=me,
            name=me,
            kind="channel" if _leads_elsewhere(text, upstreams) else None,
            aliases=tuple(dict.fromkeys(f"host:{n.lower()}" for n in names)),
            evidence=context.at(file, 1),
        )
        for found in re.finditer(
            r"\b(?:proxy|grpc|fastcgi|uwsgi)_pass\s+(?:(https?|grpcs?)://)?([^\s;/]+)[^;]*;", text
        ):
            seen = context.at(file, text.count("\n", 0, found.start()) + 1)
            location = re.findall(r"\blocation\s+(?:[=~^*]+\s+)?(\S+)\s*\{", text[: found.start()])
            scheme = found[1] or ("grpc" if "grpc_pass" in found[0] else "http")
            for server in upstreams.get(found[2], [found[2]]):
                host, _, port = expand(server, values).partition(":")
                if "$" in host:
                    yield context.finding(
                        "unresolved-address", f"{me}: the address is computed: {server}", file, seen[0].line
                    )
                elif not server.startswith("unix"):
                    address = Address(host.lower(), int(port) if port.isdigit() else None, scheme)
                    yield from _routed(me, address, seen, _path(location[-1]) if location else None)


def _leads_elsewhere(text: str, upstreams: dict[str, list[str]]) -> bool:
    """Whether anything is passed on to another machine; else it is the web server of a system, not a gateway."""
    targets = re.findall(r"_pass\s+(?:\w+://)?([^\s;/]+)", text)
    servers = [s for t in targets for s in upstreams.get(t, [t])]
    return any(not is_local(s.partition(":")[0]) and not s.startswith("unix") for s in servers) or not servers


class Envoy:
    """Static clusters and the routes to them."""

    name = "envoy"
    formats: tuple[str, ...] = ("Envoy configurations (static resources)",)
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """``static_resources`` or clusters with a load assignment."""
        if file.suffix not in (".yaml", ".yml", ".json") and not file.name.endswith(
            (".tmpl.yaml", ".template")
        ):
            return 0.0
        if "static_resources" in file.head and re.search(
            r"^[\s\"{]*static_resources\"?:", file.head, re.MULTILINE
        ):
            return 1.0
        return 0.7 if "load_assignment" in file.head and "clusters" in file.head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """A gateway, a flow for each endpoint of a cluster, by the prefixes routed to it."""
        me = _gateway(file, "envoy", context)
        yield Node(id=me, name=me, kind="channel", evidence=context.at(file, 1))
        for document in [file.json] if file.suffix == ".json" else documents_of(file):
            resources: Any = document.get("static_resources", document) if isinstance(document, dict) else {}
            routes: dict[str, list[str]] = {}
            _routes(resources.get("listeners"), routes, 0)
            wires = dict(_wires(resources.get("listeners")))
            for cluster in resources.get("clusters") or ():
                if isinstance(cluster, dict):
                    wire = wires.get(str(cluster.get("name")))
                    for item in self._cluster(cluster, me, routes, file, context):
                        how = wire is not None and isinstance(item, Flow)
                        yield structs.replace(item, mode=wire[0], protocol=wire[1]) if how and wire else item

    @staticmethod
    def _cluster(
        cluster: dict[str, Any], me: str, routes: dict[str, list[str]], file: SourceFile, context: Context
    ) -> Iterator[Item]:
        protocol = "grpc" if "http2_protocol_options" in str(cluster.keys()) else "http"
        for found in _sockets(cluster, 0):
            port: Any = found.get("port_value")
            address = Address(
                str(found.get("address")).lower(), port if isinstance(port, int) else None, protocol
            )
            for what in routes.get(str(cluster.get("name"))) or [None]:
                yield from _routed(me, address, context.at(file, line_of(found, "address")), what)


_WIRES: dict[str, tuple[Mode, str]] = {
    "postgres_proxy": ("db", "postgres"), "mysql_proxy": ("db", "mysql"), "mongo_proxy": ("db", "mongodb"), "redis_proxy": ("db", "redis"),
    "kafka_broker": ("async", "kafka"), "kafka_mesh": ("async", "kafka"), "tcp_proxy": ("unknown", "tcp"), "udp_proxy": ("unknown", "udp"),
}  # fmt: skip
"""Filters of what is no HTTP, those that know what passes first."""


def _wires(value: Any, depth: int = 0) -> Iterator[tuple[str, tuple[Mode, str]]]:
    """How clusters are reached that stand behind filters of what is no HTTP."""
    if depth > 60:
        return
    if isinstance(value, dict):
        chain: Any = value.get("filters") or value.get("listener_filters")
        if isinstance(chain, list):
            text = str(chain)
            wire = next((how for word, how in _WIRES.items() if word in text), None)
            if wire is not None and "http_connection_manager" not in text:
                yield from ((name, wire) for name in re.findall(r"'cluster': '([^']+)'", text))
        for child in value.values():
            yield from _wires(child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _wires(child, depth + 1)


def _routes(value: Any, found: dict[str, list[str]], depth: int) -> None:
    if depth > 60:
        return
    if isinstance(value, dict):
        route: Any = value.get("route")
        if isinstance(route, dict) and route.get("cluster"):
            match: Any = value.get("match") if isinstance(value.get("match"), dict) else {}
            prefix = match.get("prefix") or match.get("path") or match.get("path_separated_prefix")
            held = found.setdefault(str(route["cluster"]), [])
            if prefix and prefix not in held:
                held.append(str(prefix))
        for child in value.values():
            _routes(child, found, depth + 1)
    elif isinstance(value, list):
        for child in value:
            _routes(child, found, depth + 1)


def _sockets(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > 30:
        return
    if isinstance(value, dict):
        socket: Any = value.get("socket_address")
        if isinstance(socket, dict) and socket.get("address"):
            yield socket
        for child in value.values():
            yield from _sockets(child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _sockets(child, depth + 1)


class Kong:
    """Kong's declarative configuration: services, routes, and consumers that have a credential for them."""

    name = "kong"
    formats: tuple[str, ...] = ("Kong declarative configuration (decK)",)
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By its format version."""
        if file.suffix not in (".yaml", ".yml", ".json") or "_format_version" not in file.head:
            return 0.0
        return 1.0 if re.search(r"^[\s{]*\"?_format_version\"?\s*:", file.head, re.MULTILINE) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The gateway's upstreams, through Kong's own upstream objects."""
        data: Any = file.json if file.suffix == ".json" else (documents_of(file) or [None])[0]
        if not isinstance(data, dict):
            return
        me = _gateway(file, "kong", context)
        yield Node(id=me, name=me, kind="channel", evidence=context.at(file, 1))
        targets: dict[str, list[str]] = {
            str(u.get("name")): [str(t.get("target")) for t in u.get("targets") or () if isinstance(t, dict)]
            for u in data.get("upstreams") or () if isinstance(u, dict)
        }  # fmt: skip
        services: Any = data.get("services") or ()
        for number, service in enumerate(services):
            if isinstance(service, dict):
                seen = context.at(file, line_of(services, number))
                paths = [
                    p
                    for r in service.get("routes") or ()
                    if isinstance(r, dict)
                    for p in r.get("paths") or ()
                ]
                if not service.get("url") and not service.get("host"):
                    continue  # a service that only lends its plugins
                url = str(service.get("url") or f"{service.get('protocol', 'http')}://{service['host']}")
                for address in addresses(url, "URL"):
                    hosts = [t.partition(":")[0] for t in targets.get(address.host, [])] or [address.host]
                    for host in hosts:
                        yield from _routed(
                            me,
                            Address(host, address.port, address.scheme),
                            seen,
                            _path(str(paths[0])) if paths else None,
                        )
        for consumer in data.get("consumers") or ():
            if isinstance(consumer, dict) and consumer.get("username"):
                name = slug(str(consumer["username"]))
                seen = context.at(file, line_of(consumer, "username"))
                yield Node(
                    id=name,
                    name=str(consumer["username"]),
                    kind="consumer",
                    aliases=(f"client:{name}",),
                    evidence=seen,
                )
                yield Flow(consumer=name, provider=me, mode="sync", protocol="http", evidence=seen)
