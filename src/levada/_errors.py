"""The base of every error that Levada raises for a person to act on."""

from __future__ import annotations

import json
from typing import Any, ClassVar

__all__ = ["LevadaError", "plainly"]


class LevadaError(Exception):
    """The base of Levada's own errors.

    A subclass's docstring is its message: what happened and what to do, with
    ``{names}`` filled in from the keyword arguments. ``code`` is stable and has a
    page in ``docs/reference/errors.md``.

    Codes: 11xx contract, 12xx app, 13xx store, 14xx events, 15xx process,
    16xx connect, 17xx gateway, 18xx command line and configuration,
    19xx landscape, 20xx catalog and governance, 21xx testing.
    """

    code: ClassVar[str] = "LV1000"
    codes: ClassVar[dict[str, type[LevadaError]]] = {}

    def __init_subclass__(cls, code: str | None = None, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        if code is None:
            return
        taken = LevadaError.codes.setdefault(code, cls)
        if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"error code {code} is taken by {taken.__qualname__}; choose another")
        cls.code = code

    def __init__(self, message: str | None = None, **values: Any) -> None:
        self.values = values
        if message is None:
            text = " ".join((type(self).__doc__ or type(self).__name__).split("\n\n")[0].split())
            message = text.format_map(values) if values else text
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.message, self.values)


def plainly(error: Exception) -> str:
    """What another library's error says, as part of a sentence: no numbers of the system, no name that is told already."""
    if isinstance(error, json.JSONDecodeError):
        return (
            f"it is no JSON, or is cut off: {error.msg.lower()} in line {error.lineno}, column {error.colno}"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def _revive(cls: type[LevadaError], message: str, values: dict[str, Any]) -> LevadaError:
    return cls(message, **values)
