"""Backstage catalogs: components, APIs, resources, and what they say they use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Flow, Kind, Mode, Node
from levada.network.names import slug

__all__ = ["Backstage"]

_HOW: tuple[tuple[str, tuple[Mode, str | None]], ...] = (
    (r"^api:asyncapi", ("async", None)), (r"^api:openapi", ("sync", "http")), (r"^api:grpc", ("sync", "grpc")), (r"^api:graphql", ("sync", "graphql")),
    (r"^resource:.*(queue|topic|broker|kafka|event|stream|pubsub)", ("async", None)), (r"^resource:.*(bucket|storage|file|blob)", ("file", None)),
    (r"^resource:.*(database|\bdb\b|sql|cache|redis|mongo)", ("db", None)), (r"^resource:.+", ("unknown", None)),
)  # fmt: skip
"""How what a catalog calls so is used, the first that fits."""
_KINDS: dict[str, Kind] = {"component": "app", "api": "api", "resource": "db"}


class Backstage:
    """Declared, not observed: a catalog says what its authors believe."""

    name = "backstage"
    formats: tuple[str, ...] = ("catalog-info.yaml (Component, API, Resource)",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._providers: dict[str, str] = {}
        self._flows: list[Flow] = []
        self._how: dict[str, tuple[Mode, str | None]] = {}

    def recognise(self, file: SourceFile) -> float:
        """By the API group."""
        if file.suffix not in (".yaml", ".yml"):
            return 0.0
        return 1.0 if re.search(r"^apiVersion:\s*backstage\.io/", file.head, re.MULTILINE) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Entities; their relations follow when all are read."""
        for document in file.documents:
            if isinstance(document, dict) and isinstance(document.get("metadata"), dict):
                yield from self._entity(document, file, context)

    def _entity(self, item: dict[str, Any], file: SourceFile, context: Context) -> Iterator[Item]:
        kind, meta = str(item.get("kind")).lower(), item["metadata"]
        spec: Any = item.get("spec") if isinstance(item.get("spec"), dict) else {}
        if kind not in _KINDS:
            return
        me = _ref(f"{kind}:{meta.get('name')}")
        owner = str(spec["owner"]).rpartition("/")[2].rpartition(":")[2] if spec.get("owner") else None
        node_kind = _KINDS[kind] if kind != "resource" or "database" in str(spec.get("type")) else None
        seen = context.at(file, line_of(meta, "name"), status="declared")
        yield Node(
            id=me, name=str(meta.get("title") or meta.get("name")), kind=node_kind, owner=owner,
            domain=str(spec["system"]) if spec.get("system") else None, evidence=seen,
        )  # fmt: skip
        sort = str(spec.get("type") or "").lower()
        how = next((how for pattern, how in _HOW if re.search(pattern, f"{kind}:{sort}")), None)
        if how is not None:
            self._how[me] = how
        for number, entry in enumerate(spec.get("dependencyOf") or ()):
            told = context.at(file, line_of(spec["dependencyOf"], number), status="declared")
            self._flows.append(Flow(consumer=_ref(str(entry)), provider=me, mode="unknown", evidence=told))
        for entry in spec.get("providesApis") or ():
            self._providers[_ref(str(entry), "api")] = me
        for key, other in (("consumesApis", "api"), ("dependsOn", "component")):
            for number, entry in enumerate(spec.get(key) or ()):
                told = context.at(file, line_of(spec[key], number), status="declared")
                mode: Mode = "sync" if other == "api" else "unknown"
                self._flows.append(
                    Flow(consumer=me, provider=_ref(str(entry), other), mode=mode, evidence=told)
                )

    def finish(self, _context: Context) -> Iterable[Item]:
        """An API is used at the component that provides it, where one says that it does."""
        from msgspec import structs

        for flow in self._flows:
            provider = self._providers.get(flow.provider, flow.provider)
            if provider != flow.consumer:
                bare: Mode = "db" if flow.provider.startswith("resource/") else flow.mode
                mode, protocol = self._how.get(flow.provider, (bare, None))
                flow = structs.replace(flow, mode=mode, protocol=protocol)
                what = flow.provider.removeprefix("api/") if provider != flow.provider else flow.object
                yield structs.replace(flow, provider=provider, object=what)


def _ref(text: str, kind: str = "component") -> str:
    head, colon, rest = text.partition(":")
    kind, name = (head.lower(), rest) if colon else (kind, text)
    name = slug(name.removeprefix("default/"))
    return f"{kind}/{name}" if kind in ("api", "resource") else name
