"""Secrets are references, never values: ``env:NAME``, ``file:PATH``.

They are resolved when they are needed, so that one that was rotated is picked up.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from levada._references import NothingBehind, is_reference, look_up
from levada.app.errors import ConfigurationError

__all__ = ["made_secret", "resolve"]


def made_secret(path: Path) -> bytes:
    """The secret in a file, 32 bytes; made at the first use with mode 0600.

    Several processes may ask at once: one file comes about, and never half of one.
    """
    with contextlib.suppress(FileNotFoundError):
        return base64.urlsafe_b64decode(path.read_text().strip())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(whole)
    finally:
        whole.unlink()
    return made_secret(path)


def resolve(reference: str, place: str) -> str:
    """The value behind a reference, as it is now.

    Raises:
        ConfigurationError: It is no reference, or there is nothing behind it. The
            message has the reference, never a value.
    """
    if not is_reference(reference) or reference in ("env:", "file:"):
        raise ConfigurationError(
            place=place,
            reason="it takes a reference to a secret, not a value",
            mend='Write "env:NAME" or "file:PATH"',
        )
    try:
        value = look_up(reference)
    except NothingBehind as nothing:
        mend = _set(reference) if reference.startswith("env:") else "Check its name and its rights"
        raise ConfigurationError(place=place, reason=str(nothing), mend=mend) from None
    if not value:
        raise ConfigurationError(place=place, reason=f"{reference} is empty", mend=_set(reference))
    return value


def _set(reference: str) -> str:
    kind, _, name = reference.partition(":")
    return f"Set {name}" if kind == "env" else f"Write the secret into {name}"
