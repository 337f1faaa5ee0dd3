"""The network of an app, read off its classes: APIs, events and systems, and what flows between them.

A node is an API (``sales/Orders/v1``), an event (its topic, ``sales.OrderPlaced.v1``), a
resource (``resource:erp``) or a channel (``channel:Storefront/mobile``). The flow of a call
leads from the caller to what it calls. An event uses who publishes it; who handles or awaits
it uses the event. ``attributes["relations"]`` of a flow says which: calls, publishes, handles,
awaits, uses, serves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from levada.app import App
from levada.app.assembly import Away, Local
from levada.contract import Contract, EventType, Implementation, event_type
from levada.deployment.configuration import Configuration, IdentitySection
from levada.network.graph import Evidence, Flow, Mode, Network, Node

if TYPE_CHECKING:
    from levada.network.graph import Kind

__all__ = ["describe", "network_of", "stand_in"]


def describe(configuration: Configuration) -> Network:
    """The network of a configuration. Nothing is started, connected or decrypted: no secret is needed.

    Raises:
        ModelError: The parts do not fit.
        ConfigurationError: A module or a binding is not as stated.
    """
    return network_of(
        stand_in(configuration),
        resources=configuration.resources,
        owner=configuration.app.owner,
        folder=Path(configuration.folder).resolve(),
    )


def stand_in(configuration: Configuration) -> App:
    """The app of a configuration as far as its classes tell; it cannot be started.

    Raises:
        ModelError: The parts do not fit.
        ConfigurationError: A module or a binding is not as stated.
    """
    from levada.deployment.build import build_app

    # What a resource is asked for while assembling is its name alone; its secrets stay where they are.
    stand_ins = {name: {"url": "http://unused.invalid"} for name in configuration.resources}
    bind = {contract: _without_credential(bound) for contract, bound in configuration.bind.items()}
    return build_app(
        structs.replace(configuration, resources=stand_ins, bind=bind, identity=IdentitySection())
    )


def _without_credential(bound: Any) -> Any:
    if not isinstance(bound, Mapping):
        return bound
    return {str(name): value for name, value in bound.items() if name != "auth"}


def network_of(
    app: App,
    *,
    resources: Mapping[str, Mapping[str, Any]] | None = None,
    owner: str | None = None,
    folder: Path | None = None,
) -> Network:
    """The network of an assembled app.

    Args:
        app: The app; it need not run.
        resources: What ``[resources]`` says, for the kinds of the systems.
        owner: Who owns what is deployed here.
        folder: Where the deployment lies; files in the evidence are told relative to it.
    """
    network = _Drawn(resources or {}, owner, folder)
    for local in app.plan.locals:
        network.api(local)
    for (consumer, attribute), behind in sorted(app.plan.bound.items(), key=lambda item: item[0]):
        network.call(consumer, attribute, behind, _implementation(app, consumer))
    return network.done()


def _implementation(app: App, contract_id: str) -> Implementation:
    return next(local.implementation for local in app.plan.locals if local.contract.id == contract_id)


class _Drawn:
    """A network in the making: relations between two nodes are gathered into one flow."""

    def __init__(
        self, resources: Mapping[str, Mapping[str, Any]], owner: str | None, folder: Path | None
    ) -> None:
        self._network = Network()
        self._folder = folder
        self._resources = resources
        self._owner = owner
        self._flows: dict[tuple[str, str], Flow] = {}

    def done(self) -> Network:
        for flow in self._flows.values():
            self._network.add_flow(flow)
        return self._network

    def api(self, local: Local) -> None:
        """An API that is kept here, with its events, resources and channels."""
        implementation, contract = local.implementation, local.contract
        self._contract(contract, implementation.place, kept_by=_class(implementation.cls))
        for kind in implementation.publishes.values():
            self._event(kind)
            self._flow(kind.topic, contract.id, "publishes", "async", implementation.place)
        for name, handler in implementation.handlers.items():
            kind = event_type(handler.spec.event)
            self._event(kind)
            self._flow(contract.id, kind.topic, "handles", "async", implementation.place, handler=name)
        for kind in implementation.awaits.values():
            self._event(kind)
            self._flow(contract.id, kind.topic, "awaits", "async", implementation.place)
        for reference, hint in implementation.resources.values():
            self._resource(reference.name, hint)
            self._flow(contract.id, f"resource:{reference.name}", "uses", "unknown", implementation.place)
        for channel in contract.channels:
            self._channel(contract, channel)

    def call(self, consumer: str, attribute: str, behind: Local | Away, by: Implementation) -> None:
        """A dependency, and the operations that the consumer's code names."""
        provider = behind.contract
        protocol = "in-process"
        if isinstance(behind, Away):
            protocol = "http"
            self._contract(provider, provider.line, url=behind.remote.url)
        operations = sorted(name for port, name in by.called if port == attribute)
        self._flow(consumer, provider.id, "calls", "sync", by.place, protocol=protocol, operations=operations)

    def _contract(self, contract: Contract, place: str, **more: Any) -> None:
        operations = {
            name: f"{operation.method} {operation.path}" for name, operation in contract.operations.items()
        }
        self._network.add_node(
            Node(
                id=contract.id,
                name=contract.name,
                kind="api",
                layer=contract.layer,
                domain=contract.domain,
                owner=self._owner,
                attributes={
                    "version": str(contract.version),
                    "path": contract.path,
                    "operations": operations,
                    "doc": _first_line(contract.doc),
                    **more,
                },
                evidence=(self._evidence(place),),
            )
        )

    def _event(self, kind: EventType) -> None:
        attributes: dict[str, Any] = {"version": str(kind.version), "type": kind.type}
        if kind.key is not None:
            attributes["order_key"] = kind.key
        if kind.personal:
            attributes["personal"] = dict(kind.personal)
        place = kind.cls.__event__.line
        self._network.add_node(
            Node(
                id=kind.topic,
                name=kind.name,
                kind="event",
                domain=kind.domain,
                attributes=attributes,
                evidence=(self._evidence(place),),
            )
        )

    def _resource(self, name: str, hint: Any) -> None:
        kind = _kind_of(self._resources.get(name, {})) or _kind_by_type(hint)
        of: Kind = "db" if kind == "sql" else "app"
        attributes = {"kind": kind} if kind else {}
        evidence = self._evidence(f"levada.toml [resources.{name}]")
        self._network.add_node(
            Node(id=f"resource:{name}", name=name, kind=of, attributes=attributes, evidence=(evidence,))
        )

    def _channel(self, contract: Contract, channel: Any) -> None:
        kind = type(channel).__name__.lower()
        node = f"channel:{contract.name}/{kind}"
        self._network.add_node(
            Node(id=node, name=kind, kind="channel", evidence=(self._evidence(contract.line),))
        )
        self._flow(node, contract.id, "serves", "sync", contract.line, protocol="http")

    def _evidence(self, place: str) -> Evidence:
        return _evidence(place, self._folder)

    def _flow(
        self,
        consumer: str,
        provider: str,
        relation: str,
        mode: Mode,
        place: str,
        *,
        protocol: str | None = None,
        handler: str | None = None,
        operations: list[str] | None = None,
    ) -> None:
        held = self._flows.get((consumer, provider))
        attributes: dict[str, Any] = dict(held.attributes) if held else {"relations": []}
        attributes["relations"] = sorted({*attributes["relations"], relation})
        if handler is not None:
            attributes["handlers"] = sorted({*attributes.get("handlers", ()), handler})
        if operations is not None:
            attributes["operations"] = sorted({*attributes.get("operations", ()), *operations})
        self._flows[consumer, provider] = Flow(
            consumer=consumer,
            provider=provider,
            mode=mode,
            protocol=protocol,
            attributes=attributes,
            evidence=(self._evidence(place),),
        )


_PLACE = re.compile(r"(?:.*\()?(?P<file>.+):(?P<line>\d+)\)?\Z")


def _evidence(place: str, folder: Path | None = None) -> Evidence:
    """``module.Class (file:line)`` or ``file:line`` as evidence, the file relative to the deployment's folder."""
    found = _PLACE.match(place)
    if found is None:
        return Evidence(source=place, status="configured", importer="describe")
    file = Path(found["file"])
    if folder is not None and file.is_relative_to(folder):
        file = file.relative_to(folder)
    return Evidence(source=str(file), line=int(found["line"]), status="configured", importer="describe")


def _class(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]


def _kind_of(settings: Mapping[str, Any]) -> str | None:
    """sql, http, soap, files, as far as it can be told without resolving a secret."""
    stated = settings.get("kind")
    if isinstance(stated, str):
        return stated
    scheme = str(settings.get("url", "")).partition(":")[0].partition("+")[0]
    if scheme in ("env", "file", ""):
        return None
    return {"http": "http", "https": "http", "sftp": "files", "folder": "files"}.get(scheme, "sql")


def _kind_by_type(hint: Any) -> str | None:
    """The kind that an adapter's annotation says: ``db: Database`` is sql."""
    before, found, after = str(getattr(hint, "__module__", "")).partition("levada.connect.")
    return after.partition(".")[0] if found and not before else None
