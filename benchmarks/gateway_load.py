"""The load generator for gateways: answers to one request differ in length there, by limits and times in their headers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import uvloop

from benchmarks._load import CLIENT_CORE, Sample, Server


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, done: Callable[[], bool], closed: asyncio.Future[None]) -> None:
        self.request, self.done, self.closed = request, done, closed
        self.got = b""
        self.body = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        got = self.got + data if self.got else data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            self.got = got
            return
        if self.body < 0:
            assert b" 200 " in got[:14], got
            self.body = int(got[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(got) < end + 4 + self.body:
            self.got = got
            return
        self.got = b""
        if self.done():
            self.transport.write(self.request)
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            if error or self.got:
                self.closed.set_exception(error or ConnectionError("cut off in an answer"))
            else:
                self.closed.set_result(None)


async def _drive(port: int, request: bytes, seconds: float, connections: int) -> tuple[int, float]:
    loop = asyncio.get_running_loop()
    count = 0
    start = time.perf_counter()
    stop = start + seconds

    def done() -> bool:
        nonlocal count
        count += 1
        return time.perf_counter() < stop

    closed = [loop.create_future() for _ in range(connections)]
    for future in closed:
        await loop.create_connection(lambda f=future: _Connection(request, done, f), "127.0.0.1", port)
    async with asyncio.timeout(seconds + 20):
        await asyncio.gather(*closed)
    return count, time.perf_counter() - start


def measure(server: Server, request: bytes, seconds: float, connections: int = 32) -> Sample:
    """Drive a gateway for some seconds from the client core."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    before = server.cpu()
    count, took = uvloop.run(_drive(server.port, request, seconds, connections))
    return Sample(count / took, (server.cpu() - before) / count * 1e6)
