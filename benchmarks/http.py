"""GET and POST of JSON: Levada against FastAPI and against a plain ASGI function.

Levada has everything on: validation both ways, deadline, trace context, a signed
caller with scopes, call records. All sides get the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks._load import OURS, Sample, Server, free_port, in_turns, request, serve, wait_for
from benchmarks._ratio import Ratio, ratio_of

NOTES = """
One process a side on one core, the generator on the other, 32 connections kept busy; requests a second, and CPU of the server's
process for one request in the `_cpu` cases. All sides run at once and take short turns; a round is the median of its turns.
Levada validates both ways, keeps deadline, trace context, a signed caller with scopes and call records; under uvicorn with its own
protocol class, as `levada run` has it. `plain` is a function of ASGI and msgspec that does nothing of this, under uvicorn as it is.
`granian` cases serve both sides with granian, by ASGI; `get_fastapi_granian_uvicorn` is Levada under granian against FastAPI under uvicorn.

What bounds throughput against FastAPI: at Levada's rates it is the generator's core (on two cores of a virtual machine: the loopback's
system calls) that is full, and the server's that waits: rate times CPU says how busy it was. `_cpu` is the ratio of a server that is full.

What bounds the granian cases: granian's ASGI calls Python for little else than the application, so nothing can be saved around it, and all
that Levada does (routes, caller, deadline, trace, validation, counts: 3 us of a GET, 4 of a POST without any server) stands beside a
function that does none of it. What granian costs by itself bounds the ratios to FastAPI: the plain function's is `get_fastapi_granian`
over `get_plain_granian`, the most that any application can have there. granian's RSGI is cheaper, yet it hands on paths decoded only: `a%2Fb` and `a/b` could not be told apart, and one operation be taken for another.
"""

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))
BODY = b'{"id":"22423","name":"Regency teacake plates","price":"10.50","quantity":3,"tags":["green","set"]}'

SIDES = ("levada", "fastapi", "plain")
Samples = dict[tuple[str, str], list[Sample]]


def run() -> Sequence[Ratio]:
    """Measure; every ratio is of pairs of rounds."""
    servers: dict[str, Server] = {}
    try:
        for kind in ("uvicorn", "granian"):
            for side in SIDES:
                servers[f"{kind} {side}"] = _start(kind, side)
        return _ratios(_rounds(servers))
    finally:
        for server in servers.values():
            server.stop()


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


def _rounds(servers: dict[str, Server]) -> Samples:
    found: Samples = {}
    for round_ in range(ROUNDS + 1):
        for method, data in _requests().items():
            samples = in_turns({name: (server, data) for name, server in servers.items()}, SECONDS)
            if round_:  # the first one warms up
                for name, sample in samples.items():
                    found.setdefault((method, name), []).append(sample)
        print(f"  round {round_}/{ROUNDS}", flush=True)
    return found


def _ratios(found: Samples) -> Sequence[Ratio]:
    def ratio(case: str, method: str, kind: str, peer: str, goal: float) -> Ratio:
        ours, theirs = found[method, f"{kind} levada"], found[method, peer]
        return ratio_of("http", case, [s.per_second for s in ours], [s.per_second for s in theirs], goal)

    def cpu(case: str, method: str, peer: str, goal: float) -> Ratio:
        ours, theirs = found[method, "uvicorn levada"], found[method, peer]
        return ratio_of(
            "http", case, [s.cpu_us for s in ours], [s.cpu_us for s in theirs], goal, unit="us", invert=True
        )

    return [
        ratio("get_fastapi", "get", "uvicorn", "uvicorn fastapi", 3.3),
        ratio("post_fastapi", "post", "uvicorn", "uvicorn fastapi", 4.2),
        ratio("get_plain", "get", "uvicorn", "uvicorn plain", 0.9),
        ratio("post_plain", "post", "uvicorn", "uvicorn plain", 0.9),
        cpu("get_fastapi_cpu", "get", "uvicorn fastapi", 3.3),
        cpu("post_fastapi_cpu", "post", "uvicorn fastapi", 4.2),
        ratio("get_fastapi_granian_uvicorn", "get", "granian", "uvicorn fastapi", 5.0),
        ratio("get_fastapi_granian", "get", "granian", "granian fastapi", 5.0),
        ratio("post_fastapi_granian", "post", "granian", "granian fastapi", 4.2),
        ratio("get_plain_granian", "get", "granian", "granian plain", 0.9),
        ratio("post_plain_granian", "post", "granian", "granian plain", 0.9),
    ]
