"""Connections: which of them are used again, how long they are used, and whom they trust."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from imagegen import errors
from imagegen.adapters.direct.connection import Connection
from imagegen.adapters.direct.connections import Connections
from tests.support.direct_calls import (
    IMAGE,
    INVOKE,
    PNG,
    PUT,
    Tls,
    adapter_of,
    answered,
    bucket,
    runtime,
    table,
    waiting,
)
from tests.support.faulty_server import FaultyServer, Reply, Request, whole

OTHERS = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"others"'

LEFT_BEHIND = {
    # The answer and what follows are one TLS record.
    "after the answer": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: %b\r\n\r\n{}" % (b"x" * 8143) + OTHERS,
    "after chunks that cannot be read": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n"
    + OTHERS * 300,
    "after an error": b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}" + OTHERS * 300,
}


@pytest.mark.parametrize("reply", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_no_call_gets_what_is_left_of_another_ones_answer(
    reply: bytes, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that nobody has read may be in the socket, or already in the memory of TLS."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tls.authority))
    with FaultyServer(Reply(content=reply), whole(200, b'"mine"'), tls=tls.context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        adapter = adapter_of(runtime())
        with suppress(errors.ImagegenError):
            answered(adapter)
        assert answered(adapter) == b'"mine"'
    assert [request.connection for request in server.requests] == [1, 2]


class Emptied(deque[Any]):
    """Looks as if it held something, and another thread has just taken it."""

    def __len__(self) -> int:
        return 1


def test_another_thread_may_have_taken_the_last_one() -> None:
    """Several images may find the same connection free at the same time."""
    connections = Connections("http://localhost:1", lambda: Connection("http://localhost:1"))
    connections._free = Emptied()
    assert connections.take().host == "localhost:1"


@pytest.mark.parametrize(("idle", "opened"), [(20, 1), (20.5, 2), (-5, 2)])
def test_each_connection_has_an_age_of_its_own(
    idle: float, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lay below a busy one may be gone. A clock that went back says nothing, so it counts as long."""
    wait = waiting(monkeypatch)
    with FaultyServer(whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        for connections in (runtime()._connections, table(attempts=1)._calls._sender):
            before = server.connections
            connections.send("POST", "/", {}, b"")
            wait(idle)
            connections.send("POST", "/", {}, b"")
            assert server.connections - before == opened


def test_a_streamed_call_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK makes it and does not know how long a connection was idle; this call is sent once as well."""
    reply = whole(200, b"", ["Content-Type: application/vnd.amazon.eventstream"])
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        model = runtime()
        for _ in range(2):
            assert list(model.invoke_model_with_response_stream(**INVOKE)["body"]) == []
    assert [request.connection for request in server.requests] == [1, 2]


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

DRIPS = {
    "headers": Reply(content=HEADERS, drops=b"X-Drip: " + b"x" * 1000, pause=0.05),
    "body": Reply(content=whole(200, length=1000).content, drops=b"x" * 1000, pause=0.05),
    "chunks": Reply(
        content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", drops=b"x" * 1000, pause=0.05
    ),
}
"""Each byte comes long before a read gives up, and all of them would take 50 seconds."""


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_far_side_gains_no_time_by_sending_a_byte_now_and_then(
    drip: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call has its time, whatever it is filled with."""
    with FaultyServer(drip) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setattr("imagegen.adapters.bedrock.runtime._BODY_GRACE", timedelta(seconds=0.1))
        with pytest.raises(errors.ModelTimeout):
            answered(adapter_of(runtime(model_timeout=1), model_timeout=1))
        connection = Connection(server.url, read_timeout=1)
        with pytest.raises(TimeoutError):
            connection.send("POST", "/", {}, b"")
    assert len(server.requests) == 2


def test_a_proxy_gains_no_time_by_dripping() -> None:
    """Its reply to CONNECT has the time of connecting."""
    drip = Reply(content=b"HTTP/1.1 200 OK\r\nX-Drip: ", drops=b"x" * 1000, pause=0.05)
    with FaultyServer(drip) as server:
        connection = Connection("https://far.example", proxy=server.url, connect_timeout=1)
        with pytest.raises(TimeoutError):
            connection.open()
    assert len(server.requests) == 1


def test_a_far_side_that_is_not_trusted_gets_no_request(tls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is of an authority that nobody named, so nothing is sent and nothing is paid."""
    with FaultyServer(whole(200, b"{}"), tls=tls.context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(errors.ModelUnavailable):
            answered(adapter_of(runtime()))
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            table(attempts=1).get_item(TableName="t", Key={"id": {"S": "x"}})
    assert server.requests == []


def test_all_three_services_are_called_over_tls_and_keep_their_connections(
    tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment has nothing else."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tls.authority))
    with FaultyServer(whole(200, IMAGE), tls=tls.context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        adapter, images = adapter_of(runtime()), bucket()
        for _ in range(2):
            assert answered(adapter) == IMAGE
            images.put_object(**PUT)
    assert [request.connection for request in server.requests] == [1, 2, 1, 2]
    assert [request.body for request in server.requests[1::2]] == [PNG, PNG]


def test_the_connection_to_a_model_is_kept_alive_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model may work for minutes without sending a byte. Other connections need nothing of the kind."""
    alive: dict[str, int] = {}
    with FaultyServer(whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        model, items = runtime(), table()
        answered(adapter_of(model))
        items.get_item(TableName="t", Key={"id": {"S": "x"}})
        for name, connections in (("model", model._connections), ("table", items._calls._sender)):
            with connections.lent() as connection:
                alive[name] = connection._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert alive == {"model": 1, "table": 0}


@pytest.fixture
def meeting() -> Iterator[Callable[[Request], Reply]]:
    """Return a reply that comes when four requests are there at the same time, and that quotes its request."""
    together = threading.Barrier(4)

    def reply(request: Request) -> Reply:
        together.wait(timeout=60)
        return whole(200, json.dumps({"Item": json.loads(request.body)["Key"]}).encode())

    yield reply
    together.abort()


def test_calls_at_the_same_time_have_connections_of_their_own(
    meeting: Callable[[Request], Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets its own reply, and the connections serve the next calls."""
    with FaultyServer(meeting) as server, ThreadPoolExecutor(4) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        shared = table()

        def ask(number: int) -> Any:
            return shared.get_item(TableName="t", Key={"id": {"S": str(number)}})["Item"]["id"]["S"]

        assert list(pool.map(ask, range(8))) == [str(number) for number in range(8)]
    assert server.connections == 4
