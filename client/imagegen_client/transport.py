"""httpx as the client uses it: a step becomes a request, and each of its exceptions an outcome."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from imagegen_client.core import Send
from imagegen_client.errors import InvalidConfiguration
from imagegen_client.failures import NoReply, Reply

CONNECT_TIME: Final = 10.0
"""Seconds in which a connection has to be made."""

NOTHING_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""After any other exception the service may have received the request."""

NOT_A_URL: Final = (httpx.InvalidURL, UnicodeError)
"""What httpx, and what it asks for the name of the host, say of a URL before they send anything."""

FAILURES: Final = (httpx.RequestError, *NOT_A_URL)
"""Every way in which an attempt brings no response."""

LASTING: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


def timeouts(send: Send) -> httpx.Timeout:
    """Return how long to wait for what."""
    return httpx.Timeout(send.timeout, connect=min(CONNECT_TIME, send.timeout))


def reply_of(response: httpx.Response) -> Reply:
    """Return a response as the core reads it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, headers=headers, content=response.content)


@contextmanager
def usable_environment() -> Iterator[None]:
    """Say in a sentence why httpx cannot use the proxy or the certificates that the environment names.

    https://www.python-httpx.org/environment_variables/ lists the variables.

    Raises:
        InvalidConfiguration: It cannot.
    """
    try:
        yield
    except ImportError as exc:  # httpx needs another package for SOCKS
        raise InvalidConfiguration(
            "A proxy that speaks SOCKS needs one more package: run `pip install 'httpx[socks]'`. "
            "Or set NO_PROXY to the host of the service."
        ) from exc
    except OSError as exc:
        raise InvalidConfiguration(
            f"The certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {exc.strerror or exc}."
        ) from exc
    except (httpx.InvalidURL, ValueError) as exc:
        raise InvalidConfiguration(
            "The proxy cannot be used. Correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: "
            "it must be like http://proxy.example.com:8080."
        ) from exc


def no_reply(error: Exception) -> NoReply:
    """Return what an exception of `FAILURES` means."""
    if isinstance(error, NOT_A_URL):
        return NoReply(sent=False, why=_NOT_SENDABLE, lasting=True)
    sent = not isinstance(error, NOTHING_SENT)
    if sent:
        late = isinstance(error, httpx.TimeoutException)
        why = "No reply came in time." if late else "The connection ended before the reply came."
        return NoReply(sent=True, why=why)
    causes = _causes(error)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes) or "CERTIFICATE_VERIFY" in str(
        error
    ):
        return NoReply(sent=False, why=_UNTRUSTED, lasting=True)
    unknown = [
        each for each in causes if isinstance(each, socket.gaierror) and each.errno != socket.EAI_AGAIN
    ]
    if unknown:
        return NoReply(sent=False, why="The host is not known.", lasting=True)
    if isinstance(error, LASTING):
        return NoReply(sent=False, why=_NOT_SENDABLE, lasting=True)
    return NoReply(sent=False, why="The service cannot be reached.")


_NOT_SENDABLE: Final = "The request cannot be sent to this URL."
_UNTRUSTED: Final = (
    "The certificate of the service is not trusted. "
    "If it has an authority of its own, name its file in SSL_CERT_FILE."
)


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and those behind it."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found
