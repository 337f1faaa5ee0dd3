"""A legacy system that speaks HTTP, with faults below the handlers."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable

from aiohttp import web
from examples.order_to_cash.legacy.system import LegacySystem

__all__ = ["HttpSystem"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpSystem(LegacySystem):
    """Serves ``application()``; ``twice`` performs unsafe requests twice, as a retrying middlebox does."""

    _runner: web.AppRunner | None = None
    _server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    @abstractmethod
    def application(self) -> web.Application:
        """The routes."""

    async def _start(self) -> None:
        app = self.application()
        app.middlewares.append(self._faulty)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _open_door(self) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._runner.server, self.host, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close_door(self) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._runner.server.connections):
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # Read first: a slow system does the work in the end, also for a client that has gone.
        await request.read()
        await self.dice.wait()
        unsafe = request.method not in {"GET", "HEAD"} and not await self._reads(request)
        response = await handler(request)
        if unsafe and self.dice.doubles():
            response = await handler(request)
        if unsafe and self.dice.drops():
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("dropped after the work was done, as switched on")
        return response

    async def _reads(self, request: web.Request) -> bool:
        """Whether a request that is unsafe by its method only reads."""
        del request
        return False
