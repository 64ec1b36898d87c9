"""Files that are whole or not there: also after a crash, and on a full disk."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file in one step; `mode` are its permissions, less those that the process's mask takes away.

    Raises:
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
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
