"""The connections of one client, kept open for the next call and shared by threads."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from imagegen.adapters.direct.connection import Body, Connection, Response, host_of

IDLE_LIMIT: Final = 20.0
"""How many seconds a connection may be idle before a call that is sent once."""

_Free = tuple[Connection, float]
"""A connection, and the time when it was given back."""


class Connections:
    """As many connections as there are calls at the same time; one that becomes free serves the next call.

    With `idle_limit`, one that was free for more seconds is closed before the next call, which opens it again: the far
    side, or a router on the way, may have forgotten it, and a call that is sent once would be lost with it.
    """

    def __init__(
        self, endpoint: str, make: Callable[[], Connection], *, idle_limit: float | None = None
    ) -> None:
        self._idle_limit = idle_limit
        self.host: Final = host_of(endpoint)
        self.scheme: Final = urlsplit(endpoint).scheme
        self._make = make
        # Its methods are atomic, so threads need no lock.
        self._free: deque[_Free] = deque()
        weakref.finalize(self, _close, self._free)

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """Lend a connection, which may have to be opened first."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def take(self) -> Connection:
        """Return a connection that no other call uses until it is given back."""
        try:
            connection, given_back = self._free.pop()
        except IndexError:
            return self._make()
        # By the clock of the machine: another one may stand still while the function is frozen.
        if self._idle_limit is not None and not 0 <= time.time() - given_back <= self._idle_limit:
            connection.close()
        return connection

    def give_back(self, connection: Connection) -> None:
        """Let the next call use the connection."""
        self._free.append((connection, time.time()))

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Response:
        """Send a request over a free connection, as `Connection.send` does."""
        with self.lent() as connection:
            return connection.send(method, path, headers, body)


def _close(connections: deque[_Free]) -> None:
    while connections:
        connections.pop()[0].close()
