"""What the admin refuses."""

from __future__ import annotations

from levada._errors import LevadaError

__all__ = ["AdminError"]


class AdminError(LevadaError, code="LV1205"):
    """{reason} {mend}"""
