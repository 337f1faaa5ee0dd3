"""Makes the calls of runs: through the same proxies as any other call."""

from __future__ import annotations

import asyncio
from time import monotonic

import msgspec

from levada.app import Caller, Context
from levada.app.context import _current, parse_traceparent
from levada.app.outcome import cause_of, hidden_by
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    NotSent,
    StandardProblem,
    TooManyRequests,
    Unauthorized,
)
from levada.deployment import _codec
from levada.process._protocol import Attempt, Known, Performed, Refused, Unknown
from levada.process._steps import Step
from levada.process._told import OF_CODE, place_of

__all__ = ["ProxyPerformer"]

_AGAIN = (NotSent, TooManyRequests)
_UNKNOWN = (Conflict, DeadlineExceeded)


class ProxyPerformer:
    """Performs the calls of an app's runs; may be called concurrently."""

    async def perform(self, step: Step, attempt: Attempt) -> Performed:
        """Make one attempt, under a deadline of its own and the step's key."""
        proxy, operation, arguments, caller = step.payload
        context = _context(caller, attempt)
        token = _current.set(context)
        try:
            async with asyncio.timeout(attempt.timeout):
                result = await getattr(proxy, operation.name)(*arguments)
        except TimeoutError:
            return Unknown(f"no answer within {attempt.timeout:g} s")
        except Problem as problem:
            return _of_problem(problem, operation)
        finally:
            _current.reset(token)
        return Known(_codec.encode_result(result))


def _context(caller: Caller, attempt: Attempt) -> Context:
    actors = (attempt.initiator,) if attempt.initiator else ()
    acting = msgspec.structs.replace(caller, actors=actors)
    context = Context(
        deadline=monotonic() + attempt.timeout, caller=acting, consumer=caller.subject, key=attempt.key
    )
    context.attempt = 1 if attempt.number == 1 and not attempt.repeated else max(2, attempt.number)
    context.fence = attempt.fence
    parsed = parse_traceparent(attempt.traceparent)
    if parsed is not None:
        context.trace, context.span, context.flags = parsed
    return context


def _of_problem(problem: Problem, operation: Operation) -> Performed:
    if isinstance(problem, operation.raises):
        return Refused(_codec.encode_problem(problem))
    if isinstance(problem, _AGAIN):
        return Refused(_codec.encode_problem(problem), declared=False, again=True, reason=_said(problem))
    if (
        isinstance(problem, StandardProblem)
        and problem.fault == "caller"
        and not isinstance(problem, _UNKNOWN)
    ):
        return Refused(_codec.encode_problem(problem), declared=False, reason=str(problem))
    return _failed(problem)


def _failed(problem: Problem) -> Unknown:
    failed = isinstance(problem, InternalError)
    cause = hidden_by(problem) if failed else None
    if cause is None:
        refused = _not_let_in(problem)
        # A failure without a cause here is one that a service has answered: what it hides is the service's own.
        return (
            Unknown(_said(problem), failed=failed) if refused is None else Unknown(str(refused), lasting=True)
        )
    # What a repeat changes nothing about: a connector knows it, a defect of the code is its own proof.
    lasting = getattr(cause, "lasting", isinstance(cause, (Problem, *OF_CODE)))
    return Unknown(_said(problem), lasting=lasting, failed=getattr(cause, "failed", False))


def _not_let_in(problem: BaseException | None) -> StandardProblem | None:
    """That a service further down does not let this network in: nobody but its operator changes that."""
    while problem is not None and not isinstance(problem, Unauthorized | Forbidden):
        problem = problem.__cause__
    return problem


def _first_said(problem: Problem) -> Problem:
    """What the last service said that was asked: those before it hide that from their callers."""
    while isinstance(problem, InternalError) and isinstance(problem.__cause__, StandardProblem):
        problem = problem.__cause__
    return problem


def _said(problem: Problem) -> str:
    """For the journal, and so for the operator: also what the problem hides from its caller, and where it was raised."""
    cause = hidden_by(problem)
    if cause is None:
        return str(_first_said(problem))
    place = place_of(cause)
    return f"{cause_of(problem)} ({problem.code}{place and ', '}{place})"
