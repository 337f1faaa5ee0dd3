"""What a test is told of runs that do not go on."""

from abc import abstractmethod
from datetime import timedelta
from pathlib import Path

import pytest

from levada import Event, OrderKey, Problem, ProcessAPI, Publishes, SystemAPI, handles, http, testing
from levada.connect.sql import Duplicate
from levada.contract.standard import Unavailable


class Undeclared(Problem, status=409):
    """The operation does not declare it."""


class Stock(SystemAPI, domain="shop", version="1.0"):
    """Stock."""

    @http.post("/reservations", final=True)
    @abstractmethod
    async def reserve(self, order: str) -> str:
        """Keep goods."""


class Placed(Event, version="1.0"):
    order: OrderKey[str]


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    @http.post("/orders", status=202)
    @abstractmethod
    async def place(self, order: str) -> None:
        """Place an order."""


class Fulfilment(Orders):
    stock: Stock
    placed: Publishes[Placed]

    async def place(self, order: str) -> None:
        await self.placed(Placed(order=order))

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        await self.stock.reserve(placed.order)


class Broken(Fulfilment):
    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        raise LookupError(placed.order)


def stock(error: Exception) -> Stock:
    def reserve(order: str) -> str:
        raise error

    return testing.fake(Stock, reserve=reserve)


async def test_a_handlers_exception_is_told_with_its_line(caplog):
    async with testing.network(Broken, stock(KeyError())) as net:
        await net[Orders].place("o-1")
        assert await net.runs() == {"stuck": 1}
        (reason,) = await net.reasons()
        line = Path(__file__).read_text().partition("raise LookupError(placed")[0].count("\n") + 1
        assert reason.startswith("shop/Orders.v1/fulfil/1: ")
        assert f"LookupError: o-1 (tests/testing/test_reasons.py:{line})" in reason
        # pytest shows the messages of the log below a test that fails.
        assert len([record for record in caplog.records if reason in record.getMessage()]) == 1


@pytest.mark.parametrize(
    "error",
    [
        Duplicate(resource="warehouse", fault="23505", reason="UNIQUE constraint failed: wh_res.ord."),
        AttributeError("no qty"),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        Undeclared(),
    ],
)
async def test_what_no_repeat_changes_ends_soon_and_says_what_it_was(error):
    async with testing.network(Fulfilment, stock(error)) as net:
        await net[Orders].place("o-1")
        await net.advance(timedelta(minutes=1))
        assert await net.runs() == {"stuck": 1}
        (reason,) = await net.reasons()
        assert type(error).__name__ in reason
        assert str(error) in reason
        assert "tests/testing/test_reasons.py" in reason
        assert len(net.calls) == 4  # the placing, and three attempts


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(),
        TimeoutError(),
        KeyError("the row is not there yet"),
        OSError("the line was cut"),
    ],
)
async def test_what_may_pass_is_tried_for_long(error):
    async with testing.network(Fulfilment, stock(error)) as net:
        await net[Orders].place("o-1")
        await net.advance(timedelta(minutes=20))
        assert await net.runs() == {"scheduled": 1}
