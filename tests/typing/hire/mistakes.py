"""Mistakes that a user makes: who finds each, a type checker as one writes or Levada when the class is made.

Each function is one mistake; its docstring names it. ``# found by: pyright mypy ty`` stands at the
line where these checkers tell it, and nowhere else do they tell anything. ``# assembly: text``: run,
the function is refused with an error that says this. ``docs/reference/checks.md`` is made of this file.
"""
# pyright: reportUnusedClass=false, reportUnusedFunction=false

from abc import abstractmethod
from datetime import date

from levada import (
    App,
    Awaits,
    Event,
    Problem,
    Publishes,
    SystemAPI,
    coalesced,
    effect,
    handles,
    http,
    testing,
    undoes,
)

from .contracts import Booking, Car, CarAsked, CarNotFound, CarReturned, Fleet, Hires, Request


def wrong_event() -> None:
    """another event on a port"""

    async def ask(asked: Publishes[CarAsked], back: CarReturned) -> None:
        await asked(back)  # found by: pyright mypy ty


def awaited_event() -> None:
    """a field that the awaited event does not have"""

    async def wait(returned: Awaits[CarReturned]) -> None:
        back = await returned(key="r-1")
        if back is not None:
            print(back.licence)  # found by: pyright mypy ty


def no_event() -> None:
    """a port of something that is no event"""

    class CarHire(_Hires):
        asked: Publishes[Car]  # found by: pyright mypy ty  # assembly: is no event

    App(CarHire)


def wrong_undo() -> None:
    """an undo with a wrong signature"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        @http.post("/bookings")
        @abstractmethod
        async def book(self, plate: str) -> Booking: ...

        @undoes(book)  # found by: pyright mypy ty
        async def undo_book(
            self, booking: Booking, day: date, hour: int
        ) -> None: ...  # assembly: it takes 3 arguments


def wrong_undo_result() -> None:
    """an undo of another result"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        @http.post("/bookings")
        @abstractmethod
        async def book(self, plate: str) -> Booking: ...

        @undoes(book)  # found by: pyright mypy ty
        async def undo_book(self, booking: Car) -> None: ...  # assembly: undoes


def misspelt_keyword() -> None:
    """a misspelt class keyword of a contract"""

    class Garage(SystemAPI, domain="hire", vresion="1.0"):  # found by: pyright mypy ty  # assembly: vresion
        """A garage."""


def misspelt_keyword_of_an_event() -> None:
    """a misspelt class keyword of an event"""

    class Moved(Event, vresion="1.0"):  # found by: ty  # assembly: vresion
        plate: str


def misspelt_keyword_of_a_problem() -> None:
    """a misspelt class keyword of a problem"""

    class Broken(Problem, stauts=409):  # found by: pyright ty  # assembly: stauts
        plate: str


def missing_operation() -> None:
    """an operation that is left out"""

    class Half(Hires):
        async def ask(self, request: Request) -> str:
            return "r-1"  # assembly: Half.bring_back

    Half()  # found by: pyright mypy ty


def changed_operation() -> None:
    """an operation with another parameter"""

    class Other(Hires):
        # assembly: the contract has ask
        async def ask(self, order: Request) -> str:  # found by: pyright ty
            raise NotImplementedError

        async def bring_back(self, id: str, damages: tuple[str, ...] = ()) -> None: ...


def wrong_result() -> None:
    """an operation that answers something else"""

    class Other(_Hires):
        async def ask(self, request: Request) -> str:
            return 7  # found by: pyright mypy ty


def unknown_attribute() -> None:
    """a typed attribute that is nothing known"""

    class CarHire(_Hires):
        flett: "Fleet | None"  # assembly: would be no dependency

    App(CarHire)


def uninitialised_attribute() -> None:
    """a typed attribute of a plain type without a value"""

    class CarHire(_Hires):
        rate: int  # assembly: neither a contract, a port nor a resource

    App(CarHire)


def implementation_as_dependency() -> None:
    """a dependency on an implementation"""

    from .garage import GarageFleet

    class CarHire(_Hires):
        fleet: GarageFleet  # assembly: is an implementation, not a contract

    App(CarHire)


def unknown_operation() -> None:
    """a call of an operation that the contract does not have"""

    class CarHire(_Hires):
        fleet: Fleet

        async def ask(self, request: Request) -> str:
            return (await self.fleet.bok(request.category)).id  # found by: pyright mypy ty


def wrong_argument() -> None:
    """a call with a wrong argument"""

    async def call(fleet: Fleet) -> None:
        await fleet.book("A-1", "tomorrow")  # found by: pyright mypy ty


def forgotten_await() -> None:
    """a call that is not awaited"""

    async def call(fleet: Fleet) -> None:
        fleet.cancel("b-1")  # found by: pyright mypy


def missing_field() -> None:
    """an event without one of its fields"""

    def make() -> CarReturned:
        return CarReturned(damages=())  # found by: pyright mypy ty  # assembly: request

    make()


def changed_event() -> None:
    """an event that is changed"""

    event = CarReturned(request="r-1")
    event.request = "r-2"  # found by: pyright mypy ty  # assembly: immutable


def problem_field() -> None:
    """a problem with a field that it does not have"""
    raise CarNotFound(palte="A-1")  # found by: pyright mypy ty  # assembly: palte


def handler_of_another_event() -> None:
    """a handler that takes another event"""

    class CarHire(_Hires):
        @handles(CarAsked)  # found by: pyright mypy ty
        async def fulfil(self, back: CarReturned) -> None: ...  # assembly: takes

    App(CarHire)


def coalesced_answer() -> None:
    """a coalesced method that answers one value"""

    class Some(_Hires):
        @coalesced  # found by: pyright mypy ty
        async def _cars(self, plates: list[str]) -> Car:
            raise NotImplementedError


def effect_without_reason() -> None:
    """an effect mark without its reason"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        @http.post("/bookings")
        @effect.at_least_once()  # found by: pyright mypy ty  # assembly: reason
        async def book(self, plate: str) -> Booking:
            raise NotImplementedError


def wrong_layer() -> None:
    """a System API that calls another API"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        fleet: Fleet  # assembly: may not call the system API

        @http.get("/cars/{plate}")
        async def car(self, plate: str) -> Car:
            return await self.fleet.car(plate)

    App(Garage)


def no_binding() -> None:
    """a dependency that nothing stands behind"""

    class CarHire(_Hires):
        fleet: Fleet  # assembly: Fleet

    App(CarHire)


def no_effect() -> None:
    """an unsafe operation without an effect"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        @http.post("/bookings")
        async def book(self, plate: str) -> str:
            return plate  # assembly: effect

    App(Garage)


def operation_without_types() -> None:
    """an operation without types"""

    class Garage(SystemAPI, domain="hire", version="1.0"):
        @http.get("/cars")
        async def cars(self, category) -> int:  # found by: pyright mypy  # assembly: has no type
            return 1


def fake_of_an_unknown_operation() -> None:
    """a fake of an operation that is not there"""
    testing.fake(Fleet, bok=None)  # assembly: has no operation bok


def fake_with_a_misspelt_operation() -> None:
    """a fake whose operation is misspelt"""

    class FakeFleet(testing.Fake, Fleet):  # assembly: has no operation bok, and book is left out
        async def bok(self, city: str) -> None: ...


class _Hires(Hires):
    """Something that keeps the contract, for mistakes about other things."""

    async def ask(self, request: Request) -> str:
        return request.driver

    async def bring_back(self, id: str, damages: tuple[str, ...] = ()) -> None: ...
