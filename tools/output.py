"""The standard output of the command lines: it may be closed, full, read by nobody, or in an old encoding."""

import io
import os
import sys


def accept_every_character() -> None:
    """Write as an escape what the encoding of the output does not have, such as letters in the name of a key."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is still to be written.

    Raises:
        OSError: nobody reads it, or there is no room for it.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def give_up() -> None:
    """Drop what is still to be written: at its end Python would try once more, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def failure(error: OSError) -> str:
    """Return the sentence for an error of a file, or of the output, which has no name."""
    if error.filename is None:
        return f"The output could not be written ({error.strerror})."
    return f"{error.filename} cannot be used: {error.strerror}."
