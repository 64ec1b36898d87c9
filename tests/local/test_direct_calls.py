"""The calls without the SDK's client are the SDK's calls: the same requests, the same results, the same errors.

A server on loopback stands for AWS, over plain http and over TLS.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as botocore
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.bedrock import BedrockRuntime
from imagegen.adapters.direct.connection import Connection, UnusableError
from imagegen.adapters.direct.connections import Connections
from imagegen.adapters.direct.resending import RefusedError
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.system import SystemClock
from imagegen.models.registry import resolve
from local import certificates
from tests.support import sdk_clients
from tests.support.fakes import CORE
from tests.support.far_side import FarSide, answer, json_answer, new_session
from tests.support.faulty_server import CLOSED, HANGING, FaultyServer, Reply, Request, Script, cut, whole

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

ITEM = {"id": {"S": "gen_1"}, "images": {"N": "3"}, "é": {"S": "tea ☕ \x7f"}}
PNG = bytes(range(256)) * 700
PUT = {
    "Bucket": "pictures",
    "Key": "images/alice~1/gen_1.png",
    "Body": PNG,
    "ContentType": "image/png",
    "CacheControl": "private, no-cache",
    "Metadata": {"model": CORE, "seed": "7"},
    "ChecksumSHA256": b64encode(hashlib.sha256(PNG).digest()).decode(),
}
INVOKE = {
    "modelId": "arn:aws:bedrock:us-west-2:1:imported-model/a b",
    "body": b'{"prompt": "tea"}',
    "contentType": "application/json",
    "accept": "application/json",
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients reach loopback directly, whatever proxy this machine has."""
    monkeypatch.setenv("NO_PROXY", "*")


class Tls:
    """A certificate of this machine, and the authority that signed it."""

    def __init__(self, folder: Path) -> None:
        files = certificates.ensure(folder, now=datetime.now(UTC))
        self.authority = files.authority
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files.certificate, files.key)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return a certificate for loopback."""
    return Tls(tmp_path_factory.mktemp("tls"))


def direct() -> DirectSession:
    """Return the deployed calls, which find the server through the environment."""
    return DirectSession(new_session(), url_suffix="amazonaws.com", clock=SystemClock())


def table(*, attempts: int = 3) -> Any:
    """Return what calls the table, without pauses."""
    made: Any = direct().table(attempts=attempts)
    made._calls._sleep = lambda _: None
    return made


def bucket() -> Any:
    """Return what stores objects, without pauses."""
    made: Any = direct().bucket(clients.s3(new_session(), addressing_style="path"))
    made._sleep = lambda _: None
    return made


def runtime(*, model_timeout: float = 60.0) -> Any:
    """Return what calls a model."""
    client = clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=model_timeout)
    return direct().runtime(client)


def text(value: str | bytes) -> str:
    """Return a header of the SDK as text."""
    return value if isinstance(value, str) else value.decode()


CALLS: Mapping[str, tuple[Callable[[], Any], Callable[[], Any], str, dict[str, Any]]] = {
    "get": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "get_item",
        {"TableName": "t", "Key": {"id": {"S": "é"}}, "ConsistentRead": True},
    ),
    "put": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "put_item",
        {
            "TableName": "t",
            "Item": ITEM,
            "ConditionExpression": "stamp = :stamp",
            "ExpressionAttributeValues": {":stamp": {"S": "x"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    "update": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "update_item",
        {
            "TableName": "t",
            "Key": {"id": {"S": "c"}},
            "UpdateExpression": "ADD images :n",
            "ExpressionAttributeValues": {":n": {"N": "-1"}},
            "ReturnValues": "UPDATED_NEW",
        },
    ),
    "query": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "query",
        {
            "TableName": "t",
            "IndexName": "by_owner",
            "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": "alice"}},
            "ScanIndexForward": False,
            "Limit": 3,
            "ExclusiveStartKey": {"id": {"S": "gen_0"}},
        },
    ),
    "store": (
        bucket,
        lambda: clients.s3(new_session(), addressing_style="path"),
        "put_object",
        # The SDK sends a file in parts, which it signs in another way.
        {**PUT, "Body": bytearray(PNG)},
    ),
    "invoke": (
        runtime,
        lambda: clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=60),
        "invoke_model",
        INVOKE,
    ),
}
"""What makes the call, the SDK's client for it, the method, and the parameters."""

LEFT_OUT = {
    *("amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding", "user-agent", "authorization", "host"),
    *("x-amz-date", "content-length", "x-amz-sdk-checksum-algorithm", "x-amz-content-sha256"),
}
"""Headers that differ, that tests below compare, or that say only what another header says as well."""


@pytest.mark.parametrize(("make", "make_sdk", "method", "parameters"), CALLS.values(), ids=CALLS)
def test_the_request_is_the_one_that_the_sdk_sends(
    make: Callable[[], Any],
    make_sdk: Callable[[], Any],
    method: str,
    parameters: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Method, path, body and headers are the same, and the signature is valid."""
    with FaultyServer(whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        reply = getattr(make(), method)(**parameters)
        if method == "invoke_model":
            assert reply.read(seconds=60, longest=2) == b"{}"
        client = make_sdk()
        far = FarSide(client, answer() if method == "put_object" else json_answer({}))
        getattr(client, method)(**parameters)
    (ours,), (theirs,) = server.requests, far.requests
    assert ours.body == far.bodies[0] or json.loads(ours.body) == json.loads(far.bodies[0])
    verb, path, _ = ours.head.splitlines()[0].split(" ")
    assert (verb, server.url + path) == (theirs.method, theirs.url)
    expected = {
        name.lower(): text(value) for name, value in theirs.headers.items() if name.lower() not in LEFT_OUT
    }
    assert {name: ours.header(name) for name in expected} == expected
    assert ours.header("content-length") == str(len(ours.body))
    check_signature(ours, theirs, url=server.url + path)


def check_signature(ours: Request, theirs: AWSPreparedRequest, *, url: str) -> None:
    """Check that botocore signs what we sent in the same way, and that we signed no less than it did."""
    authorization = ours.header("authorization")
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed_by_sdk = text(theirs.headers["Authorization"]).partition("SignedHeaders=")[2].partition(",")[0]
    assert {*signed_by_sdk.split(";")} - LEFT_OUT <= {*names}
    service = scope[3]
    again = AWSRequest(
        theirs.method, url, headers={name: ours.header(name) for name in names}, data=ours.body
    )
    again.context.update(timestamp=ours.header("x-amz-date"), payload_signing_enabled=True)
    make = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = make(BotocoreCredentials("AKIDEXAMPLE", "secret", "token"), service, "us-west-2")
    signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    assert authorization.endswith(f"Signature={signature}")


def test_the_signature_of_an_image_covers_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 compares them with the hash, which is the checksum that it stores; nothing waits for `100 Continue`."""
    with FaultyServer(whole()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        bucket().put_object(**PUT)
    (request,) = server.requests
    assert request.body == PNG
    assert request.header("x-amz-content-sha256") == hashlib.sha256(PNG).hexdigest()
    assert request.header("expect") == ""


REPLIES: Mapping[str, bytes] = {
    "nothing": b"{}",
    "an item": json.dumps({"Item": ITEM}).encode(),
    "escapes": b'{"Item": {"id": {"S": "\\u00e9\\ud83d\\ude00"}, "n": {"N": "1E+2"}}}',
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_an_item_is_read_as_the_sdk_reads_it(reply: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK adds its metadata, which nobody reads."""
    client = sdk_clients.dynamodb(new_session())
    FarSide(client, answer(200, reply))
    asked = {"TableName": "t", "Key": {"id": {"S": "x"}}}
    theirs: dict[str, Any] = dict(client.get_item(**asked))  # type: ignore[arg-type]  # a test's table of parameters
    del theirs["ResponseMetadata"]
    with FaultyServer(whole(200, reply)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert table().get_item(**asked) == theirs


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
    "moved": (307, b"", {"Location": "http://localhost:1/"}),
}


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


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """Return the error of a call: its class, and for an error of the service what it says."""
    try:
        call()
    except botocore.ClientError as exc:
        found: Any = exc.response
        metadata = found["ResponseMetadata"]
        return "ClientError", (found["Error"], metadata["HTTPStatusCode"], metadata.get("RequestId"))
    except Exception as exc:  # noqa: BLE001 - whatever else it is
        return type(exc).__name__, None
    return "", None


def refused(code: str, **members: Any) -> Reply:
    """Return an error of DynamoDB."""
    return whole(400, json.dumps({"__type": f"x#{code}", **members}).encode())


def test_a_failed_condition_brings_the_item_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the SDK's, but for the message, which may quote the request."""
    reply = refused("ConditionalCheckFailedException", message="The conditional request failed", Item=ITEM)
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(botocore.ClientError) as raised:
            table().put_item(TableName="t", Item=ITEM)
    error: Any = raised.value.response
    assert error["Error"] == {"Code": "ConditionalCheckFailedException", "Message": ""}
    assert error["Item"] == ITEM
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(server.requests) == 1


@pytest.mark.parametrize("item", [None, [], "x"])
def test_a_failed_condition_without_a_usable_item_has_none(
    item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adapter then reads the item itself."""
    with FaultyServer(refused("ConditionalCheckFailedException", Item=item)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(botocore.ClientError) as raised:
            table().put_item(TableName="t", Item=ITEM)
    assert "Item" not in raised.value.response


@pytest.mark.parametrize(
    "body", [b'{"__type": "x#InternalServerError"}', b'{"Item": null}', b'{"Items": []}', b'{"Item": []}']
)
def test_only_an_empty_object_says_that_there_is_no_item(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else has no item is asked for again: a request whose record is not found would be paid."""
    with FaultyServer(whole(200, body), whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert table().get_item(TableName="t", Key={"id": {"S": "x"}}) == {}
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("script", "attempts", "requests"),
    [
        ([CLOSED], 3, 3),
        ([CLOSED], 1, 1),
        ([whole(503, b"")], 3, 3),
        ([whole(503, b"")], 1, 1),
        ([cut(200, b"{}")], 1, 1),
        ([refused("ValidationException")], 3, 1),
        ([refused("ExpiredTokenException")], 3, 1),
        ([whole(200, b"[]")], 3, 3),
    ],
)
def test_the_number_of_requests_is_bounded(
    script: list[Script], attempts: int, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a repeat may cure is sent again, and what is sent once is never sent again."""
    with FaultyServer(*script) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(Exception):  # noqa: B017, PT011 - the adapters decide which error it becomes
            table(attempts=attempts).update_item(TableName="t", Key={"id": {"S": "x"}})
    assert len(server.requests) == requests


@pytest.mark.parametrize("code", ["SlowDown", "RequestTimeout"])
def test_what_s3_calls_busy_is_sent_again(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`RequestTimeout` has status 400: S3 has waited for a part of the body."""
    busy = whole(400, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())
    with FaultyServer(busy, whole()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        bucket().put_object(**PUT)
    assert [request.body for request in server.requests] == [PNG, PNG]


@pytest.mark.parametrize(
    "body", [b"<Error><Code>InternalError</Code></Error>", b"<?xml version='1.0'?>\n<Error >"]
)
def test_an_error_of_s3_with_the_status_of_success_is_an_error(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an image that is paid for would count as stored."""
    with FaultyServer(whole(200, body), whole()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        bucket().put_object(**PUT)
    assert [request.body for request in server.requests] == [PNG, PNG]


def test_a_repeated_call_goes_over_another_connection_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a front end that failed still sends must not be taken for the item. A refusal keeps the connection."""
    with FaultyServer(whole(502, b""), refused("ThrottlingException"), whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        table().get_item(TableName="t", Key={"id": {"S": "x"}})
    assert [request.connection for request in server.requests] == [1, 2, 2]


def test_an_error_of_s3_does_not_repeat_what_s3_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message about a wrong signature quotes the request."""
    message = b"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>token:token</StringToSign></Error>"
    with FaultyServer(whole(403, message)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(RefusedError) as raised:
            bucket().put_object(**PUT)
    assert "SignatureDoesNotMatch" in str(raised.value)
    assert "token" not in str(raised.value)


def answered(adapter: BedrockRuntime) -> bytes:
    """Return the answer of a model."""
    return adapter.invoke(resolve(CORE, region="us-west-2"), b"{}")


def adapter_of(client: Any, *, model_timeout: float = 60.0) -> BedrockRuntime:
    """Return the adapter around what calls a model."""
    return BedrockRuntime({"us-west-2": client}, model_timeout=model_timeout, clock=SystemClock())


IMAGE = b'{"images": ["' + b"x" * 200_000 + b'"]}'


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


def test_a_reply_that_python_cannot_parse_is_a_failure_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is asked again."""
    reply = Reply(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n")
    with FaultyServer(reply, whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert table().get_item(TableName="t", Key={"id": {"S": "x"}}) == {}
    assert len(server.requests) == 2


class Emptied(deque[Any]):
    """Looks as if it held something, and another thread has just taken it."""

    def __len__(self) -> int:
        return 1


def test_another_thread_may_take_what_is_being_closed() -> None:
    """All images of a batch may find the connections idle at the same time."""
    connections = Connections("http://localhost:1", lambda: Connection("http://localhost:1"))
    connections._free = Emptied()
    connections.close()
    assert connections.take().host == "localhost:1"


@pytest.mark.parametrize(("idle", "opened"), [(20, 1), (20.5, 2), (-5, 2)])
def test_each_connection_has_an_age_of_its_own(
    idle: float, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lay below a busy one may be gone. A clock that went back says nothing, so it counts as long."""
    now = [1000.0]
    monkeypatch.setattr("imagegen.adapters.direct.connections.time.time", lambda: now[0])
    with FaultyServer(whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        for calls in (runtime(), table(attempts=1)):
            before = server.connections
            connections = calls._connections
            connections.send("POST", "/", {}, b"")
            now[0] += idle
            connections.send("POST", "/", {}, b"")
            assert server.connections - before == opened


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


def test_a_silent_model_is_a_time_out_after_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call counts as paid."""
    with FaultyServer(HANGING) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(errors.ModelTimeout):
            answered(adapter_of(runtime(model_timeout=0.5), model_timeout=0.5))
    assert len(server.requests) == 1


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
        for name, connections in (("model", model._connections), ("table", items._connections)):
            with connections.lent() as connection:
                alive[name] = connection._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert alive == {"model": 1, "table": 0}


def test_the_code_of_an_error_is_quoted_in_part() -> None:
    """Whatever a far side sends, the log gets a line of it."""
    error = RefusedError("S3", 500, "x" * 101)
    assert str(error) == f"S3 replied with 500 {'x' * 100!r}."


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


def test_a_reply_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB sends no more than a megabyte of items."""
    with FaultyServer(whole(200, b" " * 8_000_001)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(UnusableError, match="too long"):
            table(attempts=1).get_item(TableName="t", Key={"id": {"S": "x"}})


def test_a_client_makes_all_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the methods that every image needs are replaced."""
    with FaultyServer(whole(204), whole(200)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        images = bucket()
        images.delete_object(Bucket="pictures", Key="k")
        images.head_object(Bucket="pictures", Key="k")
    assert [request.head.split(" ")[0] for request in server.requests] == ["DELETE", "HEAD"]
