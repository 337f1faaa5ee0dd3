"""Experience -> Process -> three System calls: what layers cost, in one process and apart."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from benchmarks._load import OURS, Sample, Server, free_port, measure, request, serve, wait_for
from benchmarks._ratio import Ratio, ratio_of

NOTES = """
All processes of a side share one core, the generator has the other; 32 connections kept busy.
`fastapi`: Levada in one process against five FastAPI services that call each other with httpx. `handler_cpu`: CPU per request
of one Levada handler that does the same work without layers, against the layers (1.0: layers are free). `apart`: each API
in its own process, with signed callers, against the FastAPI services.
"""
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))
LAYERS = ("customers", "stocks", "prices", "quotes", "shop")
NAMES = {"customers": "Customers", "stocks": "Stocks", "prices": "Prices", "quotes": "Quotes", "shop": "Shop"}


def run() -> Sequence[Ratio]:
    """Measure all four sides in turn."""
    servers = {
        "one": _levada(",".join(LAYERS)),
        "handler": _levada("single"),
        "apart": _apart(),
        "fastapi": _fastapi(),
    }
    try:
        paths = {
            "one": "/bench/shop/v1/quote/p-1",
            "handler": "/bench/single/v1/quote/p-1",
            "apart": "/bench/shop/v1/quote/p-1",
            "fastapi": "/bench/shop/v1/quote/p-1",
        }
        headers = {
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "levada-timeout-ms": "5000",
        }
        found: dict[str, list[Sample]] = {side: [] for side in servers}
        for round_ in range(ROUNDS + 1):
            for side in list(servers) if round_ % 2 else list(reversed(servers)):
                sample = measure(servers[side], request("GET", paths[side], headers=headers), SECONDS)
                if round_:
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
        ratio_of("composition", "apart", rate["apart"], rate["fastapi"], 10),
    ]


UVICORN = ["--no-access-log", "--log-level", "error", "--loop", "uvloop"]


def _levada(layers: str, bind: dict[str, str] | None = None) -> Server:
    port = free_port()
    env = {"LAYERS": layers, "BIND": json.dumps(bind or {})}
    server = Server(
        port,
        [
            serve(
                [
                    "uvicorn",
                    "benchmarks.servers.layers_levada:app",
                    "--port",
                    str(port),
                    *UVICORN,
                    "--http",
                    OURS,
                ],
                env,
            )
        ],
    )
    wait_for(port)
    return server


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
        port = free_port()
        processes.append(
            serve(
                [
                    "uvicorn",
                    "benchmarks.servers.layers_fastapi:app",
                    "--port",
                    str(port),
                    *UVICORN,
                    "--http",
                    "httptools",
                ],
                {"BIND": json.dumps(urls)},
            )
        )
        wait_for(port)
        urls[layer] = f"http://127.0.0.1:{port}"
    return Server(port, processes)
