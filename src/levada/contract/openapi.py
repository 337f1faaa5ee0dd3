"""The OpenAPI 3.1 document of a contract: made of the same record as its routes and its client."""

from __future__ import annotations

from typing import Any

import msgspec

from levada.contract._generate.schemas import Schemas
from levada.contract.api import Contract
from levada.contract.operation import Operation, Parameter
from levada.contract.problem import Problem
from levada.contract.standard import (
    STANDARD,
    BadRequest,
    Conflict,
    KeyReused,
    PayloadTooLarge,
    StandardProblem,
    UnsupportedMediaType,
)

__all__ = ["JSON", "JSON_LINES", "PROBLEM_JSON", "openapi"]

JSON = "application/json"
JSON_LINES = "application/jsonl"
PROBLEM_JSON = "application/problem+json"
_BYTES = "application/octet-stream"

_ALWAYS = (
    "unauthorized",
    "forbidden",
    "too-many-requests",
    "internal-error",
    "unavailable",
    "deadline-exceeded",
)


def openapi(contract: Contract) -> dict[str, Any]:
    """The document, ready to be encoded as JSON.

    Its server is the API's path, relative to where the document is read. Extensions: at the top ``x-levada-contract`` (its id) and ``x-levada-layer``, and
    ``x-levada-deprecated`` and ``x-levada-sunset`` (dates) where they are stated; at each
    operation ``x-levada-digest``, ``x-levada-order`` (the arguments as the method takes
    them), and ``x-levada-durable``, ``x-levada-final``, ``x-levada-tool``,
    ``x-levada-timeout`` (seconds), ``x-levada-shape`` where they say something.

    Args:
        contract: From :func:`levada.contract.contract_of`.
    """
    schemas = Schemas(contract)
    paths: dict[str, dict[str, Any]] = {}
    for operation in contract.operations.values():
        at = paths.setdefault(operation.path, {})
        at[operation.method.lower()] = _operation(contract, operation, schemas)
    info: dict[str, Any] = {"title": contract.name, "version": str(contract.version)}
    if contract.doc:
        info["description"] = contract.doc
    made = {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": contract.path}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "x-levada-contract": contract.id,
        "x-levada-layer": contract.layer,
    }
    for name, day in (("deprecated", contract.deprecated), ("sunset", contract.sunset)):
        if day is not None:
            made[f"x-levada-{name}"] = day.isoformat()
    # Defaults are Python's own values until here.
    return msgspec.json.decode(msgspec.json.encode(made))


def _operation(contract: Contract, operation: Operation, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [contract.name],
    }
    if contract.deprecated is not None:
        made["deprecated"] = True
    if operation.doc and operation.doc != operation.summary:
        made["description"] = operation.doc
    parameters = [_parameter(p, schemas) for p in operation.parameters if p.place in ("path", "query")]
    if not operation.safe:
        parameters.append(_IDEMPOTENCY)
    if parameters:
        made["parameters"] = parameters
    if (body := _body(operation, schemas)) is not None:
        made["requestBody"] = body
    made["responses"] = {str(operation.status): _success(operation, schemas), **_problems(operation, schemas)}
    if operation.scopes:
        scopes = sorted(operation.scopes)
        made["security"] = [{"key": scopes}, {"bearer": scopes}]
    made["x-levada-digest"] = operation.digest()
    made["x-levada-order"] = [p.name for p in operation.parameters]
    for name, value in (
        ("durable", operation.durable),
        ("final", operation.final),
        ("tool", operation.tool),
        ("timeout", operation.timeout),
        ("shape", None if operation.shape in ("value", "none") else operation.shape),
    ):
        if value:
            made[f"x-levada-{name}"] = value
    return made


_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "One key for one change, however often it is sent.",
    "schema": {"type": "string", "pattern": r"""^"?[!#-\[\]-~]{1,255}"?$"""},
}


def _parameter(parameter: Parameter, schemas: Schemas) -> dict[str, Any]:
    exact = schemas.of(parameter.type)
    schema = dict(exact)
    if not parameter.required:
        schema["default"] = parameter.default
    if parameter.place == "path":
        # An empty segment is no segment: the path would be another one.
        if schema.get("type") == "string":
            schema.setdefault("minLength", 1)
        made = {"name": parameter.name, "in": "path", "required": True, "schema": schema}
    else:
        schema = schemas.flat(schema)
        required = parameter.absent is msgspec.NODEFAULT
        made = {"name": parameter.name, "in": "query", "required": required, "schema": schema}
        if parameter.required and not required:
            made["x-levada-required"] = True  # the method's argument has no default
    return {**made, "x-levada-schema": exact}


def _body(operation: Operation, schemas: Schemas) -> dict[str, Any] | None:
    if operation.at("content"):
        # Not required: a file may be empty.
        return {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
    if operation.body is None:
        return None
    made: dict[str, Any] = {"required": True, "content": {JSON: {"schema": schemas.of(operation.body)}}}
    for whole in operation.at("body"):
        made["x-levada-parameter"] = whole.name
    return made


def _success(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {"description": "Done." if operation.shape == "none" else "The result."}
    match operation.shape:
        case "none":
            return made
        case "bytes":
            made["content"] = {_BYTES: {"schema": {"type": "string", "format": "binary"}}}
        case "stream":
            made["description"] = "A line for each item; the last one ends the stream or tells why it ended."
            made["content"] = {JSON_LINES: {"schema": {"type": "string"}}}
            made["x-levada-line"] = schemas.line(operation.result)
        case _:
            made["content"] = {JSON: {"schema": schemas.of(operation.result)}}
    return made


def _problems(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in (*operation.raises, *_standard(operation)):
        by_status.setdefault(problem.status, []).append(problem)
    made: dict[str, Any] = {}
    for status, problems in sorted(by_status.items()):
        refs = [schemas.problem(p) for p in problems]
        made[str(status)] = {
            "description": " Or: ".join(p.title for p in problems),
            "content": {PROBLEM_JSON: {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}},
        }
    return made


def _standard(operation: Operation) -> list[type[StandardProblem]]:
    found: list[type[StandardProblem]] = [STANDARD[code] for code in _ALWAYS]
    if operation.parameters or not operation.safe:
        found.append(BadRequest)
    if operation.body is not None:
        found.append(UnsupportedMediaType)
    if operation.body is not None or operation.at("content"):
        found.append(PayloadTooLarge)
    if not operation.safe:
        found += [Conflict, KeyReused]
    return [p for p in found if p.code not in operation.declared]
