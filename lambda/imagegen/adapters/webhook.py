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
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from imagegen import VERSION
from imagegen.contracts import webhook_urls
from imagegen.errors import Misconfigured

if TYPE_CHECKING:
    from imagegen.generations.generation import Generation
    from imagegen.generations.ports import Clock, Delivery

T = TypeVar("T")

PATIENCE: Final = 5.0
"""In seconds, for all steps together: secret, name, connection, handshake, request and response."""

# If the secret took more of the time than this, the receiver has too little of it left for a fair try.
_SECRETS_SHARE: Final = 0.5

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
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._loopback = loopback
        self._resolve = resolve
        self._connect = connect
        self._trust = trust
        self._monotonic = monotonic
        self._patience = patience
        self._signer: tuple[Webhook, datetime] | None = None
        self._trusted: ssl.SSLContext | None = None

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Send one call-back once; it tells the receiver the id and how the generation ended.

        Raises:
            Misconfigured: there is no secret to sign with, or it was not read in time. The receiver was not called.
        """
        left = self._countdown()
        try:
            receiver = _receiver(url, loopback=self._loopback)
            written = json.dumps(payload(generation))
            signature = self._signature(generation, written, left=left)
            address = self._address(receiver, left=left)
            headers = {
                "Host": receiver.authority,
                "Content-Type": "application/json",
                "User-Agent": f"imagegen/{VERSION}",
                "Connection": "close",
                **signature,
            }
            status = self._post(receiver, address, written, headers, left=left)
        except _NotPublicError:
            return "refused"
        # OSError covers time-outs, TLS and the resolver's errors.
        except (OSError, ValueError, http.client.HTTPException):
            return "again"
        if status == _GONE:
            return "refused"
        return "delivered" if status in _ACCEPTED else "again"

    def _countdown(self) -> Callable[[], float]:
        """Return what says how many seconds are left; never 0, which would mean not to wait at all."""
        ends_at = self._monotonic() + self._patience
        return lambda: max(ends_at - self._monotonic(), 0.001)

    def _address(self, receiver: _Receiver, *, left: Callable[[], float]) -> str:
        if receiver.is_loopback:
            # Not resolved: whatever a machine's files make of "localhost", nothing else is called.
            return _LOOPBACK_ADDRESS
        try:
            # The resolver has a time-out of its own, of many seconds, and whoever owns the name can make it last.
            found = _within(left, lambda: self._resolve(receiver.host, receiver.port))
        except UnicodeError as exc:
            raise _NotPublicError from exc
        # Every address, not only the first: a name with one private address is not a public receiver.
        if not found or not all(map(_is_public, found)):
            raise _NotPublicError
        return found[0]

    def _post(
        self,
        receiver: _Receiver,
        address: str,
        written: str,
        headers: Mapping[str, str],
        *,
        left: Callable[[], float],
    ) -> int:
        """Send one request to the address that was checked, and return the status of the response."""
        with self._connected(receiver, address, left=left) as connected:
            connected.settimeout(left())
            # Only http.client's writer is used. Its reader would read as much as the receiver sends.
            connection = http.client.HTTPConnection(receiver.host, receiver.port)
            connection.sock = connected
            connection.request("POST", receiver.target, written.encode(), dict(headers))
            return _status(connected, left=left)

    @contextmanager
    def _connected(
        self, receiver: _Receiver, address: str, *, left: Callable[[], float]
    ) -> Iterator[socket.socket]:
        """Connect to the address that was checked; over TLS, unless it is this machine."""
        with self._connect((address, receiver.port), left()) as plain:
            if receiver.is_loopback:
                yield plain
                return
            if self._trusted is None:
                self._trusted = self._trust()
            # The handshake as a whole, and not each part of it, has this time.
            plain.settimeout(left())
            with self._trusted.wrap_socket(plain, server_hostname=receiver.host) as secured:
                yield secured

    def _signature(
        self, generation: Generation, written: str, *, left: Callable[[], float]
    ) -> dict[str, str]:
        now = self._clock.now()
        signer = self._read_signer(now, left=left)
        # One for each end of a generation: it may fail and be healed, or its key may be claimed again and fail again.
        message = f"msg_{generation.id}_{generation.claim}_{generation.state}"
        return {
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(msg_id=message, timestamp=now, data=written),
        }

    def _read_signer(self, now: datetime, *, left: Callable[[], float]) -> Webhook:
        if self._signer is not None and now < self._signer[1]:
            return self._signer[0]
        slow = Misconfigured("The webhook secret was not read in time.")
        try:
            secret = _within(left, self._secret)
        except TimeoutError as exc:
            raise slow from exc
        signer = _signer(secret)
        # Kept first: the next try does not wait for it again.
        self._signer = signer, now + SECRET_KEPT
        if left() < self._patience * (1 - _SECRETS_SHARE):
            raise slow
        return signer


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


def _within(left: Callable[[], float], step: Callable[[], T]) -> T:
    """Return what a step returns, or raise what it raises, if that is while time is left.

    Raises:
        TimeoutError: it was not. The step ends later by its own time-outs, and its result is dropped.
    """
    results: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((step(), None))
        except Exception as exc:  # noqa: BLE001 - raised where it is waited for
            results.put((None, exc))

    # A thread for each step, because a pool would let one step that hangs hold up the next. A daemon, so that the
    # process can end. If Lambda freezes the process, the thread goes on when the process does.
    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=left())
    except Empty as exc:
        raise TimeoutError from exc
    if error is not None:
        raise error
    return cast("T", result)


def _status(connection: socket.socket, *, left: Callable[[], float]) -> int:
    """Read the status line only, and only while time is left."""
    line = b""
    # Each byte would renew a socket's time-out, so what is left is set before each read.
    while b"\n" not in line and len(line) < _LONGEST_STATUS_LINE:
        connection.settimeout(left())
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
