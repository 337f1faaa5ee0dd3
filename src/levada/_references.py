"""What stands behind a reference to a secret: ``env:NAME`` or ``file:PATH``, in one way for all settings."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["NothingBehind", "is_reference", "look_up"]

LARGEST = 1_048_576
"""Bytes of a file at most."""


class NothingBehind(Exception):
    """There is no value behind a reference; says why, never what another value is."""


def is_reference(text: str) -> bool:
    """Whether a text is a reference to a secret."""
    return text.startswith(("env:", "file:"))


def look_up(reference: str) -> str:
    """The value as it stands now. May be called from any thread.

    ``file:///run/secrets/x`` and ``file:/run/secrets/x`` mean the same, ``~`` is the home folder, and the
    line breaks at the end of a file are no part of its secret.

    Raises:
        NothingBehind: The variable is not set; the file cannot be read, is no UTF-8 text or over 1 MiB.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise NothingBehind(f"the environment variable {name} is not set")
        return value
    place = Path(name[2:] if name.startswith("///") else name).expanduser()
    try:
        if place.stat().st_size > LARGEST:
            raise NothingBehind("the file is over 1 MiB")
        return place.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise NothingBehind("the file is not UTF-8 text") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NothingBehind(f"the file {place} cannot be read: {why}") from None
