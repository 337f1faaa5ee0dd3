"""One attempt of one call."""

from __future__ import annotations

import asyncio

from levada._fences import fence_of
from levada.app.context import InRun, in_run
from levada.process._calls import Call
from levada.process._ids import step_key
from levada.process._protocol import Attempt, Performed, Performer, Unknown
from levada.process._rows import RunRow
from levada.process._told import OF_CODE, told

__all__ = ["perform"]


async def perform(performer: Performer, row: RunRow, call: Call, now: int, fences: int = 0) -> Performed:
    """Make one attempt in this task, under a deadline of its own; ``now`` is the store's time, microseconds UTC.

    ``fences``: where those of the store's epoch begin.
    """
    retry = call.operation.retry
    in_run.set(InRun(row.id, row.traceparent, call.step.id))
    attempt = Attempt(
        run=row.id,
        key=step_key(row.keyed, call.step.id),
        number=call.failed + 1,
        repeated=call.unknown,
        deadline=now + round(retry.timeout * 1_000_000),
        timeout=retry.timeout,
        fence=fence_of(row.generation, fences + row.fence),
        initiator=row.initiator,
        traceparent=row.traceparent,
    )
    try:
        async with asyncio.timeout(retry.timeout):
            return await performer.perform(call.step, attempt)
    except TimeoutError:
        return Unknown(f"no answer within {retry.timeout:g} s")
    except Exception as error:
        # What was done before it was raised is not known.
        return Unknown(told(error), lasting=isinstance(error, OF_CODE))
