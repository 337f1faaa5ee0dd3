"""Writes Envoy's files: each whole and by rename, in the order that never points at nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ORDER", "differing", "write_files"]

ORDER = ("bootstrap.json", "cds.json", "rds.json", "ecds.json", "lds.json")
"""Upstreams come before the routes that lead to them, routes before the keys that they let in; the listener last."""


def write_files(files: Mapping[str, bytes], folder: Path, *, names: tuple[str, ...] = ORDER) -> list[str]:
    """Write those files that differ from what is there; their names.

    Envoy reloads on rename alone. Files have mode 0600: one of them has the keys in clear.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = differing(files, folder, names=names)
    for name in written:
        target = folder / name
        part = folder / f".{name}.part"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(files[name])
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    return written


def differing(files: Mapping[str, bytes], folder: Path, *, names: tuple[str, ...] = ORDER) -> list[str]:
    """The names of those files that are not there, or not like this."""
    return [
        name
        for name in names
        if not ((there := folder / name).exists() and there.read_bytes() == files[name])
    ]
