"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that there is the former content or the new one, whatever happens meanwhile.

    What is no ordinary file (``/dev/stdout``) is written to as it is. A file that is a link stays one.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()
    half = target.with_name(f".{target.name}.{os.getpid()}.half")
    try:
        half.write_bytes(data)
        if target.exists():
            half.chmod(target.stat().st_mode & 0o7777)
        half.replace(target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        half.unlink(missing_ok=True)
