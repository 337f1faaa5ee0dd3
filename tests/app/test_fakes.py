"""What a fake answers to a repeat of a key, and which of its methods are taken for misspelt operations."""

import asyncio
from abc import abstractmethod

import pytest

from levada import SystemAPI, http
from levada.app.context import Context, _current
from levada.app.effects import with_answers
from levada.app.outcome import Refusal
from levada.contract.api import contract_of
from levada.contract.errors import ContractError
from levada.contract.standard import KeyReused


class Stock(SystemAPI, domain="shop", version="1.0"):
    """Stock."""

    @http.post("/reservations", final=True)
    @abstractmethod
    async def reserve(self, quantity: int) -> int:
        """Reserve."""


def answering(target):
    return with_answers(target, contract_of(Stock).operations["reserve"])


@pytest.fixture(autouse=True)
def keyed():
    token = _current.set(Context(key="k-1"))
    yield
    _current.reset(token)


async def test_calls_of_one_key_at_once_are_done_once():
    book: list[int] = []

    async def reserve(quantity):
        await asyncio.sleep(0)
        book.append(quantity)
        return len(book)

    once = answering(reserve)
    assert await asyncio.gather(once(2), once(2), once(2)) == [1, 1, 1]
    assert book == [2]


async def test_where_the_first_fails_the_next_does_it():
    calls: list[int] = []

    async def reserve(quantity):
        calls.append(quantity)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise ConnectionError
        return quantity

    once = answering(reserve)
    found = await asyncio.gather(once(2), once(2), once(2), return_exceptions=True)
    assert isinstance(found[0], ConnectionError)
    assert found[1:] == [2, 2]
    assert len(calls) == 2


async def test_a_key_with_other_arguments_is_the_callers_mistake_as_with_a_table():
    async def reserve(quantity):
        return quantity

    once = answering(reserve)
    assert await once(2) == 2
    with pytest.raises(Refusal) as told:
        await once(3)
    assert isinstance(told.value.problem, KeyReused)


def test_an_operation_that_is_misspelt_is_told_and_what_is_something_else_is_not():
    with pytest.raises(ContractError, match="no operation resreve, and reserve is left out"):

        class Misspelt(Stock):
            __levada_fake__ = True

            async def resreve(self, quantity: int) -> int:
                return quantity

    class Helped(Stock):
        __levada_fake__ = True

        def reserved(self) -> int:
            return 1

        async def _reserve(self, quantity: int) -> int:
            return quantity

    assert Helped().reserved() == 1
