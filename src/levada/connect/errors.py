"""What a connector says when a system could not be used, and what is known of the outcome.

The process engine goes by the class (durability, rule 3): :class:`Unavailable` is
known not to have happened, :class:`RemoteFault` is known to be refused,
:class:`OutcomeUnknown` may or may not have happened.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from levada._errors import LevadaError

__all__ = [
    "ConnectError",
    "ExtraMissing",
    "NotStarted",
    "OutcomeUnknown",
    "RemoteFault",
    "SecretMissing",
    "SettingsError",
    "Unavailable",
]


class ConnectError(LevadaError, code="LV1600"):
    """The resource {resource} failed: {reason}

    ``outcome``: what is known of the call's effect: ``not_done`` (safe to repeat),
    ``refused`` (the system answered no), ``unknown`` (repeat under the same key, or look it up).
    """

    outcome: ClassVar[Literal["not_done", "refused", "unknown"]] = "not_done"

    @property
    def failed(self) -> bool:
        """Whether the system itself answered that it failed, and not that it is down: the same again is a defect of it."""
        return bool(self.values.get("failed"))


class Unavailable(ConnectError, code="LV1601"):
    """The resource {resource} was not reached: {reason} Nothing was done; it is safe to try again."""


class OutcomeUnknown(ConnectError, code="LV1602"):
    """The answer of {resource} was lost: {reason} It may or may not have been done; repeat it under the same key or look it up."""

    outcome: ClassVar[Literal["not_done", "refused", "unknown"]] = "unknown"


_LASTING = frozenset(("400", "405", "410", "413", "414", "415", "422", "wsdl"))
"""HTTP statuses that say the request is wrong, and a request that the WSDL does not know."""


class RemoteFault(ConnectError, code="LV1603"):
    """The resource {resource} refused: [{fault}] {reason}

    ``values["fault"]`` is the system's own code: a SQLSTATE, a SOAP fault code, an HTTP status.
    """

    outcome: ClassVar[Literal["not_done", "refused", "unknown"]] = "refused"

    @property
    def fault(self) -> str:
        """The system's own code of the fault."""
        return str(self.values.get("fault", ""))

    @property
    def lasting(self) -> bool:
        """Whether a repeat would be refused in the same way, so that runs make few of them."""
        return self.fault in _LASTING

    @property
    def reason(self) -> str:
        """What the system said."""
        return str(self.values.get("reason", ""))


class SettingsError(LevadaError, code="LV1604"):
    """[resources.{resource}]: {reason} {mend}"""


class SecretMissing(LevadaError, code="LV1605"):
    """The secret {reference} cannot be read: {reason} Set it, or correct the reference."""


class ExtraMissing(LevadaError, code="LV1606"):
    """{what} needs the extra {extra!r}, which is not installed: pip install 'levada[{extra}]'"""


class NotStarted(LevadaError, code="LV1607"):
    """The resource {resource} is not started. Use it within `async with`, or call start() first."""
