"""Infrastructure as code, whatever its language: units that call units, and what an expression leads to.

A unit is a Terraform module or a CloudFormation template. Parameters, local values and
outputs are followed, so that what one unit hands another is known for what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from levada.landscape.importers.protocol import SourceFile
from levada.network.graph import Kind, Mode, Node
from levada.network.names import slug

__all__ = [
    "Child",
    "Ref",
    "Resource",
    "Scope",
    "Target",
    "Unit",
    "kind_of",
    "mode_to",
    "node_of",
    "prefixes",
    "targets",
]

MAX_DEPTH = 30
"""Units within units, and references to references, that are followed; deeper is a cycle or a trick."""

_KINDS: tuple[tuple[str, Kind | None], ...] = (
    (r"_lambda_function\Z|::Function\Z|ecs_task_definition|ECS::TaskDefinition|cloud_run(_v2)?_(service|job)\Z|cloudfunctions2?_function\Z"
     r"|(function|web|linux_web|linux_function|windows_function|container)_app\Z|app_service\Z|sfn_state_machine|StateMachine\Z|AppRunner::Service|apprunner_service", "app"),
    (r"sqs_queue\Z|SQS::Queue\Z|sns_topic\Z|SNS::Topic\Z|event_bus\Z|EventBus\Z|kinesis_stream\Z|Kinesis::Stream\Z|msk_(serverless_)?cluster\Z|MSK::(Serverless)?Cluster\Z"
     r"|servicebus_(namespace|queue|topic)\Z|eventhub\Z|pubsub_topic\Z|mq_broker\Z|AmazonMQ::Broker\Z|kinesis_firehose_delivery_stream\Z|KinesisFirehose::DeliveryStream\Z", "broker"),
    (r"_db_instance\Z|rds_cluster\Z|RDS::DB(Instance|Cluster)\Z|dynamodb_table\Z|DynamoDB::(Global)?Table\Z|Serverless::SimpleTable\Z|redshift_cluster\Z|sql_database\Z"
     r"|(mssql|postgresql|mysql)_(flexible_)?(server|database)\Z|cosmosdb_account\Z|sql_database_instance\Z|elasticache_(cluster|replication_group|serverless_cache)\Z"
     r"|ElastiCache::(CacheCluster|ReplicationGroup|ServerlessCache)\Z|docdb_cluster\Z|OpenSearchService::Domain\Z|opensearch_domain\Z"
     r"|(Neptune|DocDB)::DBCluster\Z|neptune_cluster\Z|Elasticsearch::Domain\Z|elasticsearch_domain\Z|MemoryDB::Cluster\Z|memorydb_cluster\Z|Timestream::Table\Z"
     r"|timestreamwrite_table\Z|Redshift::Cluster\Z", "db"),
    (r"apigatewayv2_api\Z|api_gateway_rest_api\Z|ApiGateway(V2)?::(Rest)?Api\Z|Serverless::(Http)?Api\Z|appsync_graphql_api\Z|AppSync::GraphQLApi\Z", "channel"),
    (r"_s3_bucket\Z|S3::Bucket\Z|storage_bucket\Z|storage_(account|container)\Z", None),
)  # fmt: skip
_THROUGH = re.compile(
    r"lambda_alias|Lambda::(Alias|Version)|ssm_parameter\Z|SSM::Parameter\Z|cloudwatch_event_rule|ecs_service\Z|ECS::Service\Z"
    r"|pubsub_subscription|eventhub_namespace"
)
"""Resources that stand for another one that they name."""
_PROTOCOLS = {
    "sqs": "sqs", "sns": "sns", "eventbus": "eventbridge", "kinesis": "kinesis", "msk": "kafka", "dynamodb": "dynamodb",
    "simpletable": "dynamodb", "s3bucket": "s3", "lambda": "lambda", "apigateway": "http", "pubsub": "pubsub",
    "servicebus": "servicebus", "postgresql": "postgres", "mysql": "mysql", "mssql": "mssql", "statemachine": "stepfunctions",
    "opensearch": "opensearch", "elasticsearch": "elasticsearch", "memorydb": "redis", "neptune": "neptune",
    "docdb": "mongodb", "redshift": "redshift", "timestream": "timestream", "function": "lambda", "restapi": "http", "httpapi": "http", "api": "http",
}  # fmt: skip
_NAMELESS = frozenset(("this", "main", "default", "self", "resource"))


class Ref(Struct, frozen=True):
    """What an expression names: a resource, a parameter, a local value, or another unit's output."""

    kind: Literal["resource", "parameter", "local", "child"]
    name: str
    output: str = ""


class Resource(Struct, eq=False):
    """One resource of a unit; ``value`` is its body as the language gives it."""

    type: str
    name: str
    value: Any
    file: SourceFile
    line: int | None
    label: str | None = None


class Child(Struct, eq=False):
    """A call of another unit. ``unit`` None: it is not at hand, and ``type`` says what it is known to make."""

    unit: str | None
    arguments: Mapping[str, Any]
    file: SourceFile
    line: int | None
    type: str | None = None


class Unit(Struct, eq=False):
    """What one module or template declares."""

    key: str
    resources: dict[str, Resource] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    names: dict[str, str | None] = field(default_factory=dict)
    """Resources by the names that the template gives them, variable parts alike; None of several."""


class Scope(Struct, eq=False):
    """A unit as it is used at one place: its arguments belong to the scope around it."""

    unit: Unit
    prefix: str
    around: Scope | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inside: dict[str, Scope] = field(default_factory=dict)

    @classmethod
    def of(cls, unit: Unit, units: Mapping[str, Unit], prefix: str) -> Scope:
        """The scope of a unit that nobody calls, with those of all it calls."""
        scope = cls(unit, prefix)
        scope.open(units, (unit.key,))
        return scope

    def open(self, units: Mapping[str, Unit], above: tuple[str, ...]) -> None:
        """Open what this unit calls; a call of a unit from within itself is not followed."""
        for name, child in self.unit.children.items():
            unit = None if child.unit is None else units.get(child.unit)
            if unit is None or unit.key in above or len(above) > MAX_DEPTH:
                continue
            inner = Scope(unit, f"{self.prefix}{slug(name)}.", self, child.arguments)
            self.inside[name] = inner
            inner.open(units, (*above, unit.key))

    def walk(self) -> Iterator[Scope]:
        """This scope and all within."""
        yield self
        for inner in self.inside.values():
            yield from inner.walk()

    def id_of(self, name: str) -> str:
        """The id of a resource, or of a call that stands for one; ``this``, or the module's own name, is the module."""
        bare = name.rpartition("|")[2]
        call = self.prefix.removesuffix(".").rpartition("/")[2].rpartition(".")[2]
        if self.prefix.endswith(".") and (bare.lower() in _NAMELESS or slug(bare) == call):
            return self.prefix.removesuffix(".")
        if any(
            k != name and k.rpartition("|")[2] == bare and kind_of(r.type)[0]
            for k, r in self.unit.resources.items()
        ):
            return f"{self.prefix}{slug(bare)}-{slug(name.partition('|')[0].partition('_')[2])}"
        return f"{self.prefix}{slug(bare)}"


class Target(Struct, frozen=True):
    """What an expression leads to."""

    id: str
    type: str

    @property
    def kind(self) -> Kind | None:
        """Its kind."""
        return kind_of(self.type)[1]


Refs = Callable[[Any, Unit], Iterable[Ref]]


def kind_of(type_: str) -> tuple[bool, Kind | None]:
    """Does a type of resource stand for a system, and of which kind?"""
    for pattern, kind in _KINDS:
        if re.search(pattern, type_):
            return True, kind
    return False, None


def mode_to(type_: str) -> tuple[Mode, str | None]:
    """How a resource of this type is used by one that names it."""
    flat = re.sub(r"[^a-z0-9]", "", type_.lower().removeprefix("aws").replace("serverless", ""))
    protocol = next((p for w, p in _PROTOCOLS.items() if w in flat), None)
    modes: dict[Kind | None, Mode] = {
        "broker": "async",
        "db": "db",
        "app": "sync",
        "channel": "sync",
        None: "file",
    }
    return modes.get(kind_of(type_)[1], "unknown"), protocol


def targets(expression: Any, scope: Scope, refs: Refs, depth: int = 0) -> dict[Target, None]:
    """The systems that an expression leads to, through parameters, local values, outputs and aliases."""
    out: dict[Target, None] = {}
    if depth > MAX_DEPTH:
        return out
    unit = scope.unit
    for ref in refs(expression, unit):
        if ref.kind == "resource":
            resource = unit.resources[ref.name]
            if kind_of(resource.type)[0]:
                out[Target(scope.id_of(ref.name), resource.type)] = None
            elif _THROUGH.search(resource.type):
                out.update(targets(resource.value, scope, refs, depth + 1))
        elif ref.kind == "local":
            out.update(targets(unit.locals.get(ref.name), scope, refs, depth + 1))
        elif ref.kind == "child":
            out.update(_of_child(ref, scope, refs, depth))
        elif ref.name in scope.arguments and scope.around is not None:
            out.update(targets(scope.arguments[ref.name], scope.around, refs, depth + 1))
        else:
            out.update(targets(unit.parameters.get(ref.name), scope, refs, depth + 1))
    return out


def _of_child(ref: Ref, scope: Scope, refs: Refs, depth: int) -> dict[Target, None]:
    inner = scope.inside.get(ref.name)
    if inner is not None:
        return targets(inner.unit.outputs.get(ref.output), inner, refs, depth + 1)
    child = scope.unit.children.get(ref.name)
    if child is not None and child.type is not None:
        return {Target(scope.id_of(ref.name), child.type): None}
    return {}


def prefixes(folders: Mapping[str, str]) -> dict[str, str]:
    """The prefix of each unit's ids: its folder's name, with those above it where others are called the same."""
    parts = {k: [slug(p) for p in f.split("/") if p] for k, f in folders.items()}
    out: dict[str, str] = {}
    for key, words in parts.items():
        for count in range(1, len(words) + 1):
            name = ".".join(words[-count:])
            if sum(".".join(other[-count:]) == name for other in parts.values()) == 1:
                break
        else:
            name = ".".join(words)
        out[key] = f"{name}/" if name else ""
    return out


def node_of(scope: Scope, name: str, type_: str, label: str | None, evidence: Any) -> Node:
    """The node of a resource that stands for a system."""
    bare = name.rpartition("|")[2]
    return Node(
        id=scope.id_of(name), name=label or bare, kind=kind_of(type_)[1], attributes={"resource": type_}, evidence=evidence
    )  # fmt: skip
