"""How a repeat of an unsafe call is recognised at an adapter (durability, rules 2 and 3).

``@effect.table``: the operation's transaction stays open until the operation returns;
then its result is written to ``levada_effect`` under the call's key, and change,
result and outbox commit together. A repeat finds the row and is answered from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec

from levada.app.border import Border
from levada.app.context import _current
from levada.app.outcome import Refusal
from levada.contract.effect import Effect
from levada.contract.operation import Operation
from levada.contract.ports import Transaction
from levada.contract.standard import InternalError, KeyReused

__all__ = ["EffectTable", "Keyed", "KeyedDatabase", "digest_of", "with_answers", "with_effect"]


class EffectTable(Protocol):
    """The table ``levada_effect`` in a system's database; events provide it."""

    async def find(self, tx: Transaction, key: str, digest: bytes, fence: int) -> bytes | None:
        """The result kept under a key; None if the call was not done. Takes the key for this transaction.

        Raises:
            Exception: The key was used with another digest, or the fence is lower than the one kept.
        """
        ...

    async def keep(self, tx: Transaction, key: str, digest: bytes, result: bytes, fence: int) -> None:
        """Write the result under the key."""
        ...


class _Answered(BaseException):
    def __init__(self, result: bytes) -> None:
        self.result = result


def digest_of(operation: Operation, arguments: tuple[Any, ...]) -> bytes:
    """A hash of a call's arguments in their wire form, defaults left out."""
    named = {
        p.name: a
        for p, a in zip(operation.parameters, arguments, strict=True)
        if p.required or a != p.default
    }
    return hashlib.sha256(
        msgspec.json.encode([operation.method, operation.path, named], order="deterministic")
    ).digest()


class Keyed:
    """One keyed call of an ``@effect.table`` operation: its one transaction, and its answer."""

    def __init__(self, table: EffectTable, key: str, digest: bytes, fence: int) -> None:
        self.table = table
        self.key = key
        self.digest = digest
        self.fence = fence
        self.stack = AsyncExitStack()
        self.tx: Transaction | None = None
        self.database: Any = None
        self.blocks = 0

    @asynccontextmanager
    async def block(
        self, database: Any, begin: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> AsyncGenerator[Any]:
        """A block of the call's transaction: begun by the first, joined by later ones.

        Leaving it commits nothing: the result belongs to the same transaction. What it raises undoes it,
        as without a key, also where the operation catches that and goes on.
        """
        if self.tx is not None:
            if database is not self.database:
                raise RuntimeError(
                    "an operation marked @effect.table changes one database; this one began a second"
                )
            async with _savepoint(self.tx, self.blocks):
                self.blocks += 1
                yield self.tx
            return
        tx: Transaction = await self.stack.enter_async_context(begin())
        kept = await self.table.find(tx, self.key, self.digest, self.fence)
        if kept is not None:
            raise _Answered(kept)
        self.tx, self.database = tx, database
        try:
            yield tx
        except BaseException as error:
            # The key is given back with the change: a block that follows takes it anew.
            self.tx = None
            await self.stack.__aexit__(type(error), error, error.__traceback__)
            raise


@asynccontextmanager
async def _savepoint(tx: Transaction, number: int) -> AsyncGenerator[None]:
    """Within a transaction, what a block changes is undone if the block raises."""
    name = f"levada_block_{number}"
    await tx.execute(f"SAVEPOINT {name}")
    try:
        yield
    except Exception:
        await tx.execute(f"ROLLBACK TO SAVEPOINT {name}")
        raise
    await tx.execute(f"RELEASE SAVEPOINT {name}")


class KeyedDatabase:
    """A database as an adapter sees it: within a keyed call ``begin()`` is the call's transaction."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def begin(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        """Begin a transaction, or join that of the keyed call under way."""
        keyed: Keyed | None = _current.get().effect
        if keyed is None:
            async with self._database.begin(*args, **kwargs) as tx:
                yield tx
            return
        async with keyed.block(self._database, lambda: self._database.begin(*args, **kwargs)) as tx:
            yield tx


def with_effect(
    target: Callable[..., Awaitable[Any]],
    instance: Any,
    operation: Operation,
    effect: Effect,
    table: Callable[[], EffectTable | None],
) -> Callable[..., Awaitable[Any]]:
    """The target with its effect: what is done before and after a keyed call."""
    if effect.kind == "table":
        return _with_table(target, operation, table)
    if effect.kind == "lookup":
        return _with_lookup(target, instance, effect)
    return target


def _with_lookup(
    target: Callable[..., Awaitable[Any]], instance: Any, effect: Effect
) -> Callable[..., Awaitable[Any]]:
    find = effect.find
    assert find is not None
    # find(self, key) or find(self, key, *arguments of the call)
    with_arguments = len(inspect.signature(find).parameters) > 2

    async def look_up_first(*arguments: Any) -> Any:
        context = _current.get()
        # The first attempt of a run is known to be the first: its intent was journaled just before.
        if context.key is not None and context.attempt != 1:
            found = (
                await find(instance, context.key, *arguments)
                if with_arguments
                else await find(instance, context.key)
            )
            if found is not None:
                return found
        return await target(*arguments)

    return look_up_first


def _with_table(
    target: Callable[..., Awaitable[Any]], operation: Operation, table: Callable[[], EffectTable | None]
) -> Callable[..., Awaitable[Any]]:
    border = None if operation.shape == "none" else Border(operation.result)

    async def once(*arguments: Any) -> Any:
        context = _current.get()
        effects = table()
        if context.key is None or effects is None:
            return await target(*arguments)
        digest = digest_of(operation, arguments)
        keyed = context.effect = Keyed(effects, context.key, digest, context.fence)
        try:
            async with keyed.stack:
                result = await target(*arguments)
                if keyed.tx is not None:
                    kept = _fitting(result, border)
                    await effects.keep(keyed.tx, keyed.key, digest, kept, keyed.fence)
        except _Answered as answered:
            return None if border is None else border.decode(answered.result)
        finally:
            context.effect = None
        return result

    return once


def _fitting(result: Any, border: Border | None) -> bytes:
    """A result in its wire form; one that does not fit the contract undoes the change, as it would be kept for good."""
    encoded = msgspec.json.encode(result)
    if border is None:
        if result is not None:
            raise InternalError
        return encoded
    try:
        border.decode(encoded)
    except msgspec.ValidationError as error:
        raise InternalError from error
    return encoded


def with_answers(
    target: Callable[..., Awaitable[Any]], operation: Operation
) -> Callable[..., Awaitable[Any]]:
    """A fake's target: what it answered to a key it answers to a repeat, as an effect table would, in memory."""
    kept: dict[str, tuple[bytes, asyncio.Future[Any]]] = {}

    async def once(*arguments: Any) -> Any:
        key = _current.get().key
        if key is None:
            return await target(*arguments)
        digest = digest_of(operation, arguments)
        if key not in kept:
            answer = asyncio.get_running_loop().create_future()
            kept[key] = digest, answer
            try:
                answer.set_result(await target(*arguments))
            except BaseException:
                # It was not done: the next attempt does it, and whoever waits for this one tries by itself.
                del kept[key]
                answer.cancel()
                raise
        known, answer = kept[key]
        if known != digest:
            raise Refusal(KeyReused())
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if not answer.cancelled():
                raise
        return await once(*arguments)

    return once
