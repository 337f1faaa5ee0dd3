"""Workato exports: recipes, connections, API endpoints, pub/sub topics, ad-hoc HTTP, datapill lineage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._connector import connector_flow, url_flow
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["Workato"]

_INTERNAL = re.compile(
    r"^(logger|clock|workato(?!_pub_sub|_recipe_function|_db_table|_workflow_task|_files).*|.*_parser|csv_parser|json_parser|xml_parser|py_eval|"
    r"ruby_eval|lookup_table|foreach|catch|rails|variables?|collection|common_data|message_template|scheduler|"
    r"utility|js_eval|bigdecimal)$"
)
_OBJECTS = (
    "sobject_name",
    "object",
    "table",
    "table_name",
    "table_id",
    "app_id",
    "record_type",
    "object_name",
    "object_type",
    "topic",
    "topic_id",
    "queue",
)
_PILL = re.compile(r"_dp\('(\{.*?\})'\)")


class Workato:
    """A recipe is an application; recipes are joined by the paths they are exported under."""

    name = "workato"
    formats: tuple[str, ...] = ("*.recipe.json", "*.connection.json", "*.api_endpoint.json")
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._recipes: dict[str, str] = {}
        self._calls: list[tuple[str, str, str, tuple[Evidence, ...]]] = []
        self._names: dict[str, set[str]] = {}
        self._numbered: list[tuple[str, str, str, tuple[Evidence, ...]]] = []
        """Calls of recipes by number, with the name that the editor showed for it."""
        self._endpoints: list[tuple[str, str, str, str, tuple[Evidence, ...]]] = []

    def recognise(self, file: SourceFile) -> float:
        """By the doubled suffix of an export, or a recipe's shape."""
        if file.suffix != ".json":
            return 0.0
        if re.search(r"\.(recipe|connection|api_endpoint)\.json$", file.name):
            return 1.0
        return 0.7 if '"keyword": "trigger"' in file.head and '"provider"' in file.head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Recipes, connections and endpoints; calls between recipes follow at the end."""
        data = file.json
        if not isinstance(data, dict):
            return
        if file.name.endswith(".connection.json"):
            provider = _bare(data.get("provider"))
            if provider and not _INTERNAL.match(provider):
                yield from (
                    i for i in connector_flow("", provider, context.at(file, 1), connection=str(data.get("name") or ""))
                    if isinstance(i, Node)
                )  # fmt: skip
        elif file.name.endswith(".api_endpoint.json"):
            folder = file.source.rpartition("/")[0]
            self._endpoints.append(
                (folder, str(data.get("recipe_name") or data.get("flow_id") or file.name.partition(".")[0]),
                 str(data.get("method") or "GET"), str(data.get("path") or ""), context.at(file, 1))
            )  # fmt: skip
        elif isinstance(data.get("code"), dict):
            yield from self._recipe(data, file, context)

    def _recipe(self, data: Mapping[str, Any], file: SourceFile, context: Context) -> Iterator[Item]:
        name = str(data.get("name") or file.name.partition(".")[0])
        me = f"workato/{slug(name).replace('/', '-')}"
        stem = file.name.partition(".")[0]
        folder = file.source.rpartition("/")[0].rpartition("/")[2]
        if me in self._recipes.values():
            me = f"{me}.{slug(folder)}"
        self._recipes[f"{folder}/{stem}"] = me
        self._names.setdefault(name.casefold(), set()).add(me)
        yield Node(
            id=me, name=name, kind="app", domain=folder or None,
            attributes={"tool": "workato"}, evidence=context.at(file, file.line_with('"name"', json.dumps(name)) or 1),
        )  # fmt: skip
        connections: dict[str, str] = {}
        for entry in data.get("config") or ():
            account: Any = entry.get("account_id") if isinstance(entry, dict) else None
            if isinstance(account, dict) and account.get("name"):
                connections[_bare(entry.get("provider"))] = str(account["name"])
        for block in _blocks(data["code"]):
            yield from self._block(block, me, connections, file, context)

    def _block(
        self,
        block: Mapping[str, Any],
        me: str,
        connections: Mapping[str, str],
        file: SourceFile,
        context: Context,
    ) -> Iterator[Item]:
        provider, action = _bare(block.get("provider")), str(block.get("name") or "")
        entry: Any = block.get("input") if isinstance(block.get("input"), dict) else {}
        line = file.line_with(f'"uuid": "{block.get("uuid")}"') or file.line_with(
            f'"as": "{block.get("as")}"'
        )
        evidence = context.at(file, line)
        if provider == "workato_recipe_function" and action.startswith("call_recipe"):
            flow: Any = entry.get("flow_id")
            if isinstance(flow, dict):
                self._calls.append(
                    (me, str(flow.get("zip_name") or ""), str(flow.get("name") or ""), evidence)
                )
            elif flow:
                picked: Any = block.get("dynamicPickListSelection")
                label = str(picked.get("flow_id") or "") if isinstance(picked, dict) else ""
                self._numbered.append((me, str(flow), label, evidence))
        elif provider == "workato_recipe_function":
            return
        elif provider == "workato_pub_sub":
            topic = str(entry.get("topic_id") or entry.get("topic") or "?")
            reads = block.get("keyword") == "trigger"
            context.topic("reads" if reads else "writes", me, topic, evidence, broker="workato-pub-sub")
        elif provider in ("rest", "http", "soap") or (not provider and "url" in entry):
            yield from self._http(entry, provider, me, connections, evidence, file, context)
        elif provider and block.get("keyword") in ("trigger", "action") and not _INTERNAL.match(provider):
            yield from connector_flow(
                me, provider, evidence, what=_object(entry, block), listens=block.get("keyword") == "trigger",
                connection=connections.get(provider), attributes=_lineage(entry, action),
            )  # fmt: skip

    @staticmethod
    def _http(
        entry: Mapping[str, Any], provider: str, me: str, connections: Mapping[str, str],
        evidence: tuple[Evidence, ...], file: SourceFile, context: Context,
    ) -> Iterator[Item]:  # fmt: skip
        request: Any = entry.get("request") if isinstance(entry.get("request"), dict) else entry
        url = str(request.get("url") or request.get("request_url") or request.get("path") or "")
        found = list(url_flow(me, url, evidence))
        if found:
            yield from found
        elif provider in connections:
            name = connections[provider]
            yield Node(
                id=f"connection:{slug(name)}", name=name, aliases=(f"connection:{name}",), evidence=evidence
            )
            yield Flow(
                consumer=me,
                provider=f"connection:{slug(name)}",
                mode="sync",
                protocol="http",
                evidence=evidence,
            )
        else:
            yield context.finding(
                "unresolved-address",
                f"{me}: the address is computed: {excerpt(url, 120)}",
                file,
                evidence[0].line,
            )

    def finish(self, context: Context) -> Iterable[Item]:
        """Calls between recipes, and the API collections before them."""
        by_stem: dict[str, list[str]] = {}
        for path, recipe in self._recipes.items():
            by_stem.setdefault(path.rpartition("/")[2], []).append(recipe)
        for me, path, name, evidence in self._calls:
            stem = path.removesuffix(".recipe.json")
            provider = self._recipes.get("/".join(stem.split("/")[-2:]))
            provider = provider or f"workato/{slug(name or stem.rpartition('/')[2]).replace('/', '-')}"
            if provider != me:
                yield Flow(consumer=me, provider=provider, mode="sync", protocol="workato", evidence=evidence)
        for me, number, label, evidence in self._numbered:
            called = self._names.get(label.casefold(), set())
            if len(called) == 1:
                yield Flow(
                    consumer=me,
                    provider=next(iter(called)),
                    mode="sync",
                    protocol="workato",
                    evidence=evidence,
                )
            else:
                text = f"{me} calls recipe {number}, named by number alone"
                place = evidence[0]
                yield context.finding("unresolved-call", text, context.files.get(place.source), place.line)
        for folder, recipe, method, path, evidence in self._endpoints:
            found = by_stem.get(recipe) or by_stem.get(slug(recipe).replace("-", "_")) or []
            api = f"workato-api/{slug(folder.rpartition('/')[2])}"
            yield Node(id=api, name=folder.rpartition("/")[2], kind="api", evidence=evidence)
            if len(found) == 1:
                yield Flow(
                    consumer=api, provider=found[0], object=f"{method} /{path.lstrip('/')}", mode="sync", protocol="http",
                    evidence=evidence,
                )  # fmt: skip
            else:
                yield context.finding(
                    "unresolved-call", f"{api}: {len(found)} recipes are called {recipe!r}",
                    context.files.get(evidence[0].source), 1,
                )  # fmt: skip


def _bare(provider: Any) -> str:
    """A connector's word; a custom one's, which an export may name by its file, without the numbers of its workspace."""
    if isinstance(provider, dict):
        made: Mapping[str, Any] = provider
        provider = str(made.get("zip_name") or "").rpartition("/")[2].removesuffix(".custom_adapter.json")
        provider = provider or made.get("name")
    return re.sub(r"_+connector_\d+_\d+$", "", str(provider or ""))


def _blocks(code: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    stack: list[Any] = [code]
    while stack:
        block = stack.pop()
        if isinstance(block, dict):
            yield block
            stack.extend(reversed(block.get("block") or []))


def _object(entry: Mapping[str, Any], block: Mapping[str, Any]) -> str | None:
    picked: Any = block.get("dynamicPickListSelection") or {}
    for source in (entry, picked):
        for key in _OBJECTS:
            value: Any = source.get(key) if isinstance(source, dict) else None
            value = value.get("name") if isinstance(value, dict) else value
            if isinstance(value, str) and value and "_dp(" not in value and "#{" not in value:
                return value
    return None


def _lineage(entry: Mapping[str, Any], action: str) -> dict[str, object]:
    fields: list[str] = []
    for path, value in _leaves(entry, ""):
        for found in _PILL.finditer(value):
            try:
                pill = json.loads(found[1])
            except ValueError:
                continue
            came = ".".join(str(p) for p in pill.get("path") or () if isinstance(p, str))
            fields.append(f"{path} <- {pill.get('line')}.{came}")
    return {"operations": [action], **({"fields": fields[:200]} if fields else {})}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, path)
    elif isinstance(value, str) and "_dp(" in value:
        yield path, value
