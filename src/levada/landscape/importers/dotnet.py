""".NET: ``appsettings.json`` and its environments; connection strings, addresses of services, buses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from levada.landscape.importers._programs import (
    Meaning,
    Program,
    Setting,
    flattened,
    local_calls,
    program_flows,
)
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network.graph import Node
from levada.network.names import slug

__all__ = ["DotNet"]

_NAME = re.compile(r"appsettings(?:\.([\w-]+))?\.json\Z", re.IGNORECASE)
_ASIDE = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*[\s\S]*?\*/|,(?=\s*[}\]])')
"""Comments and trailing commas, which .NET takes; texts first, for they may hold either."""
_NOTHING = re.compile(
    r"^(?:logging|kestrel|allowedhosts|\$schema|openapi|swagger)\b|^urls\Z|client\Z|cors|redirect|audience|scopes?\b|logout|origin|callback"
    r"|^serilog\.(?:minimumlevel|enrich|using|properties)\b|externalurl|frontend|spaclient|clienturl|\.path\Z|schema"
)
_TELEMETRY = re.compile(
    r"^serilog\b|applicationinsights|^otel|opentelemetry|otlp|jaeger|zipkin|\bseq|elasticapm|logstash"
)
_SIGN_ON = re.compile(
    r"identity|authority|azuread|openid|oidc|issuer|jwks?|tokenendpoint|tokenurl|keycloak|auth0|oauth"
)
_CONNECTION = re.compile(r"^connectionstrings\.|connection(?:string)?s?\Z")
_BUS = re.compile(r"rabbit|eventbus|messagebus|messaging|amqp")
_EMBEDDED = re.compile(
    r"\.(?:db3?|sqlite3?|mdf|sdf)\b|:memory:|mode=memory|usedevelopmentstorage=true", re.IGNORECASE
)


class DotNet:
    """A program is the folder of its ``appsettings.json``; the project file there names it."""

    name = "dotnet"
    formats: tuple[str, ...] = (".NET settings (appsettings.json and appsettings.<Environment>.json)",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def recognise(self, file: SourceFile) -> float:
        """By the name."""
        return (
            0.95
            if _NAME.fullmatch(file.name) and file.head.lstrip("\ufeff \t\r\n")[:1] in ("{", "/")
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The program and its settings; flows are told once all environments are read."""
        folder = file.source.rpartition("/")[0]
        name = _project(folder, file, context)
        if re.search(r"(?:^|[./])(?:\w*tests?|\w*specs)(?:$|[./])", f"{folder}/{name}", re.IGNORECASE):
            yield context.finding("test-settings", "settings of tests; not read", file, severity="info")
            return
        data = _json(file)
        me = slug(name)
        program = self._programs.setdefault(folder, Program(me, name, []))
        matched = _NAME.fullmatch(file.name)
        profile = matched[1] if matched else None
        for key, value, _ in flattened(data):
            words = [f'"{w}"' for w in re.split(r"[.\[]", key) if not w.endswith("]")]
            line = file.line_with(*words) or file.line_with(words[-1])
            program.settings.append(Setting(key, value, context.at(file, line)[0], profile))
        yield Node(id=me, name=name, kind="app", evidence=context.at(file, 1))

    def finish(self, context: Context) -> Iterable[Item]:
        """What the programs use; a local port means the program whose launch settings open it."""
        names = {p.id: p.name for p in self._programs.values()}
        ports: dict[int, set[str]] = {}
        for folder, program in self._programs.items():
            for port in _ports(folder, context):
                ports.setdefault(port, set()).add(program.id)
        for program in self._programs.values():
            yield from local_calls(program_flows(program, _meaning), ports, names)


def _project(folder: str, file: SourceFile, context: Context) -> str:
    for other in context.within(folder):
        if other.suffix in (".csproj", ".fsproj", ".vbproj"):
            return other.name.rpartition(".")[0]
    return folder.rpartition("/")[2] or file.root.name or "dotnet"


def _ports(folder: str, context: Context) -> set[int]:
    """The ports that a program's ``launchSettings.json`` opens on a developer's machine."""
    for file in context.within(f"{folder}/Properties" if folder else "Properties"):
        if file.name.lower() == "launchsettings.json":
            try:
                urls = re.findall(r'"applicationUrl"\s*:\s*"([^"]*)"', file.text)
            except (Malformed, OSError):
                return set()
            return {int(port) for url in urls for port in re.findall(r":(\d{2,5})\b", url)}
    return set()


def _json(file: SourceFile) -> object:
    text = _ASIDE.sub(lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), file.text)
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise Malformed("nested too deep") from exc
    except json.JSONDecodeError as exc:
        raise Malformed(f"malformed JSON: {exc.msg}", exc.lineno) from exc


def _meaning(setting: Setting) -> Meaning | None:
    key = setting.plain
    if _NOTHING.search(key):
        return None
    if _TELEMETRY.search(key):
        return Meaning(what="telemetry")
    if re.search(r"healthchecks?ui|\.hc\b", key):
        return Meaning(what="health")
    if re.search(r"bootstrapservers\Z|kafka.*brokers?(?:list)?\Z", key):
        return Meaning("kafka", sure=True)
    if _BUS.search(key) and re.search(r"(?:host|hostname|hosts|connection|hostaddress|uri|url)\Z", key):
        name = setting.key.partition(".")[2] if key.startswith("connectionstrings.") else None
        return Meaning("amqp", url=_connection, sure=True, connection=name)
    if _CONNECTION.search(key):
        named = key.startswith("connectionstrings.") and not re.search(r"\.default(?:connection)?\Z", key)
        name = setting.key.partition(".")[2] if named else None
        return Meaning(url=_connection, sure=key.startswith("connectionstrings."), connection=name)
    return Meaning(protocol="oidc") if _SIGN_ON.search(key) else Meaning()


def _connection(setting: Setting, _program: Program) -> str | None:
    """The address that a connection string means; None for a database in the program itself."""
    value, key = setting.value.strip(), setting.plain
    if _EMBEDDED.search(value) or not value:
        return None
    if "://" in value:
        return value
    fields = dict(_fields(value))
    if "accountname" in fields and "defaultendpointsprotocol" in fields:
        return f"https://{fields['accountname']}.blob.core.windows.net"
    host = next(
        (
            fields[n]
            for n in ("server", "datasource", "host", "address", "addr", "networkaddress")
            if n in fields
        ),
        None,
    )
    scheme = _scheme(key, fields)
    if host is None:
        bare = value.split(",")[0].split(";")[0]
        return (
            f"{scheme}://{bare}" if scheme and "=" not in bare and re.fullmatch(r"[\w.:-]+", bare) else None
        )
    host = re.sub(r"\A(?:tcp|np|lpc):", "", host, flags=re.IGNORECASE).split("\\")[0]
    host = "localhost" if host.lower() in (".", "(local)", "(localdb)") else host.replace(",", ":")
    port = fields.get("port", "")
    database = fields.get("database") or fields.get("initialcatalog")
    if not re.fullmatch(r"[\w.:-]+", host):
        return value
    end = f":{port}" if port.isdigit() and ":" not in host else ""
    return f"{scheme or 'mssql'}://{host}{end}" + (f"/{database}" if database else "")


def _scheme(key: str, fields: dict[str, str]) -> str | None:
    if "redis" in key or "cache" in key:
        return "redis"
    if _BUS.search(key):
        return "amqp"
    if "kafka" in key:
        return "kafka"
    if "mongo" in key:
        return "mongodb"
    if "mysql" in key or "mariadb" in key or ("uid" in fields and "server" in fields and "port" in fields):
        return "mysql"
    if "host" in fields or "postgres" in key or "npgsql" in key:
        return "postgres"
    return "mssql" if fields else None


def _fields(value: str) -> Iterator[tuple[str, str]]:
    for part in value.split(";"):
        name, equals, text = part.partition("=")
        if equals:
            yield re.sub(r"\s+", "", name).lower(), text.strip().strip("\"'")
