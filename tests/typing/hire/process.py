"""The process: its attributes are the licence to call, to publish and to wait, and the graph."""

from datetime import timedelta
from typing import Annotated

from levada import Awaits, Publishes, handles, named, run

from .contracts import CarAsked, CarReturned, Fleet, Hires, Request


class CarHire(Hires):
    fleet: Fleet
    islands: Annotated[Fleet, named("islands")]
    asked: Publishes[CarAsked]
    back: Publishes[CarReturned]
    returned: Awaits[CarReturned]

    async def ask(self, request: Request) -> str:
        event = CarAsked(request="r-1", driver=request.driver, category=request.category, until=request.until)
        await self.asked(event)
        return event.request

    async def bring_back(self, id: str, damages: tuple[str, ...] = ()) -> None:
        await self.back(CarReturned(request=id, damages=damages))

    @handles(CarAsked)
    async def fulfil(self, asked: CarAsked) -> None:
        page = await self.fleet.cars(asked.category)
        booking = await self.fleet.book(page.items[0].plate, asked.until)
        await run.gather(*(self.fleet.hand_out(plate, asked.driver) for plate in (booking.plate,)))
        back = await self.returned(key=asked.request, timeout=timedelta(days=30))
        if back is None:
            raise run.Compensate("not brought back in 30 days")
        await self.islands.hand_out(booking.plate, ", ".join(back.damages))

    @fulfil.version(1)
    async def fulfil_v1(self, asked: CarAsked) -> None:
        await self.fleet.book(asked.category, asked.until)
