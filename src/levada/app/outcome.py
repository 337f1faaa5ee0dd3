"""What a call may end with, the same in process and over HTTP.

Declared problems and standard ones pass; everything else is an internal error without
internals. An exception group of problems ends as the problem itself.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from levada.app.context import Context
from levada.app.records import CALLER, DECLARED, PROVIDER
from levada.contract._integers import integers_of
from levada.contract.operation import Operation
from levada.contract.problem import Problem, fields_of, struct_of
from levada.contract.standard import (
    Conflict,
    DeadlineExceeded,
    InternalError,
    NotSent,
    StandardProblem,
    TooManyRequests,
    Unavailable,
)
from levada.store.errors import QueryUnknown, StoreError, StoreUnknown

__all__ = ["cause_of", "ended", "hidden_by", "outcome_of", "problem_document", "settle"]

log = logging.getLogger("levada.call")

PASSING: tuple[type[StandardProblem], ...] = (Unavailable, DeadlineExceeded, TooManyRequests)
"""Problems of something behind that are told to the caller as they are."""


_LONGEST = 1_000
"""Characters of a cause that are kept: some exceptions repeat whole documents."""


class Refusal(Exception):
    """A standard problem said by the border itself, not by the code behind it."""

    def __init__(self, problem: StandardProblem) -> None:
        self.problem = problem


def outcome_of(problem: Problem) -> int:
    """The outcome that a call record counts a problem as."""
    if not isinstance(problem, StandardProblem):
        return DECLARED
    return CALLER if problem.fault == "caller" else PROVIDER


def problem_document(problem: Problem, context: Context) -> dict[str, Any]:
    """A problem as it is answered: a failure says under which trace its operator finds the cause."""
    document = problem.document()
    if problem.status >= 500:
        document.setdefault("trace", context.trace_id)
    return document


def cause_of(problem: Problem) -> str:
    """What lies behind a problem that hides it, as class and message, for its operator alone; empty: nothing is known."""
    found = hidden_by(problem)
    return "" if found is None else f"{type(found).__name__}: {found}"[:_LONGEST]


def hidden_by(problem: Problem) -> BaseException | None:
    """The exception that a problem hides from its caller; None: nothing is known."""
    found: BaseException | None = problem
    while isinstance(found, StandardProblem | Refusal | BaseExceptionGroup):
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else found.__cause__
    return found


def settle(error: BaseException, operation: Operation, name: str) -> BaseException:
    """What the caller is told of an exception raised behind an operation.

    Cancellation and the like are no answers and are handed back as they are.
    """
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, BaseExceptionGroup):
        error = _of_group(error, operation)
    if isinstance(error, Problem):
        return _of_problem(error, operation, name)
    if isinstance(error, TimeoutError) and not isinstance(error, asyncio.CancelledError):
        log.warning("call_timed_out", extra={"operation": name}, exc_info=error)
        return DeadlineExceeded()
    if isinstance(error, StoreError) and not isinstance(error, QueryUnknown):
        return _of_store(error, name)
    if (of_system := _of_system(error, operation, name)) is not None:
        return of_system
    if isinstance(error, Exception):
        log.error("call_failed", extra={"operation": name}, exc_info=error)
        return InternalError()
    return error


def _of_system(error: BaseException, operation: Operation, name: str) -> StandardProblem | None:
    """What a connector knows of its system (``outcome``, ``failed``: see ``levada.connect.errors``)."""
    known = getattr(error, "outcome", None)
    if getattr(error, "failed", False) and (known == "unknown" or operation.safe):
        return None  # it is there, and has a defect
    if known == "not_done":
        log.warning("system_not_reached", extra={"operation": name, "error": str(error)})
        return NotSent(reason="The system behind this API cannot be reached now.")
    if known == "unknown":
        log.warning("system_answer_lost", extra={"operation": name, "error": str(error)})
        return Unavailable(reason="The answer of the system behind this API was lost.")
    return None


def _of_store(error: StoreError, name: str) -> StandardProblem:
    """A store that is full, read-only or away is no fault of the code: it passes, and the request may come again."""
    log.error("store_refused", extra={"operation": name, "error": str(error)})
    if isinstance(error, StoreUnknown):
        reason = "The answer of the store was lost; repeat the request under the same key."
    else:
        reason = "The store cannot take this now, and nothing of it was kept; ask again after a pause."
    return Unavailable(reason=reason, retry_after=1.0)


def _of_group(group: BaseExceptionGroup[BaseException], operation: Operation) -> BaseException:
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        each = pending.pop(0)
        if isinstance(each, BaseExceptionGroup):
            pending.extend(each.exceptions)
        else:
            leaves.append(each)
    declared = [leaf for leaf in leaves if isinstance(leaf, operation.raises)] if operation.raises else []
    if declared and all(isinstance(leaf, Problem) for leaf in leaves):
        return declared[0]
    fatal = [leaf for leaf in leaves if not isinstance(leaf, Exception)]
    others = [leaf for leaf in leaves if isinstance(leaf, Exception) and not isinstance(leaf, Problem)]
    return (fatal or others or leaves)[0]


def _of_problem(problem: Problem, operation: Operation, name: str) -> Problem:
    declared = ended(problem, operation)
    if declared is not None:
        return declared
    if isinstance(problem, NotSent):
        # What was not sent further down may follow on something that was done here.
        return Unavailable(reason=problem.reason, retry_after=problem.retry_after)
    if isinstance(problem, Conflict):
        return Unavailable(
            reason="An earlier attempt of the same request is still under way; ask again.", retry_after=1.0
        )
    if isinstance(problem, PASSING):
        return problem
    log.error(
        "problem_undeclared",
        extra={"operation": name, "problem": problem.code},
        exc_info=problem,
    )
    return InternalError()


def ended(problem: Problem, operation: Operation) -> Problem | None:
    """The problem as the operation declares it, made anew as on the wire; None if it does not."""
    for base in type(problem).__mro__:
        if base in operation.raises:
            try:
                return _as_on_the_wire(problem, base)
            except (msgspec.ValidationError, TypeError, ValueError) as error:
                log.error(
                    "problem_malformed",
                    extra={"operation": operation.name, "problem": base.code},
                    exc_info=error,
                )
                return None
    return None


def _as_on_the_wire(problem: Problem, declared: type[Problem]) -> Problem:
    document = msgspec.json.decode(msgspec.json.encode(problem.document()))
    told = declared.parse({k: v for k, v in document.items() if k in fields_of(declared)})
    struct = struct_of(declared)
    integers_of(struct).check(struct(**{name: getattr(told, name) for name in fields_of(declared)}))
    return told
