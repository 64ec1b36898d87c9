"""The Lambda Runtime API on loopback: gives one function its events, and takes its replies.

See the Lambda developer guide, "Using the Lambda runtime API for custom runtimes".
"""

import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tools.failures import LocalError

_PREFIX: Final = "/2018-06-01/runtime"
_DEADLINE_MS: Final = 4_102_444_800_000  # in the year 2100, so that no benchmark meets it


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One event on its way to the function."""

    payload: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class RuntimeApi:
    """The API of one environment. `invoke` waits for the function's reply; `started` for its first request.

    `on_next` is called whenever the function asks for its next event, so after all work before that event.
    """

    def __init__(self, *, on_next: Callable[[], None]) -> None:
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._replies: queue.Queue[bytes | LocalError] = queue.Queue()
        self._idle = threading.Event()
        self._on_next = on_next
        self._failure: str | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_port}"

    def started(self, *, within: float) -> None:
        """Wait until the function asks for its first event.

        Raises:
            LocalError: it could not be initialised, or not in time.
        """
        if not self._idle.wait(within) or self._failure:
            raise LocalError(
                f"A function did not start: {self._failure or f'nothing came within {within} s'}."
            )

    def invoke(self, payload: bytes, *, within: float) -> bytes:
        """Send an event, and return the reply once the function has asked for the next event.

        Raises:
            LocalError: the function raised an error, or did not reply in time.
        """
        self._idle.clear()
        self._events.put(Invocation(payload=payload))
        try:
            reply = self._replies.get(timeout=within)
        except queue.Empty:
            raise LocalError(f"A function did not reply within {within} s.") from None
        if isinstance(reply, LocalError):
            raise reply
        self._idle.wait(within)
        return reply

    def close(self) -> None:
        """Stop serving."""
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def _next(self) -> Invocation | None:
        self._on_next()
        self._idle.set()
        return self._events.get()

    def _take(self, path: str, body: bytes) -> None:
        if path == f"{_PREFIX}/init/error":
            self._failure = body.decode(errors="replace")[:2000]
            self._idle.set()
        elif path.endswith("/error"):
            self._replies.put(LocalError(f"A function failed: {body.decode(errors='replace')[:2000]}"))
        else:
            self._replies.put(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The runtime client keeps its connection. Without this, a small reply waits for an acknowledgement first.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                invocation = api._next()
                if invocation is None:
                    self.close_connection = True
                    return
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": invocation.id,
                    "Lambda-Runtime-Deadline-Ms": str(_DEADLINE_MS),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                    "Content-Type": "application/json",
                }
                self._send(200, invocation.payload, headers)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api._take(self.path, body)
                self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                """Write nothing."""

        return Handler
