"""Over real TLS, a receiver gets call-backs that it can verify, and only its status influences the service."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from imagegen import VERSION
from imagegen.adapters.system import SystemClock
from imagegen.adapters.webhook import SignedCallbacks
from imagegen.generations.generation import Failure
from local import certificates
from tests.support.faulty_server import CLOSED, HANGING, FaultyServer, Reply, Request, whole
from tests.support.records import ENDED, SECRET

HOST = "hooks.execute-api.localhost"
PUBLIC = "93.184.216.34"


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Return a certificate for the receiver's name, by an authority that only these tests trust."""
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), now=datetime.now(UTC))


@pytest.fixture
def receiver(issued: certificates.Certificates) -> Callable[..., FaultyServer]:
    """Return a function that makes receivers which speak TLS."""

    def make(*script: Reply) -> FaultyServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        return FaultyServer(*script, tls=context)

    return make


def callbacks(server: FaultyServer, *, authority: Path | None, patience: float = 60) -> SignedCallbacks:
    """Return a sender of call-backs for which the server has a public address."""
    return SignedCallbacks(
        secret=lambda: SECRET,
        clock=SystemClock(),
        resolve=lambda host, port: [PUBLIC],  # noqa: ARG005 - the resolver's shape
        connect=lambda address, timeout: socket.create_connection(  # noqa: ARG005 - the connector's shape
            ("127.0.0.1", server.port), timeout
        ),
        trust=lambda: certificates.trust(authority),
        patience=patience,
    )


def webhook_headers(request: Request) -> dict[str, str]:
    """Return the headers that a receiver verifies."""
    return {name: request.header(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}


def test_a_receiver_can_verify_what_it_gets(
    receiver: Callable[..., FaultyServer], issued: certificates.Certificates
) -> None:
    """The specification's own package verifies it; it holds the id and how the generation ended, but no prompt."""
    with receiver(whole(204)) as server:
        sender = callbacks(server, authority=issued.authority)
        assert sender.deliver(f"https://{HOST}:{server.port}/done?for=me", generation=ENDED) == "delivered"
    (request,) = server.requests
    assert request.head.startswith("POST /done?for=me HTTP/1.1\r\n")
    assert request.header("host") == f"{HOST}:{server.port}"
    assert request.header("content-type") == "application/json"
    assert request.header("user-agent") == f"imagegen/{VERSION}"
    assert Webhook(SECRET).verify(request.body, webhook_headers(request)) == {
        "type": "generation.succeeded",
        "timestamp": "2026-11-25T12:00:00+00:00",
        "data": {"id": ENDED.id, "status": "succeeded"},
    }


def test_a_failed_generation_is_told_with_its_code(
    receiver: Callable[..., FaultyServer], issued: certificates.Certificates
) -> None:
    """The call-back has the error's code, but not its sentence."""
    failure = Failure(code="content_filtered", detail="The content filter stopped it.", paid=True)
    with receiver(whole(200)) as server:
        sender = callbacks(server, authority=issued.authority)
        sender.deliver(f"https://{HOST}/", generation=replace(ENDED, state="failed", failure=failure))
    (request,) = server.requests
    assert request.header("host") == HOST
    assert json.loads(request.body)["data"] == {
        "id": ENDED.id,
        "status": "failed",
        "code": "content_filtered",
    }


def test_a_call_back_that_is_repeated_is_the_same_message(
    receiver: Callable[..., FaultyServer], issued: certificates.Certificates
) -> None:
    """The second call-back has the same id, so a receiver can drop it."""
    with receiver(whole(500), whole(200)) as server:
        sender = callbacks(server, authority=issued.authority)
        answers = [sender.deliver(f"https://{HOST}/", generation=ENDED) for _ in range(2)]
    first, second = server.requests
    assert answers == ["again", "delivered"]
    assert first.body == second.body
    assert (
        first.header("webhook-id")
        == second.header("webhook-id")
        == f"msg_{ENDED.id}_{ENDED.claim}_{ENDED.state}"
    )


@pytest.mark.parametrize(
    ("reply", "delivery"),
    [
        (whole(200), "delivered"),
        (whole(202, b"x" * 5_000_000), "delivered"),
        (whole(299), "delivered"),
        (whole(301, headers=["Location: https://hooks.execute-api.localhost/x"]), "again"),
        (whole(302, headers=["Location: http://169.254.169.254/"]), "again"),
        (whole(400), "again"),
        (whole(410), "refused"),
        (whole(429), "again"),
        (whole(503), "again"),
        (CLOSED, "again"),
        (HANGING, "again"),
        (Reply(content=b"SSH-2.0-OpenSSH\r\n"), "again"),
        (Reply(content=b"x" * 100_000), "again"),
        (Reply(drops=b"HTTP/1.1 200 " + b"y" * 200, pause=0.5), "again"),
    ],
    ids=[
        "200",
        "long body",
        "299",
        "301",
        "redirect to the metadata service",
        "400",
        "gone",
        "429",
        "503",
        "closed",
        "silent",
        "not HTTP",
        "endless line",
        "dripping line",
    ],
)
def test_only_the_status_of_an_answer_counts(
    receiver: Callable[..., FaultyServer],
    issued: certificates.Certificates,
    reply: Reply,
    delivery: str,
) -> None:
    """One request is sent whatever the response is, only the status is read, and a slow receiver is given up."""
    is_slow = reply == HANGING or reply.drops
    with receiver(reply) as server:
        began = time.monotonic()
        sender = callbacks(server, authority=issued.authority, patience=3 if is_slow else 60)
        assert sender.deliver(f"https://{HOST}/", generation=ENDED) == delivery
        assert time.monotonic() - began < 60  # a dripping line would take 100 s, and silence would never end
    assert len(server.requests) == 1


def test_a_receiver_of_another_name_gets_nothing(
    receiver: Callable[..., FaultyServer], issued: certificates.Certificates
) -> None:
    """If the certificate is not for the name in the URL, the connection is closed."""
    with receiver(whole(200)) as server:
        sender = callbacks(server, authority=issued.authority)
        assert sender.deliver("https://other.example/", generation=ENDED) == "again"
    assert server.requests == []


def test_a_receiver_that_nobody_vouches_for_gets_nothing(receiver: Callable[..., FaultyServer]) -> None:
    """By default the machine's own root certificates decide whom to trust."""
    with receiver(whole(200)) as server:
        sender = callbacks(server, authority=None)
        assert sender.deliver(f"https://{HOST}/", generation=ENDED) == "again"
    assert server.requests == []


@pytest.mark.thorough
def test_a_receiver_that_speaks_no_tls_gets_nothing(issued: certificates.Certificates) -> None:
    """Its port accepts the connection, but the TLS handshake fails."""
    with FaultyServer(whole(200)) as server:
        sender = callbacks(server, authority=issued.authority, patience=3)
        assert sender.deliver(f"https://{HOST}/", generation=ENDED) == "again"
    assert all(not request.head.startswith("POST") for request in server.requests)
