"""A row by key as JSON from PostgreSQL for 64 concurrent clients, against pgbench on the same server."""

from __future__ import annotations

import os
import random
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._load import (
    CLIENT_CORE,
    OURS,
    SERVER_CORE,
    Sample,
    Server,
    free_port,
    measure,
    request,
    serve,
    wait_for,
)
from benchmarks._ratio import Ratio, ratio_of
from levada.testing.servers.postgres import PostgresServer, postgres_server

NOTES = """
100,000 rows, keys at random. Levada (one process) or pgbench (one thread, 64 clients, `-M prepared`) has one core; PostgreSQL, and
the generator where there is one, has the other. `fastapi` is the same service with FastAPI and SQLAlchemy's ORM, for comparison.
"""
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2.0"))
ROWS = 100_000
CLIENTS = 64
TABLE = f"""CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL, stock int NOT NULL);
INSERT INTO item SELECT n, 'Item ' || lpad(n::text, 6, '0'), 10.50, 100 FROM generate_series({ROWS}, {2 * ROWS - 1}) AS n; VACUUM ANALYZE item;"""


def run() -> Sequence[Ratio]:
    """Measure."""
    # What is started from here on inherits it: the server of the database shares the generator's core.
    os.sched_setaffinity(0, {CLIENT_CORE})
    with postgres_server() as server:
        dsn = server.database()
        for statement in TABLE.split(";")[:-1]:
            _psql(server, dsn, statement)
        sides = {side: _start(side, dsn) for side in ("levada", "fastapi")}
        try:
            rates = _rounds(server, dsn, sides)
        finally:
            for side in sides.values():
                side.stop()
    return [
        ratio_of("coalesced", "pgbench", rates["levada"], rates["pgbench"], 0.30),
        ratio_of("coalesced", "fastapi", rates["levada"], rates["fastapi"], 1.0),
    ]


def _rounds(server: PostgresServer, dsn: str, sides: dict[str, Server]) -> dict[str, list[float]]:
    chance = random.Random(7)
    requests = [
        request("GET", f"/bench/items/v1/items/{chance.randrange(ROWS, 2 * ROWS)}") for _ in range(4096)
    ]
    rates: dict[str, list[float]] = {"pgbench": [], "levada": [], "fastapi": []}
    for round_ in range(ROUNDS + 1):
        found = {"pgbench": _pgbench(server, dsn)}
        for name, side in sides.items():
            sample: Sample = measure(side, requests, SECONDS, CLIENTS)
            found[name] = sample.per_second
        if round_:
            for name, rate in found.items():
                rates[name].append(rate)
        print(f"  round {round_}/{ROUNDS}", flush=True)
    return rates


def _start(side: str, dsn: str) -> Server:
    port = free_port()
    options = [
        "--no-access-log",
        "--log-level",
        "error",
        "--loop",
        "uvloop",
        "--http",
        OURS if side == "levada" else "httptools",
    ]
    process = serve(
        ["uvicorn", f"benchmarks.servers.rows_{side}:app", "--port", str(port), *options], {"BENCH_DSN": dsn}
    )
    wait_for(port)
    return Server(port, [process])


def _program(server: PostgresServer, name: str) -> str:
    assert server._programs is not None
    return str(server._programs / name)


def _psql(server: PostgresServer, dsn: str, statement: str) -> None:
    subprocess.run(
        [_program(server, "psql"), dsn, "-q", "-c", statement], check=True, stdout=subprocess.DEVNULL
    )


def _pgbench(server: PostgresServer, dsn: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "by_key.sql"
        script.write_text(
            f"\\set id random({ROWS}, {2 * ROWS - 1})\nSELECT id, name, price, stock FROM item WHERE id = :id;\n"
        )
        command = [
            _program(server, "pgbench"),
            "-n",
            "-M",
            "prepared",
            "-c",
            str(CLIENTS),
            "-j",
            "1",
            "-T",
            str(max(5, round(SECONDS))),  # its connections are new each time: the first second is slower
            "-f",
            str(script),
            dsn,
        ]
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])
