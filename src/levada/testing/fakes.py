"""Fakes: what stands behind a contract in a test."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from levada.contract import API, contract_of
from levada.contract.api import ContractClass

__all__ = ["Fake", "fake"]

A = TypeVar("A", bound=API)


class Fake:
    """Derive a fake from it and the contract: ``class FakeStock(Fake, Stock)``.

    It needs no dependencies and no effects. An operation that it leaves out raises
    NotImplementedError when it is called, naming the call.
    """

    __levada_fake__ = True


def fake(contract: ContractClass[A], **operations: Callable[..., Any] | Any) -> A:
    """A fake of a contract, made in one line: ``fake(Customers, customer=lambda id: Customer(…))``.

    Args:
        contract: The contract to fake.
        operations: By name: a function of the operation's arguments (async or not), an
            exception to be raised, or the value to be answered.

    Raises:
        TypeError: The contract has no operation of that name.
    """
    known = contract_of(contract).operations
    if unknown := sorted(set(operations) - set(known)):
        raise TypeError(
            f"{contract.__name__} has no operation {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    members: dict[str, Any] = {
        "__module__": contract.__module__,
        "__doc__": f"A fake of {contract.__name__}.",
    }
    for name, answer in operations.items():
        members[name] = _answering(answer, stream=known[name].shape == "stream")
    made: Any = type(contract)
    cls: Any = made(f"Fake{contract.__name__}", (Fake, contract), members)
    return cls()


def _answering(answer: Any, *, stream: bool) -> Callable[..., Any]:
    async def operation(self: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ARG001 - a method
        return await _answer(answer, arguments, named)

    async def streaming(self: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ARG001 - a method
        for item in await _answer(answer, arguments, named):
            yield item

    made: Any = streaming if stream else operation
    made.__levada_fake__ = True
    return made


async def _answer(answer: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    if not callable(answer):
        return answer
    result = answer(*arguments, **named)
    return await result if inspect.isawaitable(result) else result
