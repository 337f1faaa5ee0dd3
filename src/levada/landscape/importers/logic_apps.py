"""Azure Logic Apps: workflow definitions, alone or within an ARM template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
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
            for kind in ("triggers", "actions"):
                for key, step in _steps(definition.get(kind), 0):
                    yield from _step(key, step, me, kind == "triggers", file, context, values)


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
            if isinstance(value, str) and not value.startswith("["):
                out.setdefault(name, value)
    return out


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
        uri = re.sub(
            r"@\{parameters\('([^']+)'\)\}|^@parameters\('([^']+)'\)",
            lambda m: values.get(m[1] or m[2], m[0]),
            str(inputs.get("uri") or ""),
        )
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
