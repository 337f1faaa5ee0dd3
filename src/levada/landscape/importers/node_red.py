"""Node-RED flows: a tab is an application."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from levada.landscape.importers._address import addresses, host_id, is_local
from levada.landscape.importers._connector import connector_flow, kebab, url_flow
from levada.landscape.importers._products import by_word
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Node
from levada.network.names import slug

__all__ = ["NodeRed"]


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
        """Tabs as applications; HTTP requests, MQTT, files and product nodes as flows."""
        data = file.json
        nodes: list[dict[str, Any]] = (
            [n for n in data if isinstance(n, dict)] if isinstance(data, list) else []
        )
        by_id = {str(n.get("id")): n for n in nodes}
        for node in nodes:
            if node.get("type") == "tab":
                line = file.line_with(json.dumps(node.get("id")))
                label = str(node.get("label") or node.get("id"))
                yield Node(
                    id=f"node-red/{slug(label)}", name=label, kind="app", evidence=context.at(file, line)
                )
        for node in nodes:
            tab = by_id.get(str(node.get("z")), {})
            me = f"node-red/{slug(str(tab.get('label') or tab.get('id') or file.path.stem))}"
            if node.get("wires") is not None and not node.get("d"):
                yield from _node(node, me, by_id, file, context)


def _node(
    node: dict[str, Any], me: str, by_id: dict[str, dict[str, Any]], file: SourceFile, context: Context
) -> Iterator[Item]:
    kind = str(node.get("type"))
    evidence = context.at(file, file.line_with(json.dumps(node.get("id"))))
    if kind == "http request":
        yield from url_flow(me, str(node.get("url") or ""), evidence)
        return
    broker = by_id.get(
        str(node.get("broker") or node.get("server") or node.get("mydb") or node.get("postgreSQLConfig"))
    )
    words = kind.split()
    word = kebab(words[0])
    if word == "mqtt" and broker is not None:
        host = str(broker.get("broker") or "mqtt")
        folder = slug(file.source.rpartition("/")[0].rpartition("/")[2] or file.path.stem)
        local = f"{folder}/local-mqtt"  # the machine's own: another one for each export
        name = local if is_local(host) else host_id(next((a.host for a in addresses(host, "HOST")), host))
        yield Node(
            id=name,
            name=f"MQTT broker of {folder}" if name == local else host,
            kind="broker",
            evidence=evidence,
        )
        role = "reads" if kind.endswith(" in") else "writes"
        context.topic(role, me, str(node.get("topic") or "?"), evidence, broker=name, protocol="mqtt")
    elif by_word(word) or word in ("ftp", "sftp"):
        what = node.get("topic") or node.get("collection") or node.get("queue")
        yield from connector_flow(
            me, word, evidence, what=str(what) if what else None, listens=kind.endswith(" in")
        )
