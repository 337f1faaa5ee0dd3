"""The states of a run.

The picture is checked against `TRANSITIONS` by the tests.

```text
scheduled    -> running, compensating, stuck, done
running      -> scheduled, waiting, done, compensating, stuck
waiting      -> scheduled, compensating, stuck
compensating -> compensated, stuck
stuck        -> scheduled, compensating, done, compensated
done         -> (end)
compensated  -> (end)
```

`running -> scheduled` is a backoff, a drain or a worker that died; `stuck -> done`,
`stuck -> compensated` and `scheduled -> done` are an operator's `skip`,
`scheduled -> compensating` is their `compensate`.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OPEN", "TRANSITIONS", "State", "picture"]


class State(StrEnum):
    """Where a run stands."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    STUCK = "stuck"
    DONE = "done"
    COMPENSATED = "compensated"


TRANSITIONS: dict[State, tuple[State, ...]] = {
    State.SCHEDULED: (State.RUNNING, State.COMPENSATING, State.STUCK, State.DONE),
    State.RUNNING: (State.SCHEDULED, State.WAITING, State.DONE, State.COMPENSATING, State.STUCK),
    State.WAITING: (State.SCHEDULED, State.COMPENSATING, State.STUCK),
    State.COMPENSATING: (State.COMPENSATED, State.STUCK),
    State.STUCK: (State.SCHEDULED, State.COMPENSATING, State.DONE, State.COMPENSATED),
    State.DONE: (),
    State.COMPENSATED: (),
}
"""Which state may follow which."""

OPEN = tuple(state for state, following in TRANSITIONS.items() if following)
"""The states of a run that has not ended."""


def picture() -> str:
    """The transitions as text, one line a state."""
    width = max(map(len, TRANSITIONS))
    return "\n".join(
        f"{state:<{width}} -> {', '.join(following) or '(end)'}" for state, following in TRANSITIONS.items()
    )
