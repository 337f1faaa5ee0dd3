"""Gateways, traces and catalogs of real repositories: names, paths, what is no HTTP, what nobody named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.mapping import Mapped, map_folders


def _envoy(filters: str, host: str = "db1", cluster: str = "c", more: str = "") -> str:
    return (
        f"static_resources:\n  listeners:\n  - filter_chains:\n    - filters:\n{filters}"
        f"  clusters:\n  - name: {cluster}\n{more}    load_assignment: {{endpoints: [{{lb_endpoints: [{{endpoint: {{address: "
        f"{{socket_address: {{address: {host}, port_value: 7000}}}}}}}}]}}]}}\n"
    )


def _filter(name: str, cluster: str = "c") -> str:
    return f"      - name: envoy.filters.network.{name}\n        typed_config: {{cluster: {cluster}}}\n"


ROUTE = "    - filters:\n      - name: envoy.filters.network.http_connection_manager\n        typed_config: {route_config: {virtual_hosts: [{routes: [{match: {prefix: /a}, route: {cluster: c}}]}]}}\n"
CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "Envoy before what speaks no HTTP": (
        {
            "a/edge-db.yaml": _envoy(_filter("postgres_proxy", "") + _filter("tcp_proxy")),
            "b/edge-log.yaml": _envoy(_filter("kafka_broker", "") + _filter("tcp_proxy"), "kafka1"),
            "c/edge-tcp.yaml": _envoy(_filter("tcp_proxy"), "ledger1"),
            "d/edge-cache.yaml": _envoy(_filter("redis_proxy"), "redis1"),
        },
        {
            "edge-db > db1 (db/postgres)", "edge-log > kafka1 (async/kafka)", "edge-tcp > ledger1 (unknown/tcp)", "edge-cache > redis1 (db/redis)",
        },
    ),
    "a proxy's configuration is the container's that has it": (
        {
            "shop/compose.yaml": "services:\n  front: {image: envoyproxy/envoy, volumes: ['./envoy.yaml:/etc/envoy/envoy.yaml:ro']}\n"
            "  edge: {image: nginx, configs: [{source: routes, target: /etc/nginx/nginx.conf}]}\n  web: {image: web}\n"
            "configs: {routes: {file: conf/site.conf}}\n",
            "shop/envoy.yaml": _envoy(ROUTE.removeprefix("    - filters:\n"), "web"),
            "shop/conf/site.conf": "server { server_name x; location /w { proxy_pass http://web:80; } }\n",
        },
        {"front > web [/a] (sync/http)", "edge > web [/w] (sync/http)"},
    ),
    "proxies of one general name in two folders": (
        {f"{f}/backend.conf": f"server {{ server_name x; location /{f} {{ proxy_pass http://{f}.acme.org; }} }}\n" for f in ("tea", "coffee")},
        {"tea.backend > tea.acme.org [/tea] (sync/http)", "coffee.backend > coffee.acme.org [/coffee] (sync/http)"},
    ),
    "paths that are expressions, and places within a proxy": (
        {
            "edge/nginx.conf": "server { server_name x; location ~ ^/api/orders/(\\d+)/lines { proxy_pass http://a.acme.org; }\n"
            " location ~ \\.php$ { fastcgi_pass b.acme.org:9000; }\n location @again { proxy_pass http://c.acme.org; } }\n",
            "kong/kong.yaml": "_format_version: '3.0'\nservices:\n- {name: o, url: 'http://o.acme.org', routes: [{paths: ['~/orders/\\d+$']}]}\n",
        },
        {
            "edge > a.acme.org [/api/orders/] (sync/http)", "edge > b.acme.org (sync/http)", "edge > c.acme.org (sync/http)",
            "kong > o.acme.org [/orders/] (sync/http)",
        },
    ),
    "catalogs: what a resource and an API are, and who depends on whom": (
        {
            "catalog-info.yaml": "\n---\n".join(
                f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}"
                for kind, name, spec in (
                    ("API", "placed", "{type: asyncapi}"), ("API", "orders", "{type: openapi}"), ("API", "quote", "{type: grpc}"),
                    ("Resource", "files", "{type: s3-bucket}"), ("Resource", "ledger", "{type: database, dependencyOf: [component:shop]}"),
                    ("Resource", "labels", "{type: queue}"),
                    ("Component", "oms", "{providesApis: [placed, orders, quote]}"),
                    ("Component", "shop", "{consumesApis: [placed, orders, quote], dependsOn: ['resource:files', 'resource:labels']}"),
                )
            )
        },
        {
            "shop > oms [placed] (async)", "shop > oms [orders] (sync/http)", "shop > oms [quote] (sync/grpc)", "shop > resource/files (file)",
            "shop > resource/ledger (db)", "shop > resource/labels (async)",
        },
    ),
}  # fmt: skip


def _map(files: dict[str, str], folder: Callable[[dict[str, str]], Path]) -> Mapped:
    return map_folders([folder(files)])


@pytest.mark.parametrize("name", CASES)
def test_reads_it_right(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    assert set(_map(files, folder).network.flows) == expected


def _span(number: int, service: str, **more: object) -> dict[str, object]:
    return {
        "traceId": "t",
        "id": str(number),
        "localEndpoint": {"serviceName": service},
        "timestamp": 1,
        **more,
    }


def test_zipkins_names_have_no_case_and_its_spans_name_topics_and_databases(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    spans = [
        _span(1, "Shop", kind="CLIENT"),
        _span(2, "oms", parentId="1", kind="SERVER"),
        _span(3, "oms", parentId="2", kind="PRODUCER", tags={"kafka.topic": "placed"}),
        _span(4, "SHIP", parentId="3", kind="CONSUMER", tags={"kafka.topic": "placed"}),
        _span(5, "ship", parentId="4", kind="CLIENT", remoteEndpoint={"serviceName": "MySQL"}),
        _span(
            6, "shop", kind="CLIENT", remoteEndpoint={"serviceName": "ledger"}, tags={"sql.query": "select 1"}
        ),
        _span(7, "unknown", kind="CLIENT", remoteEndpoint={"serviceName": "oms"}),
    ]
    mapped = _map({"z.json": json.dumps(spans)}, folder)
    assert set(mapped.network.flows) == {
        "shop > oms (sync)",
        "ship > oms [placed] (async)",
        "ship > mysql (db/mysql)",
        "shop > ledger (db)",
    }
    assert [f.text for f in mapped.network.findings] == [
        "1 call by or to services whose spans do not name them"
    ]
