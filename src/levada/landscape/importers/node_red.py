"""Node-RED flows: a tab is an application.

Most nodes come with a package of their own and say nothing of whom they use but the id of a
*configuration node*: the server, account or database that several nodes share. So a node that nobody
listed is read like any other, through its configuration node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from levada.landscape.importers._address import Address, addresses, host_id, is_local, node_of_host
from levada.landscape.importers._connector import connector_flow, kebab, url_flow
from levada.landscape.importers._products import Product, by_word
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Flow, Mode, Node
from levada.network.names import slug

__all__ = ["NodeRed"]

_PAGES = re.compile(
    r"^(ui[_-]|tab$|subflow|group$|junction$|comment$|link |global-config$|tls-config$|http proxy$|unknown$)"
)
"""Nodes that draw, sort or secure, and reach nobody."""
_HEARS = re.compile(
    r"( in|[_-]in|changed|events?|trigger|subscri\w*|listen\w*|watch|receive\w*|-source|poll\w*)$",
    re.IGNORECASE,
)
_WHERE = (
    "url",
    "uri",
    "hostname",
    "host",
    "server",
    "broker",
    "address",
    "endpoint",
    "baseurl",
    "brokerurl",
    "path",
)
_WHAT = ("topic", "measurement", "collection", "table", "bucket", "queue", "channel", "stream", "index")
_FILES = frozenset(("file", "file in", "watch", "tail", "tail-file"))


class _Export(Struct):
    """The nodes of one file, and in which tabs those of a subflow are."""

    file: SourceFile
    nodes: list[dict[str, Any]]
    by_id: dict[str, dict[str, Any]]
    folder: str

    def applications(self, node: Mapping[str, Any], depth: int = 0) -> list[str]:
        """Ids of the tabs in which a node runs; a subflow runs in each that uses it."""
        around = self.by_id.get(str(node.get("z")), {})
        if around.get("type") != "subflow":
            stands = around.get("disabled") is not True
            return (
                [f"node-red/{slug(str(around.get('label') or around.get('id') or self.file.path.stem))}"]
                if stands
                else []
            )
        if depth > 10:
            return []
        users = [n for n in self.nodes if n.get("type") == f"subflow:{around.get('id')}" and not n.get("d")]
        return list(dict.fromkeys(a for n in users for a in self.applications(n, depth + 1)))

    def configuration(self, node: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The configuration node that a node names, and under which word."""
        for key, value in node.items():
            found = self.by_id.get(value) if isinstance(value, str) and key not in ("id", "z", "g") else None
            if found is not None and "wires" not in found and not _PAGES.search(str(found.get("type"))):
                return key, found
        return None


class NodeRed:
    """``flows.json``: a list of nodes with wires; brokers and databases are nodes of their own."""

    name = "node-red"
    formats: tuple[str, ...] = ("Node-RED flows.json",)
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """A list with wires and tabs."""
        head = file.head.lstrip()
        return 0.9 if file.suffix == ".json" and head.startswith("[") and '"wires"' in head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Tabs as applications; whom their nodes reach as flows."""
        data = file.json
        nodes: list[dict[str, Any]] = (
            [n for n in data if isinstance(n, dict)] if isinstance(data, list) else []
        )
        folder = slug(file.source.rpartition("/")[0].rpartition("/")[2] or file.root.name)
        export = _Export(file, nodes, {str(n.get("id")): n for n in nodes}, folder)
        for node in nodes:
            if node.get("type") == "tab" and node.get("disabled") is not True:
                line = file.line_with(json.dumps(node.get("id")))
                label = str(node.get("label") or node.get("id"))
                yield Node(
                    id=f"node-red/{slug(label)}", name=label, kind="app", evidence=context.at(file, line)
                )
        for node in nodes:
            if (
                node.get("wires") is not None
                and not node.get("d")
                and not _PAGES.search(str(node.get("type")))
            ):
                for me in export.applications(node):
                    yield from _node(node, me, export, context)


def _node(node: dict[str, Any], me: str, export: _Export, context: Context) -> Iterator[Item]:
    kind = str(node.get("type"))
    evidence = context.at(export.file, export.file.line_with(json.dumps(node.get("id"))))
    named = export.configuration(node)
    if kind == "http request":
        yield from _request(node, me, export, evidence, context)
    elif kind.startswith("mqtt") and named is not None:
        broker = _broker(str(named[1].get("broker") or "mqtt"), export.folder, evidence)
        yield broker
        role = "reads" if kind.endswith(" in") else "writes"
        context.topic(role, me, str(node.get("topic") or "?"), evidence, broker=broker.id, protocol="mqtt")
    elif kind in _FILES:
        yield Node(id=f"{me}/files", name=f"Files of {me.partition('/')[2]}", evidence=evidence)
        what = node.get("filename") or node.get("files")
        literal = isinstance(what, str) and node.get("filenameType", "str") == "str" and what
        yield Flow(
            consumer=me, provider=f"{me}/files", object=str(what) if literal else None, mode="file", protocol="file", evidence=evidence
        )  # fmt: skip
    elif kind in ("tcp out", "tcp request", "udp out"):
        yield from _socket(node, me, kind, evidence)
    elif named is not None:
        yield from _through(node, named[1], me, export, evidence)
    elif by_word(word := kebab(kind.split()[0])) or word in ("ftp", "sftp"):
        yield from connector_flow(me, word, evidence, what=_what(node), listens=kind.endswith(" in"))


def _request(
    node: Mapping[str, Any], me: str, export: _Export, evidence: tuple[Evidence, ...], context: Context
) -> Iterator[Item]:
    url = str(node.get("url") or "")
    yield from url_flow(me, url, evidence)
    if not any(True for _ in addresses(url.partition("{")[0], "URL")):
        text = f"{me}: the address that {node.get('name') or node.get('id')} calls is computed at run time"
        yield context.finding("unresolved-address", text, export.file, evidence[0].line)


def _broker(host: str, folder: str, evidence: tuple[Evidence, ...]) -> Node:
    """The broker at a host; the machine's own is another one for each export."""
    local = f"{folder}/local-mqtt"
    name = local if is_local(host) else host_id(next((a.host for a in addresses(host, "HOST")), host))
    return Node(
        id=name, name=f"MQTT broker of {folder}" if name == local else host, kind="broker", evidence=evidence
    )


def _socket(node: Mapping[str, Any], me: str, kind: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    host = str(node.get("host") or node.get("server") or node.get("addr") or "")
    if node.get("beserver") in (None, "client") and "." in host and not is_local(host):
        found = node_of_host(host, evidence)
        yield found
        yield Flow(consumer=me, provider=found.id, mode="unknown", protocol=kind[:3], evidence=evidence)


def _through(
    node: Mapping[str, Any],
    setting: Mapping[str, Any],
    me: str,
    export: _Export,
    evidence: tuple[Evidence, ...],
) -> Iterator[Item]:
    """The flow to what a configuration node stands for: at its address, else as its product, else by its name."""
    kind = str(node.get("type"))
    product = by_word(kebab(kind.split()[0])) or by_word(kebab(str(setting.get("type"))))
    address = _address(setting)
    provider = _provider(setting, product, address, export.folder, evidence)
    yield provider
    mode, protocol = _how(product, address)
    if mode == "sync" and _HEARS.search(kind):
        mode = "async"
    what = _what(node) or (str(setting.get("database") or "") or None if mode == "db" else None)
    yield Flow(
        consumer=me, provider=provider.id, object=what, mode=mode, protocol=protocol, evidence=evidence
    )


def _address(setting: Mapping[str, Any]) -> Address | None:
    keys = sorted((k for k in setting if k.lower() in _WHERE), key=lambda k: _WHERE.index(k.lower()))
    for key in keys:
        value = str(setting[key])
        for found in addresses(value, "HOST" if "://" not in value else "URL"):
            return found
        if re.fullmatch(r"[\w.-]+", value) and ("." in value or is_local(value)):
            return Address(value.lower())
    return None


def _provider(
    setting: Mapping[str, Any], product: Product | None, address: Address | None, folder: str, evidence: tuple[Evidence, ...]
) -> Node:  # fmt: skip
    kind = product.kind if product else None
    if address is not None and not is_local(address.host):
        found = node_of_host(address.host, evidence)
        return Node(
            id=found.id, name=found.name, kind=found.kind or kind, aliases=found.aliases, evidence=evidence
        )
    if product is not None and kind not in ("db", "broker"):
        return Node(id=product.id, name=product.name, kind=kind, evidence=evidence)
    if product is not None:
        return Node(
            id=f"{folder}/local-{product.id}",
            name=f"{product.name} of {folder}",
            kind=kind,
            evidence=evidence,
        )
    sort = re.sub(
        r"(^|[-_ ])(config-node|config|credentials|account|connection|client|server|api)$",
        "",
        str(setting.get("type")),
    )
    called = str(setting.get("name") or "").strip()
    if sort and called:
        return Node(id=f"{slug(sort)}/{slug(called)}", name=f"{called} ({sort})", evidence=evidence)
    return Node(id=slug(called or sort or "server"), name=called or sort or "Server", evidence=evidence)


def _how(product: Product | None, address: Address | None) -> tuple[Mode, str | None]:
    if product is not None and product.kind in ("db", "broker"):
        return ("db" if product.kind == "db" else "async"), product.id
    if product is not None:
        return "sync", "http"
    return address.how if address is not None else ("sync", None)


def _what(node: Mapping[str, Any]) -> str | None:
    """What a node reads or writes, where it is written out."""
    for key in _WHAT:
        value = node.get(key)
        if isinstance(value, str) and value not in ("", "none") and not re.search(r"[{}$]", value):
            return value
    return None
