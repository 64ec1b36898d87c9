"""The connections of one client, kept open for the next call and shared by threads."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from imagegen.adapters.direct.connection import Body, Connection, Response, host_of


class Connections:
    """As many connections as there are calls at the same time; one that becomes free serves the next call."""

    def __init__(self, endpoint: str, make: Callable[[], Connection]) -> None:
        self.host: Final = host_of(endpoint)
        self.scheme: Final = urlsplit(endpoint).scheme
        self._make = make
        # Its methods are atomic, so threads need no lock.
        self._free: deque[Connection] = deque()
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
            return self._free.pop()
        except IndexError:
            return self._make()

    def give_back(self, connection: Connection) -> None:
        """Let the next call use the connection."""
        self._free.append(connection)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Response:
        """Send a request over a free connection, as `Connection.send` does."""
        with self.lent() as connection:
            return connection.send(method, path, headers, body)

    def close(self) -> None:
        """Close those that no call uses."""
        _close(self._free)


def _close(connections: deque[Connection]) -> None:
    while connections:
        connections.pop().close()
