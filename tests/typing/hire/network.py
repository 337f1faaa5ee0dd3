"""A test of the process: no server, no broker, time under control."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

from levada import App, Page, Remote, testing
from levada.connect.sql import Database

from .contracts import Booking, Car, CarAsked, Fleet, Hires, Request
from .counter import Counter
from .garage import GarageFleet
from .process import CarHire


class FakeFleet(testing.Fake, Fleet):
    def __init__(self, *cars: Car) -> None:
        self.there = {car.plate: car for car in cars}
        self.cancelled: list[str] = []

    async def car(self, plate: str) -> Car:
        return self.there[plate]

    async def cars(self, category: str | None = None, after: str | None = None) -> Page[Car]:
        return Page(tuple(self.there.values()))

    async def mileage(self, since: date) -> AsyncIterator[int]:
        yield since.year

    async def book(self, plate: str, until: date) -> Booking:
        return Booking("b-1", plate, until)

    async def hand_out(self, plate: str, driver: str) -> None: ...

    async def cancel(self, id: str) -> None:
        self.cancelled.append(id)


async def unpaid(car: Car) -> list[str]:
    """What is given up when the car never comes back."""
    fleet = FakeFleet(car)
    islands = testing.fake(Fleet, hand_out=None)
    async with testing.network(
        CarHire, bind={"hire/Fleet/v2": fleet, "hire/Fleet/v2@islands": islands}
    ) as net:
        request: str = await net[Hires].ask(Request("d-1", "small", date(2026, 1, 31)))
        await net.advance(timedelta(days=31))
        assert [event.request for event in await net.published(CarAsked)] == [request]
    return fleet.cancelled


def apart(garage: Database) -> App:
    fleet = Remote(url="https://fleet.example/")
    return App(
        CarHire,
        Counter,
        bind={"hire/Fleet/v2": fleet, "hire/Fleet/v2@islands": GarageFleet},
        resources={"garage": garage},
    )
