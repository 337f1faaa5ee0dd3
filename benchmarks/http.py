"""GET and POST of JSON: Levada against FastAPI and against a plain ASGI function.

Levada has everything on: validation both ways, deadline, trace context, a signed
caller with scopes, call records. All sides get the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks._load import OURS, Sample, Server, free_port, measure, request, serve, wait_for
from benchmarks._ratio import Ratio, ratio_of

NOTES = """
One process a side on one core, the generator on the other, 32 connections kept busy; requests a second.
Levada validates both ways, keeps deadline, trace context, a signed caller with scopes and call records.
`granian` cases serve both sides with granian; `get_fastapi_granian_uvicorn` is Levada under granian against FastAPI under uvicorn.
"""

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))
BODY = b'{"id":"22423","name":"Regency teacake plates","price":"10.50","quantity":3,"tags":["green","set"]}'

Samples = dict[tuple[str, str], list[Sample]]


def run() -> Sequence[Ratio]:
    """Measure; every ratio is of pairs of rounds."""
    found: Samples = {}
    for server_kind in ("uvicorn", "granian"):
        servers = {side: _start(server_kind, side) for side in ("levada", "fastapi", "plain")}
        try:
            _rounds(server_kind, servers, found)
        finally:
            for server in servers.values():
                server.stop()
    return _ratios(found)


def _start(kind: str, side: str) -> Server:
    port = free_port()
    target = f"benchmarks.servers.items_{side}:app"
    if kind == "uvicorn":
        command = [
            "uvicorn",
            target,
            "--port",
            str(port),
            "--no-access-log",
            "--log-level",
            "error",
            "--loop",
            "uvloop",
            "--http",
            OURS if side == "levada" else "httptools",
        ]
    else:
        command = [
            "granian",
            "--interface",
            "asgi",
            "--port",
            str(port),
            "--no-ws",
            "--log-level",
            "critical",
            "--loop",
            "uvloop",
            "--workers",
            "1",
            target,
        ]
    server = Server(port, [serve(command)])
    wait_for(port)
    return server


def _requests() -> dict[str, bytes]:
    from benchmarks.servers.items_levada import SECRET
    from levada.app import Caller
    from levada.app.identity import Issuer

    caller = Caller(
        subject="anna",
        client="phone",
        scopes=frozenset({"items:read", "items:write"}),
        environment="bench",
        method="oidc",
    )
    headers = {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "levada-timeout-ms": "5000",
        "levada-identity": Issuer(SECRET, "bench").token(caller, "bench/Phone/v1"),
    }
    return {
        "get": request("GET", "/bench/items/v1/items/22423", headers=headers),
        "post": request("POST", "/bench/items/v1/items", BODY, headers),
    }


def _rounds(kind: str, servers: dict[str, Server], found: Samples) -> None:
    for round_ in range(ROUNDS + 1):
        order = list(servers) if round_ % 2 else list(reversed(servers))
        requests = _requests()
        for method, data in requests.items():
            for side in order:
                sample = measure(servers[side], data, SECONDS)
                if round_:  # the first one warms up
                    found.setdefault((f"{kind}.{method}", side), []).append(sample)
        print(f"  {kind} round {round_}/{ROUNDS}", flush=True)


def _ratios(found: Samples) -> Sequence[Ratio]:
    def rate(key: str, side: str) -> list[float]:
        return [s.per_second for s in found[key, side]]

    def ratio(case: str, key: str, peer: str, goal: float, peer_key: str | None = None) -> Ratio:
        return ratio_of("http", case, rate(key, "levada"), rate(peer_key or key, peer), goal)

    return [
        ratio("get_fastapi", "uvicorn.get", "fastapi", 3.3),
        ratio("post_fastapi", "uvicorn.post", "fastapi", 4.2),
        ratio("get_plain", "uvicorn.get", "plain", 0.9),
        ratio("post_plain", "uvicorn.post", "plain", 0.9),
        ratio("get_fastapi_granian_uvicorn", "granian.get", "fastapi", 5.0, "uvicorn.get"),
        ratio("get_fastapi_granian", "granian.get", "fastapi", 5.0),
        ratio("post_fastapi_granian", "granian.post", "fastapi", 4.2),
        ratio("get_plain_granian", "granian.get", "plain", 0.9),
        ratio("post_plain_granian", "granian.post", "plain", 0.9),
    ]
