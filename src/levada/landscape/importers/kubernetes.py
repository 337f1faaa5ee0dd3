"""Kubernetes manifests: workloads, the services before them, and addresses in their settings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from levada.landscape.importers._address import host_id
from levada.landscape.importers._products import Product, product_of_image
from levada.landscape.importers._schedules import with_schedules
from levada.landscape.importers._selectors import Selected
from levada.landscape.importers._settings import expand, settings_flows, used_once
from levada.landscape.importers._templates import documents_of
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.importers.spring import mounted_flows
from levada.landscape.periods import UNSCHEDULED
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Flow, Node

__all__ = ["Kubernetes", "pod_template"]

_WORKLOADS = frozenset(
    [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Pod",
        "ReplicaSet",
        "Rollout",
        "Service/serving",
        "DeploymentConfig",
    ]
)
Setting = tuple[str, Any, tuple[Evidence, ...]]


class Kubernetes:
    """Plain and rendered manifests; Helm templates as far as they go without values.

    Services and ConfigMaps are resolved when all files are read, whatever file they stand in.
    """

    name = "kubernetes"
    formats: tuple[str, ...] = (
        "Kubernetes manifests (workloads, Service, ConfigMap, Ingress, HTTPRoute, Istio's VirtualService)",
    )
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._settings: dict[str, list[Setting]] = {}
        self._maps: dict[tuple[str, str], dict[str, list[Setting]]] = {}
        self._products: dict[str, Product] = {}
        self._protocols: dict[str, set[str]] = {}
        self._mounts: list[tuple[str, str, str, str]] = []
        self._wants: list[tuple[str, str, str, str | None, str, str]] = []
        self._labels: dict[tuple[str, str], dict[str, str]] = {}
        self._services: list[tuple[str, str, dict[str, str], tuple[Evidence, ...]]] = []
        self._schedules: dict[str, set[str]] = {}

    def recognise(self, file: SourceFile) -> float:
        """By ``apiVersion`` and ``kind`` of Kubernetes' own groups."""
        if file.suffix not in (".yml", ".yaml", ".json") or "apiVersion" not in file.head:
            return 0.0
        kinds = set(re.findall(r"^[\s\"{]*kind\"?:\s*\"?([A-Za-z]+)", file.head, re.MULTILINE))
        if not kinds or not re.search(r"^[\s\"{]*apiVersion\"?:", file.head, re.MULTILINE):
            return 0.0
        if kinds & (
            _WORKLOADS
            | {"Service", "ConfigMap", "Ingress", "HTTPRoute", "GRPCRoute", "VirtualService", "List"}
        ):
            return 0.9
        return 0.1

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Workloads as systems, ingresses as flows; the rest is kept for :meth:`finish`."""
        for document in documents_of(file):
            if not isinstance(document, dict):
                continue
            for item in document.get("items") or () if document.get("kind") == "List" else (document,):
                if isinstance(item, dict):
                    yield from self._object(item, file, context)

    def _object(self, item: Mapping[str, Any], file: SourceFile, context: Context) -> Iterator[Item]:
        kind, meta = item.get("kind"), item.get("metadata")
        if not isinstance(meta, dict) or not meta.get("name"):
            return
        name, namespace = str(meta["name"]), str(meta.get("namespace") or "default")
        if "TEMPLATE" in name:
            chart = _chart(file, context)
            if chart is None:
                return
            name = name.replace("TEMPLATE", chart)
        seen = context.at(file, line_of(meta, "name"))
        spec: Any = item.get("spec") if isinstance(item.get("spec"), dict) else {}
        if kind in _WORKLOADS:
            yield from self._workload(item, name, namespace, meta, seen, file, context)
        elif kind == "Service":
            selector: Any = spec.get("selector") or {}
            for port in spec.get("ports") or ():
                if isinstance(port, dict):
                    word = str(port.get("appProtocol") or port.get("name") or "").partition("-")[0].lower()
                    self._protocols.setdefault(name, set()).add(
                        {"http2": "http", "https": "http"}.get(word, word)
                    )
            self._services.append((name, namespace, selector, seen))
        elif kind == "ConfigMap":
            data: Any = item.get("data") or {}
            here = self._maps.setdefault((namespace, name), {}).setdefault(_folder(file), [])
            here += [(k, v, context.at(file, line_of(data, k))) for k, v in data.items()]
        elif kind in ("Ingress", "HTTPRoute", "GRPCRoute", "VirtualService"):
            yield from _ingress(spec, name, kind, context, file)

    def _workload(
        self, item: Mapping[str, Any], name: str, namespace: str, meta: Mapping[str, Any],
        seen: tuple[Evidence, ...], file: SourceFile, context: Context,
    ) -> Iterator[Item]:  # fmt: skip
        spec: Any = item.get("spec")
        schedule = spec.get("schedule") if isinstance(spec, dict) and item.get("kind") == "CronJob" else None
        self._schedules.setdefault(name, set()).add(str(schedule or UNSCHEDULED))
        pod = pod_template(item)
        containers: list[Any] = [
            c
            for k in ("containers", "initContainers")
            for c in pod.get("spec", {}).get(k) or ()
            if isinstance(c, dict)
        ]
        image = str(containers[0].get("image") or "") if containers else ""
        product = None if item.get("kind") in ("Job", "CronJob") else product_of_image(image)
        if product is not None:
            self._products[name] = product  # a job with a database's image is a client of one
        labels: Any = meta.get("labels") or {}
        yield Node(
            id=name,
            name=name,
            kind=product.kind if product else "app",
            owner=labels.get("team") or labels.get("owner"),
            domain=labels.get("app.kubernetes.io/part-of")
            if labels.get("app.kubernetes.io/part-of") != "TEMPLATE"
            else None,
            aliases=(f"k8s:{namespace}/{name}",),
            attributes={"namespace": namespace, **({"image": image} if image else {})},
            evidence=seen,
        )
        pod_labels: Any = (pod.get("metadata") or {}).get("labels") or {}
        self._labels[namespace, name] = {str(k): str(v) for k, v in pod_labels.items()}
        for volume in pod.get("spec", {}).get("volumes") or ():
            self._mounts += ((name, namespace, config, _folder(file)) for config in _configs(volume))
        # Spring Cloud Kubernetes reads the ConfigMap of the program's own name.
        self._mounts.append((name, namespace, name, _folder(file)))
        held = self._settings.setdefault(name, [])
        for container in containers:
            held.extend(self._container(container, name, namespace, file, context))

    def _container(
        self, container: Any, name: str, namespace: str, file: SourceFile, context: Context
    ) -> Iterator[Setting]:
        values: dict[str, str] = {}
        environment: Any = container.get("env") or ()
        for number, entry in enumerate(environment):
            if not isinstance(entry, dict):
                continue
            variable, line = str(entry.get("name")), line_of(environment, number)
            source: Any = entry.get("valueFrom")
            reference: Any = source.get("configMapKeyRef") if isinstance(source, dict) else None
            if isinstance(reference, dict):
                self._wants.append(
                    (
                        name,
                        namespace,
                        str(reference.get("name")),
                        str(reference.get("key")),
                        variable,
                        _folder(file),
                    )
                )
            elif entry.get("value") is not None:
                values[variable] = str(entry["value"])
                yield variable, expand(values[variable], values), context.at(file, line)
        for entry in container.get("envFrom") or ():
            reference = entry.get("configMapRef") if isinstance(entry, dict) else None
            if isinstance(reference, dict):
                self._wants.append((name, namespace, str(reference.get("name")), None, "", _folder(file)))
        for key in ("command", "args"):
            words: Any = container.get(key)
            if isinstance(words, list):
                text = " ".join(str(w) for w in words)
                yield "COMMAND_URL", expand(text, values), context.at(file, line_of(container, key))

    def finish(self, _context: Context) -> Iterable[Item]:
        """Service names onto workloads, ConfigMaps into settings, then the flows."""
        selected, own = Selected(self._labels), defaultdict[str, set[str]](set)
        for name, namespace, selector, seen in self._services:
            aliases = tuple(f"host:{h}" for h in (name, f"{name}.{namespace}"))
            for workload in selected(namespace, selector):
                own[workload].add(name)
                yield Node(id=workload, aliases=aliases, evidence=seen)
        for name, namespace, config, key, variable, folder in self._wants:
            for entry, value, seen in self._map(namespace, config, folder):
                if key is None or key == entry:
                    self._settings.setdefault(name, []).append((variable or entry, value, seen))
        hosts = {s[0] for s in self._services} | {w for _, w in self._labels}
        answers = {service: workload for workload, services in own.items() for service in services}
        for name, namespace, config, folder in dict.fromkeys(self._mounts):
            files = [(k, str(v), seen[0]) for k, v, seen in self._map(namespace, config, folder)]
            for item in mounted_flows(name, files):
                if not isinstance(item, Flow) or item.provider.removeprefix("host:") not in own.get(name, ()):
                    yield with_schedules(item, self._schedules.get(name, ()))
        for name, settings in self._settings.items():
            found = settings_flows(name, settings, own={name, *own.get(name, ())}, known=hosts)
            for item in used_once(self._with_protocol(i, answers) for i in found):
                yield with_schedules(item, self._schedules.get(name, ()))

    def _map(self, namespace: str, config: str, folder: str) -> list[Setting]:
        """The ConfigMap of this name that lies nearest: variants of an installation have one each."""
        held = self._maps.get((namespace, config), {})
        near = sorted(held, key=lambda f: (-_shared(f, folder), f))
        return held[near[0]] if near else []

    def _with_protocol(self, flow: Item, answers: Mapping[str, str]) -> Item:
        """What answers there, by its image, or else what the service's port calls itself; where the address does not say."""
        if not isinstance(flow, Flow) or flow.protocol is not None:
            return flow
        host = flow.provider.removeprefix("host:").partition(".")[0]
        product = self._products.get(answers.get(host, host))
        if product is not None:
            protocol = {"postgresql": "postgres", "rabbitmq": "amqp"}.get(product.id, product.id)
            return structs.replace(flow, mode="db" if product.kind == "db" else "async", protocol=protocol)
        named = self._protocols.get(host, set())
        if len(named) == 1 and named <= {"grpc", "http"}:
            return structs.replace(flow, protocol=next(iter(named)))
        return flow


def _folder(file: SourceFile) -> str:
    return file.source.rpartition("/")[0]


def _shared(one: str, other: str) -> int:
    """How many folders from the root two have in common; the same folder is nearest of all."""
    if one == other:
        return 1_000
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), 1)


def _chart(file: SourceFile, context: Context) -> str | None:
    """The name of the Helm chart that a template belongs to."""
    folder = _folder(file)
    for _ in range(6):
        for other in context.within(folder):
            if other.name == "Chart.yaml" and (
                found := re.search(r"^name:\s*[\"']?([\w.-]+)", other.head, re.MULTILINE)
            ):
                return found[1]
        if not folder:
            return None
        folder = folder.rpartition("/")[0]
    return None


def _configs(volume: Any) -> Iterator[str]:
    """The ConfigMaps that a volume is made of."""
    if not isinstance(volume, dict):
        return
    projected: Any = volume.get("projected")
    sources: Any = projected.get("sources") if isinstance(projected, dict) else None
    for part in (volume, *(sources or ())):
        config: Any = part.get("configMap") if isinstance(part, dict) else None
        if isinstance(config, dict) and config.get("name"):
            yield str(config["name"])


def pod_template(item: Mapping[str, Any]) -> dict[str, Any]:
    """The pod of a workload, whatever its kind."""
    spec: Any = item.get("spec") if isinstance(item.get("spec"), dict) else {}
    if item.get("kind") == "Pod":
        return {"metadata": item.get("metadata") or {}, "spec": spec}
    job: Any = spec.get("jobTemplate")
    if isinstance(job, dict):
        spec = job.get("spec") or {}
    template: Any = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return {"spec": {}}
    return template


def _ingress(spec: Any, name: str, kind: Any, context: Context, file: SourceFile) -> Iterator[Item]:
    if _in_mesh(spec, kind):
        return  # it says how calls of others are led on, and calls nobody itself
    gateway = f"{str(kind).lower()}/{name}"
    chart = _chart(file, context) or ""
    providers: dict[str, int | None] = {}
    _backends(spec, providers, 0)
    providers = {
        p.replace("TEMPLATE", chart): line for p, line in providers.items() if chart or "TEMPLATE" not in p
    }
    if providers:
        yield Node(id=gateway, name=name, kind="channel", evidence=context.at(file, line_of(spec)))
    for provider, line in providers.items():
        found = host_id(provider)
        yield Node(id=found, name=provider)
        yield Flow(
            consumer=gateway, provider=found, mode="sync", protocol="grpc" if kind == "GRPCRoute" else "http",
            evidence=context.at(file, line),
        )  # fmt: skip


def _in_mesh(spec: Any, kind: Any) -> bool:
    """Is a route for calls within a cluster only, behind no gateway?"""
    if kind == "VirtualService":
        return not any(g != "mesh" for g in spec.get("gateways") or ())
    parents = [p for p in spec.get("parentRefs") or () if isinstance(p, dict)]
    return bool(parents) and all(p.get("kind") == "Service" for p in parents)


def _backends(value: Any, found: dict[str, int | None], depth: int) -> None:
    if depth > 30:
        return
    if isinstance(value, dict):
        service: Any = value.get("service")
        name: Any = service.get("name") if isinstance(service, dict) else value.get("serviceName")
        if isinstance(name, str):
            found.setdefault(name, line_of(value))
        host: Any = (
            (value.get("destination") or {}).get("host")
            if isinstance(value.get("destination"), dict)
            else None
        )
        if isinstance(host, str):
            found.setdefault(host, line_of(value, "destination"))
        for reference in value.get("backendRefs") or () if isinstance(value.get("backendRefs"), list) else ():
            if isinstance(reference, dict) and reference.get("kind", "Service") == "Service":
                found.setdefault(str(reference.get("name")), line_of(reference))
        for child in value.values():
            _backends(child, found, depth + 1)
    elif isinstance(value, list):
        for child in value:
            _backends(child, found, depth + 1)
