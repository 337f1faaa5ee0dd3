"""Terraform: modules with local sources, their variables, local values and outputs followed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers._connector import url_flow
from levada.landscape.importers._hcl import Block, pairs, read_hcl
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._schedules import scheduled
from levada.landscape.importers._settings import settings_flows
from levada.landscape.importers._stacks import (
    Child,
    Ref,
    Resource,
    Scope,
    Target,
    Unit,
    kind_of,
    mode_to,
    node_of,
    prefixes,
    targets,
)
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Flow, Node

__all__ = ["Terraform"]

_REF = re.compile(
    r"(?<![\w.])(?:(?P<word>var|local)\.(?P<name>\w+)|module\.(?P<module>[\w-]+)(?:\[[^\]]*\])?\.(?P<output>\w+)"
    r"|(?P<type>[a-z][a-z0-9]*_\w+)\.(?P<resource>[\w-]+))"
)
_JOINS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (r"lambda_event_source_mapping", ("function_name",), ("event_source_arn",)),
    (r"sns_topic_subscription", ("endpoint",), ("topic_arn",)),
    (r"cloudwatch_event_target", ("arn",), ("event_bus_name", "rule")),
    (r"pipes_pipe", ("target",), ("source",)),
    (r"s3_bucket_notification", ("lambda_function_arn", "queue_arn", "topic_arn"), ("bucket",)),
    (r"(apigatewayv2|api_gateway)_integration", ("api_id", "rest_api_id"), ("integration_uri", "uri")),
    (r"pubsub_subscription", ("push_endpoint",), ("topic",)),
)
"""Resources that join two others: which attributes name the consumer, and which the provider."""
_KNOWN_MODULES = {
    "lambda": "aws_lambda_function", "sqs": "aws_sqs_queue", "sns": "aws_sns_topic", "eventbridge": "aws_cloudwatch_event_bus",
    "dynamodb-table": "aws_dynamodb_table", "s3-bucket": "aws_s3_bucket", "rds": "aws_db_instance", "rds-aurora": "aws_rds_cluster",
    "apigateway-v2": "aws_apigatewayv2_api", "step-functions": "aws_sfn_state_machine", "msk-kafka-cluster": "aws_msk_cluster",
    "elasticache": "aws_elasticache_cluster", "fargate": "aws_ecs_task_definition", "ecs": "aws_ecs_task_definition",
}  # fmt: skip
"""Published modules by the last part of their name, and the resource that each makes."""


class Terraform:
    """Resources that stand for systems, in every use of the module that declares them.

    A folder is a module; one that no other calls is a root. Modules from a registry are
    taken as the one resource that they are known to make, or told as not at hand.
    """

    name = "terraform"
    formats: tuple[str, ...] = (
        "Terraform with local modules (AWS functions, queues, topics, buses, tables, gateways; some of Azure and Google)",
    )
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._units: dict[str, Unit] = {}

    def recognise(self, file: SourceFile) -> float:
        """By the suffix, and a block of Terraform."""
        if file.suffix != ".tf":
            return 0.0
        return 0.9 if re.search(r"^\s*(resource|module|variable|output|locals|data|terraform|provider)\b", file.head, re.MULTILINE) else 0.0  # fmt: skip

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Keeps what the file declares; flows need all files of all modules."""
        folder = file.source.rpartition("/")[0]
        unit = self._units.get(folder)
        if unit is None:
            unit = self._units[folder] = Unit(folder)
            _variables_files(unit, context)
        for block in read_hcl(file.text).blocks:
            _declare(block, unit, file)
        return ()

    def finish(self, context: Context) -> Iterable[Item]:
        """Every root with all that it calls."""
        called = {c.unit for u in self._units.values() for c in u.children.values()}
        roots = [u for k, u in self._units.items() if k not in called] or list(self._units.values())
        names = prefixes({u.key: u.key for u in roots})
        for unit in roots:
            scopes = list(Scope.of(unit, self._units, names[unit.key]).walk())
            items = [item for scope in scopes for item in _scope_items(scope, context)]
            yield from scheduled(items, [s for scope in scopes for s in _schedules(scope)])


def _variables_files(unit: Unit, context: Context) -> None:
    for other in context.within(unit.key):
        if other.name == "terraform.tfvars" or other.name.endswith(".auto.tfvars"):
            try:
                unit.parameters.update(read_hcl(other.text).attributes)
            except Malformed:
                continue  # told when it is read itself


def _declare(block: Block, unit: Unit, file: SourceFile) -> None:
    labels = block.labels
    if block.type == "resource" and len(labels) == 2:
        key = f"{labels[0]}|{labels[1]}"
        unit.resources[key] = Resource(labels[0], labels[1], block, file, block.line)
    elif block.type == "variable" and labels:
        unit.parameters.setdefault(labels[0], block.attributes.get("default"))
    elif block.type == "locals":
        unit.locals.update(block.attributes)
    elif block.type == "output" and labels:
        unit.outputs[labels[0]] = block.attributes.get("value")
    elif block.type == "module" and labels:
        source = block.attributes.get("source", "").strip('"')
        local = _folder(unit.key, source) if source.startswith(("./", "../")) else None
        arguments = {k: v for k, v in block.attributes.items() if k not in ("source", "version")}
        unit.children[labels[0]] = Child(
            local, arguments, file, block.line, None if local is not None else _made_by(source)
        )


def _made_by(source: str) -> str | None:
    name = re.sub(
        r"^terraform-",
        "",
        source.partition("?")[0].removesuffix("/aws").rpartition("/")[2].removesuffix(".git"),
    )
    return _KNOWN_MODULES.get(re.sub(r"^aws-", "", name))


def _folder(here: str, source: str) -> str:
    parts = here.split("/") if here else []
    for part in source.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _refs(expression: Any, unit: Unit) -> Iterator[Ref]:
    """What an expression, or any in a block, names."""
    for text in expression.expressions() if isinstance(expression, Block) else (expression or "",):
        for found in _REF.finditer(text):
            if found["word"]:
                yield Ref("parameter" if found["word"] == "var" else "local", found["name"])
            elif found["module"]:
                yield Ref("child", found["module"], found["output"])
            elif f"{found['type']}|{found['resource']}" in unit.resources:
                yield Ref("resource", f"{found['type']}|{found['resource']}")


def _scope_items(scope: Scope, context: Context) -> Iterator[Item]:
    for key, resource in scope.unit.resources.items():
        seen = context.at(resource.file, resource.line)
        block: Block = resource.value
        system, _ = kind_of(resource.type)
        joined = next(((r, s) for p, r, s in _JOINS if re.search(p, resource.type)), None)
        if system:
            label = _literal(
                block.attributes.get("function_name")
                or block.attributes.get("name")
                or block.attributes.get("bucket"),
                scope,
            )
            yield node_of(scope, key, resource.type, label, seen)
            yield from _counted(block, f"{resource.type}.{resource.name}", resource.file, context)
            if kind_of(resource.type)[1] in ("app", "channel"):
                yield from _uses(scope.id_of(key), block, scope, seen, context, resource.file)
        elif resource.type == _GOOGLE_JOB:
            yield from _calls_of_job(key, resource, scope, context)
        elif joined:
            yield from _counted(block, f"{resource.type}.{resource.name}", resource.file, context)
            yield from _join(block, *joined, scope, seen)
    for name, child in scope.unit.children.items():
        if name not in scope.inside:
            yield from _foreign(name, child, scope, context)


def _schedules(scope: Scope) -> Iterator[tuple[str, str]]:
    """What a rule or a scheduler starts, and when."""
    rules = {k: r for k, r in scope.unit.resources.items() if "schedule_expression" in r.value.attributes}
    for key, resource in rules.items():
        block: Block = resource.value
        said = block.attributes["schedule_expression"]
        starters = [block] if "scheduler" in resource.type else [
            other.value
            for other in scope.unit.resources.values()
            if re.search(r"cloudwatch_event_target", other.type)
            and Ref("resource", key) in _refs(other.value.attributes.get("rule"), scope.unit)
        ]  # fmt: skip
        for starter in starters:
            for arn in (b.attributes["arn"] for b in starter.walk() if "arn" in b.attributes):
                for target in targets(arn, scope, _refs):
                    yield target.id, _literal(said, scope) or UNSCHEDULED
    for key, resource in scope.unit.resources.items():
        if resource.type == _GOOGLE_JOB:
            yield from _schedules_of_job(key, resource.value, scope)


_GOOGLE_JOB = "google_cloud_scheduler_job"


def _schedules_of_job(key: str, job: Block, scope: Scope) -> Iterator[tuple[str, str]]:
    """What a job of Google's Cloud Scheduler starts: what its address is of, or who hears its topic; itself, too."""
    paused = job.attributes.get("paused", "").strip() == "true"
    said = UNSCHEDULED if paused else _literal(job.attributes.get("schedule"), scope) or UNSCHEDULED
    yield scope.id_of(key), said
    for block in job.walk():
        for target in targets(block.attributes.get("uri"), scope, _refs):
            yield target.id, said
        topics = targets(block.attributes.get("topic_name"), scope, _refs)
        for name, other in scope.unit.resources.items() if topics else ():
            triggers = [b for b in other.value.walk() if b.type == "event_trigger"]
            if any(topics.keys() & targets(b, scope, _refs).keys() for b in triggers):
                yield scope.id_of(name), said


def _calls_of_job(key: str, resource: Resource, scope: Scope, context: Context) -> Iterator[Item]:
    """A job that calls somebody else's address is a consumer itself; what it starts here is told by its schedule."""
    job: Block = resource.value
    seen = context.at(resource.file, resource.line)
    me = scope.id_of(key)
    for uri in (b.attributes["uri"] for b in job.walk() if b.type == "http_target" and "uri" in b.attributes):
        url = None if targets(uri, scope, _refs) else _literal(uri, scope)
        if url is not None and not re.match(r"https?://[\w.-]*\bgoogleapis\.com/", url):
            label = _literal(job.attributes.get("name"), scope)
            yield Node(id=me, name=label or resource.name, kind="app", evidence=seen)
            yield from url_flow(me, url, seen)
        elif url is None and not targets(uri, scope, _refs):
            text = f"{me}: the address that it calls is computed: {excerpt(uri, 80)}"
            yield context.finding("unresolved-address", text, resource.file, resource.line, severity="info")


def _foreign(name: str, child: Child, scope: Scope, context: Context) -> Iterator[Item]:
    """A module that is not at hand: one resource, if it is known what it makes."""
    seen = context.at(child.file, child.line)
    if child.type is None:
        text = f"module {name} is not at hand; what it makes is not known"
        yield context.finding("unresolved-module", text, child.file, child.line)
        return
    yield node_of(scope, name, child.type, None, seen)
    me = Target(scope.id_of(name), child.type)
    for key, expression in child.arguments.items():
        for target in targets(expression, scope, _refs):
            if target.id == me.id or (target.kind is None and me.kind == "broker"):
                continue
            if me.kind == "broker":  # it delivers to what its arguments name
                yield _flow(target, me, seen)
            elif key == "event_source_mapping" or (
                me.kind == "app" and key in ("allowed_triggers", "event_sources")
            ):
                yield _flow(me, target, seen) if target.kind != "channel" else _flow(target, me, seen)
            else:
                mode, protocol = mode_to(target.type)
                yield Flow(consumer=me.id, provider=target.id, mode=mode, protocol=protocol, evidence=seen)


def _counted(block: Block, name: str, file: SourceFile, context: Context) -> Iterator[Item]:
    for key in ("for_each", "count"):
        value = block.attributes.get(key)
        if (
            value
            and not re.fullmatch(r"\d+", value)
            and not re.search(r"\?\s*1\s*:\s*0|\?\s*0\s*:\s*1", value)
        ):
            text = f"{name}: how many there are is computed ({key} = {excerpt(value, 60)}); taken as one"
            yield context.finding("unresolved-count", text, file, block.line, severity="info")


def _join(
    block: Block, readers: tuple[str, ...], sources: tuple[str, ...], scope: Scope, seen: tuple[Evidence, ...]
) -> Iterator[Item]:
    def named(keys: tuple[str, ...]) -> list[Target]:
        found = (b.attributes[k] for b in block.walk() for k in keys if k in b.attributes)
        return list(dict.fromkeys(t for e in found for t in targets(e, scope, _refs)))

    for consumer in named(readers):
        for provider in named(sources):
            if consumer.id != provider.id:
                yield _flow(consumer, provider, seen)


def _flow(consumer: Target, provider: Target, seen: tuple[Evidence, ...]) -> Flow:
    mode, protocol = mode_to(provider.type)
    if mode in ("db", "file"):
        mode = "async"  # its stream of changes, or its notifications
    return Flow(consumer=consumer.id, provider=provider.id, mode=mode, protocol=protocol, evidence=seen)


def _uses(
    me: str, block: Block, scope: Scope, seen: tuple[Evidence, ...], context: Context, file: SourceFile
) -> Iterator[Item]:
    for target in targets(block, scope, _refs):
        if target.id != me:
            mode, protocol = mode_to(target.type)
            yield Flow(consumer=me, provider=target.id, mode=mode, protocol=protocol, evidence=seen)
    settings: list[tuple[str, Any, tuple[Evidence, ...]]] = []
    for name, expression in _environment(block):
        value = _literal(expression, scope)
        if value is not None:
            settings.append((name, value, seen))
        elif re.search(r"URL|HOST|ENDPOINT|ADDR", name) and not targets(expression, scope, _refs):
            text = f"{me}: {name} is computed: {excerpt(expression, 80)}"
            yield context.finding("unresolved-address", text, file, block.line, severity="info")
    for item in settings_flows(me, settings):
        yield (
            Node(id=item.id, name=item.name, kind=item.kind, aliases=item.aliases, evidence=seen)
            if isinstance(item, Node)
            else item
        )


def _environment(block: Block) -> Iterator[tuple[str, str]]:
    """Environment variables of a function, and of a task's containers."""
    for inner in block.walk():
        for key in ("variables", "environment", "environment_variables", "app_settings"):
            yield from pairs(inner.attributes.get(key, "")).items()
        if inner.type == "env" and {"name", "value"} <= inner.attributes.keys():
            yield inner.attributes["name"].strip('"'), inner.attributes["value"]
        for found in re.finditer(
            r"name\"?\s*[=:]\s*\"(\w+)\"\s*,?\s*\"?value\"?\s*[=:]\s*(\"[^\"\n]*\"|[\w.\[\]]+)",
            inner.attributes.get("container_definitions", ""),
        ):
            yield found[1], found[2]


def _literal(expression: str | None, scope: Scope, depth: int = 0) -> str | None:
    """The text of an expression where all of it is written down; None if some of it is computed."""
    if not expression or depth > 10:
        return None
    text = expression.strip()
    if re.fullmatch(r'"(?:[^"\\]|\\.)*"', text) or ("${" in text and text.startswith('"')):
        holes = list(dict.fromkeys(re.findall(r"\$\{([^{}]*)\}", text)))
        values: dict[str, str | None] = {h: _literal(h, scope, depth + 1) for h in holes}
        if any(v is None for v in values.values()):
            return None
        for hole, value in values.items():
            text = text.replace(f"${{{hole}}}", value or "")
        return text.strip('"')
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    found = re.fullmatch(r"(var|local)\.(\w+)", text)
    if found is None:
        return None
    if found[1] == "local":
        return _literal(scope.unit.locals.get(found[2]), scope, depth + 1)
    if found[2] in scope.arguments and scope.around is not None:
        return _literal(scope.arguments[found[2]], scope.around, depth + 1)
    default: Mapping[str, Any] = scope.unit.parameters
    return _literal(default.get(found[2]), scope, depth + 1)
