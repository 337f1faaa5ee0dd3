"""What goes wrong with files and packages whatever the verb, as an error for people."""

from __future__ import annotations

import os

from levada._errors import LevadaError

__all__ = ["FileUnusable", "trouble"]


class FileUnusable(LevadaError, code="LV1825"):
    """{file} cannot be used: {reason}. Check the path and who may read and write there."""


PACKAGES = {"yaml": "pyyaml", "ruamel": "ruamel.yaml"}
"""Modules whose package has another name."""


def trouble(verb: str, error: OSError | ModuleNotFoundError) -> LevadaError | None:
    """What to tell of it; None where it is a fault of the program, whose trace is needed."""
    if isinstance(error, ModuleNotFoundError):
        return _extra(verb, (error.name or "").partition(".")[0])
    if not isinstance(error.filename, str | bytes):
        return None
    reason = (error.strerror or type(error).__name__).lower()
    return FileUnusable(file=os.fsdecode(error.filename), reason=reason)


def _extra(verb: str, module: str) -> LevadaError | None:
    from levada.cli._extras import extras
    from levada.connect.errors import ExtraMissing

    package = PACKAGES.get(module, module)
    for extra, packages in extras().items():
        if package in (p.lower() for p in packages):
            return ExtraMissing(what=f"`levada {verb}` here", extra=extra)
    return None
