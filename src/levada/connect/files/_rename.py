"""A rename in one step that never replaces anything.

``os.rename`` replaces its target. Linking and then unlinking does not, but has a middle: a process killed there
leaves two names of one file, and each would be picked up. Linux and macOS can do it in one step; Python has no name for it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["rename_new"]

_AT_FDCWD = -2 if sys.platform == "darwin" else -100
_RENAME_NOREPLACE = 1
_RENAME_EXCL = 4
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def _in_one_step() -> Callable[[bytes, bytes], int] | None:
    libc = ctypes.CDLL(None, use_errno=True)
    name, flag = (
        ("renameatx_np", _RENAME_EXCL) if sys.platform == "darwin" else ("renameat2", _RENAME_NOREPLACE)
    )
    call = getattr(libc, name, None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return lambda source, target: call(_AT_FDCWD, source, _AT_FDCWD, target, flag)


_call = _in_one_step()


def rename_new(source: Path, target: Path, *, unique: bool = False) -> None:
    """Rename ``source`` to ``target``, which must not be there.

    ``unique``: nobody else makes a file of this target's name, so that plain renaming does.

    Raises:
        FileNotFoundError: There is no ``source`` (any more).
        FileExistsError: There is a ``target``.
        OSError: The file system refused.
    """
    if unique:
        source.rename(target)
        return
    if _call is not None:
        if _call(os.fsencode(source), os.fsencode(target)) == 0:
            return
        code = ctypes.get_errno()
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code), str(source), None, str(target))
    _by_link(source, target)


def _by_link(source: Path, target: Path) -> None:
    """For file systems such as NFS, which cannot do it in one step."""
    os.link(source, target, follow_symlinks=False)
    try:
        source.unlink()
    except FileNotFoundError:
        # Another linked it first and has it: what we made is a second name of its file.
        target.unlink()
        raise
