"""What is said when a contract or its implementation breaks a rule of the model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from levada._errors import LevadaError

__all__ = ["ContractError", "ModelError", "TypeNotFound", "here", "locals_of_definition"]


class ModelError(LevadaError, code="LV1100"):
    """{place}: {reason} {mend}

    A rule of the model is broken. It is said when a class is made or an app assembled, never first at a request.
    """

    def __init__(self, message: str | None = None, /, **values: Any) -> None:
        for name in ("reason", "mend"):
            text = str(values.get(name, "")).strip()
            values[name] = text if not text or text.endswith((".", ":", "?")) else text + "."
        super().__init__(message, **values)


class ContractError(ModelError, code="LV1101"):
    """{place}: {reason} {mend}

    A contract, an event or a class that keeps a contract breaks a rule: the line is named, and how to mend it.
    """


class TypeNotFound(ContractError, code="LV1102"):
    """{place}: {reason} {mend}

    Types of operations, events and attributes are read at run time: a name under TYPE_CHECKING is not there.
    """


def here() -> str:
    """``file:line`` of the nearest caller outside of this package and the standard ABCs."""
    frame = _definition()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def locals_of_definition() -> Mapping[str, Any]:
    """The local names at the place where a class is being made; empty at a module's top level."""
    frame = _definition()
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def _definition() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("levada.contract", "abc", "msgspec")
    ):
        frame = frame.f_back
    return frame
