"""A server on loopback that responds to each request as a test says, byte by byte, and keeps the requests.

It speaks no service's protocol: a test scripts the bytes of a response, or says that there is none.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Literal, Self

_LINE_END = b"\r\n"
_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client sent, and the number of its connection, counted from 1."""

    head: str
    body: bytes
    connection: int

    def header(self, name: str) -> str:
        """Return the value of a header, or an empty text if it is absent."""
        for line in self.head.split("\r\n")[1:]:
            sent, _, value = line.partition(":")
            if sent.lower() == name.lower():
                return value.strip()
        return ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The bytes to send at once, the bytes to send one by one after that, and what the connection does at the end."""

    content: bytes = b""
    drops: bytes = b""
    pause: float = 0.0
    ending: Literal["keep", "close", "hang"] = "keep"


def whole(
    status: int = 200, body: bytes = b"", headers: Sequence[str] = (), *, length: int | None = None
) -> Reply:
    """Return a response that arrives as a whole; with `length` it states that length instead of the true one."""
    told = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {told}", *headers, "", ""]
    return Reply(content="\r\n".join(lines).encode() + body)


def cut(status: int = 200, body: bytes = b"") -> Reply:
    """Return a response whose connection is closed before its last byte."""
    return Reply(content=whole(status, body).content[:-1], ending="close")


def stalled(status: int = 200, body: bytes = b"") -> Reply:
    """Return a response whose last byte never comes."""
    return Reply(content=whole(status, body).content[:-1], ending="hang")


def dripping(body: bytes, *, pause: float) -> Reply:
    """Return a response whose body comes byte by byte."""
    return Reply(content=whole(200, length=len(body)).content, drops=body, pause=pause)


CLOSED = Reply(ending="close")
HANGING = Reply(ending="hang")

Script = Reply | Callable[[Request], Reply]


class FaultyServer:
    """Responds to the n-th request with the n-th reply of the script, then always with the last; a context manager."""

    def __init__(self, *script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._script = list(script)
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        """The URL to give to a client."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        _end(self._listener)
        for connection in self._open:
            _end(connection)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            stream = connection.makefile("rb")
            with connection, stream:
                while request := _read(connection, stream, number):
                    if not self._answer(connection, request):
                        return
        except (OSError, ValueError):
            # The client went away, or refused the certificate.
            return

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        with self._lock:
            self.requests.append(request)
            step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        reply = step if isinstance(step, Reply) else step(request)
        connection.sendall(reply.content)
        for drop in reply.drops:
            if self._stopping.wait(reply.pause):
                return False
            connection.sendall(bytes([drop]))
        if reply.ending == "hang":
            self._stopping.wait()
        return reply.ending == "keep"


def _read(connection: socket.socket, stream: BinaryIO, number: int) -> Request | None:
    head = b""
    while not head.endswith(_LINE_END * 2):
        line = stream.readline()
        if not line:
            return None
        head += line
    request = Request(head=head.decode("latin-1"), body=b"", connection=number)
    if request.header("expect"):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = stream.read(int(request.header("content-length") or 0))
    return Request(head=request.head, body=body, connection=number)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is closed already.
        return
    finally:
        connection.close()
