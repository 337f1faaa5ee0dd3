"""One composition, several channels."""

from levada import Agent, ExperienceAPI, Mobile, Partner, http

from .contracts import Car, Fleet, Hires, Request


class Counter(
    ExperienceAPI,
    domain="hire",
    version="1.0",
    channels=[Mobile(), Partner(plans=["bronze", "gold"]), Agent(budget="20/min")],
):
    """What the apps at the counter are given."""

    hires: Hires
    fleet: Fleet

    @http.post("/hires", status=202)
    async def hire(self, request: Request) -> str:
        """Hire a car."""
        return await self.hires.ask(request)

    @http.get("/cars/{plate}", tool="What car is this?")
    async def look(self, plate: str) -> Car:
        """Look a car up."""
        return await self.fleet.car(plate)
