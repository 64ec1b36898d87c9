"""Being told to end while pictures are made: by Ctrl-C, by a closed terminal, or by a system that shuts down."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

OTHERS: Final = ("SIGTERM", "SIGHUP")
"""What else ends a program; by itself Python would end at once, without a word about the key."""


@contextmanager
def every_end_as_interrupt() -> Iterator[None]:
    """Let each of these signals do what Ctrl-C does: raise `KeyboardInterrupt`, after tasks have been cancelled.

    One that is ignored stays so, such as SIGHUP under `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set handlers
        yield
        return
    numbers = [getattr(signal, name) for name in OTHERS if hasattr(signal, name)]
    changed = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(_: int, __: FrameType | None) -> None:
    # A shell starts what it runs in the background with Ctrl-C ignored.
    if signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, signal.SIG_DFL}:
        raise KeyboardInterrupt
    # The event loop has a handler of its own, which cancels its tasks first.
    signal.raise_signal(signal.SIGINT)
