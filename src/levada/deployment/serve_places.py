"""Where a deployment has its sockets: beside ``levada.toml``, or where paths are short enough."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from levada.deployment.configuration import Configuration

__all__ = ["admin_path", "short_path", "store_path", "worker_path"]

_LONGEST = 100
"""Bytes that a Unix socket's path may have everywhere (Linux has 107, macOS 103)."""


def short_path(path: Path) -> Path:
    """The path itself, or one of this user alone in the folder for temporary files if it is too long for a socket."""
    if len(os.fsencode(path)) <= _LONGEST:
        return path
    folder = Path(tempfile.gettempdir()) / f"levada-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        # Somebody else made it: do not put a socket into their hands.
        folder = Path(tempfile.mkdtemp(prefix="levada-"))
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}.sock"


def admin_path(configuration: Configuration) -> Path:
    """The admin socket of a deployment: one for each environment of a folder."""
    return _beside(configuration, f"admin-{configuration.app.environment}.sock")


def worker_path(configuration: Configuration, number: int) -> Path:
    """The socket on which a worker takes in what the gateway sends."""
    return _beside(configuration, f"worker-{configuration.app.environment}-{number}.sock")


def store_path(file: str) -> Path:
    """The socket through which others use the store in a SQLite file."""
    return short_path(Path(f"{file}.sock").absolute())


def _beside(configuration: Configuration, name: str) -> Path:
    return short_path(configuration.path(".levada").absolute() / name)
