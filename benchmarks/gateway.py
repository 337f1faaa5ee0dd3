"""Through Envoy with key, limit and log: our configuration against a hand-written one with the same filters."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._load import CLIENT_CORE, SERVER_CORE, Sample, Server, free_port, measure, request, wait_for
from benchmarks._ratio import Ratio, ratio_of
from levada.gateway import Credential, GatewayConfiguration, Listener, Plan, Route, Upstream
from levada.gateway.envoy import render, write_files
from levada.gateway.supervise import envoy_path

NOTES = """
One Envoy a side on one core with one worker; generator and upstream (an Envoy that answers by itself) on the other; 32 connections,
20 routes. In each round all are started anew and take 8 turns; the round is their median. `keyed`: against what a person would write
to get the same: a key for the route's product, the consumer's limit with its headers, a bound on the body, the request's id in the
answer, a client's own consumer id taken off, a log with consumer, route, product and problem. `bare`: against the least that has
key, limit, bound and log; it believes a client's consumer id and logs neither product nor problem. Beyond both, ours takes off
all headers that could be forged, rejects tricks with paths, tells the app how long it waits, and its cost does not grow with the
number of consumers of a product (that check alone is 4 % of a request).
"""
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2.0"))
SLICES = 8
KEY = "lv_0123456789ab_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
HTTP = "type.googleapis.com/envoy.extensions.filters.http"
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
MUTATION = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
SIDES = ("levada", "hand", "bare")


def run() -> Sequence[Ratio]:
    """Measure throughput and CPU."""
    folder = Path(tempfile.mkdtemp(prefix="lvb"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        upstream = free_port()
        processes.append(_envoy(folder / "upstream", _upstream(upstream), CLIENT_CORE))
        wait_for(upstream)
        found: dict[str, list[Sample]] = {side: [] for side in SIDES}
        for round_ in range(1, ROUNDS + 1):
            for side, sample in _round(folder / str(round_), upstream).items():
                found[side].append(sample)
            print(f"  round {round_}/{ROUNDS}", flush=True)
        rates = {side: [s.per_second for s in samples] for side, samples in found.items()}
        cpu = {side: [s.cpu_us for s in samples] for side, samples in found.items()}
        return [
            ratio_of("gateway", "keyed", rates["levada"], rates["hand"], 0.95),
            ratio_of("gateway", "keyed_cpu", cpu["levada"], cpu["hand"], 0.95, unit="us", invert=True),
            ratio_of("gateway", "bare", rates["levada"], rates["bare"], 0.95),
            ratio_of("gateway", "bare_cpu", cpu["levada"], cpu["bare"], 0.95, unit="us", invert=True),
        ]
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _round(folder: Path, upstream: int) -> dict[str, Sample]:
    """All sides started anew: how memory happens to lie differs from process to process, by more than the goal."""
    ports = {side: free_port() for side in SIDES}
    folders = {side: folder / side for side in ports}
    _ours(folders["levada"], ports["levada"], upstream)
    servers = {"levada": Server(ports["levada"], [_start(folders["levada"], SERVER_CORE)])}
    for side in ("hand", "bare"):
        made = _hand(ports[side], upstream, folders[side], bare=side == "bare")
        servers[side] = Server(ports[side], [_envoy(folders[side], made, SERVER_CORE)])
    data = request("GET", "/sales/storefront/v1/orders/22423/status", headers={"x-api-key": KEY})
    slices: dict[str, list[Sample]] = {side: [] for side in servers}
    try:
        for port in ports.values():
            wait_for(port)
        for turn in range(SLICES + 1):
            # A shared machine drifts: the sides take turns within a round, each as often first; the first turn warms.
            for side in list(servers) if turn % 2 else list(reversed(servers)):
                sample = measure(servers[side], data, SECONDS / SLICES, fixed=False)
                if turn:
                    slices[side].append(sample)
    finally:
        for server in servers.values():
            server.stop()
    return {side: _median(samples) for side, samples in slices.items()}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(s.per_second for s in samples), statistics.median(s.cpu_us for s in samples)
    )


def _start(folder: Path, core: int) -> subprocess.Popen[bytes]:
    command = [
        envoy_path(),
        "-c",
        str(folder / "bootstrap.json"),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "critical",
    ]
    pin = lambda: os.sched_setaffinity(0, {core})  # noqa: E731 - handed on at once
    return subprocess.Popen(command, preexec_fn=pin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _envoy(folder: Path, bootstrap: dict[str, object], core: int) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bootstrap.json").write_text(json.dumps(bootstrap))
    return _start(folder, core)


def _ours(folder: Path, port: int, upstream: int) -> None:
    routes = [
        Route(
            operation=f"sales/Storefront/v1.op{i}",
            method="GET",
            path=f"/sales/storefront/v1/things{i}/{{id}}",
            product="sales/Storefront/v1",
        )
        for i in range(19)
    ]
    routes.append(
        Route(
            operation="sales/Storefront/v1.status",
            method="GET",
            path="/sales/storefront/v1/orders/{id}/status",
            product="sales/Storefront/v1",
        )
    )
    configuration = GatewayConfiguration(
        listener=Listener(port=port, log=str(folder / "access.log")),
        routes=routes,
        upstreams=[Upstream(name="app", addresses=[f"127.0.0.1:{upstream}"])],
        plans=[Plan(name="gold", calls=1_000_000, seconds=1)],
        credentials=[Credential(key=KEY, consumer="phone", plan="gold", products=["sales/Storefront/v1"])],
    )
    write_files(render(configuration, str(folder)), folder)


def _listener(port: int, manager: dict[str, object]) -> dict[str, object]:
    return {
        "name": "l",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": {"@type": MANAGER, "stat_prefix": "p", **manager}}]}
        ],
    }


ROUTER = {"name": "router", "typed_config": {"@type": f"{HTTP}.router.v3.Router"}}


def _upstream(port: int) -> dict[str, object]:
    body = json.dumps({"id": "22423", "state": "paid", "total": "10.50"})
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": body}}}
    manager = {
        "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
        "http_filters": [ROUTER],
    }
    return {"static_resources": {"listeners": [_listener(port, manager)]}}


def _hand(port: int, upstream: int, folder: Path, *, bare: bool) -> dict[str, object]:
    """What a person would write to get what ours does; ``bare``: key, limit, body bound and log alone."""
    matches = [{"safe_regex": {"regex": f"/sales/storefront/v1/things{i}/[^/]+"}} for i in range(19)]
    matches.append({"safe_regex": {"regex": "/sales/storefront/v1/orders/[^/]+/status"}})
    routes = [
        {
            "name": f"status{number} sales/Storefront/v1",
            "match": {**match, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster": "app", "timeout": "30s"},
            "typed_per_filter_config": {
                "keys": {
                    "@type": f"{HTTP}.api_key_auth.v3.ApiKeyAuthPerRoute",
                    "allowed_clients": ["phone"],
                    "forwarding": {"header": "x-consumer-id", "hide_credentials": True},
                }
            },
        }
        for number, match in enumerate(matches)
    ]
    keys = {
        "@type": f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
        "credentials": [{"key": KEY, "client": "phone"}],
        "key_sources": [{"header": "x-api-key"}],
        "forwarding": {"header": "x-consumer-id", "hide_credentials": True},
    }
    bucket = {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"}
    all_of_them = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limits = {
        "@type": f"{HTTP}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "l",
        "token_bucket": {
            "max_tokens": 1_000_000_000,
            "tokens_per_fill": 1_000_000_000,
            "fill_interval": "1s",
        },
        "filter_enabled": all_of_them,
        "filter_enforced": all_of_them,
        "rate_limits": [
            {"actions": [{"request_headers": {"header_name": "x-consumer-id", "descriptor_key": "consumer"}}]}
        ],
        "descriptors": [{"entries": [{"key": "consumer"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": 65_536,
        "always_consume_default_token_bucket": False,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }
    more = {
        "route": "%ROUTE_NAME%",
        "problem": "%RESP(LEVADA-PROBLEM)%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "trace": "%REQ(TRACEPARENT)%",
    }
    log = {
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(folder / "access.log"),
            "log_format": {
                "json_format": {
                    "at": "%START_TIME%",
                    "consumer": "%REQ(X-CONSUMER-ID)%",
                    "path": "%REQ(:PATH)%",
                    "method": "%REQ(:METHOD)%",
                    "status": "%RESPONSE_CODE%",
                    "ms": "%DURATION%",
                    "in": "%BYTES_RECEIVED%",
                    "out": "%BYTES_SENT%",
                    "request": "%REQ(X-REQUEST-ID)%",
                    **({} if bare else more),
                }
            },
        },
    }
    manager = {
        "use_remote_address": True,
        "normalize_path": True,
        "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "keys", "typed_config": keys},
            {"name": "limits", "typed_config": limits},
            {
                "name": "body",
                "typed_config": {"@type": f"{HTTP}.buffer.v3.Buffer", "max_request_bytes": 1 << 20},
            },
            ROUTER,
        ],
        "access_log": [log],
    }
    if not bare:
        manager["always_set_request_id_in_response"] = True
        manager["early_header_mutation_extensions"] = [
            {
                "name": "strip",
                "typed_config": {"@type": MUTATION, "mutations": [{"remove": "x-consumer-id"}]},
            }
        ]
    cluster = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {"address": "127.0.0.1", "port_value": upstream}
                                }
                            }
                        }
                    ]
                }
            ],
        },
    }
    return {"static_resources": {"listeners": [_listener(port, manager)], "clusters": [cluster]}}
