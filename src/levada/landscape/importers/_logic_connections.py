"""What lies beside the workflows of a Logic App of the Standard plan: connections, parameters, settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from levada.landscape.importers._address import Address, addresses
from levada.landscape.importers.protocol import Context, SourceFile

__all__ = ["Application", "Connection", "application_of"]

_PLACES = ("serverName", "fullyQualifiedNamespace", "endpoint", "hostName", "sshHostAddress", "blobStorageEndpoint", "connectionString", "accountUrl")  # fmt: skip
_SETTING = re.compile(r"@\{?appsetting\('([^']+)'\)\}?")


class Connection(Struct, frozen=True):
    """One connection: the connector's word, what people call it, and the address it names, if it does."""

    word: str
    name: str
    address: Address | None = None
    database: str | None = None


class Application(Struct):
    """A Logic App: its folder's name, what its parameters and settings say, its connections."""

    name: str = ""
    values: dict[str, str] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    """Ids of Azure Functions, and of APIs of API Management, by the connection's name."""


def application_of(file: SourceFile, context: Context) -> Application:
    """The application of a workflow: the nearest folder above with a ``connections.json``, ``parameters.json`` or ``host.json``."""
    folder = file.source.rpartition("/")[0]
    for _ in range(4):
        held = {f.name: f for f in context.within(folder)}
        if (
            held.keys() & {"connections.json", "parameters.json", "host.json"}
            and file.name == "workflow.json"
        ):
            return _read(folder, held)
        if not folder:
            break
        folder = folder.rpartition("/")[0]
    return Application()


def _read(folder: str, held: Mapping[str, SourceFile]) -> Application:
    app = Application(folder.rpartition("/")[2])
    settings = {
        k: v for k, v in _members(_json(held, "local.settings.json"), "Values").items() if isinstance(v, str)
    }
    for name, declared in _json(held, "parameters.json").items():
        value: Any = declared.get("value") if isinstance(declared, dict) else None
        if isinstance(value, str):
            app.values[name] = _SETTING.sub(lambda m: settings.get(m[1], m[0]), value)
    app.values.update({f"appsetting:{k}": v for k, v in settings.items()})
    connections = _json(held, "connections.json")
    for name, one in _members(connections, "managedApiConnections").items():
        word = str(_members(one, "api").get("id") or "").rpartition("/")[2]
        if word:
            app.connections[name] = Connection(word, str(one.get("displayName") or name))
    for name, one in _members(connections, "serviceProviderConnections").items():
        word = str(_members(one, "serviceProvider").get("id") or "").rpartition("/")[2]
        said = {
            k: _SETTING.sub(lambda m: settings.get(m[1], m[0]), str(v))
            for k, v in _members(one, "parameterValues").items()
        }
        if word:
            called = str(one.get("displayName") or name)
            app.connections[name] = Connection(word, called, _address(said), said.get("databaseName"))
    for section in ("functionConnections", "apiManagementConnections"):
        for name, one in _members(connections, section).items():
            app.functions[name] = str(_members(one, "function").get("id") or one.get("apiId") or "")
    return app


def _address(said: Mapping[str, str]) -> Address | None:
    for key in _PLACES:
        for found in addresses(said.get(key, ""), "HOST"):
            return found
    return None


def _json(held: Mapping[str, SourceFile], name: str) -> Mapping[str, Any]:
    try:
        found: Any = held[name].json if name in held else None
    except ValueError:
        return {}  # told when that file itself is read
    return found if isinstance(found, dict) else {}


def _members(value: Any, name: str) -> Mapping[str, Any]:
    found: Any = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
