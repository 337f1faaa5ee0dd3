"""What a test is told of runs that do not go on."""

import gc
from abc import abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from levada import Event, OrderKey, Problem, ProcessAPI, Publishes, SystemAPI, handles, http, run, testing
from levada.connect.sql import Duplicate
from levada.contract.standard import Unavailable


class Undeclared(Problem, status=409):
    """The operation does not declare it."""


class Refused(Problem, status=409):
    """The operation declares it."""


class Stock(SystemAPI, domain="shop", version="1.0"):
    """Stock."""

    @http.post("/reservations", final=True, raises=[Refused])
    @abstractmethod
    async def reserve(self, order: str) -> str:
        """Keep goods."""


class Placed(Event, version="1.0"):
    order: OrderKey[str]


class Shipped(Event, version="1.0"):
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
        assert len(net.calls) == 9  # the placing, and eight attempts


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


class Forgetful(Fulfilment):
    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        self.stock.reserve(placed.order)  # pyright: ignore[reportUnusedCoroutine]
        await run.now()


class Silent(Fulfilment):
    shipped: Publishes[Shipped]

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        await self.stock.reserve(placed.order)
        self.shipped(Shipped(order=placed.order))  # pyright: ignore[reportUnusedCoroutine]


class Mistaken(Fulfilment):
    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        order: Any = run.uuid()
        try:
            await self.stock.reserve(order)
        finally:
            order.close()


class Prudent(Fulfilment):
    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        later = self.stock.reserve("later")
        try:
            await self.stock.reserve(placed.order)
        except Refused:
            return
        await later


def line_of(text: str) -> str:
    return f"tests/testing/test_reasons.py:{Path(__file__).read_text().partition(text)[0].count(chr(10)) + 1}"


@pytest.mark.parametrize(
    ("process", "what", "place"),
    [
        (Forgetful, "shop/Stock/v1.reserve", line_of("self.stock.reserve(placed.order)  #")),
        (Silent, "Silent.shipped", line_of("self.shipped(Shipped(")),
    ],
)
async def test_a_forgotten_await_makes_the_run_stuck_and_is_named(process, what, place):
    async with testing.network(process, testing.fake(Stock, reserve="r")) as net:
        await net[Orders].place("o-1")
        assert await net.runs() == {"stuck": 1}
        (reason,) = await net.reasons()
        assert "`await` is missing before" in reason
        assert what in reason
        assert f"({place})" in reason


async def test_an_argument_without_await_is_named():
    async with testing.network(Mistaken, testing.fake(Stock, reserve="r")) as net:
        await net[Orders].place("o-1")
        (reason,) = await net.reasons()
        assert "order is a call that was not awaited" in reason
        assert line_of("self.stock.reserve(order)") in reason


@pytest.mark.filterwarnings("ignore")  # Python's own, as ever
async def test_what_is_given_up_because_something_failed_was_not_forgotten():
    async with testing.network(Prudent, stock(Refused())) as net:
        await net[Orders].place("o-1")
        assert await net.runs() == {"done": 1}
    gc.collect()  # the warning comes here, not in some other test


async def test_outside_of_runs_python_warns_as_ever():
    async def work() -> None: ...

    with pytest.warns(RuntimeWarning, match="work.* was never awaited"):
        work()  # pyright: ignore[reportUnusedCoroutine]
