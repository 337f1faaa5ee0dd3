"""A load generator on one core, and servers on another.

The generator keeps a number of connections busy with one request each; where all answers
to a request have one length it counts bytes instead of parsing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
OURS = "levada.app.uvicorn:HttpProtocol"
"""uvicorn's option --http for an app of Levada's, as `levada run` has it."""
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]


class _Connection:
    """One connection with one request under way, over and over."""

    __slots__ = ("got", "length", "requests", "socket")

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.got = b""
        self.length = 0

    def ask(self) -> None:
        request = next(self.requests)
        assert self.socket.send(request) == len(request), "a request has to fit into the socket's buffer"

    def answered(self, *, fixed: bool) -> bool:
        """Take what has come; whether the answer is whole. ``fixed``: all answers are as long as the first."""
        data = self.socket.recv(1 << 18)
        if fixed and len(data) == self.length and not self.got:
            return True
        if not data:
            raise ConnectionError("cut off in an answer")
        self.got += data
        if not (fixed and self.length):
            self.length = _length(self.got)
        if not self.length or len(self.got) < self.length:
            return False
        self.got = b""
        return True


def _length(head: bytes) -> int:
    """How long the answer is, from its head; 0 while that is not whole."""
    end = head.find(b"\r\n\r\n")
    if end < 0:
        return 0
    if b" 20" not in head[:13]:
        raise AssertionError(head.decode(errors="replace"))
    _, found, rest = head[:end].lower().partition(b"content-length:")
    if not found:
        raise AssertionError(f"no content-length: {head!r}")
    return end + 4 + int(rest.split(b"\r\n", 1)[0])


def _drive(
    port: int, requests: Sequence[bytes], seconds: float, connections: int, *, fixed: bool
) -> tuple[int, float]:
    """Requests answered, and the seconds that took; plain sockets and epoll, so that the servers are what is full."""
    under_way: dict[int, _Connection] = {}
    count = 0
    with contextlib.ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        for number in range(connections):
            # Each connection begins elsewhere in the list, so that they do not ask for the same at once.
            offset = number * len(requests) // connections
            made = _Connection(port, itertools.cycle([*requests[offset:], *requests[:offset]]))
            stack.enter_context(made.socket)
            under_way[made.socket.fileno()] = made
            poll.register(made.socket, select.EPOLLIN)
        start = time.perf_counter()
        stop = start + seconds
        for connection in under_way.values():
            connection.ask()
        while under_way:
            ready = poll.poll(20)
            if not ready:
                raise TimeoutError("no answer within 20 s")
            for number, _ in ready:
                connection = under_way[number]
                if not connection.answered(fixed=fixed):
                    continue
                count += 1
                if time.perf_counter() < stop:
                    connection.ask()
                else:
                    poll.unregister(number)
                    del under_way[number]
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Sample:
    """One round of one side."""

    per_second: float
    cpu_us: float


def measure(
    server: Server,
    request: bytes | Sequence[bytes],
    seconds: float,
    connections: int = 32,
    *,
    fixed: bool = True,
) -> Sample:
    """Drive a server for some seconds from the client core. ``fixed``: all its answers have one length."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    before = server.cpu()
    requests = [request] if isinstance(request, bytes) else list(request)
    count, took = _drive(server.port, requests, seconds, connections, fixed=fixed)
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
