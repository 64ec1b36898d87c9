"""Sends requests to one host over a connection that is kept open, and tells a response that did not arrive whole.

It follows no redirects. Every failure raises one of `FAILURES`, and the next request opens a new connection.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from base64 import b64encode
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_TIMEOUT: Final = 2.0
READ_TIMEOUT: Final = 5.0

_PROXY_PORT: Final = 80
"""Of a proxy whose URL names none, as the SDK's HTTP library has it."""

LONGEST: Final = 65_536
"""The most bytes of a body, unless a connection states more. An API key takes less than 2,000."""

_PORTS: Final = {"http": "80", "https": "443"}

_SHORTER: Final = 0.1
"""How many seconds have to pass before the socket's time-out is set anew. Most parts come within a millisecond."""

Body = bytes | bytearray


class UnusableError(Exception):
    """The response was cut off, damaged on its way, too long, or not what the service sends."""


class TooLongError(UnusableError):
    """The response has more bytes than it may have."""


FAILURES: Final = (OSError, http.client.HTTPException, UnusableError)
"""The exceptions that a request may raise. Errors of TLS and time-outs are an OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response that arrived whole."""

    status: int
    body: bytes


def host_of(endpoint: str) -> str:
    """Return the host of an endpoint as the header `Host` names it: in small letters, without the usual port."""
    url = urlsplit(endpoint)
    host = url.netloc.rpartition("@")[2].lower()
    return host.removesuffix(f":{_PORTS.get(url.scheme, '')}")


def trusting(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Return how the far side of TLS is checked: by the roots of a file, or else by those of the system.

    Lambda's Amazon Linux has such roots, and AWS's own `cfn-response` module relies on them as well (AWS CloudFormation
    user guide, "cfn-response module").
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    # Python 3.13 sets this by default, and the SDK does not: the authorities of some firewalls lack an identifier.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Connection:
    """A connection to the host of an endpoint such as `https://dynamodb.eu-west-1.amazonaws.com`.

    `proxy` is the URL of an HTTP proxy for https; a connection over plain http, which only the emulator of one machine
    has, goes directly. Without `trust`, the roots of the system are trusted. With `keep_alive`, the operating system
    asks now and then whether the far side is still there. `longest` is the most bytes of a body that `send` returns.
    `read_timeout` is how many seconds a response may take from the moment when the request is sent, its body included:
    the far side gains no time by sending a byte now and then.
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
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._keep_alive = keep_alive
        self._longest = longest
        self._socket: socket.socket
        self._ends_at = 0.0
        self._waits = 0.0
        url = urlsplit(endpoint)
        self.host: Final = host_of(endpoint)
        host = url.hostname or ""
        if url.scheme == "http":
            self._connection = http.client.HTTPConnection(host, url.port, timeout=connect_timeout)
        else:
            via = urlsplit(proxy) if proxy else url
            self._connection = http.client.HTTPSConnection(
                via.hostname or "",
                via.port or (_PROXY_PORT if proxy else None),
                timeout=connect_timeout,
                context=trust or trusting(),
            )
            if proxy:
                self._connection.set_tunnel(host, url.port or 443, headers=_proxy_headers(proxy))
        self._connection.response_class = self._timed  # type: ignore[assignment]  # it only has to make a response

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Response:
        """Send a request and return the response, whatever its status."""
        self.open()
        with self.begin(method, path, headers, body) as response:
            whole = self.read(response, longest=self._longest)
        if whole.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # What failed may have more to say, and that would be taken for the response to the repeated request.
            self.close()
        return whole

    def open(self) -> None:
        """Open a connection unless one is open. Nothing is sent if this fails."""
        with self._closed_by_failures():
            if not self.is_open():
                self.close()
                # The response of a proxy has its time as well.
                self._allow(self._connect_timeout)
                self._connection.connect()
                # `http.client` forgets the socket as soon as a response says that the connection ends with it, and the
                # body of that response is still to be read.
                self._socket = self._connection.sock
                if self._keep_alive:
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # For sending. An image takes its time.
            self._socket.settimeout(self._read_timeout)

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], body: Body
    ) -> http.client.HTTPResponse:
        """Send a request over the open connection, and return the response when its headers are there.

        Whoever calls this reads the body to its end, or closes the connection.
        """
        with self._closed_by_failures():
            # The far side may refuse a request before it has read the whole body. Then its response says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request(method, path, body, dict(headers))
            self.allow(self._read_timeout)
            return self._connection.getresponse()

    def allow(self, seconds: float) -> None:
        """Set how long the response may take from now on; whatever is still to come then raises a `TimeoutError`."""
        self._allow(seconds)
        self._socket.settimeout(seconds)

    def read(self, response: http.client.HTTPResponse, *, longest: int) -> Response:
        """Read a response that has begun to its end."""
        with self._closed_by_failures():
            return _read(response, longest=longest)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()

    def is_open(self) -> bool:
        """Say whether there is a connection that the next request can use."""
        found = self._connection.sock
        if found is None:
            return False
        # Between two requests only the end of the connection can arrive: the far side closed it, perhaps while the
        # function was frozen. Whatever else is there would be taken for the next response.
        if isinstance(found, ssl.SSLSocket) and found.pending():
            return False
        arrived = select.poll()
        arrived.register(found, select.POLLIN)
        return not arrived.poll(0)

    @contextmanager
    def _closed_by_failures(self) -> Iterator[None]:
        try:
            yield
        except FAILURES:
            # First, because an error about a certificate is also a ValueError.
            self.close()
            raise
        except ValueError:
            self.close()
            # Not the cause: it quotes a header, and one of them is the session token.
            raise UnusableError("The request or its response is malformed.") from None
        except BaseException:
            # Something of a response may be left in the connection, and would be taken for the next one.
            self.close()
            raise

    def _timed(self, connected: socket.socket, *args: Any, **named: Any) -> http.client.HTTPResponse:
        """Return a response that is read until the time is over."""
        response = http.client.HTTPResponse(connected, *args, **named)
        check = partial(self._check, connected)
        response.fp = BufferedReader(_Timed(response.fp.detach(), check=check))
        return response

    def _allow(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._waits = seconds

    def _check(self, connected: socket.socket) -> None:
        """Let the next read wait as long as the response may take."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("The response took too long.")
        if left <= self._waits - _SHORTER:
            connected.settimeout(left)
            self._waits = left


class _Timed(RawIOBase):
    """The bytes of a socket; before each read, `check` may end it."""

    def __init__(self, inner: RawIOBase, *, check: Callable[[], None]) -> None:
        self._inner = inner
        self._check = check

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """Read what is there, or wait for it."""
        self._check()
        return self._inner.readinto(buffer)

    def close(self) -> None:
        """Close the socket, if no connection uses it."""
        self._inner.close()
        super().close()


def _proxy_headers(proxy: str) -> dict[str, str]:
    url = urlsplit(proxy)
    if url.username is None:
        return {}
    name_and_password = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(name_and_password.encode()).decode()}"}


def _read(response: http.client.HTTPResponse, *, longest: int) -> Response:
    # A length that is stated is not waited for.
    if (response.length or 0) > longest or len(body := response.read(longest + 1)) > longest:
        raise TooLongError("The response is too long.")
    # `read` with a length raises no error if the connection ended too early.
    # All of them: of two lengths, `http.client` goes by the first.
    lengths = [stated.strip() for stated in response.headers.get_all("Content-Length", [])]
    # Beside chunks a length does not count: RFC 9112, section 6.3.
    if not response.chunked and not {*lengths} <= {str(len(body))}:
        raise UnusableError(
            f"{len(body)} bytes of the response arrived instead of {', '.join(lengths)[:40]}."
        )
    if not all(stated.strip() == str(crc32(body)) for stated in response.headers.get_all("x-amz-crc32", [])):
        raise UnusableError("The response does not have the checksum that it states.")
    return Response(status=response.status, body=body)
