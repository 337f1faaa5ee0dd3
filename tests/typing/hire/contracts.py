"""What the domain promises; all that a consumer ever imports."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

from msgspec import Struct

from levada import Event, OrderKey, Page, Personal, Problem, ProcessAPI, SystemAPI, http, undoes


class Car(Struct, frozen=True):
    plate: str
    category: str
    daily: Decimal


class Booking(Struct, frozen=True):
    id: str
    plate: str
    until: date


class Request(Struct, frozen=True):
    driver: str
    category: str
    until: date
    extras: tuple[str, ...] = ()


class CarNotFound(Problem, status=404, detail="No car has the plate {plate}."):
    """No car has this plate."""

    plate: str


class Taken(Problem, status=409):
    """The car is booked already."""

    plate: str
    until: date | None = None


class Fleet(SystemAPI, domain="hire", version="2.1", paths=["/legacy/cars"]):
    """Cars, and who has them."""

    @http.get("/cars/{plate}", raises=[CarNotFound])
    @abstractmethod
    async def car(self, plate: str) -> Car:
        """The car with this plate."""

    @http.get("/cars")
    @abstractmethod
    async def cars(self, category: str | None = None, after: str | None = None) -> Page[Car]:
        """Cars, a page at a time."""

    @http.get("/mileage")
    @abstractmethod
    def mileage(self, since: date) -> AsyncIterator[int]:
        """Every reading since a day."""

    @http.post("/cars/{plate}/bookings", status=201, raises=[CarNotFound, Taken])
    @abstractmethod
    async def book(self, plate: str, until: date) -> Booking:
        """Keep a car for somebody."""

    @http.post("/cars/{plate}/keys", status=204)
    @abstractmethod
    async def hand_out(self, plate: str, driver: str) -> None:
        """Hand the keys out."""

    @http.delete("/bookings/{id}")
    @abstractmethod
    async def cancel(self, id: str) -> None:
        """Give a booking up."""

    @undoes(book)
    async def undo_book(self, booking: Booking) -> None:
        await self.cancel(booking.id)

    @undoes(hand_out)
    async def undo_hand_out(self, _: None, plate: str, driver: str) -> None:
        await self.cancel(plate)


class CarAsked(Event, version="1.0"):
    request: OrderKey[str]
    driver: str
    category: str
    until: date
    licence: Personal[str, "driver"] = ""  # noqa: F821 - names a field


class CarReturned(Event, version="1.0"):
    request: OrderKey[str]
    damages: tuple[str, ...] = ()


class Hires(ProcessAPI, domain="hire", version="1.0"):
    """Hires, from the request to the return of the car."""

    @http.post("/hires", status=202, scopes=["hires:write"])
    @abstractmethod
    async def ask(self, request: Request) -> str:
        """Ask for a car."""

    @http.post("/hires/{id}/return", status=202, durable=True, final=True)
    @abstractmethod
    async def bring_back(self, id: str, damages: tuple[str, ...] = ()) -> None:
        """Bring the car back."""
