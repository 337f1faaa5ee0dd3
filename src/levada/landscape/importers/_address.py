"""Addresses in settings: URLs, JDBC and ADO strings, ``host:port``; what they say of protocol and mode."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from levada.landscape.importers._products import by_host
from levada.network.graph import Evidence, Flow, Mode, Node

__all__ = ["PLACE", "Address", "addresses", "flow_to", "host_id", "is_local", "known_scheme", "node_of_host"]

_SCHEMES: dict[str, tuple[Mode, str]] = {
    "http": ("sync", "http"), "https": ("sync", "http"), "ws": ("sync", "websocket"), "wss": ("sync", "websocket"),
    "grpc": ("sync", "grpc"), "grpcs": ("sync", "grpc"), "dns": ("sync", "grpc"), "tcp": ("unknown", "tcp"),
    "postgres": ("db", "postgres"), "postgresql": ("db", "postgres"), "mysql": ("db", "mysql"),
    "mariadb": ("db", "mysql"), "sqlserver": ("db", "mssql"), "mssql": ("db", "mssql"), "oracle": ("db", "oracle"),
    "mongodb": ("db", "mongodb"), "mongodb+srv": ("db", "mongodb"), "redis": ("db", "redis"),
    "rediss": ("db", "redis"), "db2": ("db", "db2"), "clickhouse": ("db", "clickhouse"),
    "amqp": ("async", "amqp"), "amqps": ("async", "amqp"), "kafka": ("async", "kafka"), "nats": ("async", "nats"),
    "mqtt": ("async", "mqtt"), "mqtts": ("async", "mqtt"), "stomp": ("async", "stomp"), "pulsar": ("async", "pulsar"),
    "ftp": ("file", "ftp"), "ftps": ("file", "ftps"), "sftp": ("file", "sftp"), "s3": ("file", "s3"),
    "smb": ("file", "smb"), "smtp": ("async", "smtp"), "smtps": ("async", "smtp"), "imap": ("async", "imap"), "imaps": ("async", "imap"),
    "pop3": ("async", "pop3"), "pop3s": ("async", "pop3"),
    "ldap": ("sync", "ldap"), "ldaps": ("sync", "ldap"), "neo4j": ("db", "neo4j"), "bolt": ("db", "neo4j"),
    "cassandra": ("db", "cassandra"), "jms": ("async", "jms"), "lb": ("sync", "http"), "https+http": ("sync", "http"),
    "http+https": ("sync", "http"), "opc.tcp": ("sync", "opcua"), "net.tcp": ("sync", "soap"), "sb": ("async", "azure-service-bus"),
}  # fmt: skip
_PORTS: dict[int, tuple[Mode, str]] = {
    5432: ("db", "postgres"), 3306: ("db", "mysql"), 1433: ("db", "mssql"), 1521: ("db", "oracle"),
    27017: ("db", "mongodb"), 6379: ("db", "redis"), 9092: ("async", "kafka"), 5672: ("async", "amqp"),
    5671: ("async", "amqp"), 61616: ("async", "jms"), 1883: ("async", "mqtt"), 4222: ("async", "nats"),
    22: ("file", "sftp"), 21: ("file", "ftp"), 25: ("async", "smtp"), 587: ("async", "smtp"),
    4317: ("unknown", "otlp"), 4318: ("unknown", "otlp"), 9042: ("db", "cassandra"), 389: ("sync", "ldap"),
}  # fmt: skip
_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_URL = re.compile(
    rf"\b(?:jdbc:)?(?P<scheme>(?:opc\.|net\.)?[a-z][a-z0-9+]{{1,20}})://+(?:(?P<user>[^\s/@:\"']*)(?P<secret>:[^\s/@\"']*)?@)?"
    rf"(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?(?![^\s/\"';,]*@)(?P<more>(?:,(?![a-z0-9+]+://){_HOST}(?::\d{{1,5}})?)*)(?P<path>[/;?][^\s\"'<>`]*)?",
    re.IGNORECASE,
)
_ORACLE = re.compile(
    rf"\bjdbc:oracle:thin:(?:[^@\s]*)@(?:/*)(?P<host>{_HOST}):(?P<port>\d{{1,5}})[:/](?P<db>[\w.$]+)",
    re.IGNORECASE,
)
_ADO = re.compile(
    rf"\b(?:server|data source|host|addr(?:ess)?)\s*=\s*(?:tcp:)?(?P<host>{_HOST})(?:[,:](?P<port>\d{{1,5}}))?(?![\w.-]|,\w+=)",
    re.IGNORECASE,
)
_ADO_DB = re.compile(r"\b(?:database|initial catalog|dbname)\s*=\s*(?P<db>[^;\s\"']+)", re.IGNORECASE)
_PAIR = re.compile(rf"(?<![\w./:@-])(?P<host>{_HOST}):(?P<port>\d{{2,5}})(?![\w.-])(?P<path>/[^\s\"',]*)?")
_HINT = re.compile(
    r"(HOST|ADDR|URL|URI|ENDPOINT|SERVER|BROKER|BOOTSTRAP|CONNECTION|DSN|TARGET|UPSTREAM|BACKEND|SERVICE|ORIGIN|BASE)",
    re.IGNORECASE,
)
_LOCAL = re.compile(
    r"(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1?|\[::1?\]|host\.docker\.internal|169\.254\.\d+\.\d+|metadata\.google\.internal|\d+)\Z",
    re.IGNORECASE,
)
_NO_HOST = re.compile(
    r"(?:jdbc:)?(?:file:///|(?:sqlite3?|unix|h2|hsqldb|classpath|resource)://)", re.IGNORECASE
)
"""Schemes behind which a path stands, of this machine's files or sockets."""
_CONNECTIONS = frozenset(("tcp", "udp", "tls", "ssl", "http", "https", "unix"))
"""Words before a port that say how it is reached, not where."""
PLACE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""A place that somebody still has to fill in: ``FRONTEND_IP_ADDRESS``."""
_SUFFIXES = (".svc.cluster.local", ".svc", ".cluster.local")


class Address(Struct, frozen=True):
    """Where something is reached. ``scheme`` None where only a host or port stood."""

    host: str
    port: int | None = None
    scheme: str | None = None
    path: str | None = None
    database: str | None = None

    @property
    def how(self) -> tuple[Mode, str | None]:
        """Mode and protocol: by scheme, else by a well-known port, else a call of unknown protocol."""
        if self.scheme in ("tcp", None) and self.port in _PORTS:
            return _PORTS[self.port]
        if self.scheme in ("http", "https") and self.port in (4317, 4318):
            return _PORTS[self.port]
        return _SCHEMES.get(self.scheme or "", ("sync", None))


def known_scheme(scheme: str) -> bool:
    """Is it a scheme of addresses whose mode and protocol are known?"""
    return scheme.lower() in _SCHEMES


def is_local(host: str) -> bool:
    """Does the name mean the machine itself (or no machine)?"""
    return bool(_LOCAL.match(host))


def addresses(
    value: str, name: str = "", known: frozenset[str] | set[str] = frozenset()
) -> Iterator[Address]:
    """The addresses in a setting's value, each once, local ones among them.

    ``name`` is the setting's: it tells whether ``host:port`` or a bare word is an address.
    ``known`` are names that are hosts here; a bare one of them is an address if the name agrees.
    """
    seen: set[Address] = set()
    for address in _all(value, name, known):
        if address not in seen:
            seen.add(address)
            yield address


def _all(value: str, name: str, known: frozenset[str] | set[str]) -> Iterator[Address]:
    value = value.strip()
    if len(value) > 20_000:
        value = value[:20_000]
    rest = value
    for found in _ORACLE.finditer(value):
        rest = rest.replace(found[0], " ")
        yield Address(found["host"].lower(), int(found["port"]), "oracle", None, found["db"])
    for found in _URL.finditer(rest):
        yield from _of_url(found)
    rest = _URL.sub(" ", rest)
    if "=" in rest:
        database = _ADO_DB.search(rest)
        for found in _ADO.finditer(rest):
            port = int(found["port"]) if found["port"] else None
            scheme = "mssql" if database and port is None and "server" in found[0].lower() else None
            yield Address(found["host"].lower(), port, scheme, None, database["db"] if database else None)
        rest = _ADO.sub(" ", rest)
    hinted = bool(_HINT.search(name))
    for found in _PAIR.finditer(rest):
        host = found["host"].lower()
        if host in _CONNECTIONS or PLACE.fullmatch(found["host"]):
            continue
        if ((host in known or hinted) and not host.replace(".", "").isdigit()) or _is_ip(host):
            yield Address(host, int(found["port"]), None, found["path"])
    bare = rest.lower()
    if bare and ((bare in known and hinted) or (hinted and re.fullmatch(rf"{_HOST}\.[a-z]{{2,}}", bare) and "." in bare
                 and re.search(r"HOST|ADDR|SERVER|ENDPOINT|DOMAIN", name, re.IGNORECASE))):  # fmt: skip
        yield Address(bare)


def _of_url(found: re.Match[str]) -> Iterator[Address]:
    scheme, path = found["scheme"].lower(), found["path"]
    if _NO_HOST.match(found[0]) or PLACE.fullmatch(found["host"]):
        return
    mode = _SCHEMES.get(scheme, ("", ""))[0]
    database = None
    if mode == "db" and path:
        parts = re.match(r"/([^/?;\s]+)", path) or re.search(r"databaseName=([^;]+)", path, re.IGNORECASE)
        database = parts[1] if parts else None
    port = int(found["port"]) if found["port"] else None
    yield Address(found["host"].lower(), port, scheme, path, database)
    for other in filter(None, (found["more"] or "").split(",")):
        host, _, number = other.partition(":")
        yield Address(host.lower(), int(number) if number else None, scheme, None, database)


def _is_ip(host: str) -> bool:
    return bool(re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", host))


def host_id(host: str) -> str:
    """The id under which a host stands until it is known whose it is."""
    host = host.lower().rstrip(".")
    for suffix in _SUFFIXES:
        host = host.removesuffix(suffix)
    return f"host:{host}"


def node_of_host(host: str, evidence: tuple[Evidence, ...] = ()) -> Node:
    """A bare node of a host; a known product's where the host is one of its."""
    product = by_host(host)
    if product:
        return Node(
            id=product.id, name=product.name, kind=product.kind, aliases=(f"host:{host}",), evidence=evidence
        )
    return Node(id=host_id(host), name=host, evidence=evidence)


def flow_to(
    consumer: str,
    address: Address,
    evidence: tuple[Evidence, ...],
    *,
    what: str | None = None,
) -> tuple[Node, Flow]:
    """The node an address leads to and the flow to it."""
    mode, protocol = address.how
    if protocol == "otlp":
        what = what or "telemetry"
    node = node_of_host(address.host, evidence)
    flow = Flow(
        consumer=consumer,
        provider=node.id,
        object=what or address.database,
        mode=mode,
        protocol=protocol,
        evidence=evidence,
        attributes={"database": address.database} if address.database and not what else {},
    )
    return node, flow
