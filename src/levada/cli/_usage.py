"""What is wrong with a command line, as an error that says what to write in its place."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from levada._errors import LevadaError

if TYPE_CHECKING:
    from cyclopts import CycloptsError
    from cyclopts.exceptions import CoercionError, MissingArgumentError

__all__ = ["CommandLineWrong", "wrong"]


class CommandLineWrong(LevadaError, code="LV1829"):
    """{problem} What it takes: `{command} --help`."""


KINDS: dict[object, str] = {
    int: "a whole number", float: "a number", date: "a day as 2026-11-30", datetime: "a time as 2026-11-30T12:00:00",
}  # fmt: skip


def wrong(verb: str, error: CycloptsError) -> CommandLineWrong:
    """The error of a verb's command line in the words of all others."""
    from cyclopts import exceptions as of

    command = " ".join(["levada", verb, *(error.command_chain or ())])
    error.verbose = False
    if isinstance(error, of.MissingArgumentError) and not isinstance(error, of.ConsumeMultipleError):
        problem = _missing(command, error)
    elif isinstance(error, of.UnusedCliTokensError):
        more = ", ".join(error.unused_tokens or ())
        problem = f"`{command}` does not take so many arguments: {more} is one too many."
    elif isinstance(error, of.CoercionError) and error.target_type in KINDS and error.token is not None:
        problem = _unfit(error)
    else:
        problem = str(error)
    return CommandLineWrong(problem=problem, command=command)


def _missing(command: str, error: MissingArgumentError) -> str:
    argument = error.argument
    assert argument is not None, "an argument that is missing is known"
    if error.keyword is not None or argument.tokens:
        return f"{error.keyword or argument.name} needs a value behind it."
    positional = argument.index is not None
    return f"`{command}` needs {argument.name.lstrip('-').upper() if positional else argument.name}."


def _unfit(error: CoercionError) -> str:
    token, argument = error.token, error.argument
    assert token is not None, "only asked where there is one"
    name = token.keyword or (argument.name.lstrip("-").upper() if argument else "The argument")
    return f"{name} takes {KINDS[error.target_type]}, not {token.value!r}."
