"""A load generator on one core, and servers on another.

The generator keeps a number of connections busy with one request each; it counts
bytes instead of parsing, since all answers to one request have one length.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
OURS = "levada.app.uvicorn:HttpProtocol"
"""uvicorn's option --http for an app of Levada's, as `levada run` has it."""
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Iterator[bytes], done: Callable[[], bool], closed: asyncio.Future[None]
    ) -> None:
        self.requests, self.done, self.closed = requests, done, closed
        self.length = 0
        self.got = 0
        self.first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if not self.length:
            self.first += data
            self.length = _length(self.first)
        if self.length and self.got >= self.length:
            self.got = 0
            if self.done():
                self.transport.write(next(self.requests))
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            if error or (self.got and self.got < self.length):
                self.closed.set_exception(error or ConnectionError("cut off in an answer"))
            else:
                self.closed.set_result(None)


def _length(head: bytes) -> int:
    end = head.find(b"\r\n\r\n")
    if end < 0:
        return 0
    if b" 20" not in head[:13]:
        raise AssertionError(head.decode(errors="replace"))
    for line in head[:end].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return end + 4 + int(line[15:])
    raise AssertionError(f"no content-length: {head!r}")


async def _drive(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> tuple[int, float]:
    loop = asyncio.get_running_loop()
    count = 0
    start = time.perf_counter()
    stop = start + seconds

    def done() -> bool:
        nonlocal count
        count += 1
        return time.perf_counter() < stop

    closed = [loop.create_future() for _ in range(connections)]
    for number, future in enumerate(closed):
        # Each connection begins elsewhere in the list, so that they do not ask for the same at once.
        offset = number * len(requests) // connections
        mine = [*requests[offset:], *requests[:offset]]
        await loop.create_connection(
            lambda m=mine, f=future: _Connection(itertools.cycle(m), done, f), "127.0.0.1", port
        )
    await asyncio.gather(*closed)
    return count, time.perf_counter() - start


@dataclass
class Server:
    """Processes that serve one side, all on the server core."""

    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cpu(self) -> float:
        """Seconds of CPU used so far by all its processes and their children."""
        return sum(_cpu(p.pid) for p in self.processes)

    def stop(self) -> None:
        """End them."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)


def _cpu(pid: int) -> float:
    total = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        # Nanoseconds on a core: finer than the ticks of stat.
        total += int((task / "schedstat").read_text().split()[0]) / 1e9
        children = (task / "children").read_text().split()
        total += sum(_cpu(int(child)) for child in children)
    return total


def serve(command: list[str], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a server on the server core, with our interpreter."""
    full = {**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE.parent / 'src'}", **(env or {})}

    def pin() -> None:
        os.sched_setaffinity(0, {SERVER_CORE})

    return subprocess.Popen(
        [sys.executable, "-m", *command], env=full, preexec_fn=pin, stdout=subprocess.DEVNULL
    )


def wait_for(port: int, seconds: float = 20) -> None:
    """Wait until somebody listens."""
    import socket

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens at {port}")


def free_port() -> int:
    """A port that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Sample:
    """One round of one side."""

    per_second: float
    cpu_us: float


def measure(
    server: Server, request: bytes | Sequence[bytes], seconds: float, connections: int = 32
) -> Sample:
    """Drive a server for some seconds from the client core."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    before = server.cpu()
    count, took = uvloop.run(
        _drive(server.port, [request] if isinstance(request, bytes) else list(request), seconds, connections)
    )
    return Sample(count / took, (server.cpu() - before) / count * 1e6)


def in_turns(
    sides: Mapping[str, tuple[Server, bytes | Sequence[bytes]]],
    seconds: float,
    *,
    connections: int = 32,
    turns: int = 4,
) -> dict[str, Sample]:
    """One round of several sides: short turns of each, there and back, so that a disturbance meets all of them."""
    found: dict[str, list[Sample]] = {side: [] for side in sides}
    for turn in range(turns):
        for side in list(sides) if turn % 2 else list(reversed(sides)):
            server, data = sides[side]
            found[side].append(measure(server, data, seconds / turns, connections))
    return {
        side: Sample(
            statistics.median(s.per_second for s in samples), statistics.median(s.cpu_us for s in samples)
        )
        for side, samples in found.items()
    }


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: bench",
        "accept: application/json",
        *(f"{k}: {v}" for k, v in (headers or {}).items()),
    ]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
