"""What speaks against a system, and what becomes of its circuit."""

import asyncio

import pytest

from levada import Problem
from levada.app.outcome import Refusal
from levada.app.protect import Breaker, Protect, Shield, is_ill
from levada.contract.standard import BadRequest, InternalError, KeyReused, NotSent, Unavailable


class Empty(Problem, status=409):
    """There is none."""


@pytest.mark.parametrize(
    ("error", "ill"),
    [
        (Unavailable(), True),
        (InternalError(), True),
        (Refusal(InternalError()), True),
        (ConnectionError(), True),
        (Empty(), False),
        (BadRequest(reason="no"), False),
        (Refusal(KeyReused()), False),
        (asyncio.CancelledError(), None),
    ],
)
def test_the_system_is_ill_where_it_says_so_or_nobody_expected_it(error, ill):
    assert is_ill(error) is ill


def opened():
    breaker = Breaker(failures=2, pause=1.0, clock=lambda: clock[0])
    clock = [0.0]
    for _ in range(2):
        breaker.enter()
        breaker.leave(True)
    with pytest.raises(NotSent):
        breaker.enter()
    return breaker, clock


def test_who_gave_up_neither_closes_the_circuit_nor_forgets_failures():
    breaker, clock = opened()
    clock[0] = 2.0
    breaker.enter()  # the one call that tries
    breaker.leave(None)
    breaker.enter()  # another one tries
    with pytest.raises(NotSent):
        breaker.enter()
    breaker.leave(False)
    breaker.enter()
    breaker.leave(True)
    breaker.enter()
    breaker.leave(None)
    breaker.enter()
    breaker.leave(True)
    with pytest.raises(NotSent):
        breaker.enter()


async def test_the_mistakes_of_one_caller_do_not_shut_out_the_others():
    shield = Shield(Protect(failures=3))

    async def reused():
        raise Refusal(KeyReused())

    for _ in range(5):
        with pytest.raises(Refusal):
            await shield.call(reused, ())

    async def well():
        return "ok"

    assert await shield.call(well, ()) == "ok"
