"""Azure Logic Apps: workflow definitions, alone or within an ARM template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from levada.landscape.importers._address import is_local, node_of_host
from levada.landscape.importers._connector import connector_flow, instances_of, url_flow
from levada.landscape.importers._logic_connections import Application, Connection, application_of
from levada.landscape.importers._products import Product, by_word
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._schedules import with_schedules
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["LogicApps"]


class LogicApps:
    """A workflow is an application; its managed connections name what it uses."""

    name = "logic-apps"
    formats: tuple[str, ...] = (
        "Logic Apps workflow.json, with what lies beside it",
        "ARM templates with Microsoft.Logic/workflows",
    )
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """The schema of workflow definitions."""
        if file.suffix != ".json":
            return 0.0
        if file.name in ("connections.json", "local.settings.json"):
            # Read with the workflows; what says that it is of a Logic App is no application of its own.
            own = "ApiConnections" in file.head or "serviceProviderConnections" in file.head
            return 1.0 if own or '"workflowapp"' in file.head.lower() else 0.0
        return 0.95 if "Microsoft.Logic/" in file.head or "workflowdefinition.json" in file.head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Triggers and actions, nested ones too."""
        data = file.json
        if not isinstance(data, dict):
            return
        for name, definition in _definitions(data, file, context):
            me = f"logic-apps/{slug(name)}"
            yield Node(
                id=me, name=name, kind="app", attributes={"tool": "logic-apps"}, evidence=context.at(file, 1)
            )
            app = application_of(file, context)
            values = {**app.values, **_parameters(data, definition)}
            triggers = list(_steps(definition.get("triggers"), 0))
            starts = [_starts(trigger, values) for _, trigger in triggers]
            workflow = _Workflow(me, app, values, file, context)
            for key, trigger in triggers:
                poll = [_recurrence(trigger, values)] if "recurrence" in trigger else starts
                for item in workflow.step(key, trigger, poll, listens=True):
                    yield with_schedules(item, poll)
            for key, step in _steps(definition.get("actions"), 0):
                for item in workflow.step(key, step, starts, listens=False):
                    yield with_schedules(item, starts)


def _definitions(
    data: Mapping[str, Any], file: SourceFile, context: Context
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in data.get("resources") or ():
        if isinstance(resource, dict) and resource.get("type") == "Microsoft.Logic/workflows":
            found: Any = (resource.get("properties") or {}).get("definition")
            name = str(resource.get("name") or file.path.stem)
            inner = re.search(r"'([^']+)'", name)
            if isinstance(found, dict):
                yield (_default(data, inner[1]) if inner and name.startswith("[") else name), found
    found = data.get("definition") if isinstance(data.get("definition"), dict) else data
    if isinstance(found, dict) and "actions" in found:
        yield _beside(file, context) or _named(file), found


def _beside(file: SourceFile, context: Context) -> str | None:
    """The name that the one ARM template in the same folder gives the workflow: both describe one application."""
    names: list[str] = []
    for other in context.within(file.source.rpartition("/")[0]) if file.name == "workflow.json" else ():
        if other is not file and other.suffix == ".json" and "Microsoft.Logic/workflows" in other.text:
            data: Any = other.json
            names += [n for n, _ in _definitions(data, other, context)] if isinstance(data, dict) else []
    return names[0] if len(names) == 1 else None


def _default(data: Mapping[str, Any], parameter: str) -> str:
    """What an ARM parameter stands for, where the template says so."""
    declared: Any = (data.get("parameters") or {}).get(parameter)
    value: Any = declared.get("defaultValue") if isinstance(declared, dict) else None
    return value if isinstance(value, str) and value and not value.startswith("[") else parameter


def _named(file: SourceFile) -> str:
    """The file's name, or that of the first folder above it that is not one of every project."""
    if file.name != "workflow.json":
        return file.path.stem
    parts = [p for p in file.source.split("/")[:-1] if p.lower() not in _EVERYWHERE]
    return parts[-1] if parts else file.root.name


def _parameters(data: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, str]:
    """Values of parameters that stand in the file: of the workflow, and of the template around it."""
    out: dict[str, str] = {}
    for place in (data.get("parameters"), definition.get("parameters")):
        for name, declared in place.items() if isinstance(place, dict) else ():
            value: Any = (
                declared.get("defaultValue", declared.get("value")) if isinstance(declared, dict) else None
            )
            if isinstance(value, str | int) and not str(value).startswith("["):
                out.setdefault(name, str(value))
    return out


def _starts(trigger: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """When a trigger starts the workflow: one that asks for what is new does so only if there is something."""
    by_the_clock = str(trigger.get("type")) in ("Recurrence", "SlidingWindow")
    return _recurrence(trigger, values) if by_the_clock else UNSCHEDULED


def _recurrence(trigger: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """``every 2 weeks``; the days of a month that are named as Quartz writes them."""
    held: Any = trigger.get("recurrence")
    recurrence = held if isinstance(held, dict) else {}
    unit, number = (
        _filled(str(recurrence.get(k, d)), values) for k, d in (("frequency", ""), ("interval", 1))
    )
    if (
        unit.lower() not in ("second", "minute", "hour", "day", "week", "month", "year")
        or not number.isdigit()
    ):
        return UNSCHEDULED
    told = f"every {int(number)} {unit.lower()}s"
    within: Any = recurrence.get("schedule")
    if unit.lower() != "month" or not isinstance(within, dict):
        return told
    days = _days_of_month(within)
    if int(number) == 1 or days is None:
        return days or told
    # Which months these are is not said; a day that some of them lack may be left out once.
    return (
        told
        if re.fullmatch(r"0 0 0 (?:(?:1?\d|2[0-8]|L)(?:,|\b))+ \* \?", days)
        else f"{told} | {UNSCHEDULED}"
    )


def _days_of_month(within: Mapping[str, Any]) -> str | None:
    days: Any = within.get("monthDays")
    if isinstance(days, list) and days and all(isinstance(d, int) for d in days):
        marks = [str(d) if d > 0 else "L" if d == -1 else f"L{d + 1}" for d in days]
        return f"0 0 0 {','.join(marks)} * ?"
    occurrences: Any = within.get("monthlyOccurrences")
    marks = []
    for one in occurrences if isinstance(occurrences, list) else ():
        day, nth = (one.get("day"), one.get("occurrence")) if isinstance(one, dict) else (None, None)
        if not isinstance(day, str) or not isinstance(nth, int) or not (nth == -1 or 1 <= nth <= 5):
            return UNSCHEDULED
        marks.append(f"{day[:3].upper()}{'L' if nth == -1 else f'#{nth}'}")
    return f"0 0 0 ? * {','.join(marks)}" if marks else None


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with parameters of the workflow, of the template around it and settings of the application that have a value."""
    text = re.sub(
        r"@\{parameters\('([^']+)'\)\}|^@parameters\('([^']+)'\)|^\[parameters\('([^']+)'\)\]$",
        lambda m: values.get(m[1] or m[2] or m[3], m[0]),
        text,
    )
    return re.sub(
        r"@\{appsetting\('([^']+)'\)\}|^@appsetting\('([^']+)'\)",
        lambda m: values.get(f"appsetting:{m[1] or m[2]}", m[0]),
        text,
    )


_WHAT = ("queueName", "topicName", "entityName", "storedProcedureName", "tableName", "containerName", "containerId", "filePath", "folderPath")  # fmt: skip
_EVERYWHERE = frozenset(("playbook", "playbooks", "workflow", "workflows", "logicapp", "logicapps", "logic-app", "logic-apps", "src"))  # fmt: skip


def _steps(steps: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(steps, dict) or depth > 20:
        return
    for name, step in steps.items():
        if not isinstance(step, dict):
            continue
        yield name, step
        yield from _steps(step.get("actions"), depth + 1)
        yield from _steps((step.get("else") or {}).get("actions"), depth + 1)
        for case in (step.get("cases") or {}).values():
            yield from _steps(case.get("actions"), depth + 1)


class _Workflow:
    """One workflow while its steps are read."""

    def __init__(
        self, me: str, app: Application, values: Mapping[str, str], file: SourceFile, context: Context
    ) -> None:
        self._me, self._app, self._values, self._file, self._context = me, app, values, file, context
        self._lost: set[str] = set()

    def step(
        self, name: str, step: Mapping[str, Any], starts: Iterable[str], *, listens: bool
    ) -> Iterator[Item]:
        """What a trigger or an action uses."""
        inputs: Any = step.get("inputs") if isinstance(step.get("inputs"), dict) else {}
        seen = self._context.at(self._file, self._file.line_with(f'"{name}"'))
        kind = str(step.get("type"))
        if kind in ("Http", "HttpWebhook"):
            yield from self._call(name, str(inputs.get("uri") or ""), seen)
        elif kind in ("ApiConnection", "ApiConnectionWebhook", "ApiConnectionNotification"):
            yield from self._managed(name, inputs, starts, seen, listens=listens)
        elif kind == "ServiceProvider":
            yield from self._provided(inputs, starts, seen, listens=listens)
        elif kind in ("Function", "ApiManagement"):
            yield from self._hosted(inputs, seen)
        elif kind == "Workflow":
            target = str(
                (inputs.get("host") or {}).get("workflow", {}).get("id")
                or (inputs.get("host") or {}).get("workflowReferenceName")
                or ""
            )
            if target:
                provider = f"logic-apps/{slug(target.rpartition('/')[2])}"
                yield Flow(consumer=self._me, provider=provider, mode="sync", protocol="http", evidence=seen)

    def _call(self, name: str, said: str, seen: tuple[Evidence, ...]) -> Iterator[Item]:
        uri = _filled(said, self._values)
        found = list(url_flow(self._me, uri.replace("@{", "{"), seen))
        yield from found
        setting = re.match(r"@\{?appsetting\('([^']+)'\)", uri)
        if setting and not found:
            yield from self._unset(setting[1], seen)
        elif not found:
            text = f"{self._me}: the address of {name} is computed: {excerpt(uri, 120)}"
            yield self._context.finding("unresolved-address", text, self._file, seen[0].line)

    def _unset(self, setting: str, seen: tuple[Evidence, ...]) -> Iterator[Item]:
        """A setting that only the deployed application has."""
        if setting not in self._lost:
            self._lost.add(setting)
            text = f"{self._me}: {setting} has no value in its settings"
            yield self._context.finding("unresolved-setting", text, self._file, seen[0].line, severity="info")
        lost = f"unresolved:{self._me}/{setting}"
        yield Node(id=lost, name=f"{setting} of {self._me}", aliases=(f"setting:{setting}",), evidence=seen)
        yield Flow(consumer=self._me, provider=lost, mode="sync", protocol="http", evidence=seen)

    def _managed(
        self, name: str, inputs: Mapping[str, Any], starts: Iterable[str], seen: tuple[Evidence, ...], *, listens: bool
    ) -> Iterator[Item]:  # fmt: skip
        held: Any = (inputs.get("host") or {}).get("connection") or {}
        reference: Any = held.get("referenceName") if isinstance(held, dict) else None
        said = str((held.get("name") or "") if isinstance(held, dict) else held)
        if not reference:
            found = re.search(r"\['([^']+)'\]\['connectionId'\]|'([\w-]+)'", said)
            reference = (found[1] or found[2]) if found else ""
        word = re.sub(r"[-_]?\d+$", "", reference)
        if not word:
            text = f"{self._me}: {name} names no connection"
            yield self._context.finding("unresolved-connection", text, self._file, seen[0].line)
            return
        connection = self._app.connections.get(reference) or Connection(word, word)
        path = str(inputs.get("path") or "")
        product = by_word(connection.word)
        queue = re.search(r"encodeURIComponent\('([^']+)'\)", path)
        if product is not None and product.kind == "broker" and queue:
            if listens or re.search(r"/messages/?(head|batch|$)|/subscriptions/", path):
                writes = str(inputs.get("method")).lower() == "post" and path.rstrip("/").endswith("messages")
                role = "writes" if writes else "reads"
                yield from self._message(product, role, queue[1], starts, seen)
            return  # what settles a message that was read
        table = re.search(r"/tables/@\{encodeURIComponent\(.*?'([^']+)'", path)
        yield from connector_flow(
            self._me, connection.word, seen, what=table[1] if table else None, listens=listens, connection=connection.name
        )  # fmt: skip

    def _provided(
        self, inputs: Mapping[str, Any], starts: Iterable[str], seen: tuple[Evidence, ...], *, listens: bool
    ) -> Iterator[Item]:
        configured: Any = inputs.get("serviceProviderConfiguration") or {}
        named = str(configured.get("connectionName") or "")
        word = str(configured.get("serviceProviderId") or "").rpartition("/")[2]
        connection = self._app.connections.get(named) or Connection(word, named or word)
        parameters: Any = inputs.get("parameters") if isinstance(inputs.get("parameters"), dict) else {}
        what = next((str(parameters[k]) for k in _WHAT if isinstance(parameters.get(k), str)), "")
        what = re.sub(r"[\[\]]", "", _filled(what, self._values))
        what = "" if "@" in what else what
        product = by_word(connection.word)
        if product is not None and product.kind == "broker":
            operation = str(configured.get("operationId")).lower()
            if listens or not re.search(r"complete|deadletter|abandon|renew|defer|lock(?!topic)", operation):
                role = "writes" if "send" in operation or "publish" in operation else "reads"
                yield from self._message(product, role, what or "?", starts, seen)
        elif connection.address is not None and not is_local(connection.address.host):
            host = node_of_host(connection.address.host, seen)
            kind = host.kind or (product.kind if product else None)
            mode, protocol = (
                ("db", product.id) if product and product.kind == "db" else connection.address.how
            )
            yield Node(id=host.id, name=host.name, kind=kind, aliases=host.aliases, evidence=seen)
            yield Flow(
                consumer=self._me, provider=host.id, object=what or connection.database, mode=mode, protocol=protocol, evidence=seen
            )  # fmt: skip
        elif connection.word:
            several = instances_of(connection.word) is not None and named
            own = (slug(f"{self._app.name}-{named}"), connection.name) if several else None
            yield from connector_flow(
                self._me, connection.word, seen, what=what or None, listens=listens, instance=own, connection=connection.name
            )  # fmt: skip

    def _message(
        self, product: Product, role: Literal["reads", "writes"], what: str, starts: Iterable[str], seen: tuple[Evidence, ...]
    ) -> Iterator[Item]:  # fmt: skip
        yield Node(id=product.id, name=product.name, kind="broker", evidence=seen)
        self._context.topic(role, self._me, what, seen, broker=product.id, schedules=starts)

    def _hosted(self, inputs: Mapping[str, Any], seen: tuple[Evidence, ...]) -> Iterator[Item]:
        """An Azure Function, or an API of API Management."""
        held: Any = inputs.get("function") or inputs.get("apiManagement") or {}
        said = str(
            held.get("id")
            or self._app.functions.get(str(held.get("connection") or held.get("connectionName")), "")
        )
        found = re.search(r"/sites/([^/]+)/functions/([^/]+)|/service/([^/]+)/apis/([^/]+)", said)
        if found:
            system, what = found[1] or found[3], found[2] or found[4]
            yield Node(id=slug(system), name=system, evidence=seen)
            yield Flow(
                consumer=self._me, provider=slug(system), object=what, mode="sync", protocol="http", evidence=seen
            )  # fmt: skip
