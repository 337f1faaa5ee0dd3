"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_together", "write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that there is the former content or the new one, whatever happens meanwhile.

    What is no ordinary file (``/dev/stdout``) is written to as it is. A file that is a link stays one.
    """
    write_together({path: content})


def write_together(files: Mapping[Path, str | bytes]) -> None:
    """Write files that belong together: none takes its place before all of them are written."""
    halves: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            if path.exists() and not path.is_file():
                path.write_bytes(data)
                continue
            target = path.resolve()
            half = target.with_name(f".{target.name}.{os.getpid()}.half")
            halves.append((half, target))
            half.write_bytes(data)
            if target.exists():
                half.chmod(target.stat().st_mode & 0o7777)
        for half, target in halves:
            path = target
            half.replace(target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        for half, _ in halves:
            half.unlink(missing_ok=True)
