"""Every exception of httpx has a meaning: nothing was sent, or nobody knows."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from imagegen_client.transport import NOTHING_SENT, no_reply

AFTER_SENDING = {
    "RequestError",
    "TransportError",
    "TimeoutException",
    "NetworkError",
    "ProtocolError",
    "ReadTimeout",
    "WriteTimeout",
    "ReadError",
    "WriteError",
    "CloseError",
    "RemoteProtocolError",
    "DecodingError",
    "TooManyRedirects",
}


def kinds(kind: type[httpx.RequestError] = httpx.RequestError) -> list[type[httpx.RequestError]]:
    """Return a class and all below it."""
    return [kind, *(each for below in kind.__subclasses__() for each in kinds(below))]


def test_every_exception_of_httpx_is_known() -> None:
    """A new one has to be put on one of the two lists."""
    assert {each.__name__ for each in kinds()} == AFTER_SENDING | {each.__name__ for each in NOTHING_SENT}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_exception_counts_as_sent_unless_it_certainly_was_not(kind: type[httpx.RequestError]) -> None:
    """What may have been sent may have been paid."""
    assert no_reply(kind("No.")).sent == (kind.__name__ in AFTER_SENDING)


@pytest.mark.parametrize(
    ("cause", "lasting", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), True, "is not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), False, "cannot be reached"),
        (ssl.SSLCertVerificationError("self-signed"), True, "is not trusted"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False, "cannot be reached"),
    ],
)
def test_a_failed_connection_says_why(cause: OSError, lasting: bool, words: str) -> None:  # noqa: FBT001 - a column
    """What another attempt would not mend is not tried again."""
    error = httpx.ConnectError("No.")
    error.__cause__ = cause
    found = no_reply(error)
    assert (found.sent, found.lasting) == (False, lasting)
    assert words in found.why
