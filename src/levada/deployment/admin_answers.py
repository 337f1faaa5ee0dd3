"""What became of a call whose outcome only a person can find out: told to its run, in the form the code reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from levada._errors import LevadaError
from levada.deployment.admin_errors import AdminError
from levada.process._protocol import Effect
from levada.process._steps import Kind, Step

if TYPE_CHECKING:
    from levada.deployment._handlers import Code
    from levada.deployment.personal.subjects import Subjects
    from levada.process._journal import Entry
    from levada.process.admin import Admin as RunsAdmin
    from levada.store.protocol import Row

__all__ = ["Answers"]


class Answers:
    """Settles calls of unknown outcome of stuck runs."""

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
        """Tell a stuck run that a call was done, with its result as JSON, or that it was not.

        Raises:
            AdminError: The result is none of the operation's; or this deployment does not have the run's code.
            RunNotFound: There is no such run.
            NoOpenCall: It has no such call.
            WrongState: It is not stuck.
            WhyMissing: No reason is given.
        """
        if (value is None) is not not_done:
            raise AdminError(
                reason="An answer is a result or that the call was not done.",
                mend="Give the result as JSON (null where the operation has none), or say --not-done.",
            )
        row, call = await self._runs.open_call(run, step)
        code = self._code(row)
        if value is None:
            if code.operation(call.operation).effect is not Effect.AT_LEAST_ONCE:
                raise AdminError(
                    reason=f"{call.operation} can be repeated: its system recognises it by its key.",
                    mend=f"levada runs resume {run} makes it again, once at most.",
                )
            await self._runs.not_done(run, step, who, why)
            return
        encoded = _encoded(code, call, value)
        await self._runs.answer(run, step, await self._closed(row, call, encoded), who, why)

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
