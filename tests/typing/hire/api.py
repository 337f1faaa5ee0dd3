"""What the types of Levada's names come to. Read by the checkers alone; nothing here is run."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, assert_type

from levada import Awaits, Caller, Page, Publishes, current, run, testing

from .contracts import Booking, Car, CarAsked, CarNotFound, CarReturned, Fleet, Hires
from .garage import GarageFleet
from .process import CarHire


async def operations_keep_their_types(fleet: Fleet) -> None:
    assert_type(await fleet.car("A-1"), Car)
    assert_type(await fleet.cars(), Page[Car])
    assert_type((await fleet.cars()).items, tuple[Car, ...])
    assert_type((await fleet.cars()).next, str | None)
    assert_type(fleet.mileage(date(2026, 1, 1)), AsyncIterator[int])
    assert_type(await fleet.book("A-1", date(2026, 1, 1)), Booking)
    assert_type((await fleet.car("A-1")).daily, Decimal)


async def marks_keep_the_types_of_what_they_mark(garage: GarageFleet) -> None:
    assert_type(await garage.book("A-1", date(2026, 1, 1)), Booking)
    assert_type(await garage._cars("A-1"), Car | None)  # pyright: ignore[reportPrivateUsage]
    assert_type(await garage._read(date(2026, 1, 1)), list[int])  # pyright: ignore[reportPrivateUsage]


async def ports_are_typed_by_their_events(asked: Publishes[CarAsked], back: Awaits[CarReturned]) -> None:
    event = CarAsked(request="r-1", driver="d-1", category="small", until=date(2026, 1, 1))
    assert_type(event.request, str)
    assert_type(event.licence, str)
    await asked(event)
    assert_type(await back(key="r-1"), CarReturned | None)
    assert_type(await back(key="r-1", timeout=timedelta(days=1)), CarReturned | None)


async def problems_have_their_fields() -> None:
    assert_type(CarNotFound(plate="A-1").plate, str)
    assert_type(CarNotFound.status, int)


async def what_a_run_may_do() -> None:
    await run.sleep(timedelta(days=1))
    assert_type((await run.now()).year, int)
    assert_type(await run.random(), float)
    assert_type(str(await run.uuid()), str)


def handlers_are_methods(hire: CarHire) -> None:
    found: Callable[[CarAsked], Coroutine[Any, Any, None]] = hire.fulfil
    assert_type(found, Callable[[CarAsked], Coroutine[Any, Any, None]])


async def the_network_of_a_test(net: testing.Network) -> None:
    assert_type(net[Hires], Hires)
    assert_type(await net[Fleet].car("A-1"), Car)
    assert_type(list(await net.published(CarReturned)), list[CarReturned])


def who_calls() -> None:
    assert_type(current().caller, Caller)
    assert_type(current().key, str | None)
