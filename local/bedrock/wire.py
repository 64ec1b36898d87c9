"""Serves the runtime over HTTP/1.1: InvokeModel, its streaming form, and the control routes."""

import json
import re
import selectors
import socket
import ssl
import sys
import threading
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from local.bedrock.refusals import RefusedError, invalid
from local.bedrock.rules import RuleError
from local.bedrock.runtime import LARGEST_BODY, Answer, Runtime, error_answer

_INVOKE: Final = re.compile(r"/model/(?P<model>.+)/invoke(?P<stream>-with-response-stream)?")
# SigV4's credential scope: key, date, region, service. The signature itself is not checked.
_SIGNED_REGION: Final = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/")
# Seconds between two looks at whether a hanging call is to end.
_LOOK_AGAIN: Final = 0.25


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread; `close` ends them all."""

    daemon_threads = True
    # With the default of 5, connections of a burst are refused.
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], runtime: Runtime) -> None:
        self.runtime = runtime
        self.stopping = threading.Event()
        self.released = threading.Event()
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, Exchange)

    def release(self) -> None:
        """Close the calls that hang now; later ones hang again."""
        # A new event, because whoever waits for the old one must not miss it.
        self.released.set()
        self.released = threading.Event()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        with self._changed:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)

    def close(self, patience: float = 5.0) -> None:
        """Stop accepting, end every connection, and wait for their threads."""
        self.stopping.set()
        self.release()
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                _shut(connection)
            self._changed.wait_for(lambda: not self._open, timeout=patience)


class Exchange(BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that headers and body leave together.
    wbufsize = -1

    def do_GET(self) -> None:
        """Serve a control route."""
        self._control("GET")

    def do_DELETE(self) -> None:
        """Serve a control route."""
        self._control("DELETE")

    def do_POST(self) -> None:
        """Serve a call of the runtime, or a control route."""
        called = _INVOKE.fullmatch(urlsplit(self.path).path)
        if not called:
            self._control("POST")
            return
        runtime = self.server.runtime
        runtime.call_log.enter()
        try:
            body = self._body()
            answer = runtime.invoke(
                model_id=unquote(called["model"]),
                body=body,
                stream=called["stream"] is not None,
                region=self._region(),
            )
            self._deliver(answer)
        except RefusedError as refused:
            self._deliver(error_answer(refused))
        finally:
            runtime.call_log.leave()

    def version_string(self) -> str:
        """Return what the Server header says."""
        return "local-stand-in"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the overridden method's name
        """Log nothing: tests read the call log instead."""

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        # After a body that was not read, the connection cannot be used again.
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            raise invalid("The request needs a Content-Length.")
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            raise invalid(f"The body is longer than {LARGEST_BODY} bytes.")
        return self.rfile.read(int(length))

    def _region(self) -> str:
        signed = _SIGNED_REGION.search(self.headers.get("Authorization", ""))
        return signed[1] if signed else ""

    def _deliver(self, answer: Answer) -> None:
        released = self.server.released
        if answer.delay:
            # Not `sleep`, so that the wait ends when the server stops.
            self.server.stopping.wait(answer.delay)
        if answer.delivery == "hang":
            self._hang(released)
        elif answer.delivery == "close":
            self._close()
        else:
            self._send(answer, released)

    def _send(self, answer: Answer, released: threading.Event) -> None:
        whole = answer.delivery == "whole"
        parts = answer.parts
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("x-amzn-requestid", str(uuid.uuid4()))
        if answer.stream:
            self.send_header("Transfer-Encoding", "chunked")
            parts = (*(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        body = b"".join(parts)
        self.wfile.write(body if whole else body[: len(body) // 2])
        self.wfile.flush()
        if answer.delivery == "stall":
            self._hang(released)
        elif not whole:
            self._close()

    def _hang(self, released: threading.Event) -> None:
        """Wait until the client goes away, or the stand-in stops or is reset; then close."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while not released.is_set() and not self.server.stopping.is_set():
                # Nothing is due, so if the connection is readable, the client has closed it.
                if selector.select(_LOOK_AGAIN):
                    break
        self._close()

    def _close(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def _control(self, method: str) -> None:
        url = urlsplit(self.path)
        route = _ROUTES.get((method, url.path))
        try:
            if route is None:
                self._deliver(
                    error_answer(RefusedError("UnknownOperationException", "No such route.", status=404))
                )
            else:
                self._json(route(self.server, self._body(), url.query))
        except RuleError as error:
            self._json({"message": str(error)}, HTTPStatus.BAD_REQUEST)
        except ValueError:
            self._json({"message": "The body is not JSON."}, HTTPStatus.BAD_REQUEST)
        except RefusedError as refused:
            self._deliver(error_answer(refused))

    def _json(self, document: Any, status: int = HTTPStatus.OK) -> None:
        body = json.dumps(document).encode()
        self._deliver(Answer(status=status, headers={"Content-Type": "application/json"}, parts=(body,)))


Route = Callable[[Server, bytes, str], dict[str, Any]]


def _health(server: Server, body: bytes, query: str) -> dict[str, Any]:  # noqa: ARG001 - a route's signature
    return {"status": "ok"}


def _state(server: Server, body: bytes, query: str) -> dict[str, Any]:  # noqa: ARG001
    return {"rules": server.runtime.rules.describe(), **server.runtime.settings.describe()}


def _configure(server: Server, body: bytes, query: str) -> dict[str, Any]:
    server.runtime.configure(json.loads(body))
    return _state(server, body, query)


def _clear(server: Server, body: bytes, query: str) -> dict[str, Any]:
    server.runtime.rules.clear()
    return _state(server, body, query)


def _reset(server: Server, body: bytes, query: str) -> dict[str, Any]:
    server.runtime.reset()
    server.release()
    return _state(server, body, query)


def _calls(server: Server, body: bytes, query: str) -> dict[str, Any]:  # noqa: ARG001
    wanted = parse_qs(query)
    last = wanted.get("last", ["20"])[-1]
    if not last.isdecimal():
        raise RuleError("last must be a whole number.")
    return server.runtime.call_log.report(prompt=wanted.get("prompt", [""])[-1], last=int(last))


_ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("GET", "/_control/health"): _health,
    ("GET", "/_control/rules"): _state,
    ("POST", "/_control/rules"): _configure,
    ("DELETE", "/_control/rules"): _clear,
    ("GET", "/_control/calls"): _calls,
    ("POST", "/_control/reset"): _reset,
}


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is gone already.
        return
