"""Posts to one host over one connection that is kept open, and returns only responses that arrived whole.

It follows no redirects. Every failure raises one of `FAILURES`, and the next request opens a new connection.
"""

from __future__ import annotations

import http.client
import select
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
"""The most bytes of a body. An API key takes less than 2,000."""


class UnusableError(Exception):
    """The response was cut off, damaged on its way, too long, or not what the service sends."""


FAILURES: Final = (OSError, http.client.HTTPException, UnusableError)
"""The exceptions that a request may raise. Errors of TLS and time-outs are an OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response that arrived whole."""

    status: int
    body: bytes


class Connection:
    """A connection to the host of an endpoint such as `https://dynamodb.eu-west-1.amazonaws.com`.

    Without `ca_bundle` it trusts the roots of the system, which Lambda's Amazon Linux has: AWS's own `cfn-response`
    module relies on them as well (AWS CloudFormation user guide, "cfn-response module"). `proxy` is the URL of an HTTP
    proxy for https; a connection over plain http, which only the emulator of one machine has, goes directly.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        ca_bundle: str | None = None,
        proxy: str | None = None,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self._read_timeout = read_timeout
        url = urlsplit(endpoint)
        self.host: Final = url.netloc.rpartition("@")[2]
        host = url.hostname or ""
        if url.scheme == "http":
            self._connection = http.client.HTTPConnection(host, url.port, timeout=CONNECT_TIMEOUT)
            return
        # This takes longer than all the rest of the start. Lambda gives the start more CPU than it gives a request.
        trust = ssl.create_default_context(cafile=ca_bundle)
        via = urlsplit(proxy) if proxy else url
        self._connection = http.client.HTTPSConnection(
            via.hostname or "",
            via.port or (_PROXY_PORT if proxy else None),
            timeout=CONNECT_TIMEOUT,
            context=trust,
        )
        if proxy:
            self._connection.set_tunnel(host, url.port or 443, headers=_proxy_headers(proxy))

    def post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send a POST to the path `/` and return the response, whatever its status."""
        try:
            if not self.is_open():
                self.close()
                self._connection.connect()
                self._connection.sock.settimeout(self._read_timeout)
            self._connection.request("POST", "/", body, dict(headers))
            with self._connection.getresponse() as response:
                return _read(response)
        except FAILURES:
            self.close()
            raise
        except ValueError:
            self.close()
            # Not the cause: it quotes a header, and one of them is the session token.
            raise UnusableError("The request or its response is malformed.") from None

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()

    def is_open(self) -> bool:
        """Say whether there is a connection that the next request can use."""
        connection = self._connection.sock
        # Between two requests only the end of the connection can arrive: the far side closed it, perhaps while the
        # function was frozen.
        return connection is not None and not select.select([connection], [], [], 0)[0]


def _proxy_headers(proxy: str) -> dict[str, str]:
    url = urlsplit(proxy)
    if url.username is None:
        return {}
    name_and_password = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(name_and_password.encode()).decode()}"}


def _read(response: http.client.HTTPResponse) -> Response:
    body = response.read(LONGEST + 1)
    if len(body) > LONGEST:
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
