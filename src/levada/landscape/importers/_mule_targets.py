"""Whom a Mule configuration connects to, by connector, connection element and attributes."""

from __future__ import annotations

import re

from msgspec import Struct

from levada.landscape.importers._address import Address, addresses, is_local, node_of_host
from levada.landscape.importers._products import Product, by_host, by_word
from levada.landscape.importers._properties import Properties, Property
from levada.network.graph import Evidence, Mode, Node
from levada.network.names import slug

__all__ = ["Target", "named_product", "own_property", "resolve", "serves"]

_HOSTS = re.compile(
    r"(host|url|uri|address|endpoint|server|domain|baseurl|brokerurl|bootstrapserver|wsdllocation)",
    re.IGNORECASE,
)
_NOT_HOSTS = re.compile(
    r"callback|redirect|listener|token|authorization|proxy|path$|serverName|namespace|schema|trust",
    re.IGNORECASE,
)
_TYPES = re.compile(
    r"(inference|llm|embedding|storage|store|model|provider|vendor|engine).*(type|provider|name)$",
    re.IGNORECASE,
)
_LIBRARY = re.compile(r"^(ms|mac|mule4?)-(aichain|inference|vectors|webcrawler)$")
"""Connectors to many products (models, vector stores, web pages): their own name is no system's."""
_QUEUES = frozenset(
    [
        "jms",
        "amqp",
        "kafka",
        "anypoint-mq",
        "ibm-mq",
        "sqs",
        "sns",
        "solace",
        "mqtt",
        "azure-service-bus",
        "servicebus",
    ]
)
_FILES = {"file": "file", "ftp": "ftp", "sftp": "sftp", "ftps": "ftps", "smb": "smb", "s3": "s3"}
_LISTENED = frozenset(
    ("http", "https", "tcp", "ssl", "udp", "servlet", "jetty", "jetty-ssl", "cxf", "jersey")
)
"""Transports of Mule 3 at which a flow waits to be called."""
_RENTED = ("aws-", "azure-", "google-", "anypoint-")
"""Databases and brokers that are one service for all; of others each project has its own until an address says more."""
_WORDS = {"sfdc": "salesforce", "salesforce-composite": "salesforce"}


class Target(Struct):
    """Where a configuration leads; ``node`` None where it leads nowhere outside."""

    node: Node | None
    mode: Mode = "sync"
    protocol: str | None = None
    queue: bool = False
    properties: list[Property] = []
    missing: list[str] = []


def own_property(value: str, seen: tuple[Evidence, ...]) -> Property:
    """A property that the project's own XML defines."""
    return Property(value, seen[0].source if seen else "", seen[0].line if seen else None)


def serves(connector: str, element: str) -> bool:
    """Is it the side that is called (a listener, a server), not one that calls?"""
    if "listener" in element:
        return connector in ("http", "https", "websocket", "sockets", "a2a", "mcp", "email")
    return ("server" in element and "client" not in element and connector in ("mcp", "a2a")) or (
        connector in ("mcp", "a2a") and ("-listener" in element or element.startswith("on-new"))
    ) or (connector in _LISTENED and element == "inbound-endpoint")  # fmt: skip


def resolve(
    connector: str, attrs: list[tuple[str, str, str, int]], properties: Properties, app: str
) -> Target:
    """The target of a configuration (and its call), from all attributes below it.

    Args:
        connector: Last part of the namespace URI.
        attrs: (element, attribute, value, line) of the configuration, then of the call.
        properties: To fill ``${…}`` in.
        app: Id of the project, under which what is local to it stands.
    """
    used: list[Property] = []
    missing: list[str] = []
    address = _address(connector, attrs, properties, used, missing)
    product = _product(connector, attrs, properties)
    mode, protocol = _how(connector, product, address, attrs)
    if protocol == "smtp":
        protocol = next((p for p in ("imap", "pop3") if any(p in element for element, *_ in attrs)), protocol)
    queue = connector in _QUEUES or (product is not None and product.kind == "broker")
    node = _node(connector, address, product, missing, app)
    return Target(node, mode, protocol, queue, used, missing)


def _address(
    connector: str,
    attrs: list[tuple[str, str, str, int]],
    properties: Properties,
    used: list[Property],
    missing: list[str],
) -> Address | None:
    filled: dict[str, str] = {}
    for element, name, value, _ in attrs:
        if not _HOSTS.search(name) or _NOT_HOSTS.search(name) or "proxy" in element:
            continue
        if value.startswith("#["):
            if begun := _begun(value):
                filled.setdefault(name, begun)
            continue
        text, more, lacking = properties.fill(value)
        if text.startswith("![") and not lacking:
            lacking = re.findall(r"\$\{(?:secure::)?([^${}:]+)", value) or [name]  # encrypted
        if lacking:
            missing.extend(lacking)
            used.extend(more)
            continue
        used.extend(more)
        filled.setdefault(name, text)
    text = [v for v in filled.values() if "://" in v or v.startswith("jdbc:")]
    for value in text:
        for found in addresses(value, "URL"):
            return found
    host = next((v for k, v in filled.items() if "host" in k.lower() and v), None)
    if host and re.fullmatch(r"[\w.-]+", host):
        port = _number(attrs, "port", properties)
        database = next(
            (properties.fill(v)[0] for _, k, v, _ in attrs if k in ("database", "serviceName", "instance")),
            None,
        )
        scheme = "http" if connector in ("http", "https") else None
        return Address(host.lower(), port, scheme, None, database)
    for value in filled.values():
        for found in addresses(value, "HOST"):
            return found
    return None


def _begun(expression: str) -> str | None:
    """The URL that an expression begins with, up to what it computes; None unless it names one whole host."""
    found: set[str] = set(re.findall(r"""["'](https?://[A-Za-z0-9.-]+(?::\d+)?/)""", expression))
    return found.pop() if len(found) == 1 else None


def _number(attrs: list[tuple[str, str, str, int]], name: str, properties: Properties) -> int | None:
    for _, key, value, _ in attrs:
        text = properties.fill(value)[0]
        if key == name and text.isdigit() and len(text) < 6:
            return int(text)
    return None


def _product(
    connector: str, attrs: list[tuple[str, str, str, int]], properties: Properties
) -> Product | None:
    word = _WORDS.get(connector, connector)
    for element, *_ in attrs:
        name = element.removesuffix("-connection").removesuffix("-config")
        if name != element and word not in ("http", "https", "mcp", "a2a") and (found := by_word(name)):
            return found
    for _, key, value, _ in attrs:
        if _TYPES.search(key) and (found := by_word(properties.fill(value)[0])):
            return found
    return named_product(word)


def named_product(connector: str) -> Product | None:
    """The product that a connector is called after."""
    word = re.sub(r"^(ms|mule|mule4)-|-(connector|ee)$", "", _WORDS.get(connector, connector))
    return by_word(word) if word not in ("http", "db") else None


def _how(
    connector: str, product: Product | None, address: Address | None, attrs: list[tuple[str, str, str, int]]
) -> tuple[Mode, str | None]:
    if connector in ("http", "https"):
        return "sync", "http"
    if connector in ("ws", "wsc", "cxf", "apikit-soap"):
        return "sync", "soap"
    if connector in ("db", "jdbc", "jdbc-ee"):
        known = {"postgresql": "postgres", "mssql": "mssql", "mysql": "mysql", "oracle": "oracle"}
        return "db", known.get(product.id, product.id) if product else (address.how[1] if address else "jdbc")
    if connector in _FILES:
        return "file", _FILES[connector]
    if connector in ("email", "smtp", "smtps", "imap", "imaps", "pop3"):
        return "async", "smtp" if connector == "email" else connector
    if product and product.kind == "broker":
        return "async", connector
    if product and product.kind == "db":
        return "db", product.id
    if connector in _QUEUES:
        return "async", connector
    if product is None and any(k.endswith(("basePath", "protocol")) for _, k, _, _ in attrs):
        return "sync", "http"  # made from the description of an API
    return "sync", connector


def _node(
    connector: str, address: Address | None, product: Product | None, missing: list[str], app: str
) -> Node | None:
    plain = connector in ("ws", "wsc", "mcp", "a2a", "websocket", "sockets", *_LISTENED)
    if address is not None and not is_local(address.host):
        found = by_host(address.host)
        if product is not None and product.kind not in ("db", "broker"):
            return Node(
                id=product.id,
                name=product.name,
                kind=product.kind,
                aliases=() if found else (f"host:{address.host}",),
            )
        node = node_of_host(address.host)
        kind = node.kind or (product.kind if product else None)
        if connector in ("db", "jdbc", "jdbc-ee"):
            kind = "db"
        return Node(id=node.id, name=node.name, kind=kind, aliases=node.aliases)
    if product is not None and (product.kind not in ("db", "broker") or (address is None and not missing)):
        if product.kind in ("db", "broker") and not product.id.startswith(_RENTED):
            return Node(id=f"{app}/{product.id}", name=f"{product.name} of {app}", kind=product.kind)
        return Node(id=product.id, name=product.name, kind=product.kind)
    if address is not None:
        what = product.id if product else connector
        port = f":{address.port}" if address.port and plain else ""
        return Node(
            id=f"{app}/local-{what}{port}", name=f"{product.name if product else what} at {address.host}{port} of {app}",
            kind=product.kind if product else None,
        )  # fmt: skip
    if missing:
        key = next((k for k in missing if _HOSTS.search(k)), missing[0])
        return Node(id=f"unresolved:{app}/{slug(key)}", name=f"${{{key}}} of {app}", kind=product.kind if product else None,
                    aliases=(f"setting:{key}",))  # fmt: skip
    if connector == "file":
        return Node(id=f"{app}/files", name=f"Files of {app}", kind=None)
    if connector in ("email", "smtp", "smtps", "imap", "imaps", "pop3"):
        return Node(id="email", name="Mail server")
    if _LIBRARY.search(connector):
        return None  # it speaks with what its settings name, and they name nothing
    return Node(id=slug(connector), name=connector) if not plain else None
