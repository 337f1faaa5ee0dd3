"""Identities of runs, steps and events."""

from __future__ import annotations

import hashlib
import os
from uuid import UUID

__all__ = ["event_id", "event_run", "lane_of", "new_uuid", "start_run", "step_key"]


def _digest(*parts: str) -> str:
    """Of parts that may contain anything: each one's length is part of it."""
    joined = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hashlib.blake2b(joined, digest_size=16).hexdigest()


def event_run(delivery: str, code: str) -> str:
    """The run that handles a delivery, whichever version of the handler it begins with."""
    return _digest("event", delivery, code.rpartition("/")[0])


def start_run(caller: str, code: str, key: str) -> str:
    """The run that a call with an idempotency key starts."""
    return _digest("start", caller, code.rpartition("/")[0], key)


def step_key(keyed: str, step: str) -> str:
    """A step's idempotency key: the same at every attempt (durability, rule 3)."""
    return f"{keyed}{step}" if step.startswith("/") else f"{keyed}/{step}"


def event_id(keyed: str, step: str) -> str:
    """The id of an event that a run publishes."""
    return _digest("published", keyed, step)


def lane_of(subscription: str, key: str | None) -> str | None:
    """Whose order a run keeps; None: nobody's."""
    return None if key is None else f"{subscription}\n{key}"


def new_uuid(now: int) -> str:
    """A UUID of version 7 for a time in microseconds."""
    value = (now // 1000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
