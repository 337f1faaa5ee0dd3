"""Azure Logic Apps: workflow definitions, alone or within an ARM template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Flow, Node
from levada.network.names import slug

__all__ = ["LogicApps"]


class LogicApps:
    """A workflow is an application; its managed connections name what it uses."""

    name = "logic-apps"
    formats: tuple[str, ...] = ("Logic Apps workflow.json", "ARM templates with Microsoft.Logic/workflows")
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """The schema of workflow definitions."""
        if file.suffix != ".json":
            return 0.0
        return (
            0.95
            if re.search(
                r"Microsoft\.Logic/|providers/Microsoft\.Logic/schemas|workflowdefinition\.json", file.head
            )
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Triggers and actions, nested ones too."""
        data = file.json
        if not isinstance(data, dict):
            return
        for name, definition in _definitions(data, file):
            me = f"logic-apps/{slug(name)}"
            yield Node(
                id=me, name=name, kind="app", attributes={"tool": "logic-apps"}, evidence=context.at(file, 1)
            )
            for kind in ("triggers", "actions"):
                for key, step in _steps(definition.get(kind), 0):
                    yield from _step(key, step, me, kind == "triggers", file, context)


def _definitions(data: Mapping[str, Any], file: SourceFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in data.get("resources") or ():
        if isinstance(resource, dict) and resource.get("type") == "Microsoft.Logic/workflows":
            found: Any = (resource.get("properties") or {}).get("definition")
            name = str(resource.get("name") or file.path.stem)
            inner = re.search(r"'([^']+)'", name)
            if isinstance(found, dict):
                yield (inner[1] if inner and name.startswith("[") else name), found
    found = data.get("definition") if isinstance(data.get("definition"), dict) else data
    if isinstance(found, dict) and "actions" in found:
        yield (file.path.parent.name if file.name == "workflow.json" else file.path.stem), found


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
    name: str, step: Mapping[str, Any], me: str, listens: bool, file: SourceFile, context: Context
) -> Iterator[Item]:
    inputs: Any = step.get("inputs") if isinstance(step.get("inputs"), dict) else {}
    evidence = context.at(file, file.line_with(f'"{name}"'))
    kind = str(step.get("type"))
    if kind in ("Http", "HttpWebhook"):
        yield from url_flow(me, str(inputs.get("uri") or ""), evidence)
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
