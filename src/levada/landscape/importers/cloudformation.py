"""CloudFormation and SAM templates: nested stacks, exports and parameters of the parameter store followed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
from levada.network._yaml import YamlError, line_of, read_yaml
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["CloudFormation"]

_JOINS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (r"Lambda::EventSourceMapping", ("FunctionName",), ("EventSourceArn",)),
    (r"SNS::Subscription", ("Endpoint",), ("TopicArn",)),
    (r"Events::Rule", ("Targets",), ("EventBusName",)),
    (r"Pipes::Pipe", ("Target",), ("Source",)),
    (r"ApiGatewayV2::Integration", ("ApiId",), ("IntegrationUri",)),
    (r"ApiGateway::Method", ("RestApiId",), ("Integration",)),
)
_EVENTS: dict[str, tuple[str, ...]] = {
    "SQS": ("Queue",), "SNS": ("Topic",), "Kinesis": ("Stream",), "DynamoDB": ("Stream",), "S3": ("Bucket",), "MSK": ("Stream",),
    "MQ": ("Broker",), "EventBridgeRule": ("EventBusName",), "CloudWatchEvent": ("EventBusName",),
    "Api": ("RestApiId",), "HttpApi": ("ApiId",),
}  # fmt: skip
"""Events that start a function of SAM, and the property that names where each comes from."""
_GENERIC = frozenset(("template", "sam", "serverless", "cloudformation", "stack", "main", "index", "cfn", "infra", "infrastructure"))  # fmt: skip
_LOST = {
    "SNS": "AWS::SNS::Topic", "Kinesis": "AWS::Kinesis::Stream", "MSK": "AWS::MSK::Cluster",
    "EventBridgeRule": "AWS::Events::EventBus", "CloudWatchEvent": "AWS::Events::EventBus",
}  # fmt: skip
_WORDS = (("EVENT_BUS", "AWS::Events::EventBus"), ("EVENTBUS", "AWS::Events::EventBus"), ("QUEUE", "AWS::SQS::Queue"),
          ("TOPIC", "AWS::SNS::Topic"), ("TABLE", "AWS::DynamoDB::Table"), ("BUCKET", "AWS::S3::Bucket"),
          ("FUNCTION", "AWS::Lambda::Function"))  # fmt: skip
"""What a variable's name says that it holds."""
_NAMES = ("FunctionName", "QueueName", "TopicName", "TableName", "BucketName", "StateMachineName", "DomainName", "Name")  # fmt: skip
"""Properties that name a resource."""
_BUS = Target("aws-eventbridge", "AWS::Events::EventBus")


class CloudFormation:
    """A template is a stack under its folder's or file's name; its resources stand under the stack.

    What a stack exports, or writes into the parameter store, is known where another reads it.
    """

    name = "cloudformation"
    formats: tuple[str, ...] = ("CloudFormation and SAM templates, nested stacks",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._units: dict[str, Unit] = {}
        self._templates: dict[str, tuple[SourceFile, Mapping[str, Any]]] = {}
        self._shared: dict[str, tuple[Any, Scope]] = {}
        self._outside: dict[Target, None] = {}
        """What ARNs name that lies in no template."""

    def recognise(self, file: SourceFile) -> float:
        """By the format version or AWS types."""
        if file.suffix not in (".yaml", ".yml", ".json", ".template"):
            return 0.0
        known = "AWSTemplateFormatVersion" in file.head or re.search(
            r"Type\"?:\s*[\"']?AWS::\w+::\w+", file.head
        )
        return 0.95 if known else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Keeps the template; flows need all of them."""
        if file.of_tests:
            return (context.finding("test-settings", "a template of tests; not read", file, severity="info"),)
        data = self.template(file, context)
        resources: Any = data.get("Resources") if isinstance(data, dict) else None
        if not isinstance(resources, dict):
            return ()
        unit = self._units[file.source] = Unit(file.source)
        self._templates[file.source] = (file, data)
        for name, declared in _mapping(data.get("Parameters")).items():
            unit.parameters[name] = _mapping(declared).get("Default")
        for name, output in _mapping(data.get("Outputs")).items():
            unit.outputs[name] = _mapping(output).get("Value")
        for name, body in resources.items():
            if isinstance(body, dict):
                line = line_of(resources, name) or file.line_with(f'"{name}"')
                _declare(name, body, unit, file, line)
        return ()

    def template(self, file: SourceFile, context: Context) -> Any:  # noqa: ARG002 - others read more files
        """The template that a file holds."""
        return _template(file)

    def named(self, key: str, *, alone: bool) -> str:
        """What the stack of a file is called."""
        return _place(key, alone=alone)

    def finish(self, context: Context) -> Iterable[Item]:
        """Every stack that no other nests, with those within."""
        called = {c.unit for u in self._units.values() for c in u.children.values()}
        roots = [u for k, u in self._units.items() if k not in called] or list(self._units.values())
        names = prefixes({u.key: self.named(u.key, alone=len(roots) == 1) for u in roots})
        opened = [Scope.of(u, self._units, names[u.key]) for u in roots]
        scopes = [s for root in opened for s in root.walk()]
        for scope in scopes:
            self._share(scope)
        starts = [s for scope in scopes for s in self._schedules(scope)]
        items = list(scheduled((i for scope in scopes for i in self._items(scope, context)), starts))
        told = {
            (i.consumer, i.provider)
            for i in items
            if isinstance(i, Flow) and i.protocol == "http" and i.object
        }
        for item in items:
            if isinstance(item, Flow) and not item.object and (item.consumer, item.provider) in told:
                continue  # the gateway's description names the function that its route starts: told with the route
            yield item
        for outside in self._outside:
            yield Node(id=outside.id, name=outside.id.partition("/")[2], kind=outside.kind)

    def _share(self, scope: Scope) -> None:
        _, data = self._templates[scope.unit.key]
        for output in _mapping(data.get("Outputs")).values():
            name: Any = _mapping(_mapping(output).get("Export")).get("Name")
            if name:
                self._shared[_shape(name)] = (output.get("Value"), scope)
        for resource in scope.unit.resources.values():
            properties = _mapping(resource.value.get("Properties"))
            if resource.type == "AWS::SSM::Parameter" and properties.get("Name"):
                self._shared[_shape(properties["Name"])] = (properties.get("Value"), scope)

    def _targets(self, expression: Any, scope: Scope, *, arns: bool = False) -> dict[Target, None]:
        """Also through what other stacks export; only where nothing nearer is meant.

        ``arns``: what an ARN names counts too, where it lies in no template.
        """
        found = targets(expression, scope, _refs)
        for text in _texts(expression, 0):
            value: Any = scope.unit.parameters.get(text, text) if scope.around is None else text
            shared = self._shared.get(_shape(value)) if isinstance(value, str | dict) else None
            if shared is not None:
                found.update(targets(shared[0], shared[1], _refs))
            elif (
                arns
                and text.startswith("arn:")
                and not targets(text, scope, _refs)
                and (outside := _by_arn(text))
            ):
                found[outside] = None
                self._outside[outside] = None
        return found

    def _schedules(self, scope: Scope) -> Iterator[tuple[str, str]]:
        """What rules, schedulers and the events of SAM start, and when."""
        for name, resource in scope.unit.resources.items():
            properties = _mapping(resource.value.get("Properties"))
            said = properties.get("ScheduleExpression")
            if said is not None:
                for target in self._targets([properties.get("Targets"), properties.get("Target")], scope):
                    yield target.id, said if isinstance(said, str) else UNSCHEDULED
            for event in _mapping(properties.get("Events")).values():
                if _mapping(event).get("Type") in ("Schedule", "ScheduleV2"):
                    inner = _mapping(_mapping(event).get("Properties"))
                    said = inner.get("Schedule", inner.get("ScheduleExpression"))
                    yield scope.id_of(name), said if isinstance(said, str) else UNSCHEDULED

    def _items(self, scope: Scope, context: Context) -> Iterator[Item]:
        file, data = self._templates[scope.unit.key]
        functions = _mapping(_mapping(data.get("Globals")).get("Function"))
        for name, resource in scope.unit.resources.items():
            seen = context.at(file, resource.line)
            properties = _mapping(resource.value.get("Properties"))
            me = Target(scope.id_of(name), resource.type)
            system, kind = kind_of(resource.type)
            if system:
                yield node_of(scope, name, resource.type, resource.label, seen)
            if kind in ("app", "channel"):
                shared = functions if resource.type.endswith("Serverless::Function") else {}
                yield from self._uses(me, properties, shared, scope, seen, file, context)
                yield from self._started(me, _mapping(properties.get("Events")), scope, seen, file, context)
            joined = next(((r, s) for p, r, s in _JOINS if re.search(p, resource.type)), None)
            if joined:
                yield from self._join(properties, *joined, scope, seen)
            if "Firehose" in resource.type:
                ends = {k: v for k, v in properties.items() if "Configuration" in k}
                for target in self._targets(ends, scope):
                    yield _flow(me, target, seen)
            if resource.type in ("AWS::SNS::Topic", "AWS::S3::Bucket"):
                inner = [properties.get(k) for k in ("Subscription", "NotificationConfiguration")]
                for target in self._targets(inner, scope):
                    if target.kind in ("app", "broker") and target.id != me.id:
                        yield _flow(target, me, seen, listens=True)

    def _uses(
        self, me: Target, properties: Mapping[str, Any], shared: Mapping[str, Any], scope: Scope,
        seen: tuple[Evidence, ...], file: SourceFile, context: Context,
    ) -> Iterator[Item]:  # fmt: skip
        used = {k: v for k, v in properties.items() if k not in ("Events", "Role")}
        settings_of = [p.get("Environment") for p in (properties, shared)]
        found = self._targets([used, shared, _included(used, file, context)], scope)
        for target in found | self._targets(settings_of, scope, arns=True):
            if target.id != me.id and not (
                me.kind == "app" and target.kind == "channel" and _only_url(used, target, scope)
            ):
                yield _flow(me, target, seen)
        if "StateMachine" in me.type:
            named = {n for t in _texts(properties, 0) for n in re.findall(r"\$\{(\w+)\}", t)}
            yield from self._lost(me, {n: n for n in sorted(named)}, scope, seen)
        settings: list[tuple[str, Any, tuple[Evidence, ...]]] = []
        for place in (properties, shared):
            variables = _mapping(_mapping(place.get("Environment")).get("Variables"))
            settings += [(k, v, seen) for k, v in variables.items() if isinstance(v, str) and "${" not in v]
            yield from self._lost(me, variables, scope, seen)
        yield from settings_flows(me.id, settings)

    def _lost(
        self, me: Target, variables: Mapping[str, Any], scope: Scope, seen: tuple[Evidence, ...]
    ) -> Iterator[Item]:
        """A queue, bus or table that only a parameter without a value names: it stands under the parameter's name."""
        for name, value in variables.items():
            kind = next((t for w, t in _WORDS if w in name.upper()), None)
            known = isinstance(value, str) and scope.around is None and value in scope.unit.parameters
            if (
                kind is not None
                and known
                and not self._targets(value, scope)
                and not scope.unit.parameters[value]
            ):
                lost = Target(f"unresolved:{slug(value)}", kind)
                yield Node(
                    id=lost.id,
                    name=f"${{{value}}}",
                    kind=lost.kind,
                    aliases=(f"setting:{value}",),
                    evidence=seen,
                )
                yield _flow(me, lost, seen)

    def _started(
        self, me: Target, events: Mapping[str, Any], scope: Scope, seen: tuple[Evidence, ...], file: SourceFile,
        context: Context,
    ) -> Iterator[Item]:  # fmt: skip
        """What starts a function of SAM: it reads from queues and buses, and gateways call it."""
        for name, event in events.items():
            kind, properties = str(_mapping(event).get("Type")), _mapping(_mapping(event).get("Properties"))
            keys = _EVENTS.get(kind)
            if keys is None:
                continue
            place = context.at(file, line_of(events, name)) if line_of(events, name) else seen
            found = [t for k in keys for t in self._targets(properties.get(k), scope, arns=True)]
            if kind in ("Api", "HttpApi"):
                if not found:
                    taken = any(slug(n) == "api" for n in scope.unit.resources)
                    implicit = Target(
                        f"{scope.prefix}{'gateway' if taken else 'api'}", "AWS::Serverless::Api"
                    )
                    yield Node(id=implicit.id, name=implicit.id, kind="channel", evidence=place)
                    found = [implicit]
                what = f"{str(properties.get('Method') or 'ANY').upper()} {properties.get('Path') or '/'}"
                for gateway in found:
                    yield _flow(gateway, me, place, what=what, http=True)
                continue
            if (
                not found
                and kind in ("EventBridgeRule", "CloudWatchEvent")
                and properties.get("EventBusName", "default") == "default"
            ):
                yield Node(id=_BUS.id, name="Amazon EventBridge", kind="broker", evidence=place)
                found = [_BUS]
            if not found and any(properties.get(k) for k in keys):
                value = next(str(properties[k]) for k in keys if properties.get(k))
                text = f"{me.id}: where {name} comes from is not in these templates: {excerpt(value, 80)}"
                yield context.finding("unresolved-event", text, file, place[0].line)
                if value in scope.unit.parameters:
                    lost = Target(f"unresolved:{slug(value)}", _LOST.get(kind, "AWS::SQS::Queue"))
                    yield Node(
                        id=lost.id,
                        name=f"${{{value}}}",
                        kind="broker",
                        aliases=(f"setting:{value}",),
                        evidence=place,
                    )
                    found = [lost]
            for source in found:
                for what in _detail(properties.get("Pattern")) or [None]:
                    yield _flow(me, source, place, what=what, listens=True)

    def _join(
        self, properties: Mapping[str, Any], readers: tuple[str, ...], sources: tuple[str, ...], scope: Scope,
        seen: tuple[Evidence, ...],
    ) -> Iterator[Item]:  # fmt: skip
        providers = self._targets([properties.get(k) for k in sources], scope, arns=True)
        what = _detail(properties.get("EventPattern")) or [None]
        if (
            not providers
            and properties.get("EventPattern")
            and properties.get("EventBusName", "default") == "default"
        ):
            yield Node(id=_BUS.id, name="Amazon EventBridge", kind="broker", evidence=seen)
            providers = {_BUS: None}
        ends = [_arns(properties.get(k)) for k in readers]
        for consumer in self._targets(ends, scope):
            for provider in providers:
                if consumer.id != provider.id:
                    for each in what:
                        yield _flow(consumer, provider, seen, what=each, listens=True)


def _flow(
    consumer: Target, provider: Target, seen: tuple[Evidence, ...], *, what: str | None = None, listens: bool = False,
    http: bool = False,
) -> Flow:  # fmt: skip
    mode, protocol = mode_to(provider.type)
    if listens and mode in ("db", "file"):
        mode = "async"
    return Flow(
        consumer=consumer.id, provider=provider.id, object=what, mode=mode, protocol="http" if http else protocol, evidence=seen
    )  # fmt: skip


def _declare(name: str, body: Mapping[str, Any], unit: Unit, file: SourceFile, line: int | None) -> None:
    kind, properties = str(body.get("Type")), _mapping(body.get("Properties"))
    if kind in ("AWS::CloudFormation::Stack", "AWS::Serverless::Application"):
        place: Any = properties.get("TemplateURL") or properties.get("Location")
        local = isinstance(place, str) and "://" not in place and "$" not in place
        there = _folder(file.source.rpartition("/")[0], place) if local else None
        unit.children[name] = Child(there, _mapping(properties.get("Parameters")), file, line)
        return
    label: Any = next((properties[k] for k in _NAMES if k in properties), None)
    shape = _shape(label) if isinstance(label, str | dict) else ""
    system, sort = kind_of(kind)
    if system and sort in ("db", "broker", None) and len(re.sub(r"\W", "", shape)) > 3:
        # What a template calls by name it may name again in place of a reference; one name of two is neither's.
        unit.names[shape] = None if shape in unit.names else name
    named = label if isinstance(label, str) and "${" not in label and label not in unit.parameters else None
    unit.resources[name] = Resource(kind, name, body, file, line, named)


def _place(key: str, *, alone: bool) -> str:
    """Where a stack has its name from: its file's, unless that says nothing, then its folder's."""
    folder, _, leaf = key.rpartition("/")
    stem = re.sub(r"\.(ya?ml|json|template)$", "", leaf)
    parts = [p for p in folder.split("/") if p and p.lower() not in _GENERIC]
    named = [] if stem.lower() in _GENERIC or (alone and not folder) else [stem]
    return "/".join([*parts, *named])


def _shape(name: Any) -> str:
    """A name with its variable parts alike: ``/shop/${Stage}/bus`` is ``/shop/{Environment}/bus``."""
    text: Any = name.get("Fn::Sub", "") if isinstance(name, dict) else name
    text = text[0] if isinstance(text, list) and text else text
    return re.sub(r"\$?\{[^{}]*\}", "{}", str(text))


def _detail(pattern: Any) -> list[str]:
    """What an event pattern lets through: its detail types, else its sources."""
    found = _mapping(pattern)
    for key in ("detail-type", "source"):
        values: Any = found.get(key)
        if isinstance(values, list):
            return [v for v in values if isinstance(v, str)][:20]
    return []


def _only_url(used: Mapping[str, Any], target: Target, scope: Scope) -> bool:
    """Does a function name a gateway only in what it is started by (``RestApiId``), not to call it?"""
    inside = {k: v for k, v in used.items() if k in ("Environment", "Policies")}
    return target not in targets(inside, scope, _refs)


def _included(used: Mapping[str, Any], file: SourceFile, context: Context) -> list[str]:
    """The resources that an included interface description (``Location``) names."""
    out: list[str] = []
    for text in _texts(used.get("DefinitionBody"), 0), _texts(used.get("DefinitionUri"), 0):
        for place in text:
            other = (
                context.files.get(_folder(file.source.rpartition("/")[0], place))
                if re.search(r"\.(ya?ml|json)$", place)
                else None
            )
            if other is not None:
                out += [f"${{{n}}}" for n in re.findall(r"\$\{(\w+)[.}]", other.text)]
    return out


def _folder(here: str, place: str) -> str:
    parts = here.split("/") if here else []
    for part in place.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _arns(value: Any) -> Any:
    """What is delivered to: of a rule's targets the target itself, not where its failures go."""
    targets = [t for t in value if isinstance(t, dict)] if isinstance(value, list) else []
    return [t.get("Arn") for t in targets] if targets else value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any, depth: int) -> Iterator[str]:
    if depth > 40:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if key != "DependsOn":
                yield from _texts(child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child, depth + 1)
    elif isinstance(value, str):
        yield value


def _refs(expression: Any, unit: Unit) -> Iterator[Ref]:
    """Logical ids that an expression names, in long, short or substituted form."""
    for text in _texts(expression, 0):
        first, _, rest = text.partition(".")
        names = [
            (text, ""),
            (first, rest),
            *((n, r) for n, r in re.findall(r"\$\{([\w:]+)(?:\.([\w.]+))?\}", text)),
        ]
        for name, attribute in dict.fromkeys(names):
            if name in unit.resources:
                yield Ref("resource", name)
            elif name in unit.parameters:
                yield Ref("parameter", name)
            elif name in unit.children:
                yield Ref("child", name, attribute.removeprefix("Outputs."))
        if unit.names and (named := unit.names.get(_shape(_arn_name(text)))):
            yield Ref("resource", named)


def _arn_name(text: str) -> str:
    """The name at the end of an ARN that is written out; any other text as it is."""
    return re.split(r"[:/]", text)[-1] if text.startswith("arn:") else text


_ARN = re.compile(
    r"arn:[^:]*:(sqs|sns|kinesis|dynamodb|s3|events|lambda|kafka):[^:]*:[^:]*:(?:\w+[/:])?([\w.-]+?)(?:/.*)?\Z"
)
_ARN_TYPES = {
    "sqs": "AWS::SQS::Queue", "sns": "AWS::SNS::Topic", "kinesis": "AWS::Kinesis::Stream", "dynamodb": "AWS::DynamoDB::Table", "s3": "AWS::S3::Bucket",
    "events": "AWS::Events::EventBus", "lambda": "AWS::Lambda::Function", "kafka": "AWS::MSK::Cluster",
}  # fmt: skip


def _by_arn(text: str) -> Target | None:
    """What an ARN that is written out names, where it lies in no template that was read."""
    found = _ARN.match(re.sub(r"\$\{[^{}]*\}", "-", text).replace(":-:", "::"))
    name = re.sub(r"^-+|-+$", "", found[2]) if found else ""
    return Target(f"{found[1]}/{slug(name)}", _ARN_TYPES[found[1]]) if found and name else None


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
