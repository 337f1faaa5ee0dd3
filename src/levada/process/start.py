"""Durable operations: runs that a call starts (`durable=True`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from levada.process._errors import KeyReused
from levada.process._ids import start_run
from levada.process._protocol import Handler, Seal
from levada.process._rows import CHANNEL
from levada.store.protocol import Statement, Store, Unit

__all__ = ["Started", "start"]


class Started(Struct, frozen=True):
    """A run that was started, now (``new``) or by an earlier call with the same key."""

    run: str
    new: bool
    state: str
    result: bytes | None


async def start(
    store: Store,
    handler: Handler,
    *,
    caller: str,
    key: str,
    data: bytes,
    initiator: str,
    traceparent: str = "",
    seals: Callable[[Handler, str], Seal] | None = None,
) -> Started:
    """Start a run by a call; returns once it cannot be lost any more.

    Args:
        store: Where runs are.
        handler: The version that new runs begin with.
        caller: Whose key it is: keys of different callers never meet.
        key: The call's idempotency key. Without one from the caller, pass a fresh random one.
        data: The encoded arguments.
        initiator: Who asked for it; recorded, and handed to what the run calls.
        traceparent: W3C trace context.
        seals: As for workers: keeps what the arguments tell of persons closed.

    Raises:
        KeyReused: The key was used with other arguments.
    """
    code = handler.id.code
    run = start_run(caller, code, key)
    params: dict[str, Any] = dict.fromkeys(
        ("event", "subscription", "topic", "part", "pos", "key", "lane", "since")
    )
    seal = None if seals is None else seals(handler, run)
    kept = data
    if seal is not None:
        await seal.input(data)
        kept = seal.close(data)
    params |= {
        "run": run,
        "keyed": run,
        "code": code,
        "type": "",
        "generation": 0,
        "across": 0,
        "input": kept,
        "initiator": initiator,
        "traceparent": traceparent,
    }
    added = await store.commit(Unit([Statement("runs.add", params, 1)], (CHANNEL,)))
    row = (await store.read("runs.one", {"run": run}))[0]
    if (row["input"] if seal is None else await seal.open(row["input"])) != data:
        raise KeyReused(key=key)
    return Started(run, added.committed, row["state"], row["result"])
