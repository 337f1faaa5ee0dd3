"""Values of contracts as the bytes that journals keep."""

from __future__ import annotations

from typing import Any

import msgspec

from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import STANDARD, InternalError
from levada.contract.upcast import decode_stored

__all__ = [
    "decode_arguments",
    "decode_problem",
    "decode_result",
    "encode_arguments",
    "encode_problem",
    "encode_result",
]

_encode = msgspec.json.Encoder().encode


def encode_result(value: Any) -> bytes:
    """A result in its wire form; bytes stay as they are."""
    return value if type(value) is bytes else _encode(value)


def decode_result(operation: Operation, data: bytes) -> Any:
    """A result of its wire form."""
    if operation.shape == "none":
        return None
    return data if operation.shape == "bytes" else decode_stored(operation.result, data)


def encode_problem(problem: Problem) -> bytes:
    """A problem with its code and fields."""
    return _encode(problem.document())


def decode_problem(operation: Operation, data: bytes) -> Problem:
    """The problem of its document: one that the operation declares, else a standard one."""
    document: dict[str, Any] = msgspec.json.decode(data)
    code = str(document.get("type", "")).rpartition(":")[2]
    declared = operation.declared.get(code)
    if declared is not None:
        return declared.parse(document)
    standard: Any = STANDARD.get(code, InternalError)
    return standard.parse({**document, "reason": document.get("detail", standard.title)})


def encode_arguments(operation: Operation, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Arguments by name, as steps compare them; those at their default are left out."""
    return {
        p.name: value
        for p, value in zip(operation.parameters, arguments, strict=True)
        if p.required or value != p.default
    }


def decode_arguments(operation: Operation, data: bytes) -> tuple[Any, ...]:
    """The arguments of a journaled step, in the contract's order."""
    named: dict[str, msgspec.Raw] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    return tuple(
        msgspec.json.decode(named[p.name], type=p.type) if p.name in named else p.default
        for p in operation.parameters
    )
