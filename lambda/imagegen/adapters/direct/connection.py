"""Sends requests to one host over a connection that is kept open, and tells a response that did not arrive whole.

It follows no redirects. Every failure raises one of `FAILURES`, and the next request opens a new connection.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from base64 import b64encode
from binascii import crc32
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

CONNECT_TIMEOUT: Final = 2.0
READ_TIMEOUT: Final = 5.0

_PROXY_PORT: Final = 80
"""Of a proxy whose URL names none, as the SDK's HTTP library has it."""

LONGEST: Final = 65_536
"""The most bytes of a body, unless a connection states more. An API key takes less than 2,000."""

Body = bytes | bytearray


class UnusableError(Exception):
    """The response was cut off, damaged on its way, too long, or not what the service sends."""


FAILURES: Final = (OSError, http.client.HTTPException, UnusableError)
"""The exceptions that a request may raise. Errors of TLS and time-outs are an OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response that arrived whole."""

    status: int
    body: bytes


def host_of(endpoint: str) -> str:
    """Return the host of an endpoint as the header `Host` names it, with a port that is not the usual one."""
    return urlsplit(endpoint).netloc.rpartition("@")[2]


def trusting(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Return how the far side of TLS is checked: by the roots of a file, or else by those of the system.

    Lambda's Amazon Linux has such roots, and AWS's own `cfn-response` module relies on them as well (AWS CloudFormation
    user guide, "cfn-response module").
    """
    return ssl.create_default_context(cafile=ca_bundle)


class Connection:
    """A connection to the host of an endpoint such as `https://dynamodb.eu-west-1.amazonaws.com`.

    `proxy` is the URL of an HTTP proxy for https; a connection over plain http, which only the emulator of one machine
    has, goes directly. Without `trust`, the roots of the system are trusted. With `keep_alive`, the operating system
    asks now and then whether the far side is still there. `longest` is the most bytes of a body that `send` returns.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        trust: ssl.SSLContext | None = None,
        proxy: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        keep_alive: bool = False,
        longest: int = LONGEST,
    ) -> None:
        self._read_timeout = read_timeout
        self._keep_alive = keep_alive
        self._longest = longest
        self._socket: socket.socket
        url = urlsplit(endpoint)
        self.host: Final = host_of(endpoint)
        host = url.hostname or ""
        if url.scheme == "http":
            self._connection = http.client.HTTPConnection(host, url.port, timeout=connect_timeout)
            return
        via = urlsplit(proxy) if proxy else url
        self._connection = http.client.HTTPSConnection(
            via.hostname or "",
            via.port or (_PROXY_PORT if proxy else None),
            timeout=connect_timeout,
            context=trust or trusting(),
        )
        if proxy:
            self._connection.set_tunnel(host, url.port or 443, headers=_proxy_headers(proxy))

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Response:
        """Send a request and return the response, whatever its status."""
        self.open()
        with self.begin(method, path, headers, body) as response:
            try:
                return _read(response, longest=self._longest)
            except FAILURES:
                self.close()
                raise

    def open(self) -> None:
        """Open a connection unless one is open. Nothing is sent if this fails."""
        try:
            if not self.is_open():
                self.close()
                self._connection.connect()
                # `http.client` forgets the socket as soon as a response says that the connection ends with it, and the
                # body of that response is still to be read.
                self._socket = self._connection.sock
                if self._keep_alive:
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.set_read_timeout(self._read_timeout)
        except FAILURES:
            self.close()
            raise

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], body: Body
    ) -> http.client.HTTPResponse:
        """Send a request over the open connection, and return the response when its headers are there.

        Whoever calls this reads the body to its end, or closes the connection.
        """
        try:
            self._connection.request(method, path, body, dict(headers))
            return self._connection.getresponse()
        except FAILURES:
            self.close()
            raise
        except ValueError:
            self.close()
            # Not the cause: it quotes a header, and one of them is the session token.
            raise UnusableError("The request or its response is malformed.") from None

    def set_read_timeout(self, seconds: float) -> None:
        """Set how long each read waits for a byte, until the next request."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()

    def is_open(self) -> bool:
        """Say whether there is a connection that the next request can use."""
        if self._connection.sock is None:
            return False
        # Between two requests only the end of the connection can arrive: the far side closed it, perhaps while the
        # function was frozen.
        arrived = select.poll()
        arrived.register(self._connection.sock, select.POLLIN)
        return not arrived.poll(0)


def _proxy_headers(proxy: str) -> dict[str, str]:
    url = urlsplit(proxy)
    if url.username is None:
        return {}
    name_and_password = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(name_and_password.encode()).decode()}"}


def _read(response: http.client.HTTPResponse, *, longest: int) -> Response:
    body = response.read(longest + 1)
    if len(body) > longest:
        raise UnusableError("The response is too long.")
    # `read` with a length raises no error if the connection ended too early.
    # All of them: of two lengths, `http.client` goes by the first.
    lengths = response.headers.get_all("Content-Length", [])
    if not {*lengths} <= {str(len(body))}:
        raise UnusableError(
            f"{len(body)} bytes of the response arrived instead of {', '.join(lengths)[:40]}."
        )
    if not {*response.headers.get_all("x-amz-crc32", [])} <= {str(crc32(body))}:
        raise UnusableError("The response does not have the checksum that it states.")
    return Response(status=response.status, body=body)
