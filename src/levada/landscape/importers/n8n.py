"""n8n workflows: each is an application that uses what its nodes connect to."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from levada.landscape.importers._address import addresses, is_local
from levada.landscape.importers._connector import connector_flow, instances_of, kebab, url_flow
from levada.landscape.importers._products import by_word
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._schedules import with_schedules
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["N8n"]

_INTERNAL = frozenset(
    [
        "set",
        "if",
        "switch",
        "merge",
        "code",
        "function",
        "function-item",
        "sticky-note",
        "no-op",
        "wait",
        "cron",
        "interval",
        "schedule",
        "manual",
        "start",
        "webhook",
        "respond-to-webhook",
        "split-in-batches",
        "item-lists",
        "html",
        "html-extract",
        "markdown",
        "xml",
        "crypto",
        "date-time",
        "edit-image",
        "read-binary-file",
        "read-binary-files",
        "write-binary-file",
        "read-write-file",
        "move-binary-data",
        "convert-to-file",
        "extract-from-file",
        "spreadsheet-file",
        "compare-datasets",
        "error",
        "stop-and-error",
        "execute-command",
        "execution-data",
        "filter",
        "limit",
        "remove-duplicates",
        "rename-keys",
        "sort",
        "split-out",
        "aggregate",
        "summarize",
        "compression",
        "totp",
        "debug-helper",
        "form",
        "chat",
        "local-file",
        "sse",
        "n8n",
        "workflow",
        "execute-workflow",
        "evaluation",
        "simulate",
        "i-cal",
        "read-pdf",
        "agent",
        "chain-llm",
        "chain-summarization",
        "chain-retrieval-qa",
        "information-extractor",
        "text-classifier",
        "sentiment-analysis",
        "output-parser-structured",
        "output-parser-autofixing",
        "output-parser-item-list",
        "memory-buffer-window",
        "memory-manager",
        "memory-chat-retriever",
        "vector-store-in-memory",
        "document-default-data-loader",
        "document-binary-input-loader",
        "document-json-input-loader",
        "text-splitter-recursive-character-text-splitter",
        "text-splitter-character-text-splitter",
        "text-splitter-token-splitter",
        "calculator",
        "tool-calculator",
        "tool-code",
        "tool-workflow",
        "tool-think",
        "tool-vector-store",
        "retriever-vector-store",
        "retriever-workflow",
        "retriever-contextual-compression",
        "retriever-multi-query",
        "code-tool",
        "vector-store",
        "model-selector",
        "guardrails",
        "mcp-client",
        "mcp",
        "mcp-client-tool",
        "data-table",
        "ai-transform",
        "langchain",
        "reranker-cohere-x",
        "email-read-x",
        "activation-x",
        "execute-workflow-trigger",
    ]
)
_HTTP = frozenset(
    ["http-request", "tool-http-request", "graphql", "rss-feed-read", "mcp-client", "mcp-client-tool"]
)
_URLS = ("url", "endpoint", "endpointUrl", "sseEndpoint", "feedUrl")
_PREFIXES = re.compile(r"^(lm-chat|lm|embeddings|vector-store|memory|tool|retriever|document|reranker)-")
_OBJECTS = (
    "resource",
    "table",
    "tableId",
    "collection",
    "sheetName",
    "documentId",
    "topic",
    "queue",
    "bucketName",
    "channel",
)


_GIVEN = re.compile(
    r"(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[a-z])[A-Za-z0-9]{16}\Z|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
)
"""Ids that n8n makes: no two credentials have the same. People and generators write others (``my-postgres``)."""


class _Credential(Struct, frozen=True):
    """What an export tells of a credential."""

    name: str | None = None
    id: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Two of the same key are the same credential."""
        if self.id and _GIVEN.match(self.id):
            return ("", self.id)
        name = slug(self.name or self.id or "")
        # Older versions number the credentials of an installation.
        return (name, self.id) if self.id and self.id.isdigit() and self.name else (name,)


class _Use(Struct, frozen=True):
    """A node that uses one of several databases, brokers or file servers of a kind; its credential says which."""

    consumer: str
    word: str
    credential: _Credential
    evidence: tuple[Evidence, ...]
    how: dict[str, Any]

    @property
    def key(self) -> tuple[str | None, ...]:
        """Two of the same key use the same system."""
        return (instances_of(self.word), *self.credential.key)


class N8n:
    """A file is one workflow, or a list of them. Credentials are only named in an export, never in it.

    Two databases of one product are told apart by their credentials' names, and by their ids where two have one name.
    """

    name = "n8n"
    formats: tuple[str, ...] = ("n8n workflow exports",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._calls: list[tuple[str, str, tuple[Evidence, ...]]] = []
        self._uses: list[_Use] = []
        self._schedules: dict[str, list[str]] = {}

    def recognise(self, file: SourceFile) -> float:
        """Nodes of n8n's packages."""
        if file.suffix != ".json":
            return 0.0
        if re.search(r"\"type\":\s*\"(n8n-nodes-|@n8n/)", file.head):
            return 1.0
        return 0.6 if '"nodes"' in file.head and '"parameters"' in file.head and "n8n" in file.head else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The workflow as an application, and a flow for each node that leads outside."""
        data = file.json
        for workflow in data if isinstance(data, list) else (data,):
            nodes: Any = workflow.get("nodes") if isinstance(workflow, dict) else None
            if isinstance(nodes, list):
                yield from self._workflow(workflow, nodes, file, context)

    def _workflow(
        self, workflow: Mapping[str, Any], nodes: list[Any], file: SourceFile, context: Context
    ) -> Iterator[Item]:
        name = str(workflow.get("name") or file.path.stem)
        me = f"n8n/{slug(name).replace('/', '-')}"
        if self._names.setdefault(me, file.source) != file.source:
            me = f"{me}.{slug(file.path.stem)}"
        if workflow.get("id") is not None:
            self._ids[str(workflow["id"])] = me
        active = workflow.get("active")
        yield Node(
            id=me, name=name, kind="app", evidence=context.at(file, file.line_with('"name"', json.dumps(name))),
            attributes={"tool": "n8n", **({"active": active} if isinstance(active, bool) else {})},
        )  # fmt: skip
        used = [
            n
            for n in nodes
            if isinstance(n, dict) and isinstance(n.get("type"), str) and not n.get("disabled")
        ]
        self._schedules[me] = [s for n in used for s in _starts(n)]
        for node in used:
            for item in self._node(node, me, file, context):
                yield with_schedules(item, self._schedules[me])

    def _node(self, node: Mapping[str, Any], me: str, file: SourceFile, context: Context) -> Iterator[Item]:
        parameters: Any = node.get("parameters") if isinstance(node.get("parameters"), dict) else {}
        word = kebab(node["type"].rpartition(".")[2])
        listens = word.endswith("-trigger")
        word = word.removesuffix("-trigger").removesuffix("-tool")
        evidence = context.at(file, _line(node, file))
        if word in _HTTP:
            yield from self._http(parameters, me, evidence, node, file, context)
            return
        if word in ("execute-workflow", "tool-workflow") and not listens:
            target = _value(parameters.get("workflowId"))
            if target:
                self._calls.append((me, target, evidence))
            return
        if word == "no-op" and node.get("credentials"):
            # What it did was taken out of the export; the credential says with whom.
            named = _credential_word(node, parameters)
            if named and by_word(kebab(named)):
                yield from self._connector(me, named, evidence, node, attributes={"by": "credential"})
            return
        if word in _INTERNAL:
            return
        bare = _PREFIXES.sub("", word) if "langchain" in node["type"] else word
        if (
            bare in _INTERNAL
            or bare.startswith("n8n-training-")
            or bare in ("in-memory", "buffer-window", "http-request")
        ):
            return
        bare = bare.removesuffix("-chat").removesuffix("-insert").removesuffix("-load")
        if instances_of(bare) is None and by_word(bare) is None:
            named = _credential_word(node, parameters)
            bare = named if named and by_word(kebab(named)) else bare
        for what in _objects(parameters) or [None]:
            yield from self._connector(me, bare, evidence, node, what=what, listens=listens)

    def _connector(
        self, me: str, word: str, evidence: tuple[Evidence, ...], node: Mapping[str, Any], **how: Any
    ) -> Iterator[Item]:
        credential = _credential(node)
        if (credential.name or credential.id) and instances_of(word):
            self._uses.append(_Use(me, word, credential, evidence, how))
        else:
            yield from connector_flow(me, word, evidence, connection=credential.name, **how)

    def _http(
        self, parameters: Mapping[str, Any], me: str, evidence: tuple[Evidence, ...], node: Mapping[str, Any],
        file: SourceFile, context: Context,
    ) -> Iterator[Item]:  # fmt: skip
        url = str(next((parameters[k] for k in _URLS if parameters.get(k)), ""))
        found = list(url_flow(me, url, evidence))
        word = _credential_word(node, parameters)
        if found:
            yield from found
        elif word:
            yield from self._connector(me, word, evidence, node, attributes={"by": "credential"})
        elif any(is_local(a.host) for a in addresses(re.split(r"[{$]", url)[0], "URL")):
            text = f"{me} calls {excerpt(url.lstrip('='), 120)} of its own machine"
            yield context.finding("local-address", text, file, evidence[0].line, severity="info")
        elif url:
            text = f"{me}: the address is computed: {excerpt(url, 120)}"
            yield context.finding("unresolved-address", text, file, evidence[0].line, severity="info")

    def finish(self, _context: Context) -> Iterable[Item]:
        """What credentials lead to, and workflows that call workflows."""
        names = _names(self._uses)
        taken = Counter((key[0], slug(name)) for key, name in names.items())
        for use in self._uses:
            name = names[use.key]
            instance = slug(name).replace("/", "-")
            if taken[use.key[0], slug(name)] > 1 and len(use.key) > 2:
                instance += f".{slug(use.key[2] or '')}"
            for item in connector_flow(
                use.consumer,
                use.word,
                use.evidence,
                connection=use.credential.name,
                instance=(instance, name),
                **use.how,
            ):
                yield with_schedules(item, self._schedules[use.consumer])
        for me, target, evidence in self._calls:
            provider = self._ids.get(target)
            if provider is None:
                provider = f"n8n/{slug(target).replace('/', '-')}"
                if provider not in self._names:
                    provider = f"n8n/workflow-{slug(target).replace('/', '-')}"
            if provider != me:
                flow = Flow(consumer=me, provider=provider, mode="sync", protocol="n8n", evidence=evidence)
                yield with_schedules(flow, self._schedules[me])


def _starts(node: Mapping[str, Any]) -> Iterator[str]:
    """When a node starts its workflow; nothing where it does not, or people do it by hand."""
    word = kebab(node["type"].rpartition(".")[2])
    parameters: Any = node.get("parameters") if isinstance(node.get("parameters"), dict) else {}
    if word == "schedule-trigger":
        rules: Any = parameters.get("rule")
        intervals: Any = rules.get("interval") if isinstance(rules, dict) else None
        for rule in intervals if isinstance(intervals, list) and intervals else [{}]:
            yield _interval(rule if isinstance(rule, dict) else {})
    elif word == "cron":
        times: Any = parameters.get("triggerTimes")
        items: Any = times.get("item") if isinstance(times, dict) else None
        for rule in items if isinstance(items, list) and items else [{}]:
            yield _time(rule if isinstance(rule, dict) else {})
    elif word == "interval":
        yield f"every {parameters.get('interval', 1)} {parameters.get('unit', 'seconds')}"
    elif word == "webhook" or (word.endswith("-trigger") and word not in ("manual-trigger", "error-trigger")):
        yield UNSCHEDULED


def _interval(rule: Mapping[str, Any]) -> str:
    unit = rule.get("field", "days")
    if unit == "cronExpression":
        return str(rule.get("expression") or UNSCHEDULED)
    return f"every {rule.get(f'{unit}Interval', 1)} {unit}"


def _time(rule: Mapping[str, Any]) -> str:
    mode = str(rule.get("mode", "everyDay"))
    if mode == "custom":
        return str(rule.get("cronExpression") or UNSCHEDULED)
    if mode == "everyX":
        return f"every {rule.get('value', 2)} {rule.get('unit', 'hours')}"
    return kebab(mode).replace("-", " ")


def _names(uses: Iterable[_Use]) -> dict[tuple[str | None, ...], str]:
    """What each system is called: as most nodes call the credential."""
    counts: dict[tuple[str | None, ...], Counter[str]] = {}
    for use in uses:
        named = counts.setdefault(use.key, Counter())
        if use.credential.name:
            named[use.credential.name] += 1
    return {
        key: min(named, key=lambda n: (-named[n], n)) if named else str(key[-1])
        for key, named in counts.items()
    }


def _credential_word(node: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """The product that a credential's type names (``slackOAuth2Api``); None for the generic ones."""
    credentials: Any = node.get("credentials")
    named = [str(parameters.get("nodeCredentialType") or "")]
    named += [str(k) for k in credentials] if isinstance(credentials, dict) else []
    for text in named:
        word = re.sub(r"(O?Auth2?|Api|Token|Account|Credentials?|PersonalAccess)+$", "", text)
        if len(word) > 2 and not re.search(r"^http|^o?auth|^mcp|jwt|here$|[^A-Za-z0-9]", word, re.IGNORECASE):
            return word
    return None


def _line(node: Mapping[str, Any], file: SourceFile) -> int | None:
    for key in ("id", "name"):
        if isinstance(node.get(key), str):
            line = file.line_with('"nodes"', json.dumps(node[key], ensure_ascii=False))
            if line:
                return line
    return None


def _credential(node: Mapping[str, Any]) -> _Credential:
    """The first that is named; older exports have nothing but the name."""
    credentials: Any = node.get("credentials")
    for entry in credentials.values() if isinstance(credentials, dict) else ():
        if isinstance(entry, str) and entry:
            return _Credential(entry)
        if isinstance(entry, dict) and (entry.get("name") or entry.get("id")):
            return _Credential(*(str(entry[k]) if entry.get(k) else None for k in ("name", "id")))
    return _Credential()


def _value(raw: Any) -> str:
    if isinstance(raw, dict):
        raw = raw.get("cachedResultName") or raw.get("value")
    text = str(raw) if isinstance(raw, str | int) else ""
    return "" if text.startswith("=") or "{{" in text else text


def _objects(parameters: Mapping[str, Any]) -> list[str]:
    query = parameters.get("query")
    if isinstance(query, str) and parameters.get("operation") in (None, "executeQuery"):
        tables = tables_in(query)
        if tables:
            return tables[:20]
    for key in _OBJECTS:
        text = _value(parameters.get(key))
        if text and len(text) < 80:
            return [text]
    return []
