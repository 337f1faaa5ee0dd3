"""The gateway in front: Envoy's configuration, its supervision, keys, plans and limits."""

from levada.gateway.model import (
    Credential,
    Gateway,
    GatewayConfiguration,
    Listener,
    Plan,
    Route,
    Upstream,
    per_second,
)

__all__ = [
    "Credential",
    "Gateway",
    "GatewayConfiguration",
    "Listener",
    "Plan",
    "Route",
    "Upstream",
    "per_second",
]
