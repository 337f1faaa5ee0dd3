"""Azure Functions: bindings and timers of ``function.json``, and the settings of their application."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from levada.landscape.importers._connector import connector_flow
from levada.landscape.importers._products import by_word
from levada.landscape.importers._schedules import every, united
from levada.landscape.importers._settings import settings_flows
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Node
from levada.network.names import slug

__all__ = ["AzureFunctions"]

_WITHIN = frozenset(
    ("http", "orchestration", "activity", "entity", "orchestrationClient", "durableClient", "warmup", "timer")
)
_TOPICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue": ("azure-storage-queue", ("queueName",)),
    "serviceBus": ("azure-service-bus", ("queueName", "topicName")),
    "eventHub": ("azure-event-hubs", ("eventHubName", "path")),
    "kafka": ("kafka", ("topic",)),
    "rabbitMQ": ("rabbitmq", ("queueName",)),
}
"""Bindings of a queue or topic: the broker's word, and which members name the topic."""
_WORDS = {
    "blob": "azure-blob", "cosmosDB": "azure-cosmos", "documentDB": "azure-cosmos", "table": "azure-table-storage",
    "sendGrid": "sendgrid", "twilioSms": "twilio", "signalR": "azure-signalr", "eventGrid": "azure-event-grid",
}  # fmt: skip
_GENERIC = frozenset(("src", "function", "functions", "functionapp", "function_app", "api", "app"))
_IN_CODE = re.compile(r"(?:\.csproj|\.fsproj|pom\.xml|function_app\.py|build\.gradle)\Z")
"""Files of applications that declare functions in their code, too."""


class _Function(Struct):
    bindings: list[tuple[Mapping[str, Any], tuple[Evidence, ...]]]
    starts: set[str] = field(default_factory=set)

    def has(self, *types: str) -> bool:
        return any(b.get("type") in types for b, _ in self.bindings)


class _App(Struct):
    id: str
    name: str
    functions: list[_Function] = field(default_factory=list)
    settings: dict[str, tuple[str, tuple[Evidence, ...]]] = field(default_factory=dict)


class AzureFunctions:
    """An application is the folder of its ``host.json``; each folder below with a ``function.json`` is a function of it."""

    name = "azure-functions"
    formats: tuple[str, ...] = ("Azure Functions (function.json, local.settings.json)",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._apps: dict[str, _App] = {}

    def recognise(self, file: SourceFile) -> float:
        """By the names."""
        if file.name == "function.json" and '"bindings"' in file.head:
            return 1.0
        return 0.9 if file.name == "local.settings.json" and '"Values"' in file.head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The application; flows follow when its settings are known."""
        data: Any = file.json
        if not isinstance(data, dict):
            return
        folder = re.split(r"(?:^|/)(?:bin|obj)/", f"{_folder(file, context)}/")[0].rstrip("/")
        app = self._apps.get(folder)
        if app is None:
            name = _name(folder, file)
            app = self._apps[folder] = _App(f"azure-functions/{slug(name)}", name)
        if file.name == "function.json":
            bindings: Any = data.get("bindings")
            held = [b for b in bindings if isinstance(b, dict)] if isinstance(bindings, list) else []
            if data.get("disabled") is not True:
                app.functions.append(_Function([(b, context.at(file, _line(file, b))) for b in held]))
        else:
            values: Any = data.get("Values")
            for key, value in values.items() if isinstance(values, dict) else ():
                line = file.line_with('"Values"', json.dumps(key))
                app.settings[key] = (str(value), context.at(file, line))
        tool = {"tool": "azure-functions"}
        yield Node(id=app.id, name=app.name, kind="app", attributes=tool, evidence=context.at(file, 1))

    def finish(self, context: Context) -> Iterable[Item]:
        """What the functions use, and when: each has the schedules of its timers, and its application all of them."""
        for folder, app in self._apps.items():
            for function in app.functions:
                function.starts = set(_starts(function, app))
            orders = [
                s for f in app.functions if f.has("durableClient", "orchestrationClient") for s in f.starts
            ]
            for function in app.functions:
                if function.has("orchestrationTrigger", "activityTrigger", "entityTrigger"):
                    function.starts = set(orders) or {UNSCHEDULED}
            items: list[tuple[Item, set[str]]] = [
                (item, function.starts)
                for function in app.functions
                for binding, seen in function.bindings
                for item in _flows(binding, app, function.starts, seen, context)
            ]
            in_code = any(
                _IN_CODE.search(f.name) or "/src/functions/" in f.source for f in context.under(folder)
            )
            everything = {s for f in app.functions for s in f.starts} | ({UNSCHEDULED} if in_code else set())
            settings = ((name, value, seen) for name, (value, seen) in app.settings.items())
            items += [(item, everything) for item in settings_flows(app.id, settings)]
            yield from united(items)


def _folder(file: SourceFile, context: Context) -> str:
    """The nearest folder above with a ``host.json``; else that of the function's folder, or of the settings."""
    here = file.source.rpartition("/")[0]
    above = here
    while True:
        if any(f.name == "host.json" for f in context.within(above)):
            return above
        if not above:
            return here.rpartition("/")[0] if file.name == "function.json" else here
        above = above.rpartition("/")[0]


def _name(folder: str, file: SourceFile) -> str:
    parts = [p for p in folder.split("/") if p and p.lower() not in _GENERIC]
    return parts[-1] if parts else file.root.name


def _line(file: SourceFile, binding: Mapping[str, Any]) -> int | None:
    return file.line_with('"bindings"', json.dumps(binding.get("name"))) or file.line_with('"bindings"')


def _starts(function: _Function, app: _App) -> Iterator[str]:
    triggers = [b for b, _ in function.bindings if str(b.get("type")).endswith("Trigger")]
    for trigger in triggers or [{}]:
        timed = trigger.get("type") == "timerTrigger"
        yield _schedule(_filled(str(trigger.get("schedule") or ""), app)) if timed else UNSCHEDULED


def _schedule(text: str) -> str:
    """NCRONTAB with its seconds, or a time that passes between two runs: of ``30:00:00`` the first are days."""
    text = text.strip()
    if span := re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})", text):
        days, first, second, third = (int(n or 0) for n in span.groups())
        if first >= 24:
            days, first, second, third = first, second, third, 0
        return every(((days * 24 + first) * 60 + second) * 60 + third)
    return f"0 {text}" if len(text.split()) == 5 else text or UNSCHEDULED


def _filled(text: str, app: _App) -> str:
    """The text with ``%NAME%`` filled in by the application's settings; what has no value stands as ``${NAME}``."""
    return re.sub(
        r"%([\w:.-]+)%", lambda m: app.settings[m[1]][0] if m[1] in app.settings else f"${{{m[1]}}}", text
    )


def _flows(
    binding: Mapping[str, Any], app: _App, starts: Iterable[str], seen: tuple[Evidence, ...], context: Context
) -> Iterator[Item]:
    kind = str(binding.get("type") or "")
    listens = kind.endswith("Trigger")
    kind = kind.removesuffix("Trigger")
    if kind in _WITHIN or not kind:
        return
    if kind in _TOPICS:
        word, members = _TOPICS[kind]
        topic = _filled(next((str(binding[m]) for m in members if binding.get(m)), "?"), app)
        topic = "?" if "<" in topic else topic  # a template's place
        product = by_word(word)
        broker, name = (product.id, product.name) if product else (word, word)
        yield Node(id=broker, name=name, kind="broker", evidence=seen)
        reads = listens or binding.get("direction") == "in"
        context.topic("reads" if reads else "writes", app.id, topic, seen, broker=broker, schedules=starts)
    elif kind == "sql":
        command = str(binding.get("commandText") or "")
        named = re.fullmatch(r"\[?\w+\]?\.\[?(\w+)\]?", command.strip())
        for table in tables_in(command) or [named[1] if named else None]:
            yield from connector_flow(app.id, "mssql", seen, what=table)
    else:
        what = next(
            (
                str(binding[m])
                for m in ("containerName", "collectionName", "tableName", "path")
                if binding.get(m)
            ),
            "",
        )
        what = _filled(what, app).partition("/")[0]
        computed = not what or "{" in what or "<" in what
        yield from connector_flow(
            app.id, _WORDS.get(kind, kind), seen, what=None if computed else what, listens=listens
        )
