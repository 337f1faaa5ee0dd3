"""What goes wrong with files and packages whatever the verb, as an error for people."""

from __future__ import annotations

import errno
import os

from levada._errors import LevadaError

__all__ = ["FileUnusable", "trouble"]


class FileUnusable(LevadaError, code="LV1825"):
    """{file} cannot be used: {reason}. Check the path and who may read and write there."""


_OF_DISKS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS))
"""Of writing, where the system does not say to which file."""
PACKAGES = {"yaml": "pyyaml", "ruamel": "ruamel.yaml"}
"""Modules whose package has another name."""


def trouble(verb: str, error: OSError | ModuleNotFoundError) -> LevadaError | None:
    """What to tell of it; None where it is a fault of the program, whose trace is needed."""
    if isinstance(error, ModuleNotFoundError):
        return _extra(verb, (error.name or "").partition(".")[0])
    reason = (error.strerror or type(error).__name__).lower()
    if isinstance(error.filename, str | bytes):
        return FileUnusable(file=os.fsdecode(error.filename), reason=reason)
    return FileUnusable(file="What this writes to", reason=reason) if error.errno in _OF_DISKS else None


def _extra(verb: str, module: str) -> LevadaError | None:
    from levada.cli._extras import extras
    from levada.connect.errors import ExtraMissing

    package = PACKAGES.get(module, module)
    for extra, packages in extras().items():
        if package in (p.lower() for p in packages):
            return ExtraMissing(what=f"`levada {verb}` here", extra=extra)
    return None
