"""What stands behind the promise, replaceable without any consumer noticing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from levada import Page, Protect, Publishes, blocking, coalesced, current, effect, resource
from levada.connect.sql import Database

from .contracts import Booking, Car, CarNotFound, CarReturned, Fleet, Taken


class GarageFleet(Fleet, protect=Protect(concurrency=8, rate="50/s")):
    db: Database = resource("garage")
    returned: Publishes[CarReturned]

    async def car(self, plate: str) -> Car:
        if (found := await self._cars(plate)) is None:
            raise CarNotFound(plate=plate)
        return found

    async def cars(self, category: str | None = None, after: str | None = None) -> Page[Car]:
        async with self.db.connection() as connection:
            rows = await connection.fetch("SELECT plate, daily FROM car WHERE plate > ?", after or "")
        return Page(tuple(Car(row["plate"], category or "", Decimal(row["daily"])) for row in rows))

    async def mileage(self, since: date) -> AsyncIterator[int]:
        for reading in await self._read(since):
            yield reading

    @blocking
    def _read(self, since: date) -> list[int]:
        return [since.year]

    @coalesced
    async def _cars(self, plates: Sequence[str]) -> Mapping[str, Car]:
        return {plate: Car(plate, "small", Decimal("39.90")) for plate in plates}

    @effect.table
    async def book(self, plate: str, until: date) -> Booking:
        async with self.db.begin() as tx:
            if not await tx.execute("UPDATE car SET until = ? WHERE plate = ?", until.isoformat(), plate):
                raise Taken(plate=plate)
            await self.returned(CarReturned(request=plate), tx)
        return Booking(f"b-{plate}", plate, until)

    async def _handed_out(self, key: str) -> bool | None:
        return True if key else None

    @effect.lookup(_handed_out)
    async def hand_out(self, plate: str, driver: str) -> None:
        async with self.db.begin() as tx:
            await tx.execute(
                "INSERT INTO key (plate, driver, reference) VALUES (?, ?, ?)", plate, driver, current().key
            )

    @effect.at_least_once("the garage cannot tell a second call from the first")
    async def cancel(self, id: str) -> None: ...
