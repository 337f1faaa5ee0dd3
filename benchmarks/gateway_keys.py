"""Three ways to check API keys at the gateway, measured behind the same routes: ``python -m benchmarks.gateway_keys``.

``clear``: what Levada does: Envoy's api_key_auth with keys in a file of mode 0600. ``signed``: keys are ES256 tokens
that jwt_authn checks, with a deny list by RBAC (``signed_cached``: with Envoy's cache of tokens already checked).
``hashed``: ext_authz asks a service that looks up SHA-256 hashes. 1,000 keys; 20 of them revoked in the deny list.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks import gateway
from benchmarks._load import CLIENT_CORE, SERVER_CORE, Server, free_port, measure, request, serve, wait_for
from levada.gateway import Credential, GatewayConfiguration, Listener, Plan, Route, Upstream
from levada.gateway.envoy import render, write_files

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
PATH = "/sales/storefront/v1/orders/22423/status"
PRODUCT = "sales/Storefront/v1"
HTTP = "type.googleapis.com/envoy.extensions.filters.http"
SIGNER = ec.generate_private_key(ec.SECP256R1())
Documents = dict[str, Any]


def client(n: int) -> Credential:
    """The nth consumer."""
    return Credential(key=f"lv_{n:012x}_{'k' * 43}", consumer=f"c{n}", plan="gold", products=[PRODUCT])


def token(n: int) -> str:
    """The signed key of the nth consumer."""
    claims = {"sub": client(n).client, "jti": f"{n:012x}", "iss": "levada", "exp": int(time.time()) + 86_400}
    return jwt.encode(claims, SIGNER, algorithm="ES256", headers={"kid": "1"})


def documents(folder: Path, port: int, upstream: int) -> Documents:
    """Our configuration, decoded."""
    asked = GatewayConfiguration(
        listener=Listener(port=port),
        routes=[
            Route(
                operation=f"{PRODUCT}.status",
                method="GET",
                path="/sales/storefront/v1/orders/{id}/status",
                product=PRODUCT,
            )
        ],
        upstreams=[Upstream(name="app", addresses=[f"127.0.0.1:{upstream}"])],
        plans=[Plan(name="gold", calls=1_000_000, seconds=1)],
        credentials=[client(n) for n in range(1000)],
    )
    return {name: json.loads(content) for name, content in render(asked, str(folder)).items()}


def filters(found: Documents) -> list[Any]:
    """The HTTP filters of the listener."""
    chain = found["lds.json"]["resources"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]["http_filters"]


def put(folder: Path, found: Documents) -> None:
    """Write what differs."""
    write_files({name: json.dumps(d).encode() for name, d in found.items()}, folder)


def signed(found: Documents, *, cached: bool) -> None:
    """jwt_authn in the place of api_key_auth, and the deny list under discovery in the place of the keys."""
    numbers = SIGNER.public_key().public_numbers()
    encoded = [
        base64.urlsafe_b64encode(n.to_bytes(32, "big")).decode().rstrip("=") for n in (numbers.x, numbers.y)
    ]
    jwks = {
        "keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1", "x": encoded[0], "y": encoded[1]}]
    }
    provider: dict[str, Any] = {
        "issuer": "levada",
        "local_jwks": {"inline_string": json.dumps(jwks)},
        "from_headers": [{"name": "x-api-key"}],
        "claim_to_headers": [
            {"header_name": "x-consumer-id", "claim_name": "sub"},
            {"header_name": "x-key-id", "claim_name": "jti"},
        ],
    }
    if cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": 2000}
    check = {
        "name": "jwt",
        "typed_config": {
            "@type": f"{HTTP}.jwt_authn.v3.JwtAuthentication",
            "providers": {"keys": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "keys"}}],
        },
    }
    filters(found).insert(0, check)
    filters(found)[1]["config_discovery"]["type_urls"] = [f"{HTTP}.rbac.v3.RBAC"]
    deny(found, [f"{n:012x}" for n in range(980, 1000)])


def deny(found: Documents, ids: list[str]) -> None:
    """Replace the deny list."""
    principals = [{"header": {"name": "x-key-id", "string_match": {"exact": i}}} for i in ids]
    policy = {"permissions": [{"any": True}], "principals": principals}
    found["ecds.json"]["resources"][0]["typed_config"] = {
        "@type": f"{HTTP}.rbac.v3.RBAC",
        "rules": {"action": "DENY", "policies": {"revoked": policy}},
    }


def hashed(found: Documents, service: int) -> None:
    """ext_authz in the place of api_key_auth."""
    place = {"socket_address": {"address": "127.0.0.1", "port_value": service}}
    cluster = {
        **found["cds.json"]["resources"][0],
        "name": "authz",
        "load_assignment": {
            "cluster_name": "authz",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": place}}]}],
        },
    }
    found["cds.json"]["resources"].append(cluster)
    filters(found)[0] = {
        "name": "authz",
        "typed_config": {
            "@type": f"{HTTP}.ext_authz.v3.ExtAuthz",
            "http_service": {
                "server_uri": {"uri": f"http://127.0.0.1:{service}", "cluster": "authz", "timeout": "1s"},
                "authorization_response": {
                    "allowed_upstream_headers": {"patterns": [{"exact": "x-consumer-id"}]}
                },
            },
            "allowed_headers": {"patterns": [{"exact": "x-api-key"}]},
        },
    }
    for route in found["rds.json"]["resources"][0]["virtual_hosts"][0]["routes"]:
        route.get("typed_per_filter_config", {}).pop("keys", None)


async def p99(port: int, data: bytes, seconds: float, connections: int = 4) -> float:
    """Milliseconds that 99 of 100 requests keep, with a few connections."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head[:14], head
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
            taken.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return statistics.quantiles(taken, n=100)[98] * 1000


async def until(port: int, data: bytes, status: int, change: Callable[[], None]) -> float:
    """Milliseconds from a change until requests are answered with a status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    start = time.perf_counter()
    change()
    while True:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r")[0]
        await reader.readexactly(int(length or 0))
        if int(head.split()[1]) == status:
            writer.close()
            return (time.perf_counter() - start) * 1000
        if time.perf_counter() - start > 10:
            raise TimeoutError(head.decode(errors="replace"))


def changes(way: str, folder: Path, found: Documents, port: int) -> tuple[float, float]:
    """Milliseconds until a new key is good, and until a revoked one is refused."""

    def keyed(key: str) -> bytes:
        return request("GET", PATH, headers={"x-api-key": key})

    credentials = found["ecds.json"]["resources"][0]["typed_config"].get("credentials", [])
    if way == "clear":
        new = client(5000)

        def add() -> None:
            credentials.append({"key": new.key, "client": new.client})
            put(folder, found)

        def remove() -> None:
            credentials.pop()
            put(folder, found)

        return asyncio.run(until(port, keyed(new.key), 200, add)), asyncio.run(
            until(port, keyed(new.key), 401, remove)
        )
    if way == "hashed":
        new = client(5000)
        return asyncio.run(_service_changes(found, port, new.key, keyed(new.key)))

    def revoke() -> None:
        deny(found, [f"{n:012x}" for n in (5, *range(980, 1000))])
        put(folder, found)

    made = token(6)
    return asyncio.run(until(port, keyed(made), 200, lambda: None)), asyncio.run(
        until(port, keyed(token(5)), 403, revoke)
    )


async def _service_changes(found: Documents, port: int, key: str, data: bytes) -> tuple[float, float]:
    place = found["cds.json"]["resources"][-1]["load_assignment"]["endpoints"][0]["lb_endpoints"][0][
        "endpoint"
    ]
    service = place["address"]["socket_address"]["port_value"]
    took: list[float] = []
    for verb, status in (("add", 200), ("remove", 401)):
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", service)
        writer.write(request("POST", f"/-/{verb}", headers={"x-api-key": key, "content-length": "0"}))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        took.append((time.perf_counter() - start) * 1000 + await until(port, data, status, lambda: None))
    return took[0], took[1]


def main() -> None:
    """Measure and print a table."""
    folder = Path(tempfile.mkdtemp(prefix="lvk"))
    upstream = free_port()
    others = [gateway._envoy(folder / "upstream", gateway._upstream(upstream), CLIENT_CORE)]
    wait_for(upstream)
    servers: dict[str, Server] = {}
    made: dict[str, tuple[Path, Documents]] = {}
    try:
        for way in ("clear", "signed", "signed_cached", "hashed"):
            port, place = free_port(), folder / way
            found = documents(place, port, upstream)
            processes = []
            if way.startswith("signed"):
                signed(found, cached=way == "signed_cached")
            if way == "hashed":
                service = free_port()
                command = ["uvicorn", "benchmarks.servers.gateway_authz:app", "--port", str(service)]
                processes.append(serve([*command, "--log-level", "error", "--no-access-log"]))
                wait_for(service)
                hashed(found, service)
            put(place, found)
            processes.append(gateway._start(place, SERVER_CORE))
            servers[way], made[way] = Server(port, processes), (place, found)
            wait_for(port)
        data = {
            way: request(
                "GET", PATH, headers={"x-api-key": token(7) if way.startswith("signed") else client(7).key}
            )
            for way in servers
        }
        samples: dict[str, list[tuple[float, float, float]]] = {way: [] for way in servers}
        for round_ in range(ROUNDS + 1):
            for way in servers if round_ % 2 else reversed(servers):
                sample = measure(servers[way], data[way], SECONDS, fixed=False)
                slow = uvloop.run(p99(servers[way].port, data[way], SECONDS))
                if round_:
                    samples[way].append((sample.per_second, sample.cpu_us, slow))
        print(
            "| way | requests/s | CPU us/request | p99 ms | new key good after ms | revoked refused after ms |"
        )
        print("|---|---|---|---|---|---|")
        for way, rows in samples.items():
            rate, cpu, slow = (statistics.median(column) for column in zip(*rows, strict=True))
            new, gone = changes(way, *made[way], servers[way].port)
            print(f"| {way} | {rate:,.0f} | {cpu:.0f} | {slow:.2f} | {new:.1f} | {gone:.1f} |")
    finally:
        for process in [*others, *(p for s in servers.values() for p in s.processes)]:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
