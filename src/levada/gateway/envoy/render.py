"""The configuration of Envoy, as data.

``lds.json`` is frozen after the start, since a change of it drains every connection;
routes (``rds.json``), upstreams (``cds.json``) and keys (``ecds.json``) change while
it serves. See https://www.envoyproxy.io/docs/envoy/latest/configuration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from levada.gateway.envoy._replies import access_log, local_replies
from levada.gateway.model import GatewayConfiguration, Route

__all__ = ["render"]

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_NETWORK = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_CORE = "type.googleapis.com/envoy.config"
_Source: TypeAlias = Callable[[str], dict[str, Any]]

FORGEABLE = (
    "x-consumer-id",
    "levada-caller",
    "levada-scopes",
    "levada-organisation",
    "levada-identity",
    "levada-attempt",
    "levada-fence",
    "levada-limit-ms",
    # By these a client would tell Envoy itself to wait longer, or to send a request that is not safe again.
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-hedge-on-per-try-timeout",
)
"""Headers that only this gateway may set: a client that sends one is stripped of it."""

OFF: Mapping[str, Any] = {"@type": f"{_CORE}.route.v3.FilterConfig", "disabled": True}
FORWARDING: Mapping[str, Any] = {"header": "x-consumer-id", "hide_credentials": True}
"""The app is told the client, never the key."""


def render(
    configuration: GatewayConfiguration, folder: str, *, watched_directory: bool = False
) -> Mapping[str, bytes]:
    """The files of a configuration, by name; ``folder`` is where they will lie.

    ``watched_directory``: the folder is a mounted ConfigMap, whose files change by a link of the folder's. Without
    it a change of one file does not make Envoy read the others anew.
    """

    def source(name: str) -> dict[str, Any]:
        path: dict[str, Any] = {"path": f"{folder}/{name}"}
        if watched_directory:
            path["watched_directory"] = {"path": folder}
        return {"resource_api_version": "V3", "path_config_source": path}

    documents = {
        "bootstrap.json": _bootstrap(configuration, folder, source),
        "cds.json": _resources(_clusters(configuration)),
        "ecds.json": _resources([_keys(configuration)]),
        "rds.json": _resources([_routes(configuration)]),
        "lds.json": _resources([_listener(configuration, folder, source)]),
    }
    return {
        name: msgspec.json.format(msgspec.json.encode(d, order="deterministic"), indent=1)
        for name, d in documents.items()
    }


def _resources(resources: list[Any]) -> dict[str, Any]:
    version = hashlib.sha256(msgspec.json.encode(resources, order="deterministic")).hexdigest()[:12]
    # Envoy tells the version it has in force, so that desired and applied can be compared.
    return {"version_info": version, "resources": resources}


def _bootstrap(configuration: GatewayConfiguration, folder: str, source: _Source) -> dict[str, Any]:
    return {
        "node": {"id": "levada", "cluster": f"levada-{configuration.environment}"},
        "admin": {
            "address": {"pipe": {"path": str(Path(folder) / configuration.listener.admin), "mode": 0o600}}
        },
        "dynamic_resources": {
            "lds_config": source("lds.json"),
            "cds_config": source("cds.json"),
        },
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": 1000}}],
        },
    }


def _listener(configuration: GatewayConfiguration, folder: str, source: _Source) -> dict[str, Any]:
    listener = configuration.listener
    chain: dict[str, Any] = {
        "filters": [{"name": "http", "typed_config": _manager(configuration, folder, source)}]
    }
    if listener.certificate and listener.private_key:
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [
                        {
                            "certificate_chain": {"filename": listener.certificate},
                            "private_key": {"filename": listener.private_key},
                        }
                    ],
                },
            },
        }
    return {
        "@type": f"{_CORE}.listener.v3.Listener",
        "name": "public",
        "address": {"socket_address": {"address": listener.host, "port_value": listener.port}},
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [chain],
    }


def _manager(configuration: GatewayConfiguration, folder: str, source: _Source) -> dict[str, Any]:
    return {
        "@type": _NETWORK,
        "stat_prefix": "public",
        "codec_type": "AUTO",
        "server_name": "levada",
        "use_remote_address": True,
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "300s",
            "max_headers_count": 100,
        },
        "max_request_headers_kb": 32,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "early_header_mutation_extensions": [
            {
                "name": "strip",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    "mutations": [{"remove": name} for name in FORGEABLE],
                },
            }
        ],
        "rds": {"route_config_name": "public", "config_source": source("rds.json")},
        "http_filters": [
            _key_filter(source),
            {"name": "products", "typed_config": {"@type": f"{_HTTP}.rbac.v3.RBAC"}},
            _limits(configuration),
            _body_limit(configuration),
            _router(),
        ],
        "access_log": [access_log(str(Path(folder) / configuration.listener.log))],
        "local_reply_config": local_replies(configuration.listener.body_limit),
    }


def _key_filter(source: _Source) -> dict[str, Any]:
    return {
        "name": "keys",
        "config_discovery": {
            "config_source": source("ecds.json"),
            "type_urls": [f"{_HTTP}.api_key_auth.v3.ApiKeyAuth"],
            # Without its keys the gateway lets nobody in.
            "apply_default_config_without_warming": False,
        },
    }


def _keys(configuration: GatewayConfiguration) -> dict[str, Any]:
    credentials = [{"key": c.key, "client": c.client} for c in configuration.credentials]
    return {
        "@type": f"{_CORE}.core.v3.TypedExtensionConfig",
        "name": "keys",
        "typed_config": {
            "@type": f"{_HTTP}.api_key_auth.v3.ApiKeyAuth",
            "credentials": credentials,
            "key_sources": [{"header": "x-api-key"}],
            "forwarding": FORWARDING,
        },
    }


def _limits(configuration: GatewayConfiguration) -> dict[str, Any]:
    """Each consumer has a bucket of its own, as large as its plan says.

    They are in the filter, not in the routes: a route's buckets begin anew with every change of routes.
    """
    actions: list[dict[str, Any]] = []
    descriptors: list[dict[str, Any]] = []
    for plan in configuration.plans:
        belongs = {"name": "x-consumer-id", "string_match": {"suffix": f"/{plan.name}"}}
        actions.append(
            {
                "actions": [
                    {
                        "header_value_match": {
                            "descriptor_key": "plan",
                            "descriptor_value": plan.name,
                            "headers": [belongs],
                        }
                    },
                    {"request_headers": {"header_name": "x-consumer-id", "descriptor_key": "consumer"}},
                ]
            }
        )
        descriptors.append(
            {
                "entries": [{"key": "plan", "value": plan.name}, {"key": "consumer"}],
                "token_bucket": {
                    "max_tokens": plan.calls,
                    "tokens_per_fill": plan.calls,
                    "fill_interval": f"{plan.seconds}s",
                },
            }
        )
    return {
        "name": "limits",
        "typed_config": {
            "@type": f"{_HTTP}.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limits",
            # The descriptors decide; this one only has to be there.
            "token_bucket": {
                "max_tokens": 1_000_000_000,
                "tokens_per_fill": 1_000_000_000,
                "fill_interval": "1s",
            },
            "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
            "filter_enforced": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
            "rate_limits": actions,
            "descriptors": descriptors,
            "max_dynamic_descriptors": configuration.listener.consumers,
            "always_consume_default_token_bucket": False,
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            "enable_retry_after_header": True,
            "local_rate_limit_per_downstream_connection": False,
        },
    }


def _body_limit(configuration: GatewayConfiguration) -> dict[str, Any]:
    return {
        "name": "body",
        "typed_config": {
            "@type": f"{_HTTP}.buffer.v3.Buffer",
            "max_request_bytes": configuration.listener.body_limit,
        },
    }


def _router() -> dict[str, Any]:
    return {
        "name": "router",
        "typed_config": {"@type": f"{_HTTP}.router.v3.Router", "suppress_envoy_headers": True},
    }


def _routes(configuration: GatewayConfiguration) -> dict[str, Any]:
    ordered = sorted(configuration.routes, key=lambda r: ("{" in r.path, -len(r.path), r.path, r.method))
    routes = [_route(route) for route in ordered]
    paths: dict[str, list[str]] = {}
    for route in ordered:
        paths.setdefault(_shape(route.path), []).append(route.method)
    samples = {_shape(r.path): r.path for r in ordered}
    routes += [_other_methods(samples[shape], sorted(methods)) for shape, methods in paths.items()]
    routes.append(_nothing())
    return {
        "@type": f"{_CORE}.route.v3.RouteConfiguration",
        "name": "public",
        "validate_clusters": True,
        "virtual_hosts": [{"name": "public", "domains": ["*"], "routes": routes}],
    }


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _match(path: str) -> dict[str, Any]:
    if "{" not in path:
        return {"path": path}
    parts = re.split(r"\{[^}]*\}", path)
    return {"safe_regex": {"regex": "[^/]+".join(re.escape(p) for p in parts)}}


def _subscribed(product: str) -> dict[str, Any]:
    """Lets in the clients of a product; what it costs does not grow with the number of consumers."""
    said = {"name": "x-consumer-id", "string_match": {"contains": f",{product},"}}
    policy = {"permissions": [{"any": True}], "principals": [{"header": said}]}
    return {
        "@type": f"{_HTTP}.rbac.v3.RBACPerRoute",
        "rbac": {"rules": {"action": "ALLOW", "policies": {"subscribed": policy}}},
    }


def _route(route: Route) -> dict[str, Any]:
    per_route: dict[str, Any] = (
        dict.fromkeys(("keys", "limits"), OFF) if route.open else {"products": _subscribed(route.product)}
    )
    return {
        "name": f"{route.operation} {route.product} {route.path}",
        "match": {
            **_match(route.path),
            "headers": [{"name": ":method", "string_match": {"exact": route.method}}],
        },
        "route": {
            "cluster": route.upstream,
            "timeout": f"{route.timeout:g}s",
            "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2},
        },
        # The app works no longer than somebody waits: a deadline that the client sent can only shorten this.
        "request_headers_to_add": [
            {
                "header": {"key": "levada-limit-ms", "value": str(max(1, round(route.timeout * 1000)))},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "typed_per_filter_config": per_route,
    }


def _other_methods(path: str, methods: list[str]) -> dict[str, Any]:
    allow = ", ".join(methods)
    body = {
        "type": "urn:levada:problem:method-not-allowed",
        "title": "The path exists, but not with this method.",
        "status": 405,
        "detail": f"This path takes {allow}.",
        "allowed": allow,
    }
    return _direct("method-not-allowed", _match(path), 405, body, {"allow": allow})


def _nothing() -> dict[str, Any]:
    body = {
        "type": "urn:levada:problem:not-found",
        "title": "Nothing is served here.",
        "status": 404,
        "detail": "No operation is served at this path.",
    }
    return _direct("not-found", {"prefix": "/"}, 404, body, {})


def _direct(
    code: str, match: dict[str, Any], status: int, body: dict[str, Any], headers: Mapping[str, str]
) -> dict[str, Any]:
    told = {
        "content-type": "application/problem+json",
        "levada-problem": code,
        "levada-fault": "caller",
        **headers,
    }
    return {
        "name": code,
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": msgspec.json.encode(body).decode()}},
        "response_headers_to_add": [
            {"header": {"key": k, "value": v}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for k, v in told.items()
        ],
        "typed_per_filter_config": dict.fromkeys(("keys", "limits"), OFF),
    }


def _clusters(configuration: GatewayConfiguration) -> list[Any]:
    return [
        {
            "@type": f"{_CORE}.cluster.v3.Cluster",
            "name": upstream.name,
            "type": "STATIC"
            if all(a.startswith("unix:") or _is_ip(a) for a in upstream.addresses)
            else "STRICT_DNS",
            "connect_timeout": "2s",
            "lb_policy": "LEAST_REQUEST",
            "load_assignment": {
                "cluster_name": upstream.name,
                "endpoints": [
                    {"lb_endpoints": [{"endpoint": {"address": _address(a)}} for a in upstream.addresses]}
                ],
            },
            "circuit_breakers": {
                "thresholds": [{"max_connections": 1024, "max_pending_requests": 4096, "max_requests": 4096}]
            },
            # An instance that does not answer is left out for a moment; the rest serve on.
            "outlier_detection": {
                "consecutive_gateway_failure": 5,
                "consecutive_5xx": 1000,
                "base_ejection_time": "1s",
                "max_ejection_percent": 50,
            },
        }
        for upstream in configuration.upstreams
    ]


def _is_ip(address: str) -> bool:
    return re.fullmatch(r"\d+\.\d+\.\d+\.\d+:\d+", address) is not None


def _address(address: str) -> dict[str, Any]:
    if address.startswith("unix:"):
        return {"pipe": {"path": address[5:]}}
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
