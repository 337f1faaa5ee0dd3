"""Serverless Framework: services on AWS, put into the form of a CloudFormation template and read as one.

Variables of the file itself and of files beside it are filled in; what only a deployment knows
(``${env:…}``, ``${ssm:…}``, ``${cf:…}``) stays as it is, and is followed like any name with a variable part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from levada.landscape.importers.cloudformation import CloudFormation
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network._yaml import Lined

__all__ = ["Serverless"]

_HOLE = re.compile(r"\$\{([^${}]+)\}")
_GATEWAYS = {"http": "Api", "httpApi": "HttpApi", "websocket": "Api"}
_SOURCES = {
    "sqs": ("SQS", "Queue"), "msk": ("MSK", "Stream"), "kafka": ("MSK", "Stream"), "activemq": ("MQ", "Broker"), "rabbitmq": ("MQ", "Broker"),
}  # fmt: skip
MAX_DEPTH = 12


class Serverless(CloudFormation):
    """A service is a stack under its own name; its functions stand beside its resources."""

    name = "serverless"
    formats: tuple[str, ...] = ("Serverless Framework on AWS (serverless.yml)",)
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        super().__init__()
        self._services: dict[str, str] = {}

    def recognise(self, file: SourceFile) -> float:
        """By the file's name, or a service with a provider and functions."""
        if file.suffix not in (".yml", ".yaml"):
            return 0.0
        said = [
            bool(re.search(rf"^{k}:", file.head, re.MULTILINE)) for k in ("service", "provider", "functions")
        ]
        if re.match(r"serverless[\w.-]*\.ya?ml$", file.name) and said[0] and said[1]:
            return 1.0
        return 0.7 if all(said) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Keeps the service; of one on another cloud it is told that it is not read."""
        written: Any = file.documents[0] if file.documents else None
        if not isinstance(written, dict):
            return ()
        provider: Any = _Service(written, file, context).fill(written.get("provider"))
        cloud = provider.get("name") if isinstance(provider, dict) else provider
        if cloud != "aws":
            text = f"a service on {cloud}; only services on AWS are read"
            return (context.finding("unread-provider", text, file, severity="info"),)
        return super().read(file, context)

    def template(self, file: SourceFile, context: Context) -> Any:
        """The service as a template."""
        data: Any = _Service(file.documents[0], file, context).fill(file.documents[0])
        called: Any = data.get("service")
        self._services[file.source] = str(called.get("name") if isinstance(called, dict) else called)
        return _template(data)

    def named(self, key: str, *, alone: bool) -> str:
        """The service's own name."""
        return self._services.get(key) or super().named(key, alone=alone)


class _Service:
    """One file with its variables."""

    def __init__(self, data: Mapping[str, Any], file: SourceFile, context: Context) -> None:
        self._data, self._file, self._context = data, file, context

    def fill(self, value: Any, depth: int = 0) -> Any:
        """The value with its variables filled in, as far as files say them."""
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, Lined):
            out = Lined({k: self.fill(v, depth + 1) for k, v in value.items()})
            out.line, out.lines = value.line, value.lines
            return out
        if isinstance(value, dict):
            return {k: self.fill(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v, depth + 1) for v in value]
        return self._text(value, depth) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, depth: int) -> Any:
        for _ in range(MAX_DEPTH):
            holes = {m[0]: self._value(m[1], depth) for m in _HOLE.finditer(text)}
            holes = {hole: found for hole, found in holes.items() if found is not None}
            if not holes:
                return text
            for hole, found in holes.items():
                if hole == text:
                    return self.fill(found, depth + 1)
                if isinstance(found, str | int | float):
                    text = text.replace(hole, str(found))
            if not any(isinstance(v, str | int | float) for v in holes.values()):
                return text
        return text

    def _value(self, said: str, depth: int) -> Any:
        """The first of a variable's alternatives that is known."""
        for part in re.split(r",\s*", said.strip()):
            kind, _, rest = part.strip().partition(":")
            found: Any = None
            if re.fullmatch(r"'[^']*'|\"[^\"]*\"", part.strip()):
                return part.strip()[1:-1]
            if kind == "self":
                found = _at(self._data, rest)
            elif kind.startswith("file("):
                found = self._file_value(kind[5:].rstrip(")"), rest, depth)
            elif part.strip() == "sls:stage":
                found = _at(self._data, "provider.stage")
            if found is not None:
                return found
        return None

    def _file_value(self, path: str, key: str, depth: int) -> Any:
        parts = self._file.source.split("/")[:-1]
        for step in path.strip("'\" ").split("/"):
            parts = parts[:-1] if step == ".." else parts if step in (".", "") else [*parts, step]
        other = self._context.files.get("/".join(parts))
        if other is None or other.suffix not in (".yml", ".yaml", ".json") or depth > MAX_DEPTH:
            return None
        try:
            found: Any = other.json if other.suffix == ".json" else next(iter(other.documents), None)
        except ValueError:
            return None  # told when that file itself is read
        return _at(found, key) if key else found


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(data, list) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        elif isinstance(data, dict):
            data = data.get(key)
        else:
            return None
    return data


def _template(data: Mapping[str, Any]) -> dict[str, Any]:
    resources, outputs = Lined(), {}
    resources.lines = {}
    for part in _parts(data.get("resources")):
        declared: Any = part.get("Resources")
        if isinstance(declared, dict):
            resources.update(declared)
            resources.lines.update(getattr(declared, "lines", {}))
        outputs.update(part.get("Outputs") or {})
    provider: Any = data.get("provider") if isinstance(data.get("provider"), dict) else {}
    renamed: dict[str, str] = {}
    groups = _parts(data.get("functions"))
    functions = {
        str(n): (f, getattr(g, "lines", {}).get(n, 1))
        for g in groups
        for n, f in g.items()
        if isinstance(f, dict)
    }
    for name, (_, line) in functions.items():
        renamed[_logical(name)] = name
        resources[name], resources.lines[name] = {"Type": "AWS::Serverless::Function"}, line
    for name, (function, _) in functions.items():
        resources[name] = _function(function, provider, resources)
    for group in _parts(_at(data, "stepFunctions.stateMachines")):
        for name, machine in group.items():
            if isinstance(machine, dict):
                resources[str(name)] = {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}
                resources.lines[str(name)] = getattr(group, "lines", {}).get(name, 1)
    return {"Resources": _renamed(resources, renamed), "Outputs": _renamed(outputs, renamed)}


def _parts(value: Any) -> list[Any]:
    """A section that may be one mapping or a list of them."""
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict)]


def _logical(name: Any) -> str:
    """The logical id under which a template knows a function."""
    word = re.sub(r"_", "Underscore", re.sub(r"-", "Dash", str(name)))
    return f"{word[:1].upper()}{word[1:]}LambdaFunction"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """References to functions by their logical ids, by their own names."""
    if isinstance(value, Lined):
        out = Lined({k: _renamed(v, names) for k, v in value.items()})
        out.line, out.lines = value.line, value.lines
        return out
    if isinstance(value, dict):
        return {k: _renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, names) for v in value]
    if isinstance(value, str) and "LambdaFunction" in value:
        return re.sub(r"\b\w+LambdaFunction\b", lambda m: names.get(m[0], m[0]), value)
    return value


def _function(
    function: Mapping[str, Any], provider: Mapping[str, Any], resources: dict[str, Any]
) -> dict[str, Any]:
    shared: Any = provider.get("environment") if isinstance(provider.get("environment"), dict) else {}
    own: Any = function.get("environment") if isinstance(function.get("environment"), dict) else {}
    events = {
        f"event{number}": event
        for number, (kind, said) in enumerate(_events(function.get("events")))
        for event in _event(kind, said, resources)
    }
    properties: dict[str, Any] = {"Environment": {"Variables": {**shared, **own}}, "Events": events}
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def _events(value: Any) -> Iterator[tuple[str, Any]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield from entry.items()
        elif isinstance(entry, str):
            yield entry, {}


def _event(kind: str, said: Any, resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner: Any = said if isinstance(said, dict) else {}
    if kind in _GATEWAYS:
        method, _, path = said.partition(" ") if isinstance(said, str) else ("", "", "")
        method = str(inner.get("method") or method or ("WS" if kind == "websocket" else "ANY"))
        path = str(inner.get("path") or inner.get("route") or path or "/")
        path = path if path.startswith(("/", "$")) else f"/{path}"
        yield _of(_GATEWAYS[kind], Method=method, Path=path)
    elif kind == "schedule":
        rates: Any = inner.get("rate") if inner else said
        for rate in rates if isinstance(rates, list) else [rates]:
            yield _of("Schedule", Schedule=rate)
    elif kind in _SOURCES:
        type_, key = _SOURCES[kind]
        yield _of(type_, **{key: inner.get("arn", said)})
    elif kind == "stream":
        where = inner.get("arn", said)
        type_ = inner.get("type") or ("Kinesis" if ":kinesis:" in str(where) else "DynamoDB")
        yield _of("Kinesis" if str(type_).lower() == "kinesis" else "DynamoDB", Stream=where)
    elif kind == "sns":
        yield _of(
            "SNS",
            Topic=_made(
                inner.get("arn") or inner.get("topicName", said), "AWS::SNS::Topic", "TopicName", resources
            ),
        )
    elif kind == "s3":
        yield _of("S3", Bucket=_made(inner.get("bucket", said), "AWS::S3::Bucket", "BucketName", resources))
    elif kind in ("eventBridge", "cloudwatchEvent"):
        bus = inner.get("eventBus", "default")
        if inner.get("schedule"):
            yield _of("Schedule", Schedule=inner["schedule"])
        if inner.get("pattern") or inner.get("event"):
            yield _of("EventBridgeRule", EventBusName=bus, Pattern=inner.get("pattern") or inner.get("event"))


def _of(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _made(named: Any, type_: str, key: str, resources: dict[str, Any]) -> Any:
    """A topic or bucket that an event names: the framework makes it where no resource of the name is declared."""
    if not isinstance(named, str) or named.startswith("arn:"):
        return named
    for resource in resources.values():
        if isinstance(resource, dict) and (resource.get("Properties") or {}).get(key) == named:
            return named
    bare = re.sub(r"-{2,}", "-", re.sub(r"\$\{[^{}]*\}", "", named)).strip("-") or type_.split("::")[2]
    if bare in resources and resources[bare].get("Type") != type_:
        bare = f"{bare}-{type_.split('::')[2].lower()}"  # a function is called the same
    resources.setdefault(bare, {"Type": type_, "Properties": {key: named}})
    return {"Ref": bare}
