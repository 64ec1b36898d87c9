"""Every exception of httpx has a meaning: nothing was sent, or nobody knows."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from imagegen_client import AsyncClient, Client, Retries, errors
from imagegen_client.transport import NOTHING_SENT, no_reply
from tests.support.client_steps import API_KEY, URL

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


@pytest.mark.parametrize("host", ["\udcff", "xn--", "[::1]x"])
def test_a_host_that_cannot_be_written_is_a_sentence(host: str) -> None:
    """The exceptions for that are not among the others of httpx."""
    with (
        Client(f"http://{host}/v1", API_KEY, retries=Retries(tries=1)) as client,
        pytest.raises(errors.InvalidConfiguration, match="cannot be sent to this URL"),
    ):
        client.models()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", r"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: No such file"),
        ("SSL_CERT_FILE", "/dev/null", r"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: "),
        ("ALL_PROXY", "socks5://127.0.0.1:1", r"httpx\[socks\]"),
        ("ALL_PROXY", "ftp://127.0.0.1:1", "The proxy cannot be used"),
        ("HTTPS_PROXY", "http://127.0.0.1:x", "The proxy cannot be used"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_environment_that_cannot_be_used_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Client | AsyncClient],
    variable: str,
    value: str,
    words: str,
) -> None:
    """It names the variable, and nothing is sent."""
    for name in ("NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(errors.InvalidConfiguration, match=words):
        kind(URL, API_KEY)
