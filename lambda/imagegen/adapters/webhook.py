"""Signed call-backs by the Standard Webhooks specification, to public https addresses only.

With `loopback`, which only a deployment on one machine has, also to 127.0.0.1 over plain http.

The adapter connects to the address that it checked. So a name that resolves differently a moment later (DNS rebinding)
reaches nothing private. It follows no redirects, and reads only the status line of the response. See
`docs/decisions/0041-call-backs-speak-http-themselves.md`.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from imagegen import VERSION
from imagegen.contracts import webhook_urls
from imagegen.errors import Misconfigured

if TYPE_CHECKING:
    from imagegen.generations.generation import Generation
    from imagegen.generations.ports import Clock, Delivery

PATIENCE: Final = 5.0
"""In seconds, for the connection, the handshake, the request and the response together."""

SECRET_KEPT: Final = timedelta(minutes=5)
"""After this time the secret is read again, so that one that was rotated is not used for ever."""

_ACCEPTED: Final = range(200, 300)
# Standard Webhooks: a receiver that says 410 wants no further call-back.
_GONE: Final = 410
_LONGEST_STATUS_LINE: Final = 4096
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")

_LOOPBACK_ADDRESS: Final = "127.0.0.1"
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")

# These are not public either, but not every version of `ipaddress` knows it: protocol assignments, 6to4, Teredo,
# documentation.
_SPECIAL: Final = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16", "3fff::/20"),
    )
)

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[tuple[str, int], float], socket.socket]


def addresses(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the resolver orders them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _NotPublicError(Exception):
    """No call-back may be sent to this URL."""


class SignedCallbacks:
    """Sends call-backs. `secret` and `trust` are called for the first one; the secret is read again after a while.

    With `loopback` it also calls the two spellings of this machine that `webhook_urls.is_loopback` knows.
    """

    def __init__(
        self,
        *,
        secret: Callable[[], str],
        clock: Clock,
        loopback: bool = False,
        resolve: Resolve = addresses,
        connect: Connect = socket.create_connection,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        patience: float = PATIENCE,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._loopback = loopback
        self._resolve = resolve
        self._connect = connect
        self._trust = trust
        self._patience = patience
        self._signer: tuple[Webhook, datetime] | None = None
        self._trusted: ssl.SSLContext | None = None

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Send one call-back once; it tells the receiver the id and how the generation ended.

        Raises:
            Misconfigured: there is no secret to sign with.
        """
        try:
            receiver = _receiver(url, loopback=self._loopback)
            address = self._address(receiver)
            written = json.dumps(payload(generation))
            headers = {
                "Host": receiver.authority,
                "Content-Type": "application/json",
                "User-Agent": f"imagegen/{VERSION}",
                "Connection": "close",
                **self._signature(generation, written),
            }
            status = self._post(
                receiver, address, written, headers, ends_at=time.monotonic() + self._patience
            )
        except _NotPublicError:
            return "refused"
        # OSError covers time-outs, TLS and the resolver's errors.
        except (OSError, ValueError, http.client.HTTPException):
            return "again"
        if status == _GONE:
            return "refused"
        return "delivered" if status in _ACCEPTED else "again"

    def _address(self, receiver: _Receiver) -> str:
        if receiver.is_loopback:
            # Not resolved: whatever a machine's files make of "localhost", nothing else is called.
            return _LOOPBACK_ADDRESS
        try:
            found = self._resolve(receiver.host, receiver.port)
        except UnicodeError as exc:
            raise _NotPublicError from exc
        # Every address, not only the first: a name with one private address is not a public receiver.
        if not found or not all(map(_is_public, found)):
            raise _NotPublicError
        return found[0]

    def _post(
        self, receiver: _Receiver, address: str, written: str, headers: Mapping[str, str], *, ends_at: float
    ) -> int:
        """Send one request to the address that was checked, and return the status of the response."""
        with self._connected(receiver, address, ends_at=ends_at) as connected:
            connected.settimeout(_left(ends_at))
            # Only http.client's writer is used. Its reader would read as much as the receiver sends.
            connection = http.client.HTTPConnection(receiver.host, receiver.port)
            connection.sock = connected
            connection.request("POST", receiver.target, written.encode(), dict(headers))
            return _status(connected, ends_at=ends_at)

    @contextmanager
    def _connected(self, receiver: _Receiver, address: str, *, ends_at: float) -> Iterator[socket.socket]:
        """Connect to the address that was checked; over TLS, unless it is this machine."""
        with self._connect((address, receiver.port), _left(ends_at)) as plain:
            if receiver.is_loopback:
                yield plain
                return
            if self._trusted is None:
                self._trusted = self._trust()
            # The handshake as a whole, and not each part of it, has this time.
            plain.settimeout(_left(ends_at))
            with self._trusted.wrap_socket(plain, server_hostname=receiver.host) as secured:
                yield secured

    def _signature(self, generation: Generation, written: str) -> dict[str, str]:
        now = self._clock.now()
        if self._signer is None or now >= self._signer[1]:
            self._signer = _signer(self._secret()), now + SECRET_KEPT
        # One for each end of a generation: it may fail and be healed, or its key may be claimed again and fail again.
        message = f"msg_{generation.id}_{generation.claim}_{generation.state}"
        return {
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer[0].sign(msg_id=message, timestamp=now, data=written),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receiver:
    host: str
    port: int
    authority: str
    target: str
    is_loopback: bool


def _receiver(url: str, *, loopback: bool) -> _Receiver:
    is_loopback = loopback and webhook_urls.is_loopback(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError as exc:
        raise _NotPublicError from exc
    is_web = is_loopback or parts.scheme == "https"
    if not is_web or not host or "@" in parts.netloc or not url.isascii():
        raise _NotPublicError
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return _Receiver(host=host, port=port, authority=parts.netloc, target=target, is_loopback=is_loopback)


def _signer(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except Exception as exc:
        raise Misconfigured("The webhook secret is not base64 text.") from exc


def _left(ends_at: float) -> float:
    """Return the seconds that are left; never 0, which would mean not to wait at all."""
    return max(ends_at - time.monotonic(), 0.001)


def _status(connection: socket.socket, *, ends_at: float) -> int:
    """Read the status line only, and no longer than until `ends_at`."""
    line = b""
    # Each byte would renew a socket's time-out, so what is left until `ends_at` is set before each read.
    while b"\n" not in line and len(line) < _LONGEST_STATUS_LINE:
        connection.settimeout(_left(ends_at))
        part = connection.recv(_LONGEST_STATUS_LINE)
        if not part:
            break
        line += part
    found = _STATUS_LINE.match(line)
    if found is None:
        raise ValueError("The receiver's response is not HTTP.")
    return int(found[1])


def payload(generation: Generation) -> dict[str, Any]:
    """Return the members of a call-back's body."""
    ended = "succeeded" if generation.state == "succeeded" else "failed"
    # Neither prompt nor URL: the receiver looks the generation up with its own API key (decision 5).
    data: dict[str, str] = {"id": generation.id, "status": ended}
    if generation.failure is not None:
        data["code"] = generation.failure.code
    return {
        "type": f"generation.{ended}",
        "timestamp": (generation.ended_at or generation.created_at).isoformat(),
        "data": data,
    }


def _is_public(address: str) -> bool:
    """Say whether an address is public; one that stands for another (NAT64, mapped) counts as not public."""
    found = ipaddress.ip_address(address.partition("%")[0])
    # `is_global` is true for some multicast addresses.
    if found.is_multicast or any(found in network for network in _SPECIAL):
        return False
    return found.is_global and (found.version == 4 or found in _GLOBAL_UNICAST)  # noqa: PLR2004 - IP's own number
