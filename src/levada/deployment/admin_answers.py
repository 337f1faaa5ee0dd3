"""What a person knows of a step that a run cannot get an answer of: told to the run, in the form its code reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from levada._errors import LevadaError
from levada.deployment.admin_errors import AdminError
from levada.deployment.personal._events import seal_event
from levada.process._errors import NoOpenCall
from levada.process._protocol import Effect
from levada.process._steps import Kind, Step

if TYPE_CHECKING:
    from levada.contract.event import Event
    from levada.deployment._handlers import Code
    from levada.deployment.personal.subjects import Subjects
    from levada.process._journal import Entry
    from levada.process._shown import WaitShown
    from levada.process.admin import Admin as RunsAdmin
    from levada.store.protocol import Row

__all__ = ["Answers"]


class Answers:
    """Settles calls and waits that are open."""

    def __init__(self, runs: RunsAdmin) -> None:
        self._runs = runs
        self._codes: Mapping[str, Code] = {}
        self._subjects: Subjects | None = None

    def know(self, codes: Iterable[Code], subjects: Subjects | None) -> None:
        """Learn how results are read, and what keeps them closed."""
        self._codes = {code.id.code: code for code in codes}
        self._subjects = subjects

    async def answer(
        self,
        run: str,
        step: str,
        who: str,
        why: str = "",
        value: str | None = None,
        *,
        not_done: bool = False,
    ) -> None:
        """Tell a run what it waits for: the result of a call or an event, as JSON, or that a call was not done.

        Raises:
            AdminError: The result is none of the operation's; or this deployment does not have the run's code.
            RunNotFound: There is no such run.
            NoOpenCall: It has no such step, or the step is answered.
            WrongState: A worker makes the call just now.
            WhyMissing: No reason is given.
        """
        if (value is None) is not not_done:
            raise AdminError(
                reason="An answer is a result or that the call was not done.",
                mend="Give the result as JSON (null where the operation has none), or say --not-done.",
            )
        try:
            opened = await self._runs.open_call(run, step)
        except NoOpenCall:
            await self._answer_wait(run, step, who, why, value)
            return
        code = self._code(opened.row)
        if value is None:
            effect = code.operation(opened.call.operation).effect
            if effect is not Effect.AT_LEAST_ONCE and not opened.left_out:
                raise AdminError(
                    reason=f"{opened.call.operation} can be repeated: its system recognises it by its key.",
                    mend=f"levada runs resume {run} makes it again, once at most.",
                )
            await self._runs.not_done(run, step, who, why)
            return
        encoded = _encoded(code, opened.call, value)
        await self._runs.answer(run, step, await self._closed(opened.row, opened.call, encoded), who, why)

    async def _answer_wait(self, run: str, step: str, who: str, why: str, value: str | None) -> None:
        row, wait = await self._runs.open_wait(run, step)
        if value is None:
            raise AdminError(
                reason=f"At step {step} the run waits, it calls nothing.",
                mend="Give the event as JSON, or null: its time is up.",
            )
        event = await self._event(self._code(row), wait, value)
        await self._runs.answer_wait(run, step, event, who, why)

    async def _event(self, code: Code, wait: WaitShown, value: str) -> bytes | None:
        """What a wait is closed with, as the log would keep it."""
        if value.strip() == "null":
            if wait.type is not None and wait.due is None:
                raise AdminError(
                    reason=f"The run waits for {wait.type} without an end, and its code expects one.",
                    mend="Give the event as JSON; or compensate or skip the run.",
                )
            return None
        kind = None if wait.type is None else code.kind(wait.type)
        if kind is None:
            raise AdminError(
                reason="The run waits for a time, no event.", mend="The answer is null: its time is up."
            )
        try:
            event: Event = kind.decode(value.encode())
        except (LevadaError, msgspec.MsgspecError, ValueError, TypeError) as error:
            raise AdminError(
                reason=f"The value is no {wait.type}: {error}.", mend="Give the event's fields as JSON."
            ) from None
        if (key := kind.key_of(event)) != wait.key:
            raise AdminError(
                reason=f"The event is of the key {key}, the run waits for {wait.key}.",
                mend="Give the event of that key.",
            )
        if self._subjects is None or not kind.personal:
            return kind.encode(event)
        return (await seal_event(self._subjects.vault, kind, event))[0]

    def _code(self, row: Row) -> Code:
        code = self._codes.get(row["code"])
        if code is None:
            raise AdminError(
                reason=f"This deployment does not have the code of the run, {row['code']}.",
                mend="Ask a deployment that has it, where its results can be read.",
            )
        return code

    async def _closed(self, row: Row, call: Entry, value: bytes) -> bytes:
        """The result as the run's journal keeps it: closed, where the run knows of persons."""
        if self._subjects is None:
            return value
        _, seal = await self._subjects.clear_journal(row)
        if seal is None:
            return value
        await seal.learn(call.operation, value)
        return seal.close(value)


def _encoded(code: Code, call: Entry, value: str) -> bytes:
    step = Step(call.step, Kind.CALL, call.operation, b"")
    try:
        return code.encode(code.result(step, value.encode()))
    except (LevadaError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise AdminError(
            reason=f"The value is no result of {call.operation}: {error}.",
            mend="Give it as JSON, as the operation answers it; a text stands in quotes.",
        ) from None
