"""What a run can say to a person."""

from __future__ import annotations

from levada._errors import LevadaError

__all__ = [
    "AwaitMissing",
    "ForeignAwait",
    "HandlerFailed",
    "HandlerMissing",
    "KeyReused",
    "NoOpenCall",
    "NotAwaited",
    "NotInRun",
    "RepeatFails",
    "RetriesExhausted",
    "RunChanged",
    "RunNotFound",
    "StepsExhausted",
    "UndoFailed",
    "UnknownOutcome",
    "WhyMissing",
    "WrongState",
]


class NotInRun(LevadaError, code="LV1501"):
    """{name} only works inside a run. Call it from a handler (`@handles`) or a durable operation."""


class ForeignAwait(LevadaError, code="LV1502"):
    """A run awaited {what}, which no journal knows, so it could not be answered again after a crash.
    Use levada.run (sleep, gather, race, now, uuid, random) or call an operation of a dependency.
    """


class RunChanged(LevadaError, code="LV1503"):
    """At step {step} the journal has {journal}, the code now does {code}. Keep the former code as a
    version of the handler until its runs have ended, or compensate the run.
    """


class StepsExhausted(LevadaError, code="LV1504"):
    """The run has made {count} steps, the most that one run may make. Let it end and begin a new one,
    for example by publishing an event that it handles.
    """


class UnknownOutcome(LevadaError, code="LV1505"):
    """{operation} (step {step}) may or may not have been done: {reason}. It is declared at_least_once, so
    it is not repeated. Look in the system, then say with `levada runs answer` what came of it, or resume (repeats it).
    """


class RetriesExhausted(LevadaError, code="LV1506"):
    """{operation} (step {step}) did not succeed in {attempts} attempts; the last one: {reason}. Mend the
    system, then resume; or do it by hand and say so with `levada runs answer`.
    """


class UndoFailed(LevadaError, code="LV1507"):
    """Undoing {operation} (step {step}) failed: {reason}. Still to be undone: {remaining}. Mend the cause, then
    resume; or undo the rest by hand and skip the run with the reason.
    """


class HandlerFailed(LevadaError, code="LV1508"):
    """The handler raised {error}, which no operation it called declares. Mend the code, then resume."""


class HandlerMissing(LevadaError, code="LV1509"):
    """Runs of {handlers} have not ended, and this deployment lacks their code: {mend}. `levada runs list` shows the
    runs; what need not end can be compensated or skipped.
    """


class RunNotFound(LevadaError, code="LV1510"):
    """There is no run {run}. `levada runs list` shows those there are; one that has ended is deleted after its [retention]."""


class WrongState(LevadaError, code="LV1511"):
    """Run {run} is {state}; {action} needs it to be {needed}. `levada runs show` tells what can be done with it now."""


class WhyMissing(LevadaError, code="LV1512"):
    """{action} needs a reason: say why, it goes into the audit."""


class KeyReused(LevadaError, code="LV1513"):
    """The idempotency key {key} was used before with other arguments. Use a new key for a new request."""


class NotAwaited(LevadaError, code="LV1514"):
    """{code} waits for {type} at step {step}, which no `Awaits` port of it declares: such events are not taken in.
    Declare the port and wait through it.
    """


class NoOpenCall(LevadaError, code="LV1516"):
    """Run {run} lacks no {missing} at step {step}; it does at: {open}. `levada runs show` lists its steps."""


class RepeatFails(LevadaError, code="LV1517"):
    """{operation} (step {step}) failed {attempts} times in a way that no repeat changes: {reason}. Mend the
    code or the data, then resume; or do it by hand and say so with `levada runs answer`; or compensate or skip the run.
    """


class AwaitMissing(LevadaError, code="LV1518"):
    """`await` is missing before {what} ({place}): it was not done. Write it, deploy, then resume."""
