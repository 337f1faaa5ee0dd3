"""Experience -> Process -> three System calls: what layers cost, in one process and apart."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from benchmarks._load import OURS, Sample, Server, free_port, in_turns, request, serve, wait_for
from benchmarks._ratio import Ratio, ratio_of

NOTES = """
All processes of a side share one core, the generator has the other; 32 connections kept busy; all sides run at once and take
short turns. `fastapi`: Levada in one process against five FastAPI services that call each other with httpx. `handler_cpu`: CPU per request
of one Levada handler that does the same work without layers, against the layers (1.0: layers are free). `plain_handler_cpu`: the
same against a plain function of ASGI and msgspec under uvicorn. `apart`: each API in its own process, with signed callers, against
the FastAPI services.

What bounds `handler_cpu`: four guarded calls, each a coroutine, a context that is set and left, two looks at the clock and a count,
stand against one request, and the request has become cheaper than the calls have. By profile a third of such a call is its record, a
third the context variable, a quarter the context itself; none can be left out, as each is promised to the code behind.
"""
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4.0"))
LAYERS = ("customers", "stocks", "prices", "quotes", "shop")
NAMES = {"customers": "Customers", "stocks": "Stocks", "prices": "Prices", "quotes": "Quotes", "shop": "Shop"}


def run() -> Sequence[Ratio]:
    """Measure all sides in turn."""
    servers: dict[str, Server] = {}
    try:
        servers["one"] = _levada(",".join(LAYERS))
        servers["handler"] = _levada("single")
        servers["plain"] = _served("layers_plain", "httptools", {})
        servers["apart"] = _apart()
        servers["fastapi"] = _fastapi()
        headers = {
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "levada-timeout-ms": "5000",
        }
        layers = request("GET", "/bench/shop/v1/quote/p-1", headers=headers)
        sides = {side: (server, layers) for side, server in servers.items()}
        sides["handler"] = servers["handler"], request("GET", "/bench/single/v1/quote/p-1", headers=headers)
        found: dict[str, list[Sample]] = {side: [] for side in servers}
        for round_ in range(ROUNDS + 1):
            samples = in_turns(sides, SECONDS)
            if round_:  # the first one warms up
                for side, sample in samples.items():
                    found[side].append(sample)
            print(f"  round {round_}/{ROUNDS}", flush=True)
    finally:
        for server in servers.values():
            server.stop()
    rate = {side: [s.per_second for s in samples] for side, samples in found.items()}
    cpu = {side: [s.cpu_us for s in samples] for side, samples in found.items()}
    return [
        ratio_of("composition", "fastapi", rate["one"], rate["fastapi"], 30),
        ratio_of("composition", "handler_cpu", cpu["one"], cpu["handler"], 0.9, unit="us", invert=True),
        ratio_of("composition", "plain_handler_cpu", cpu["one"], cpu["plain"], 0.9, unit="us", invert=True),
        ratio_of("composition", "apart", rate["apart"], rate["fastapi"], 10),
    ]


UVICORN = ["--no-access-log", "--log-level", "error", "--loop", "uvloop"]


def _served(module: str, http: str, env: dict[str, str]) -> Server:
    port = free_port()
    command = ["uvicorn", f"benchmarks.servers.{module}:app", "--port", str(port), "--http", http, *UVICORN]
    server = Server(port, [serve(command, env)])
    wait_for(port)
    return server


def _levada(layers: str, bind: dict[str, str] | None = None) -> Server:
    return _served("layers_levada", OURS, {"LAYERS": layers, "BIND": json.dumps(bind or {})})


def _apart() -> Server:
    urls: dict[str, str] = {}
    processes = []
    server: Server | None = None
    needs = {"quotes": ("customers", "stocks", "prices"), "shop": ("quotes",)}
    for layer in LAYERS:
        bind = {f"bench/{NAMES[n]}/v1": urls[n] for n in needs.get(layer, ())}
        server = _levada(layer, bind)
        urls[layer] = f"http://127.0.0.1:{server.port}"
        processes += server.processes
    assert server is not None
    return Server(server.port, processes)


def _fastapi() -> Server:
    urls: dict[str, str] = {}
    processes = []
    port = 0
    for layer in LAYERS:
        server = _served("layers_fastapi", "httptools", {"BIND": json.dumps(urls)})
        processes += server.processes
        port = server.port
        urls[layer] = f"http://127.0.0.1:{port}"
    return Server(port, processes)
