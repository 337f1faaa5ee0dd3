"""Levada's own: what ``levada describe --json`` and ``levada map --json`` wrote, and ``levada.toml`` as it stands.

No code of an app is run: what it declares in its modules is in the description that it
writes itself; its configuration says what it is bound to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import structs

from levada.landscape.importers._address import addresses, flow_to, is_local
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network.graph import Flow, Node
from levada.network.names import slug
from levada.network.view import from_map

__all__ = ["LevadaApp", "LevadaMap"]

_CONTRACT = re.compile(r"([\w-]+)/([\w.-]+)/v\d+\Z")


class LevadaMap:
    """Systems, flows and findings come back as they were written; what had no evidence has this file's."""

    name = "levada-map"
    formats: tuple[str, ...] = ("levada describe --json", "levada map --json")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By its first member."""
        return 1.0 if file.suffix == ".json" and re.match(r'\s*\{\s*"systems"\s*:\s*\[', file.head) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """All of it."""
        data = file.json
        try:
            network = from_map({"flows": [], "findings": [], **data})
        except (msgspec.ValidationError, KeyError, TypeError) as exc:
            raise Malformed(f"no map of Levada's: {exc}") from exc
        for node in network.nodes.values():
            yield (
                node
                if node.evidence
                else structs.replace(node, evidence=context.at(file, 1, status="declared"))
            )
        for flow in network.flows.values():
            if flow.consumer != flow.provider:
                yield (
                    flow
                    if flow.evidence
                    else structs.replace(flow, evidence=context.at(file, 1, status="declared"))
                )
        yield from network.findings


class LevadaApp:
    """A deployment, the contracts that it is bound to by URL, and its resources at hosts that are written down."""

    name = "levada-app"
    formats: tuple[str, ...] = ("levada.toml, as it stands: bindings and resources; no code is run",)
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """By its name."""
        return 1.0 if re.fullmatch(r"levada(\.[\w-]+)?\.toml", file.name) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The deployment under its folder's name."""
        try:
            data = tomllib.loads(file.text)
        except tomllib.TOMLDecodeError as exc:
            raise Malformed(f"malformed TOML: {exc}") from exc
        me = slug(file.path.parent.name)
        app: Any = data.get("app") if isinstance(data.get("app"), dict) else {}
        owner: Any = app.get("owner")
        yield Node(
            id=me, name=me, kind="app", owner=owner if isinstance(owner, str) else None,
            attributes={"tool": "levada"}, evidence=context.at(file, file.line_with("[app]") or 1),
        )  # fmt: skip
        for key, binding in _tables(data.get("bind")):
            yield from _binding(me, key, binding, file, context)
        for key, resource in _tables(data.get("resources")):
            yield from _resource(me, key, resource, file, context)
        for section in ("store", "eventlog"):
            if isinstance(data.get(section), dict):
                yield from _resource(me, section, data[section], file, context)


def _tables(value: Any) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def _binding(me: str, contract: str, binding: Any, file: SourceFile, context: Context) -> Iterator[Item]:
    """A contract bound to an address is kept elsewhere: this deployment calls it."""
    found = _CONTRACT.match(contract)
    urls = [binding.get(k) for k in ("url", "primary")] if isinstance(binding, dict) else []
    url = next((str(u) for u in urls if isinstance(u, str)), None)
    if found is None or url is None:
        return
    seen = context.at(file, file.line_with(f'"{contract}"'))
    hosts = tuple(f"host:{a.host}" for a in addresses(url, "URL") if not is_local(a.host))
    yield Node(id=contract, name=found[2], kind="api", domain=found[1], aliases=hosts, evidence=seen)
    yield Flow(consumer=me, provider=contract, mode="sync", protocol="http", contract=contract, evidence=seen)


def _resource(me: str, name: str, resource: Any, file: SourceFile, context: Context) -> Iterator[Item]:
    url = str(resource.get("url") or "") if isinstance(resource, dict) else ""
    line = file.line_with(f"[resources.{name}]") or file.line_with(f"[{name}]")
    if re.match(r"(env|file):", url):
        text = f"{me}: the address of {name} is in {url.partition(':')[2]}, which is not here"
        yield context.finding("unresolved-address", text, file, line, severity="info")
        return
    for address in addresses(url, "URL"):
        if not is_local(address.host):
            yield from flow_to(me, address, context.at(file, line))
