"""Ports of 127.0.0.1: finds free ones, and checks whether somebody listens."""

import os
import socket

from local.variables import EMULATOR_PORT, STAND_IN_PORT, WEB_PORT
from tools.failures import LocalError

# Below the ports that Linux gives to outgoing connections (32768 and up).
FIRST_OFFSET, LAST_OFFSET, STRIDE = 10000, 25000, 40


def is_listening(port: int) -> bool:
    """Say whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int, purpose: str) -> None:
    """Make sure that a service can listen here.

    Raises:
        LocalError: another program has the port; the sentence names the port and says what to do.
    """
    if not _is_free(port):
        raise LocalError(
            f"Port {port}, where {purpose} would listen, is taken by another program:"
            " stop that one, or run again with PORT_OFFSET=100 (or another number) to move every port."
        )


def free_offset() -> int:
    """Return a PORT_OFFSET with which every port is free, for an instance beside a developer's own.

    Raises:
        LocalError: there is no such offset.
    """
    span = LAST_OFFSET - FIRST_OFFSET
    for step in range(0, span, STRIDE):
        # Runs that start at the same moment begin their search at different places.
        offset = FIRST_OFFSET + (os.getpid() * STRIDE + step) % span
        if all(_is_free(port + offset) for port in (EMULATOR_PORT, WEB_PORT, STAND_IN_PORT)):
            return offset
    raise LocalError("There are no free ports for another instance of the local service.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this, a connection that was closed a moment ago would make the port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
