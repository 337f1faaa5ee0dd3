"""Versions of contracts and events: major and minor."""

from __future__ import annotations

import re

from msgspec import Struct

from levada.contract.errors import ContractError


class Version(Struct, frozen=True, order=True):
    """``major.minor``. Within a major everything is compatible."""

    major: int
    minor: int = 0

    @classmethod
    def parse(cls, text: object, place: str) -> Version:
        """The version of ``"2.1"`` or ``"2"``."""
        if not isinstance(text, str) or not (found := re.fullmatch(r"(\d{1,4})(?:\.(\d{1,4}))?", text)):
            raise ContractError(
                place=place,
                reason=f"version={text!r} is not a version",
                mend='Write major.minor in quotes: version="1.0"',
            )
        return cls(int(found[1]), int(found[2] or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"
