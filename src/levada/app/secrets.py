"""Secrets are references, never values: ``env:NAME``, ``file:PATH``.

They are resolved when they are needed, so that one that was rotated is picked up.
"""

from __future__ import annotations

import os
from pathlib import Path

from levada.app.errors import ConfigurationError

__all__ = ["resolve"]


def resolve(reference: str, place: str) -> str:
    """The value behind a reference, as it is now.

    Raises:
        ConfigurationError: It is no reference, or there is nothing behind it. The
            message has the reference, never a value.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        value = os.environ.get(name)
        if not value:
            raise ConfigurationError(
                place=place, reason=f"the environment variable {name} is not set", mend=f"Set {name}"
            )
        return value
    if scheme == "file" and name:
        try:
            return Path(name).read_text().strip()
        except OSError as error:
            raise ConfigurationError(
                place=place,
                reason=f"the file {name} cannot be read: {error.strerror}",
                mend="Check its name and its rights",
            ) from None
    raise ConfigurationError(
        place=place,
        reason="it takes a reference to a secret, not a value",
        mend='Write "env:NAME" or "file:PATH"',
    )
