"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_together", "write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that there is the former content or the new one, whatever happens meanwhile.

    What is no ordinary file, or is one as which this process writes already (``/dev/stdout``), is written on.
    A file that is a link stays one.
    """
    write_together({path: content})


def write_together(files: Mapping[Path, str | bytes]) -> None:
    """Write files that belong together: none takes its place before all of them are written."""
    halves: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            if _is_stream(path):
                with path.open("ab") as file:
                    file.write(data)
                continue
            target = path.resolve()
            number, name = tempfile.mkstemp(prefix=".levada-", suffix=".half", dir=target.parent)
            half = Path(name)
            halves.append((half, target))
            with os.fdopen(number, "wb") as file:
                file.write(data)
            half.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        for half, target in halves:
            path = target
            half.replace(target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        for half, _ in halves:
            half.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """A pipe, a terminal, or ``/dev/stdout`` where it goes to a file: replacing that would lose what stands in it."""
    return str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")) or (path.exists() and not path.is_file())


def _umask() -> int:
    """That of this process; there is no way to read it but by setting it."""
    held = os.umask(0o077)
    os.umask(held)
    return held
