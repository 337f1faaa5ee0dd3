"""nais: Applications with their access policy, hosts and databases, and Kafka topics with their readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._address import addresses, is_local
from levada.landscape.importers._programs import of_production, of_trial
from levada.landscape.importers._templates import documents_of
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Node

__all__ = ["Nais"]


class Nais:
    """A rule is a permission: ``sync`` with ``http`` only where settings hold the provider's address."""

    name = "nais"
    formats: tuple[str, ...] = ("nais Application and Naisjob", "Topic of kafka.nais.io")
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._rules: dict[tuple[str, str], list[Evidence]] = {}
        self._addressed: set[tuple[str, str]] = set()

    def recognise(self, file: SourceFile) -> float:
        """By the API group."""
        if file.suffix not in (".yml", ".yaml"):
            return 0.0
        return 1.0 if re.search(r"apiVersion:\s*[\"']?(?:kafka\.)?nais\.io/", file.head) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Applications and topics; rules of both sides are joined at the end."""
        for document in documents_of(file):
            if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
                continue
            if document.get("kind") in ("Application", "Naisjob", "Alert"):
                if self._tried(document, file, context):
                    text = "manifest of a trial environment; not read, as there is that of production"
                    yield context.finding("test-settings", text, file, severity="info")
                    continue
                yield from self._application(document, file, context)
            elif document.get("kind") == "Topic":
                self._topic(document, file, context)

    def _tried(self, item: Mapping[str, Any], file: SourceFile, context: Context) -> bool:
        """Is it the manifest of an environment for trials, of an application that has one of production beside it?"""
        if not of_trial(_environment(file)):
            return False
        name = re.compile(
            rf"^  name:\s*[\"']?{re.escape(str(item['metadata'].get('name')))}[\"']?\s*$", re.MULTILINE
        )
        folder = file.source.rpartition("/")[0]
        around = folder.rpartition("/")[0]
        near = [
            *context.within(folder),
            *(f for f in context.under(around) if around and f.source.count("/") == file.source.count("/")),
        ]
        return any(
            of_production(_environment(f)) and self.recognise(f) > 0 and name.search(f.head) is not None
            for f in near
        )

    def _application(self, item: Mapping[str, Any], file: SourceFile, context: Context) -> Iterator[Item]:
        meta: Any = item["metadata"]
        namespace = str(meta.get("namespace") or "default")
        me = f"{namespace}.{meta.get('name')}"
        labels: Any = meta.get("labels") or {}
        spec: Any = item.get("spec") if isinstance(item.get("spec"), dict) else {}
        yield Node(
            id=me, name=str(meta.get("name")), kind="app", owner=str(labels.get("team") or namespace), domain=namespace,
            aliases=(f"host:{meta.get('name')}.{namespace}", *(f"host:{h}" for h in _ingresses(spec))),
            evidence=context.at(file, line_of(meta, "name")),
        )  # fmt: skip
        policy: Any = spec.get("accessPolicy") if isinstance(spec.get("accessPolicy"), dict) else {}
        for side in ("inbound", "outbound"):
            rules: Any = (policy.get(side) or {}).get("rules") or ()
            for number, rule in enumerate(rules):
                other = self._rule(rule, namespace)
                if other and other != me:
                    pair = (me, other) if side == "outbound" else (other, me)
                    self._rules.setdefault(pair, []).extend(context.at(file, line_of(rules, number)))
                    yield Node(
                        id=other, name=other.partition(".")[2], kind="app", domain=other.partition(".")[0]
                    )
        yield from self._hosts(policy, me, file, context)
        yield from _databases(spec, namespace, me, str(meta.get("name")), file, context)
        self._settings(spec, me, namespace)

    @staticmethod
    def _rule(rule: Any, namespace: str) -> str | None:
        if not isinstance(rule, dict) or rule.get("application") in (None, "*"):
            return None
        return f"{rule.get('namespace') or namespace}.{rule['application']}"

    @staticmethod
    def _hosts(policy: Mapping[str, Any], me: str, file: SourceFile, context: Context) -> Iterator[Item]:
        external: Any = (policy.get("outbound") or {}).get("external") or ()
        for number, rule in enumerate(external):
            host = str(rule.get("host") or rule.get("ipv4") or "") if isinstance(rule, dict) else ""
            if host and "TEMPLATE" not in host:
                seen = context.at(file, line_of(external, number))
                yield Node(id=f"ext:{host}", name=host, aliases=(f"host:{host}",), evidence=seen)
                yield Flow(consumer=me, provider=f"ext:{host}", mode="sync", protocol="http", evidence=seen)

    def _settings(self, spec: Mapping[str, Any], me: str, namespace: str) -> None:
        for entry in spec.get("env") or ():
            if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
                continue
            for address in addresses(entry["value"], str(entry.get("name"))):
                if is_local(address.host):
                    continue
                name, _, where = address.host.partition(".")
                where = where.removesuffix(".svc.cluster.local") or namespace
                self._addressed.add((me, f"{where}.{name}"))

    def _topic(self, item: Mapping[str, Any], file: SourceFile, context: Context) -> None:
        meta: Any = item["metadata"]
        topic = f"{meta.get('namespace')}.{meta.get('name')}"
        acl: Any = (item.get("spec") or {}).get("acl") or ()
        for number, rule in enumerate(acl):
            if not isinstance(rule, dict) or rule.get("application") in (None, "*"):
                continue
            app, access = f"{rule.get('team')}.{rule['application']}", str(rule.get("access"))
            seen = context.at(file, line_of(acl, number))
            if access in ("write", "readwrite"):
                context.topic("writes", app, topic, seen)
            if access in ("read", "readwrite"):
                context.topic("reads", app, topic, seen)

    def finish(self, _context: Context) -> Iterable[Item]:
        """One flow for a pair of applications, whichever side allows it."""
        for (consumer, provider), seen in self._rules.items():
            known = (consumer, provider) in self._addressed
            yield Flow(
                consumer=consumer, provider=provider, mode="sync" if known else "unknown",
                protocol="http" if known else None, evidence=tuple(dict.fromkeys(seen)),
            )  # fmt: skip


def _environment(file: SourceFile) -> str:
    """What the file, or else its folder, says of the environment: ``dev`` of ``.nais/dev.yaml`` and ``nais/dev/app.yaml``."""
    folder = file.source.rpartition("/")[0].rpartition("/")[2]
    stem = file.path.stem
    return stem if of_trial(stem) or of_production(stem) else folder


def _ingresses(spec: Mapping[str, Any]) -> Iterator[str]:
    for url in spec.get("ingresses") or ():
        yield from (a.host for a in addresses(str(url)))


def _databases(
    spec: Mapping[str, Any], namespace: str, me: str, app: str, file: SourceFile, context: Context
) -> Iterator[Item]:
    instances: Any = (spec.get("gcp") or {}).get("sqlInstances") or ()
    for number, instance in enumerate(instances):
        if not isinstance(instance, dict):
            continue
        name = str(instance.get("name") or app)
        seen = context.at(file, line_of(instances, number))
        databases = [d.get("name") for d in instance.get("databases") or () if isinstance(d, dict)]
        yield Node(id=f"db:{namespace}.{name}", name=name, kind="db", domain=namespace, evidence=seen)
        yield Flow(
            consumer=me, provider=f"db:{namespace}.{name}", object=databases[0] if databases else None, mode="db",
            protocol="postgres", evidence=seen, attributes={"database": databases[0]} if databases else {},
        )  # fmt: skip
