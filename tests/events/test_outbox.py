"""Outbox and effects in a system's own database, on SQLite and PostgreSQL."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from levada._fences import fence_of
from levada.events.envelope import Envelope
from levada.events.outbox import (
    DialectUnknown,
    EffectFenced,
    EffectMismatch,
    EffectUnrecorded,
    answered,
    append,
    ddl,
    record,
)

Make = Callable[..., Envelope]


async def count(system: Any, table: str) -> int:
    async with system.begin() as tx:
        (row,) = await tx.fetch(f"SELECT count(*) AS n FROM {table}")
    return row["n"]


async def test_events_commit_with_the_change_or_not_at_all(any_system: Any, make: Make):
    async with any_system.begin() as tx:
        await tx.execute("INSERT INTO orders (id, total) VALUES ('o-1', 5)")
        await append(tx, [make(), make()])

    async def fail() -> None:
        async with any_system.begin() as tx:
            await append(tx, [make()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(any_system, "levada_outbox") == 2


async def charge(system: Any, key: str, digest: str = "d", fence: int = 0) -> bytes:
    async with system.begin() as tx:
        if (done := await answered(tx, key, digest, fence)) is not None:
            return done.result
        await tx.execute(f"INSERT INTO orders (id, total) VALUES ('{key}/{fence}', 5)")
        await record(tx, key, f"made by {fence}".encode())
        return f"made by {fence}".encode()


async def test_a_repeat_is_answered_and_changes_nothing(any_system: Any):
    assert await charge(any_system, "run-1/2", fence=1) == b"made by 1"
    assert await charge(any_system, "run-1/2", fence=2) == b"made by 1"
    assert await count(any_system, "orders") == 1


async def test_a_superseded_worker_is_refused(any_system: Any):
    await charge(any_system, "k", fence=2)
    with pytest.raises(EffectFenced):
        await charge(any_system, "k", fence=1)
    # A repeat by a newer worker raises the bar, too.
    await charge(any_system, "k", fence=5)
    with pytest.raises(EffectFenced):
        await charge(any_system, "k", fence=4)


async def test_runs_of_other_generations_do_not_supersede_each_other(any_system: Any):
    """A replay's run and the one before it have the same keys, and fences that count takings of their own."""
    for generation, takings in ((1, 6), (2, 1), (1, 7), (3, 1), (2, 2)):
        assert await charge(any_system, "k", fence=fence_of(generation, takings)) == b"made by 6"
    assert await count(any_system, "orders") == 1
    with pytest.raises(EffectFenced):
        await charge(any_system, "k", fence=fence_of(3, 0))
    restored = 1_800_000_000_000_000
    assert await charge(any_system, "k", fence=fence_of(3, restored)) == b"made by 6"


async def test_a_key_with_other_arguments_is_an_error(any_system: Any):
    await charge(any_system, "k", digest="one")
    with pytest.raises(EffectMismatch):
        await charge(any_system, "k", digest="two")


async def test_a_failed_attempt_leaves_the_key_free(any_system: Any):
    async def fail() -> None:
        async with any_system.begin() as tx:
            assert await answered(tx, "k", "d") is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await charge(any_system, "k") == b"made by 0"


async def test_an_effect_whose_result_was_forgotten_is_not_repeated(any_system: Any):
    async with any_system.begin() as tx:
        await answered(tx, "k", "d")
    with pytest.raises(EffectUnrecorded):
        await charge(any_system, "k")
    async with any_system.begin() as tx:
        with pytest.raises(EffectUnrecorded):
            await record(tx, "never claimed", b"")


async def test_concurrent_attempts_make_one_effect(pg_system: Any):
    results = await asyncio.gather(*(charge(pg_system, "k", fence=7) for _ in range(8)))
    assert set(results) == {b"made by 7"}
    assert await count(pg_system, "orders") == 1


def test_other_dialects_say_what_there_is():
    with pytest.raises(DialectUnknown, match="postgresql and sqlite"):
        ddl("oracle")
