"""Call-backs go only to public addresses, and to this machine where a deployment allows it.

`tests/local` shows over TLS what is sent, and to whom.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
from standardwebhooks import Webhook

from imagegen import errors
from imagegen.adapters.webhook import SECRET_KEPT, SignedCallbacks, payload
from imagegen.generations.generation import Generation
from tests.support.fakes import FakeClock
from tests.support.receivers import LOOPBACK, NEIGHBOURS
from tests.support.records import ENDED, NOW, SECRET

URL = "https://hooks.example/done"


class Connections:
    """Records each address that is connected to, and refuses the connection."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, int]] = []

    def __call__(self, address: tuple[str, int], timeout: float) -> socket.socket:  # noqa: ARG002 - the port's shape
        """Refuse the connection."""
        self.tried.append(address)
        raise ConnectionRefusedError


def callbacks(
    *addresses: str, secret: str = SECRET, loopback: bool = False
) -> tuple[SignedCallbacks, Connections]:
    """Return call-backs whose receivers all resolve to these addresses, and their recorded connections."""
    connections = Connections()
    sender = SignedCallbacks(
        secret=lambda: secret,
        clock=FakeClock(NOW),
        loopback=loopback,
        resolve=lambda host, port: addresses,  # noqa: ARG005 - the resolver's shape
        connect=connections,
    )
    return sender, connections


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - one of the addresses to refuse
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:93.184.216.34",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_an_address_that_is_not_public_is_never_connected_to(address: str) -> None:
    """One such address is enough, even among public ones, because the name's owner chooses the order."""
    for addresses in ([address], ["93.184.216.34", address]):
        for loopback in (False, True):
            sender, connections = callbacks(*addresses, loopback=loopback)
            assert sender.deliver(URL, generation=ENDED) == "refused"
            assert connections.tried == []


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_the_address_that_was_checked_is_the_one_connected_to(address: str) -> None:
    """The name is not resolved a second time."""
    sender, connections = callbacks(address)
    assert sender.deliver("https://hooks.example:8443/done", generation=ENDED) == "again"
    assert connections.tried == [(address, 8443)]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/done",
        "ftp://hooks.example/done",
        "//hooks.example/done",
        "https:///done",
        "https://",
        "",
        "https://user@hooks.example/done",
        "https://user:word@hooks.example/done",
        "https://hooks.example:99999/done",
        "https://hooks.example:x/done",
        "https://[::1/done",
        "https://h\N{LATIN SMALL LETTER O WITH DIAERESIS}oks.example/done",
    ],
)
def test_a_url_that_is_no_plain_https_is_never_resolved(url: str) -> None:
    """The adapter checks the URL again, because an old record may hold one that is refused today."""
    sender, connections = callbacks("93.184.216.34")
    assert sender.deliver(url, generation=ENDED) == "refused"
    assert connections.tried == []


@pytest.mark.parametrize(
    ("failure", "delivery"),
    [(socket.gaierror(), "again"), (UnicodeError(), "refused"), (None, "refused")],
    ids=["no answer", "no name", "no address"],
)
def test_a_name_that_does_not_resolve_may_do_so_later(failure: Exception | None, delivery: str) -> None:
    """A name that can never resolve is refused; any other is tried again."""

    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001 - the resolver's shape
        if failure is not None:
            raise failure
        return []

    sender = SignedCallbacks(secret=lambda: SECRET, clock=FakeClock(NOW), resolve=resolve)
    assert sender.deliver(URL, generation=ENDED) == delivery


@pytest.mark.parametrize("secret", ["", "not base64!", "whsec_"])
def test_a_secret_that_cannot_sign_is_the_deployments_fault(secret: str) -> None:
    """No call-back is sent without a signature."""
    sender, connections = callbacks("93.184.216.34", secret=secret)
    with pytest.raises(errors.Misconfigured):
        sender.deliver(URL, generation=replace(ENDED, state="failed"))
    assert connections.tried == []


class Accepting:
    """A pretend connection to a receiver that accepts everything; keeps what it gets."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.timeouts: list[float] = []

    def sendall(self, content: bytes) -> None:
        """Keep what is sent."""
        self.sent.append(content)

    def recv(self, size: int) -> bytes:
        """Return a status line."""
        return b"HTTP/1.1 204 Accepted\r\n"[:size]

    def settimeout(self, seconds: float) -> None:
        """Keep how long may be waited."""
        self.timeouts.append(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def accepting(*, secret: Callable[[], str], clock: FakeClock) -> tuple[SignedCallbacks, Accepting]:
    """Return call-backs whose receiver accepts everything, and what it gets."""
    receiver: Any = Accepting()
    sender = SignedCallbacks(
        secret=secret,
        clock=clock,
        loopback=True,
        connect=lambda address, timeout: receiver,  # noqa: ARG005 - the connector's shape
    )
    return sender, receiver


def signed(sender: SignedCallbacks, generation: Generation, receiver: Accepting) -> dict[str, str]:
    """Send a call-back, and return the headers that a receiver verifies."""
    receiver.sent.clear()
    assert sender.deliver("http://127.0.0.1:8000/hook", generation=generation) == "delivered"
    lines = b"".join(receiver.sent).decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line.startswith("webhook-"))


class Talkative(Accepting):
    """A receiver whose first line has no end, and who says nothing more after 4 KB."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def recv(self, size: int) -> bytes:
        """Return as much of the line as fits, once."""
        self.reads += 1
        if self.reads > 1:
            raise TimeoutError
        return b"HTTP/1.1 204 ".ljust(size, b"x")


def test_a_status_line_is_read_up_to_its_longest_length() -> None:
    """What stands there decides; the receiver is not waited for any longer."""
    receiver: Any = Talkative()
    sender = SignedCallbacks(
        secret=lambda: SECRET,
        clock=FakeClock(NOW),
        loopback=True,
        connect=lambda address, timeout: receiver,  # noqa: ARG005 - the connector's shape
    )
    assert sender.deliver("http://127.0.0.1:8000/hook", generation=ENDED) == "delivered"
    assert receiver.reads == 1


def test_all_steps_of_a_call_back_share_one_time() -> None:
    """A receiver that uses it up at one step has none left at the next."""
    receiver: Any = Accepting()

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:  # noqa: ARG001 - the connector's shape
        receiver.timeouts.append(timeout)
        time.sleep(0.3)
        connected: socket.socket = receiver
        return connected

    sender = SignedCallbacks(
        secret=lambda: SECRET, clock=FakeClock(NOW), loopback=True, connect=connect, patience=1
    )
    assert sender.deliver("http://127.0.0.1:8000/hook", generation=ENDED) == "delivered"
    first, *later = receiver.timeouts
    assert first <= 1
    assert len(later) >= 2
    assert max(later) <= 0.7


def hanging(released: threading.Event) -> Callable[..., Any]:
    """Return a step that lasts until the test is over; after ten seconds it says that the test waits for it."""

    def step(*_: object) -> Any:
        if not released.wait(10):
            raise AssertionError("It was waited for.")

    return step


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Yield what ends every step that hangs, and set it at the end."""
    event = threading.Event()
    yield event
    event.set()


def test_a_name_that_takes_too_long_to_resolve_is_given_up(released: threading.Event) -> None:
    """The owner of a name decides how long its name servers take."""
    connections = Connections()
    sender = SignedCallbacks(
        secret=lambda: SECRET,
        clock=FakeClock(NOW),
        resolve=hanging(released),
        connect=connections,
        patience=0.2,
    )
    assert sender.deliver(URL, generation=ENDED) == "again"
    assert connections.tried == []


def test_a_name_that_hangs_does_not_keep_the_process_alive() -> None:
    """Python waits at its end for every thread that is not a daemon."""
    daemons = []

    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001 - the resolver's shape
        daemons.append(threading.current_thread().daemon)
        return ["93.184.216.34"]

    sender = SignedCallbacks(
        secret=lambda: SECRET, clock=FakeClock(NOW), resolve=resolve, connect=Connections()
    )
    assert sender.deliver(URL, generation=ENDED) == "again"
    assert daemons == [True]


def test_a_name_that_resolves_slowly_leaves_less_time_to_connect() -> None:
    """The name is one of the steps that share the time."""
    passed, given = [0.0], []

    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001 - the resolver's shape
        passed[0] += 3
        return ["93.184.216.34"]

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:  # noqa: ARG001 - the connector's shape
        given.append(timeout)
        raise ConnectionRefusedError

    sender = SignedCallbacks(
        secret=lambda: SECRET,
        clock=FakeClock(NOW),
        resolve=resolve,
        connect=connect,
        monotonic=lambda: passed[0],
        patience=60,
    )
    assert sender.deliver(URL, generation=ENDED) == "again"
    assert given == [57]


def test_a_secret_that_takes_too_long_to_read_is_the_deployments_fault(released: threading.Event) -> None:
    """The receiver is not called, so it is none of its tries."""
    connections = Connections()
    sender = SignedCallbacks(
        secret=hanging(released),
        clock=FakeClock(NOW),
        resolve=lambda host, port: ["93.184.216.34"],  # noqa: ARG005 - the resolver's shape
        connect=connections,
        patience=0.2,
    )
    with pytest.raises(errors.Misconfigured):
        sender.deliver(URL, generation=ENDED)
    assert connections.tried == []


def test_a_secret_that_was_read_slowly_leaves_the_receiver_its_whole_time() -> None:
    """The call-back waits for its next try, for which the secret is there already."""
    passed, read = [0.0], []
    receiver: Any = Accepting()

    def secret() -> str:
        read.append(SECRET)
        passed[0] += 31
        return SECRET

    sender = SignedCallbacks(
        secret=secret,
        clock=FakeClock(NOW),
        loopback=True,
        connect=lambda address, timeout: receiver,  # noqa: ARG005 - the connector's shape
        monotonic=lambda: passed[0],
        patience=60,
    )
    with pytest.raises(errors.Misconfigured):
        sender.deliver("http://127.0.0.1:8000/hook", generation=ENDED)
    assert receiver.sent == []
    signed(sender, ENDED, receiver)
    assert read == [SECRET]


def test_each_end_of_a_generation_has_a_message_id_of_its_own() -> None:
    """A healed one, and one whose key failed without cost, was claimed again and failed again."""
    sender, sent = accepting(secret=lambda: SECRET, clock=FakeClock(NOW))
    failed = replace(ENDED, state="failed")
    ends = [failed, replace(failed, state="succeeded"), replace(failed, claim="again")]
    ids = [signed(sender, end, sent)["webhook-id"] for end in ends]
    assert len(set(ids)) == 3
    # A repeat of a call-back is the same message, whatever was written into the record since.
    assert signed(sender, replace(failed, version="later", webhook_tries=1), sent)["webhook-id"] == ids[0]


def test_a_secret_that_was_rotated_is_used_after_a_while() -> None:
    """It is not read for every call-back, and not kept for ever."""
    secrets = [SECRET, SECRET[::-1]]
    read: list[str] = []
    clock = FakeClock(NOW)

    def secret() -> str:
        read.append(secrets[len(read)])
        return read[-1]

    sender, sent = accepting(secret=secret, clock=clock)
    first, again = (signed(sender, ENDED, sent)["webhook-signature"] for _ in range(2))
    clock.sleep(SECRET_KEPT.total_seconds() - 1)
    signed(sender, ENDED, sent)
    assert (first, read) == (again, [SECRET])
    clock.sleep(1)
    after = signed(sender, ENDED, sent)
    assert read == secrets
    expected = Webhook(secrets[1]).sign(
        msg_id=after["webhook-id"], timestamp=clock.now(), data=json.dumps(payload(ENDED))
    )
    assert after["webhook-signature"] == expected


@pytest.mark.parametrize("url", LOOPBACK)
def test_a_receiver_on_this_machine_is_refused_unless_the_deployment_allows_it(url: str) -> None:
    """A deployment in an account never does, so a record that names one makes no connection."""
    sender, connections = callbacks("93.184.216.34")
    assert sender.deliver(url, generation=ENDED) == "refused"
    assert connections.tried == []


@pytest.mark.parametrize(
    ("url", "port"), [("http://127.0.0.1:8000/hook", 8000), ("http://localhost:8001/hook", 8001)]
)
def test_a_receiver_on_this_machine_is_called_at_one_fixed_address(url: str, port: int) -> None:
    """The name is not resolved, so a changed file of hosts leads nowhere else."""
    sender, connections = callbacks("10.0.0.1", loopback=True)
    assert sender.deliver(url, generation=ENDED) == "again"
    assert connections.tried == [("127.0.0.1", port)]


@pytest.mark.parametrize("url", NEIGHBOURS)
@pytest.mark.parametrize("loopback", [False, True])
def test_a_url_that_resembles_this_machine_is_never_connected_to(*, url: str, loopback: bool) -> None:
    """Also if the deployment allows receivers on this machine, and the name leads to it."""
    sender, connections = callbacks("127.0.0.1", loopback=loopback)
    assert sender.deliver(url, generation=ENDED) == "refused"
    assert connections.tried == []
