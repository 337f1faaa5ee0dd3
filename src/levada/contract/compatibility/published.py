"""What a contract or an event promises, as data that outlives its class."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct, field

from levada.contract.api import Contract
from levada.contract.compatibility.wire import Member, Object, Types, Wire, wire_of
from levada.contract.event import EventType
from levada.contract.operation import Operation
from levada.contract.problem import Problem, fields_of, struct_of

__all__ = [
    "ParameterShape",
    "ProblemShape",
    "PublishedContract",
    "PublishedEvent",
    "PublishedOperation",
    "digest",
    "publish_contract",
    "publish_event",
]


class ParameterShape(Struct, frozen=True, omit_defaults=True):
    """One argument of an operation, and where it travels."""

    name: str
    place: str
    type: Wire
    required: bool = True


class ProblemShape(Struct, frozen=True):
    """A declared problem: its status, and the members besides those of RFC 9457."""

    status: int
    type: Wire


class PublishedOperation(Struct, frozen=True, omit_defaults=True):
    """One operation, as its consumers rely on it."""

    method: str
    path: str
    status: int
    shape: str
    parameters: tuple[ParameterShape, ...] = ()
    result: Wire | None = None
    problems: Mapping[str, ProblemShape] = field(default_factory=dict[str, ProblemShape])
    scopes: tuple[str, ...] = ()
    durable: bool = False
    final: bool = False
    undo: bool = False


class PublishedContract(Struct, frozen=True, omit_defaults=True):
    """One version of a contract; ``types`` are what its operations refer to."""

    version: str
    layer: str
    operations: Mapping[str, PublishedOperation]
    types: Types = field(default_factory=dict[str, Wire])


class PublishedEvent(Struct, frozen=True, omit_defaults=True):
    """One version of an event; ``types`` are what its data refers to."""

    version: str
    data: Wire
    key: str | None = None
    personal: Mapping[str, str] = field(default_factory=dict[str, str])
    types: Types = field(default_factory=dict[str, Wire])


def publish_contract(contract: Contract) -> PublishedContract:
    """What a contract promises now."""
    types: Types = {}
    operations = {name: _operation(o, types) for name, o in sorted(contract.operations.items())}
    return PublishedContract(str(contract.version), contract.layer, operations, types)


def publish_event(kind: EventType) -> PublishedEvent:
    """What an event carries now."""
    types: Types = {}
    data = wire_of(kind.cls, types)
    return PublishedEvent(str(kind.version), data, kind.key, kind.personal, types)


def digest(published: PublishedContract | PublishedEvent) -> str:
    """A hash of all that is promised but the version."""
    text = msgspec.json.encode(msgspec.structs.replace(published, version=""), order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def _operation(operation: Operation, types: Types) -> PublishedOperation:
    parameters = tuple(
        ParameterShape(p.name, p.place, wire_of(p.type, types), p.required) for p in operation.parameters
    )
    result = None if operation.shape in ("none", "bytes") else wire_of(operation.result, types)
    return PublishedOperation(
        method=operation.method,
        path=operation.path,
        status=operation.status,
        shape=operation.shape,
        parameters=parameters,
        result=result,
        problems={p.code: _problem(p, types) for p in sorted(operation.raises, key=lambda p: p.code)},
        scopes=tuple(sorted(operation.scopes)),
        durable=operation.durable,
        final=operation.final,
        undo=operation.undo is not None,
    )


def _problem(problem: type[Problem], types: Types) -> ProblemShape:
    struct = struct_of(problem)
    defaults = fields_of(problem)
    members = tuple(
        Member(f.encode_name, wire_of(f.type, types), defaults[f.name] is msgspec.NODEFAULT)
        for f in msgspec.structs.fields(struct)
    )
    return ProblemShape(problem.status, Object(problem.__name__, members))
