"""A proxy in front of the deployed stack that interrupts a client's first attempts while their image is being made.

Behind it the function goes on, as Lambda does behind an API Gateway whose connection to the client is gone.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from local.certificates import Certificates, trust

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack

Interruption = Literal["dropped connection", "502", "504"]

LONGEST: Final = 120.0
"""In seconds: how long the proxy waits for anything."""
_HOP_BY_HOP: Final = frozenset(
    {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
)


@dataclass(kw_only=True)
class Proxy:
    """What goes through, and where it listens; `attempts` has the headers of each request, in lower case."""

    url: str = ""
    attempts: list[Mapping[str, str]] = field(default_factory=list)
    behind: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self, headers: Mapping[str, str]) -> int:
        """Note an attempt, and return its number; the first one has 0."""
        with self._lock:
            self.attempts.append(headers)
            return len(self.attempts) - 1


@contextmanager
def interrupting(
    stack: Stack, *, interruption: Interruption | None, times: int, begun: Callable[[], bool]
) -> Iterator[Proxy]:
    """Yield a proxy that interrupts the first attempts, as soon as `begun` says that their image is being made.

    Args:
        stack: The stack that it stands in front of, in strict mode.
        interruption: What the client meets instead of its reply; None lets everything pass.
        times: How many attempts are interrupted.
        begun: Whether the model was called.
    """
    proxy = Proxy()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stack, proxy, interruption, times, begun))
    server.daemon_threads = True
    assert stack.ca_bundle is not None
    files = Certificates(folder=stack.ca_bundle.parent)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    proxy.url = f"https://127.0.0.1:{server.server_address[1]}{urlsplit(stack.state.api_url).path}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        for request in proxy.behind:
            request.join(LONGEST)
        server.shutdown()
        server.server_close()
        thread.join(LONGEST)


def _handler(  # noqa: C901 - one class, whose methods share these five
    stack: Stack,
    proxy: Proxy,
    interruption: Interruption | None,
    times: int,
    begun: Callable[[], bool],
) -> type[BaseHTTPRequestHandler]:
    upstream = urlsplit(stack.state.api_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = {name.lower(): value for name, value in self.headers.items()}
            number = proxy.number(sent)
            replies: list[tuple[int, Any, bytes]] = []
            request = threading.Thread(target=self._forward, args=(body, sent, replies), daemon=True)
            proxy.behind.append(request)
            request.start()
            if interruption is None or number >= times:
                request.join(LONGEST)
                self._relay(*replies[0])
                return
            until = time.monotonic() + LONGEST
            while not begun() and time.monotonic() < until:
                time.sleep(0.02)
            if interruption == "dropped connection":
                # Both directions, so that the client sees the end at once.
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                page = b"<html><body>Bad gateway</body></html>"
                self._relay(int(interruption), {"Content-Type": "text/html"}.items(), page)

        def _forward(
            self, body: bytes, sent: Mapping[str, str], replies: list[tuple[int, Any, bytes]]
        ) -> None:
            connection = http.client.HTTPSConnection(
                upstream.hostname or "", upstream.port, context=trust(stack.ca_bundle), timeout=LONGEST
            )
            passed_on = {name: value for name, value in sent.items() if name not in {"host", "expect"}}
            connection.request("POST", self.path, body, passed_on)
            reply = connection.getresponse()
            replies.append((reply.status, reply.getheaders(), reply.read()))
            connection.close()

        def _relay(self, status: int, headers: Any, body: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # The client has given up meanwhile.
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Write nothing."""

    return Handler
