"""What a gateway is told: routes, upstreams, plans and the keys that are good.

Plain records, the same for every gateway; Envoy is the first that renders them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

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

_RATE = re.compile(r"\s*(\d+)\s*/\s*(s|min|h)\s*")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_PRODUCT = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def per_second(rate: str) -> tuple[int, int]:
    """(calls, seconds) of ``"600/min"``; raises ValueError where it is no rate."""
    found = _RATE.fullmatch(rate)
    if found is None or not int(found[1]):
        raise ValueError(f"{rate!r} is no rate; write 50/s, 600/min or 1000/h")
    return int(found[1]), _SECONDS[found[2]]


class Route(Struct, frozen=True, kw_only=True):
    """One operation as it is reached from outside.

    ``operation``: ``sales/Storefront/v1.status``. ``path``: a template,
    ``/sales/storefront/v1/orders/{id}/status``. ``timeout``: seconds. ``open``: needs no key.
    """

    operation: str
    method: str
    path: str
    product: str
    upstream: str = "app"
    timeout: float = 30.0
    open: bool = False


class Upstream(Struct, frozen=True, kw_only=True):
    """Where requests go. ``addresses``: ``unix:PATH`` or ``host:port``, each an instance.

    The app believes what the gateway says of a caller on Unix sockets alone.
    """

    name: str
    addresses: Sequence[str]


class Plan(Struct, frozen=True, kw_only=True):
    """The limit of one consumer under a plan: ``calls`` in ``seconds``, as a token bucket."""

    name: str
    calls: int
    seconds: int


class Credential(Struct, frozen=True, kw_only=True):
    """A key that is good now. ``key`` is in clear: it lives in memory and in Envoy's file of mode 0600.

    Names have letters, digits, ``-``, ``.`` and ``_`` (products also ``/``); else ValueError.
    """

    key: str
    consumer: str
    plan: str
    products: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.consumer) and _NAME.fullmatch(self.plan)):
            raise ValueError(
                f"{self.consumer!r} or {self.plan!r} has other than letters, digits, '-', '.' and '_'"
            )
        if not all(_PRODUCT.fullmatch(product) for product in self.products):
            raise ValueError(f"{self.products!r} has other than letters, digits, '/', '-', '.' and '_'")

    @property
    def client(self) -> str:
        """What the gateway tells the app: ``consumer/,product,product,/plan``.

        Each consumer is limited by itself in each plan and set of products, whatever the number of its keys.
        """
        return f"{self.consumer}/,{','.join(self.products)},/{self.plan}"


class Listener(Struct, frozen=True, kw_only=True):
    """How the gateway listens, and what it lets through.

    ``body_limit``: bytes of a request's body. ``certificate``, ``private_key``: files, for TLS.
    ``log``: the access log's file, in the gateway's folder if it is relative.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    body_limit: int = 1 << 20
    certificate: str | None = None
    private_key: str | None = None
    log: str = "access.log"
    admin: str = "admin.sock"
    """Unix socket of the gateway's own administration, mode 0600, in its folder if relative; elsewhere where that
    folder cannot be written to. A supervisor that starts Envoy itself needs the default."""
    consumers: int = 65_536
    """How many consumers are limited each by itself; Envoy lets those beyond pass, so keep it above the active ones."""


class GatewayConfiguration(Struct, frozen=True, kw_only=True):
    """All that a gateway is told."""

    listener: Listener
    routes: Sequence[Route]
    upstreams: Sequence[Upstream]
    plans: Sequence[Plan]
    credentials: Sequence[Credential] = ()
    environment: str = "development"
    labels: Mapping[str, str] = field(default_factory=dict)


class Gateway(Protocol):
    """A running gateway: what it is told, and what of it is in force. Calls may be concurrent; they take turns."""

    def render(self, configuration: GatewayConfiguration) -> Mapping[str, bytes]:
        """The files of a configuration, by name. Has no other effect and may be repeated."""
        ...

    async def validate(self, configuration: GatewayConfiguration) -> str | None:
        """Why the gateway would refuse it, or None. What is in force is not touched."""
        ...

    async def apply(self, configuration: GatewayConfiguration) -> Sequence[str]:
        """Bring it into force; returns, once it is, what changed.

        Raises:
            GatewayRejected: It was refused: the last good routes stay, but keys that have ended are refused all the same.
        """
        ...
