"""Azure Logic Apps: workflow definitions, alone or within an ARM template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._schedules import with_schedules
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Flow, Node
from levada.network.names import slug

__all__ = ["LogicApps"]


class LogicApps:
    """A workflow is an application; its managed connections name what it uses."""

    name = "logic-apps"
    formats: tuple[str, ...] = ("Logic Apps workflow.json", "ARM templates with Microsoft.Logic/workflows")
    verified: Verified = "on real exports"

    def recognise(self, file: SourceFile) -> float:
        """The schema of workflow definitions."""
        if file.suffix != ".json":
            return 0.0
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
            values = _parameters(data, definition)
            triggers = list(_steps(definition.get("triggers"), 0))
            starts = [_starts(trigger, values) for _, trigger in triggers]
            for key, trigger in triggers:
                poll = [_recurrence(trigger, values)] if "recurrence" in trigger else starts
                for item in _step(key, trigger, me, True, file, context, values):
                    yield with_schedules(item, poll)
            for key, step in _steps(definition.get("actions"), 0):
                for item in _step(key, step, me, False, file, context, values):
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
    """The text with parameters of the workflow, or of the template around it, that have a value."""
    return re.sub(
        r"@\{parameters\('([^']+)'\)\}|^@parameters\('([^']+)'\)|^\[parameters\('([^']+)'\)\]$",
        lambda m: values.get(m[1] or m[2] or m[3], m[0]),
        text,
    )


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


def _step(
    name: str, step: Mapping[str, Any], me: str, listens: bool, file: SourceFile, context: Context,
    values: Mapping[str, str],
) -> Iterator[Item]:  # fmt: skip
    inputs: Any = step.get("inputs") if isinstance(step.get("inputs"), dict) else {}
    evidence = context.at(file, file.line_with(f'"{name}"'))
    kind = str(step.get("type"))
    if kind in ("Http", "HttpWebhook"):
        uri = _filled(str(inputs.get("uri") or ""), values)
        found = list(url_flow(me, uri.replace("@{", "{"), evidence))
        yield from found
        if not found:
            yield context.finding(
                "unresolved-address",
                f"{me}: the address of {name} is computed: {excerpt(uri, 120)}",
                file,
                evidence[0].line,
            )
    elif kind in ("ApiConnection", "ApiConnectionWebhook", "ApiConnectionNotification"):
        connection = str(
            ((inputs.get("host") or {}).get("connection") or {}).get("name")
            or (inputs.get("host") or {}).get("connection")
            or ""
        )
        found = re.search(r"\['([^']+)'\]\['connectionId'\]|'([\w-]+)'", connection)
        word = re.sub(r"[-_]?\d+$", "", (found[1] or found[2]) if found else "")
        if word:
            table = re.search(r"/tables/@\{encodeURIComponent\(.*?'([^']+)'", str(inputs.get("path") or ""))
            yield from connector_flow(
                me, word, evidence, what=table[1] if table else None, listens=listens, connection=word
            )
        else:
            yield context.finding(
                "unresolved-connection", f"{me}: {name} names no connection", file, evidence[0].line
            )
    elif kind == "Workflow":
        target = str(
            (inputs.get("host") or {}).get("workflow", {}).get("id")
            or (inputs.get("host") or {}).get("workflowReferenceName")
            or ""
        )
        if target:
            yield Flow(
                consumer=me,
                provider=f"logic-apps/{slug(target.rpartition('/')[2])}",
                mode="sync",
                protocol="http",
                evidence=evidence,
            )
    elif kind == "ServiceProvider":
        word = str(
            (inputs.get("serviceProviderConfiguration") or {}).get("serviceProviderId") or ""
        ).rpartition("/")[2]
        if word:
            yield from connector_flow(me, word, evidence, listens=listens)
