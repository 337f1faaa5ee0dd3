"""Infrastructure as code: Terraform and CloudFormation; functions, queues, topics, buses, gateways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from levada.landscape.importers._settings import settings_flows
from levada.landscape.importers.protocol import Context, Item, Malformed, SourceFile, Verified
from levada.network._yaml import YamlError, line_of, read_yaml
from levada.network.graph import Flow, Kind, Mode, Node
from levada.network.names import slug

__all__ = ["CloudFormation", "Terraform"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"lambda_function|::Function$|ecs_service|Lambda::Function|Serverless::Function|ECS::Service|cloud_run", "app"),
    (r"sqs_queue|SQS::Queue|sns_topic$|SNS::Topic|event_bus|EventBus|kinesis_stream|Kinesis::Stream|msk_|MSK::|servicebus|pubsub_topic$|mq_broker", "broker"),
    (r"db_instance|rds_cluster$|RDS::DB|dynamodb_table$|DynamoDB::(Global)?Table|redshift_cluster$|sql_database|elasticache", "db"),
    (r"apigatewayv2_api|api_gateway_rest_api|ApiGateway(V2)?::(Rest)?Api|Serverless::(Http)?Api", "channel"),
)  # fmt: skip
_READS = re.compile(
    r"event_source_mapping|EventSourceMapping|sns_topic_subscription|SNS::Subscription|cloudwatch_event_target|Events::Rule|event_target|pubsub_subscription"
)


def _kind(kind: str) -> Kind | None:
    for pattern, found in _KINDS:
        if re.search(pattern, kind):
            return found
    return None


_MODES: dict[Kind, Mode] = {"broker": "async", "db": "db", "app": "sync", "channel": "sync"}


def _mode(kind: Kind | None) -> Mode:
    return _MODES.get(kind, "unknown") if kind else "unknown"


class Terraform:
    """Resources that stand for systems, and the references between them; modules are not expanded."""

    name = "terraform"
    formats: tuple[str, ...] = ("Terraform (AWS functions, queues, topics, buses, tables, gateways)",)
    verified: Verified = "from the specification"

    def __init__(self) -> None:
        self._blocks: list[tuple[str, str, str, SourceFile, int]] = []

    def recognise(self, file: SourceFile) -> float:
        """By the suffix."""
        return (
            0.9 if file.suffix == ".tf" and re.search(r'^\s*resource\s+"', file.text, re.MULTILINE) else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Keeps the blocks; references may lead to other files."""
        text = re.sub(r"(?m)^([ \t]*)(#|//)[^\n]*", r"\1", file.text)
        for found in re.finditer(r'(?m)^resource\s+"([\w-]+)"\s+"([\w-]+)"\s*\{', text):
            body = _body(text, found.end())
            line = text.count("\n", 0, found.start()) + 1
            self._blocks.append((found[1], found[2], body, file, line))
            kind = _kind(found[1])
            if kind is not None:
                yield Node(
                    id=slug(found[2]),
                    name=_label(body) or found[2],
                    kind=kind,
                    attributes={"resource": found[1]},
                    evidence=context.at(file, line),
                )

    def finish(self, context: Context) -> Iterable[Item]:
        """References as flows; a mapping, subscription or target makes its function a reader."""
        systems: dict[tuple[str, str], Kind | None] = {
            (t, n): _kind(t) for t, n, *_ in self._blocks if _kind(t)
        }
        for kind, name, body, file, line in self._blocks:
            named = [
                (r[1], r[2])
                for r in re.finditer(r"\b((?:aws|google|azurerm)_\w+)\.([\w-]+)\.", body)
                if (r[1], r[2]) in systems
            ]
            seen = context.at(file, line)
            if _READS.search(kind):
                readers = [n for n in named if systems[n] == "app"]
                sources = [n for n in named if systems[n] == "broker" or systems[n] == "db"]
                for reader in readers:
                    for source in sources:
                        yield Flow(
                            consumer=slug(reader[1]),
                            provider=slug(source[1]),
                            mode="async",
                            protocol=source[0].split("_")[1],
                            evidence=seen,
                        )
            elif systems.get((kind, name)) in ("app", "channel"):
                for target in dict.fromkeys(named):
                    if target != (kind, name):
                        yield Flow(
                            consumer=slug(name),
                            provider=slug(target[1]),
                            mode=_mode(systems[target]),
                            protocol=target[0].split("_")[1],
                            evidence=seen,
                        )
                settings = [
                    (k, v, seen)
                    for k, v in re.findall(r'(?m)^\s*"?([A-Z][A-Z0-9_]+)"?\s*=\s*"([^"$]+)"', body)
                ]
                yield from settings_flows(slug(name), settings)


def _body(text: str, start: int) -> str:
    depth = 1
    for at in range(start, min(len(text), start + 100_000)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return text[start:at]
    return text[start : start + 100_000]


def _label(body: str) -> str | None:
    found = re.search(r'(?m)^\s*(?:function_name|name)\s*=\s*"([^"$]+)"', body)
    return found[1] if found else None


class CloudFormation:
    """Templates of CloudFormation and SAM, short forms of functions included."""

    name = "cloudformation"
    formats: tuple[str, ...] = ("CloudFormation and SAM templates",)
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """By the format version or AWS types."""
        if file.suffix not in (".yaml", ".yml", ".json", ".template"):
            return 0.0
        return (
            0.95
            if "AWSTemplateFormatVersion" in file.head or re.search(r"Type\"?:\s*\"?AWS::\w+::\w+", file.head)
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Resources and the references between them."""
        data = _template(file)
        resources: Any = data.get("Resources") if isinstance(data, dict) else None
        if not isinstance(resources, dict):
            return
        kinds: dict[str, Kind | None] = {
            n: _kind(str(r.get("Type"))) for n, r in resources.items() if isinstance(r, dict)
        }
        for name, resource in resources.items():
            if not isinstance(resource, dict):
                continue
            seen = context.at(file, line_of(resources, name) or file.line_with(f'"{name}"'))
            named = [n for n in _references(resource, set(resources), 0) if kinds.get(n) and n != name]
            if kinds.get(name):
                yield Node(
                    id=slug(name),
                    name=name,
                    kind=kinds[name],
                    attributes={"resource": str(resource.get("Type"))},
                    evidence=seen,
                )
            if _READS.search(str(resource.get("Type"))):
                yield from self._reads(named, kinds, seen)
            elif kinds.get(name) in ("app", "channel"):
                for target in dict.fromkeys(named):
                    yield Flow(
                        consumer=slug(name), provider=slug(target), mode=_mode(kinds[target]), evidence=seen
                    )

    @staticmethod
    def _reads(named: list[str], kinds: dict[str, Kind | None], seen: Any) -> Iterator[Item]:
        for reader in (n for n in named if kinds[n] == "app"):
            for source in (n for n in named if kinds[n] in ("broker", "db")):
                yield Flow(consumer=slug(reader), provider=slug(source), mode="async", evidence=seen)


def _template(file: SourceFile) -> Any:
    if file.head.lstrip().startswith("{"):
        try:
            return json.loads(file.text)
        except ValueError as exc:
            raise Malformed(f"malformed JSON: {exc}") from exc
    try:
        return next(iter(read_yaml(file.text)), None)
    except YamlError as exc:
        raise Malformed(f"malformed YAML: {exc}", exc.line) from exc


def _references(value: Any, names: set[str], depth: int) -> Iterator[str]:
    """Logical ids that a resource refers to, in long, short or substituted form."""
    if depth > 40:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if key != "DependsOn":
                yield from _references(child, names, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child, names, depth + 1)
    elif isinstance(value, str):
        for word in (value, value.partition(".")[0], *re.findall(r"\$\{(\w+)[.}]", value)):
            if word in names:
                yield word
