"""Answers of a model: which of them are whole, and which calls count as paid."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from botocore import exceptions as botocore

from imagegen import errors
from imagegen.adapters import clients
from tests.support.direct_calls import IMAGE, INVOKE, adapter_of, answered, runtime
from tests.support.far_side import FarSide, answer, new_session
from tests.support.faulty_server import CLOSED, HANGING, FaultyServer, Reply, cut, whole

REFUSALS: Mapping[str, tuple[int, bytes, Mapping[str, str]]] = {
    "a type": (400, b'{"__type": "com.amazonaws#ThrottlingException", "message": "m"}', {}),
    "a header": (429, b'{"message": "m"}', {"x-amzn-ErrorType": "ThrottlingException:http://x/"}),
    "a code": (404, b'{"code": "ResourceNotFoundException", "Message": "m"}', {}),
    "both": (
        400,
        b'{"__type": "AccessDeniedException", "message": "m"}',
        {"x-amzn-ErrorType": "ValidationException"},
    ),
    "an id": (
        500,
        b'{"message": "m"}',
        {"x-amzn-RequestId": "abc-1", "x-amzn-ErrorType": "InternalServerException"},
    ),
    "members": (
        424,
        b'{"message": "m", "originalStatusCode": 500, "resourceName": "r"}',
        {"x-amzn-ErrorType": "ModelErrorException"},
    ),
    "HTML": (502, b"<html>Bad Gateway</html>", {}),
    "a list": (500, b"[]", {}),
    "not UTF-8": (400, b"\xff", {}),
    "nothing": (503, b"", {}),
    "choices": (300, b"{}", {}),
    "moved": (307, b"", {"Location": "http://localhost:1/"}),
}


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """Return the error of a call: its class, and for an error of the service what it says."""
    try:
        call()
    except botocore.ClientError as exc:
        found: Any = exc.response
        metadata = found["ResponseMetadata"]
        return "ClientError", (found.get("Error"), metadata["HTTPStatusCode"], metadata.get("RequestId"))
    except Exception as exc:  # noqa: BLE001 - whatever else it is
        return type(exc).__name__, None
    return "", None


@pytest.mark.parametrize(("status", "body", "headers"), REFUSALS.values(), ids=REFUSALS)
def test_an_error_of_bedrock_is_the_sdks(
    status: int, body: bytes, headers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code, message, status and request id decide whether the call was paid."""
    client = clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=60)
    FarSide(client, answer(status, body, {name.lower(): value for name, value in headers.items()}))
    theirs = outcome(lambda: client.invoke_model(**INVOKE))  # type: ignore[arg-type]  # a test's table of parameters
    sent = whole(status, body, [f"{name}: {value}" for name, value in headers.items()])
    with FaultyServer(sent) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert outcome(lambda: runtime().invoke_model(**INVOKE)) == theirs
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Length: %d\r\n\r\n",
    ],
    ids=["announced", "HTTP 1.0", "no length"],
)
def test_an_answer_on_a_connection_that_ends_with_it_is_whole(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is paid for, and the next call opens another connection."""
    reply = Reply(content=head % len(IMAGE) + IMAGE, ending="close")
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        adapter = adapter_of(runtime())
        assert answered(adapter) == answered(adapter) == IMAGE
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("length", [" %d ", "%d\t", "%d\r\nContent-Length: %d"])
def test_a_length_may_have_blanks_around_it_and_stand_twice(
    length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP allows both (RFC 9110, sections 5.5 and 8.6), and the answer is paid for."""
    stated = length % ((len(IMAGE),) * length.count("%"))
    head = f"HTTP/1.1 200 OK\r\nContent-Length:{stated}\r\n\r\n".encode()
    with FaultyServer(Reply(content=head + IMAGE)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert answered(adapter_of(runtime())) == IMAGE


@pytest.mark.parametrize("status", [201, 203, 206])
def test_an_answer_with_another_status_of_success_is_an_answer(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK takes it as well, and it is paid for."""
    with FaultyServer(whole(status, IMAGE)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert answered(adapter_of(runtime())) == IMAGE


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 5\r\n"], ids=["no length", "a length that does not count"]
)
def test_an_answer_in_chunks_is_whole(length: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks say where it ends."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (IMAGE[:7], IMAGE[7:]))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n" % length
    reply = Reply(content=head + chunks + b"0\r\n\r\n")
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        adapter = adapter_of(runtime())
        assert answered(adapter) == answered(adapter) == IMAGE
    assert [request.connection for request in server.requests] == [1, 1]


@pytest.mark.parametrize(
    "reply",
    [
        whole(200, IMAGE),
        Reply(content=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + IMAGE, ending="close"),
        Reply(
            content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(IMAGE), IMAGE)
        ),
    ],
    ids=["stated", "to the end of the connection", "in chunks"],
)
@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_an_answer_has_a_longest_length(
    reply: Reply,
    spare: int,
    fits: bool,  # noqa: FBT001 - a column of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A longer answer cannot be an image of these models. Its connection is not used again."""
    monkeypatch.setattr("imagegen.adapters.bedrock.runtime.MAX_ANSWER", len(IMAGE) + spare)
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        adapter = adapter_of(runtime())
        for _ in range(2):
            with nullcontext() if fits else pytest.raises(errors.BadModelResponse, match="too long"):
                assert answered(adapter) == IMAGE
    numbers = [request.connection for request in server.requests]
    assert fits or numbers == [1, 2]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ending="close"),
        Reply(content=b"SSH-2.0\r\n\r\n", ending="close"),
        cut(200, IMAGE),
        CLOSED,
        whole(500, b"{}", length=99),
    ],
    ids=["chunks cut", "not HTTP", "cut", "closed", "error cut"],
)
def test_a_lost_answer_counts_as_paid_and_is_not_asked_for_again(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model may have drawn it."""
    with FaultyServer(Reply(content=reply.content, ending="close")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(errors.OutcomeUnknown):
            answered(adapter_of(runtime()))
    assert len(server.requests) == 1


def test_a_silent_model_is_a_time_out_after_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call counts as paid."""
    with FaultyServer(HANGING) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(errors.ModelTimeout):
            answered(adapter_of(runtime(model_timeout=0.5), model_timeout=0.5))
    assert len(server.requests) == 1


def test_a_refusal_that_comes_before_the_whole_request_is_read_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The far side closes at once, so sending fails; its response says that nothing was paid."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(whole(413, b"{}").content)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

        def begin(self: http.client.HTTPConnection, *arguments: Any) -> None:
            request(self, *arguments)
            raise BrokenPipeError

        serving = pool.submit(refuse)
        request = http.client.HTTPConnection.request
        monkeypatch.setattr(http.client.HTTPConnection, "request", begin)
        with pytest.raises(errors.Misconfigured):
            answered(adapter_of(runtime()))
        serving.result(timeout=60)


def test_a_model_that_cannot_be_reached_is_not_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte of the request was sent: nobody listens, the name is unknown, or the certificate is not trusted."""
    with FaultyServer(CLOSED) as server:
        nobody = server.url
    for endpoint in (nobody, "http://no-such-host.invalid"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(errors.ModelUnavailable):
            answered(adapter_of(runtime()))


def test_roots_that_cannot_be_read_let_nothing_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call counts as not paid."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/file")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://localhost:1")
    with pytest.raises(errors.ModelUnavailable):
        answered(adapter_of(runtime()))
