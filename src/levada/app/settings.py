"""How an app takes calls in and who may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from levada.app.context import Caller

__all__ = ["Settings"]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one app.

    Attributes:
        environment: The name of the environment; keys, records and facts carry it.
        deadline: Seconds that a request may take where it states none itself. Default 30.
        longest_deadline: Seconds that a request may ask for at most. Default 300.
        body_limit: Bytes of a request's body. Default 1 MiB.
        anonymous: What a request without a credential is taken for; None: it is refused (401). Default: a
            caller without scopes.
        trust_unix: Whether ``levada-caller`` headers are believed on a Unix socket, as the gateway
            sends them. Default true; over TCP they are refused always.
        identity: The secret of the network's own signed tokens, or None: none are taken.
        plans: The scopes of each plan, for callers that the gateway tells of.
        wire: Whether values cross borders in process in their wire form even where they need not, as
            the test kit has it. Default false.
        drain: Seconds that a stop waits for requests in flight. Default 30.
    """

    environment: str = "development"
    deadline: float = 30.0
    longest_deadline: float = 300.0
    body_limit: int = 1 << 20
    anonymous: Caller | None = field(default_factory=Caller)
    trust_unix: bool = True
    identity: str | None = None
    plans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    drain: float = 30.0
    wire: bool = False
