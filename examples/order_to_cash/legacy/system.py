"""What all legacy systems share: start, stop, address, switchable faults, a control port."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web
from examples.order_to_cash.legacy.faults import Dice, Faults

__all__ = ["LegacySystem"]


class LegacySystem(ABC):
    """A legacy system as an async context manager.

    Everything it holds lies in its directory: started again on the same one it goes on where it
    was. ``port=0`` takes a free port and keeps it while ``down`` comes and goes. Not for use from
    several event loops.
    """

    name: str

    def __init__(
        self, directory: Path, *, port: int = 0, host: str = "127.0.0.1", faults: Faults | None = None
    ) -> None:
        self.directory = directory / self.name
        self.host, self.port = host, port
        self.dice = Dice(faults or Faults())
        self._control: web.AppRunner | None = None
        self._open = False
        self.control = ""

    @property
    def faults(self) -> Faults:
        """The switches as they stand."""
        return self.dice.faults

    async def fault(self, **values: Any) -> None:
        """Change switches: ``await system.fault(down=True)``; the others stay."""
        self.dice.change(values)
        await self._apply()

    async def heal(self) -> None:
        """Switch all faults off."""
        self.dice.set(Faults())
        await self._apply()

    async def _apply(self) -> None:
        if self._open and self.faults.down:
            self._open = False
            await self._close_door()
        elif not self._open and not self.faults.down:
            await self._open_door()
            self._open = True

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            await self._start()
            # Opened even if it is to be down, so that the port is known and ours.
            await self._open_door()
            self._open = True
            await self._apply()
            await self._start_control()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close all doors and end what was started; called twice it does nothing the second time."""
        if self._control is not None:
            await self._control.cleanup()
            self._control = None
        if self._open:
            self._open = False
            await self._close_door()
        await self._stop()

    def ready(self) -> dict[str, Any]:
        """What the ready line tells: name, address and control address at least."""
        return {"system": self.name, "address": self.address, "control": self.control, **self._more()}

    def _more(self) -> Mapping[str, Any]:
        return {}

    @property
    @abstractmethod
    def address(self) -> str:
        """Where the system is served, as a URL."""

    @abstractmethod
    async def holdings(self) -> dict[str, Any]:
        """Everything that matters for reconciliation, as plain values; duplicates stay visible."""

    @abstractmethod
    async def _start(self) -> None: ...

    @abstractmethod
    async def _stop(self) -> None: ...

    @abstractmethod
    async def _open_door(self) -> None:
        """Listen, on the same port as before."""

    @abstractmethod
    async def _close_door(self) -> None:
        """Refuse connections and cut those there are."""

    async def _start_control(self) -> None:
        app = web.Application()
        app.router.add_get("/faults", self._get_faults)
        app.router.add_put("/faults", self._put_faults)
        app.router.add_delete("/faults", self._delete_faults)
        app.router.add_get("/holdings", self._get_holdings)
        self._control = web.AppRunner(app, access_log=None)
        await self._control.setup()
        site = web.TCPSite(self._control, self.host, 0)
        await site.start()
        self.control = f"http://{self.host}:{self._control.addresses[0][1]}"

    async def _get_faults(self, _: web.Request) -> web.Response:
        return web.json_response(msgspec.to_builtins(self.faults))

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            values = msgspec.json.decode(await request.read(), type=dict[str, Any])
            await self.fault(**values)
        except msgspec.DecodeError as error:
            return web.json_response(
                {"error": str(error), "switches": list(Faults.__struct_fields__)}, status=400
            )
        return await self._get_faults(request)

    async def _delete_faults(self, request: web.Request) -> web.Response:
        await self.heal()
        return await self._get_faults(request)

    async def _get_holdings(self, _: web.Request) -> web.Response:
        return web.json_response(await self.holdings(), dumps=lambda value: json.dumps(value, default=str))
