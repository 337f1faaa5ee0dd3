"""What each channel is and the terms that it comes with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

__all__ = ["Agent", "Channel", "Mobile", "Partner"]


class Mobile(Struct, frozen=True, tag="mobile"):
    """An app on a phone or in a browser. ``rate``: requests of one consumer, ``"600/min"``."""

    rate: str = "600/min"


class Partner(Struct, frozen=True, tag="partner"):
    """Another company's systems. ``plans``: the plans that it may subscribe to, by name."""

    plans: Sequence[str] = ()


class Agent(Struct, frozen=True, tag="agent"):
    """An AI agent. ``budget``: calls that one agent may make, ``"20/min"``."""

    budget: str = "20/min"


Channel: TypeAlias = Mobile | Partner | Agent
