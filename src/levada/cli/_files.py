"""A file or folder named on the command line that cannot be used."""

from __future__ import annotations

import os

from levada._errors import LevadaError

__all__ = ["FileUnusable"]


class FileUnusable(LevadaError, code="LV1825"):
    """{file}: {reason}. Check the name, whether its folder is there, and that you may read and write it."""

    @classmethod
    def of(cls, error: OSError) -> FileUnusable:
        """From what the system said."""
        return cls(file=os.fsdecode(error.filename), reason=(error.strerror or str(error)).lower())
