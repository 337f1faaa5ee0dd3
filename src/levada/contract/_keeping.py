"""A class without ``version=``: whether it keeps its contract, wholly and as the contract has it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from levada.contract.errors import ContractError
from levada.contract.http import Http
from levada.contract.operation import Operation

if TYPE_CHECKING:
    from levada.contract.api import API, Contract

__all__ = ["check_implementation"]


def check_implementation(cls: type[API], place: str, **stated: Any) -> None:
    """Check a class that keeps a contract; of a fake, what is left out becomes a method that says so.

    Args:
        cls: The class.
        place: Where it is made, for errors.
        stated: Class keywords that belong to a contract.

    Raises:
        ContractError: It states such a keyword, keeps no contract, adds an operation or leaves one out.
    """
    for keyword, value in stated.items():
        if value:
            raise ContractError(
                place=place,
                reason=f"{keyword}= belongs to a contract, and a class without version= keeps one",
                mend=f"Add version=, or take {keyword}= away",
            )
    contract: Contract | None = getattr(cls, "__contract__", None)
    if contract is None:
        raise ContractError(
            place=place,
            reason="it keeps no contract",
            mend='Derive from a contract, or state one: domain="…", version="1.0"',
        )
    for attribute, value in vars(cls).items():
        if isinstance(getattr(value, "__levada_http__", None), Http):
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason="an implementation adds no operations",
                mend=f"Add it to the contract {contract.cls.__name__}",
            )
        if attribute in {o.undo.method for o in contract.operations.values() if o.undo}:
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason="what undoes an operation is part of the contract and is not overridden",
                mend="Take it away; what it calls may be overridden",
            )
    for name, operation in contract.operations.items():
        _check_method(cls, name, operation, place)
    if getattr(cls, "__levada_fake__", False):
        _check_spelling(cls, contract, place)


def _check_method(cls: type[API], name: str, operation: Operation, place: str) -> None:
    method = getattr(cls, name)
    where = f"{cls.__name__}.{name} ({place})"
    if getattr(method, "__isabstractmethod__", False):
        if getattr(cls, "__levada_fake__", False):
            setattr(cls, name, _left_out(cls, name))
        elif not cls.__name__.startswith("_"):
            raise ContractError(
                place=where,
                reason="the operation is left out",
                mend=f"Write async def {name}(…) as the contract has it",
            )
        return
    if method is operation.function or hasattr(method, "__levada_fake__"):
        return
    want, have = inspect.signature(operation.function), inspect.signature(method)
    if [p.name for p in want.parameters.values()][1:] != [p.name for p in have.parameters.values()][1:]:
        raise ContractError(
            place=where,
            reason=f"it is {name}{have}, the contract has {name}{want}",
            mend="Take the parameters as the contract names them",
        )
    if operation.shape == "stream":
        if not inspect.isasyncgenfunction(method) and inspect.iscoroutinefunction(method):
            raise ContractError(
                place=where,
                reason="a stream is not a coroutine",
                mend=f"Write async def {name}(…) with yield",
            )
        return
    if not inspect.iscoroutinefunction(method) and not hasattr(method, "__levada_blocking__"):
        raise ContractError(
            place=where,
            reason="it is not async",
            mend="Write async def, or mark blocking code with @blocking",
        )


def _check_spelling(cls: type[API], contract: Contract, place: str) -> None:
    """A fake may leave operations out: what is misspelt would be left out unseen."""
    left = [n for n in contract.operations if hasattr(getattr(cls, n), "__levada_left_out__")]
    for attribute, value in vars(cls).items():
        if (
            attribute in contract.operations
            or attribute.startswith("_")
            or not inspect.iscoroutinefunction(value)
        ):
            continue
        near = difflib.get_close_matches(attribute, left, 1, 0.75)
        if near:
            raise ContractError(
                place=f"{cls.__name__}.{attribute} ({place})",
                reason=f"the contract has no operation {attribute}, and {near[0]} is left out",
                mend=f"Write {near[0]}, or give what is something else another name",
            )


def _left_out(cls: type[API], name: str) -> Callable[..., Any]:
    async def left_out(self: Any, *arguments: Any) -> Any:
        raise NotImplementedError(f"{cls.__name__} fakes no {name}; the test called it with {arguments!r}")

    left_out.__levada_fake__ = True  # type: ignore[attr-defined]
    left_out.__levada_left_out__ = True  # type: ignore[attr-defined]
    return left_out
