"""Files that are whole or not there: also after a crash, and on a full disk."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Write a file in one step.

    Args:
        path: The file.
        content: What it shall hold.
        mode: Its permissions, less those that the process's mask takes away.
        replace: Whether it may replace another file.

    Raises:
        FileExistsError: `replace` is false and there is a file, also one that has come only now.
        OSError: The file cannot be written; what stood there before is still there.
    """
    # A link stays a link, such as one into a folder of settings under version control.
    path = path.resolve() if path.is_symlink() else path
    # Beside the file, because a file can only be moved in one step within one file system.
    part = path.with_name(f".imagegen-{secrets.token_hex(8)}.part")
    # Windows has texts and binary files, and would change the line breaks of a text.
    binary = getattr(os, "O_BINARY", 0)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            _put(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _put(part: Path, path: Path) -> None:
    """Give a file its name, unless there is a file of this name."""
    try:
        # Of two programs that do this at once, one fails; a look before would let the later one win.
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError as exc:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from exc
        part.replace(path)
    else:
        part.unlink()
