"""The authorizer's call of DynamoDB over real sockets: no fault lets anybody in, or counts as "no such key".

A server that responds byte by byte stands for DynamoDB, over TLS and over plain http.
"""

from __future__ import annotations

import importlib
import json
import secrets
import socket
import ssl
import sys
import time
from binascii import crc32
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from imagegen.adapters.direct import connection as connections
from imagegen.adapters.direct import resending
from imagegen.adapters.direct.connection import Connection, trusting
from imagegen.adapters.direct.signature import Credentials
from imagegen.adapters.direct.table_calls import TableCalls
from imagegen.adapters.key_table.items import item_of
from imagegen.adapters.key_table.look_up import KeyLookUp
from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.errors import InternalError, Misconfigured
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey
from local import certificates
from tests.support import sdk_clients
from tests.support.environment import AUTHORIZERS_ENVIRONMENT
from tests.support.far_side import FarSide, json_answer, session
from tests.support.faulty_server import (
    CLOSED,
    HANGING,
    FaultyServer,
    Reply,
    Request,
    Script,
    cut,
    stalled,
    whole,
)
from tests.support.stand_in_calls import eventually

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KEY = ApiKey.create(secrets.token_bytes)
OTHER = ApiKey.create(secrets.token_bytes)
STORED = StoredKey.of(KEY, name="alice", now=NOW, limits={"daily_images_per_caller": 20})
CREDENTIALS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token="token")


def found(item: Any) -> bytes:
    """Return the body of a response with an item."""
    return json.dumps({"Item": item}).encode()


ITEM = found(item_of(STORED))


def sent(body: bytes, status: int = 200, *headers: str) -> Reply:
    """Return a response with the checksum that DynamoDB sends."""
    return whole(status, body, [f"x-amz-crc32: {crc32(body)}", *headers])


def refused(code: str, status: int = 400, message: str = "") -> Reply:
    """Return an error of DynamoDB."""
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return sent(json.dumps(error).encode(), status)


OPENED: list[Connection] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Close what a test opened; in Lambda a connection lives as long as the process."""
    yield
    while OPENED:
        OPENED.pop().close()


class Keys(KeyLookUp):
    """The look-up as the handler makes it, with a short read time-out; it notes its pauses instead of waiting."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.pauses: list[float] = []
        self.connection = Connection(endpoint, **options)
        OPENED.append(self.connection)
        calls = TableCalls(
            self.connection,
            region="us-west-2",
            credentials=lambda: CREDENTIALS,
            now=lambda: NOW,
            sleep=self.pauses.append,
        )
        super().__init__(calls=calls, table="keys")


def test_the_request_is_the_one_that_the_sdk_would_send() -> None:
    """Operation, body and signature are the same, and the read is consistent."""
    with FaultyServer(sent(ITEM)) as server:
        assert Keys(server.url).get(KEY.id) == STORED
        (request,) = server.requests
    client = sdk_clients.dynamodb(session())
    far = FarSide(client, json_answer({}))
    DynamoDbKeys(client=client, table="keys").get(KEY.id)
    assert request.head.startswith("POST / HTTP/1.1\r\n")
    assert json.loads(request.body) == far.sent[0]
    assert far.sent[0]["ConsistentRead"] is True
    for name in ("Content-Type", "X-Amz-Target", "X-Amz-Security-Token"):
        expected: str | bytes = far.requests[0].headers[name]
        assert request.header(name) == (expected if isinstance(expected, str) else expected.decode())
    signed = {
        name: request.header(name)
        for name in request.header("authorization")
        .partition("SignedHeaders=")[2]
        .partition(",")[0]
        .split(";")
    }
    assert {*signed} == {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"}
    auth = SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", "secret", "token"), "dynamodb", "us-west-2")
    again = AWSRequest("POST", f"{server.url}/", headers=signed, data=request.body)
    again.context["timestamp"] = signed["x-amz-date"]
    signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    assert request.header("authorization").endswith(f"Signature={signature}")


def test_an_empty_object_is_what_says_that_there_is_no_such_key() -> None:
    """DynamoDB leaves the item out."""
    with FaultyServer(sent(b"{}")) as server:
        assert Keys(server.url).get(KEY.id) is None


def test_times_and_number_of_requests_are_those_of_the_sdks_clients() -> None:
    """The functions treat the table of keys as they treat the other table."""
    config: Any = sdk_clients.dynamodb(session()).meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (
        connections.CONNECT_TIMEOUT,
        connections.READ_TIMEOUT,
        resending.ATTEMPTS,
    )


def test_the_codes_that_are_repeated_are_those_that_the_sdk_repeats() -> None:
    """Of the errors that DynamoDB's model lists for this operation; one with a status from 500 on needs no code."""
    operation = sdk_clients.dynamodb(session()).meta.service_model.operation_model("GetItem")
    modelled = {each.name for each in operation.error_shapes}
    repeated: list[str] = getattr(ThrottledRetryableChecker, "_THROTTLED_ERROR_CODES")  # noqa: B009 - it is not typed
    of_s3 = {"RequestTimeout", "SlowDown"}
    assert modelled & {*repeated} == resending.BUSY - of_s3
    transient: list[str] = getattr(TransientRetryableChecker, "_TRANSIENT_ERROR_CODES")  # noqa: B009 - likewise
    assert of_s3 <= {*repeated, *transient}


UNUSABLE = {
    "cut": cut(200, ITEM),
    "cut so that it says no key": whole(200, b"{}", length=40),
    "not all of it": stalled(200, ITEM),
    "wrong checksum": whole(200, ITEM, ["x-amz-crc32: 1"]),
    "no key with a wrong checksum": whole(200, b"{}", [f"x-amz-crc32: {crc32(ITEM)}"]),
    "no number for a checksum": whole(200, b"{}", ["x-amz-crc32: ?"]),
    "no number for a length": Reply(
        content=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", ending="close"
    ),
    "chunks cut": Reply(
        content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", ending="close"
    ),
    "no chunks": Reply(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n{}\r\n"),
    "too long": sent(ITEM + b" " * connections.LONGEST),
    "too long in chunks": Reply(
        content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n"
        + ITEM.ljust(0x20000)
        + b"\r\n0\r\n\r\n",
    ),
    "byte by byte": Reply(content=whole(200, length=len(ITEM)).content, drops=ITEM, pause=0.05),
    "headers byte by byte": Reply(content=b"HTTP/1.1 200 OK\r\n", drops=b"X-Drip: 1\r\n" * 9, pause=0.05),
    "no body": sent(b""),
    "not JSON": sent(b"<html>"),
    "not UTF-8": sent(b'{"Item": "\xff"}'),
    "too deep": sent(b"[" * 60_000),
    "no object": sent(b"[]"),
    "null": sent(b"null"),
    "no item": sent(b'{"Items": []}'),
    "an error": sent(b'{"__type": "x#ThrottlingException"}'),
    "empty item": sent(found({})),
    "null item": sent(found(None)),
    "half an item": sent(found({"id": {"S": KEY.id}})),
    "another form": sent(found({**item_of(STORED), "revoked_at": {"NULL": True}})),
    "another key": sent(found(item_of(StoredKey.of(OTHER, name="bob", now=NOW)))),
    "server error": refused("InternalServerError", 500),
    "unavailable": whole(503, b"<html>"),
    "too many": whole(429, b""),
    "throttled": refused("ThrottlingException"),
    "capacity": refused("ProvisionedThroughputExceededException"),
    "closed": CLOSED,
    "silent": HANGING,
    "not HTTP": Reply(content=b"SSH-2.0\r\n\r\n", ending="close"),
}
"""Responses that a repeat may cure."""

LASTING = {
    "moved": sent(b"", 301, "Location: http://localhost:1/"),
    "moved for now": sent(b"", 307, "Location: http://localhost:1/"),
    "no content": Reply(content=b"HTTP/1.1 204 No Content\r\n\r\n"),
    "expired": refused("ExpiredTokenException"),
    "wrong signature": refused("InvalidSignatureException"),
    "no JSON": whole(404, b"<html>"),
}
"""Responses that a repeat does not change."""


@pytest.mark.parametrize("reply", UNUSABLE.values(), ids=UNUSABLE)
def test_a_response_that_does_not_tell_is_an_error_after_three_requests(reply: Reply) -> None:
    """A caller with a good key gets a 500 instead of a 401, and nobody gets in."""
    with FaultyServer(reply) as server:
        keys = Keys(server.url, read_timeout=0.3)
        with pytest.raises(InternalError) as raised:
            keys.get(KEY.id)
        assert len(server.requests) == resending.ATTEMPTS
    assert raised.value.detail == "The table of keys did not respond."
    first, second = keys.pauses
    assert 0 <= first <= resending.LONGEST_PAUSE
    assert 0 <= second <= 2 * resending.LONGEST_PAUSE


def test_a_response_may_take_longer_than_a_connection() -> None:
    """The time-outs of connecting and of reading differ; here reading may take a minute."""

    def late(_: Request) -> Reply:
        time.sleep(connections.CONNECT_TIMEOUT * 1.1)
        return sent(ITEM)

    with FaultyServer(late) as server:
        assert Keys(server.url, read_timeout=60).get(KEY.id) == STORED
        assert len(server.requests) == 1


@pytest.mark.parametrize("reply", LASTING.values(), ids=LASTING)
def test_a_refusal_that_will_last_is_an_error_after_one_request(reply: Reply) -> None:
    """A redirect is not followed."""
    with FaultyServer(reply) as server:
        keys = Keys(server.url)
        with pytest.raises(InternalError):
            keys.get(KEY.id)
        assert (len(server.requests), keys.pauses) == (1, [])


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"]
)
def test_a_table_that_is_missing_or_closed_is_the_operators_to_mend(code: str) -> None:
    """The error says so, and the request is not repeated."""
    with FaultyServer(refused(code)) as server:
        with pytest.raises(Misconfigured) as raised:
            Keys(server.url).get(KEY.id)
        assert len(server.requests) == 1
    assert raised.value.detail == "The table of keys is missing, or the authorizer has no right to read it."


def test_an_error_does_not_repeat_what_dynamodb_says() -> None:
    """Its message about a wrong signature quotes the request, with the session token."""
    message = "The Canonical String for this request should have been … x-amz-security-token:token"
    faulty = FaultyServer(refused("InvalidSignatureException", 400, message))
    with faulty as server, pytest.raises(InternalError) as raised:
        Keys(server.url).get(KEY.id)
    cause = raised.value.__cause__
    assert "InvalidSignatureException" in str(cause)
    assert "token" not in str(cause)


@pytest.mark.parametrize(
    "script",
    [
        (refused("ThrottlingException"), whole(503, b"")),
        (CLOSED, cut(200, ITEM)),
        (HANGING, whole(200, ITEM, ["x-amz-crc32: 1"])),
    ],
    ids=["busy", "lost", "damaged"],
)
def test_two_faults_are_got_over(script: tuple[Script, ...]) -> None:
    """The third request has the key."""
    with FaultyServer(*script, sent(ITEM)) as server:
        assert Keys(server.url, read_timeout=0.3).get(KEY.id) == STORED
        assert len(server.requests) == resending.ATTEMPTS


def test_the_requests_share_a_connection_as_long_as_the_far_side_keeps_it() -> None:
    """A connection that was closed while the function was frozen is replaced, without an error or a pause."""
    ended = Reply(content=sent(ITEM).content, ending="close")
    with FaultyServer(sent(ITEM), ended, sent(ITEM)) as server:
        keys = Keys(server.url)
        keys.get(KEY.id)
        keys.get(KEY.id)
        eventually(lambda: not keys.connection.is_open())
        keys.get(KEY.id)
        assert [request.connection for request in server.requests] == [1, 1, 2]
    assert keys.pauses == []


def test_a_far_side_that_announces_the_end_of_the_connection_is_believed() -> None:
    """A load balancer announces this before it is replaced."""
    with FaultyServer(sent(ITEM, 200, "Connection: close")) as server:
        keys = Keys(server.url)
        assert [keys.get(KEY.id), keys.get(KEY.id)] == [STORED, STORED]
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_table_that_nobody_listens_for_is_an_error() -> None:
    """The connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(InternalError):
        Keys(f"http://127.0.0.1:{port}").get(KEY.id)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Return certificates of an authority that no system trusts."""
    return certificates.ensure(tmp_path_factory.mktemp("tls"), now=datetime.now(UTC))


@pytest.fixture
def tls(issued: certificates.Certificates) -> ssl.SSLContext:
    """Return the server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    return context


def test_a_bundle_of_the_environment_is_trusted(
    tls: ssl.SSLContext, issued: certificates.Certificates
) -> None:
    """TLS connections are kept as well, and one that was closed is replaced."""
    ended = Reply(content=sent(ITEM).content, ending="close")
    with FaultyServer(sent(ITEM), ended, sent(ITEM), tls=tls) as server:
        keys = Keys(server.url, trust=trusting(str(issued.authority)))
        assert [keys.get(KEY.id), keys.get(KEY.id)] == [STORED, STORED]
        eventually(lambda: not keys.connection.is_open())
        assert keys.get(KEY.id) == STORED
        assert [request.connection for request in server.requests] == [1, 1, 2]
    assert keys.pauses == []


def test_without_a_bundle_the_systems_roots_are_trusted(
    tls: ssl.SSLContext, issued: certificates.Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL finds them; here its own variable says where they are."""
    with FaultyServer(sent(ITEM), tls=tls) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(issued.authority))
        assert Keys(server.url).get(KEY.id) == STORED


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_no_request_goes_to_a_host_that_is_not_proved(
    issued: certificates.Certificates, name: str, tmp_path: Path
) -> None:
    """Neither with a certificate that another authority issued nor with the certificate of another host."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusted = issued.authority if name == "localhost" else tmp_path / "ca.pem"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    with FaultyServer(sent(ITEM), tls=tls) as server:
        with pytest.raises(InternalError) as raised:
            Keys(server.url, trust=trusting(str(trusted))).get(KEY.id)
        assert server.requests == []
    assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)


def test_a_proxy_is_asked_for_a_tunnel_and_hears_nothing_else() -> None:
    """The request itself would go through the tunnel, encrypted."""
    with FaultyServer(whole(407, b"")) as server:
        proxy = server.url.replace("://", "://me:p%40ss@")
        with pytest.raises(InternalError):
            Keys("https://dynamodb.us-west-2.amazonaws.com", proxy=proxy).get(KEY.id)
        request = server.requests[0]
    assert request.head.startswith("CONNECT dynamodb.us-west-2.amazonaws.com:443 HTTP/1.")
    assert request.header("proxy-authorization") == "Basic bWU6cEBzcw=="
    assert {*(each.head.split()[0] for each in server.requests)} == {"CONNECT"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Return a function that imports the entry point anew, with these variables in addition."""
    for name in ("AWS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    def load(**variables: str) -> ModuleType:
        for name, value in {**AUTHORIZERS_ENVIRONMENT, **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "imagegen.authorizer_handler", raising=False)
        handler = importlib.import_module("imagegen.authorizer_handler")
        OPENED.append(handler.connection)
        return handler

    return load


def decision(handler: ModuleType, key: ApiKey) -> Any:
    """Return what the entry point decides about a request with a key."""
    policy = handler.lambda_handler({"headers": {"x-api-key": key.text}}, None)
    return policy["policyDocument"]["Statement"][0]["Effect"]


@pytest.mark.parametrize(
    ("reply", "effect"),
    [
        (sent(ITEM), "Allow"),
        (sent(b"{}"), "Deny"),
        (sent(found(item_of(STORED.revoke(now=NOW)))), "Deny"),
        (sent(found(item_of(STORED.rotate(OTHER, now=NOW, grace=timedelta(0))))), "Deny"),
    ],
    ids=["good", "unknown", "revoked", "rotated"],
)
def test_the_function_decides_by_what_the_table_holds(
    load: Callable[..., ModuleType], reply: Reply, effect: str
) -> None:
    """The entry point is what Lambda calls."""
    with FaultyServer(reply) as server:
        assert decision(load(AWS_ENDPOINT_URL_DYNAMODB=server.url), KEY) == effect


def test_the_function_decides_nothing_if_the_table_does_not_tell(
    load: Callable[..., ModuleType],
) -> None:
    """The gateway makes a 500 of the error."""
    with FaultyServer(refused("AccessDeniedException")) as server:
        handler = load(AWS_ENDPOINT_URL_DYNAMODB=server.url)
        with pytest.raises(Misconfigured):
            decision(handler, KEY)


def test_the_function_trusts_and_sends_what_its_environment_says(
    load: Callable[..., ModuleType], tls: ssl.SSLContext, issued: certificates.Certificates
) -> None:
    """The bundle of roots, and the role's credentials."""
    with FaultyServer(sent(ITEM), tls=tls) as server:
        handler = load(AWS_ENDPOINT_URL=server.url, AWS_CA_BUNDLE=str(issued.authority))
        assert decision(handler, KEY) == "Allow"
        (request,) = server.requests
    assert request.header("x-amz-security-token") == AUTHORIZERS_ENVIRONMENT["AWS_SESSION_TOKEN"]
    assert "Credential=AKIDEXAMPLE/" in request.header("authorization")
    assert "/us-west-2/dynamodb/aws4_request, " in request.header("authorization")


def test_the_function_goes_through_the_proxy_of_its_environment(load: Callable[..., ModuleType]) -> None:
    """The proxy is asked for a tunnel to DynamoDB's own address."""
    with FaultyServer(whole(407, b"")) as server:
        handler = load(HTTPS_PROXY=server.url)
        with pytest.raises(InternalError):
            decision(handler, KEY)
        assert server.requests[0].head.startswith("CONNECT dynamodb.us-west-2.amazonaws.com:443 ")


@pytest.mark.parametrize(
    ("proxy", "port"), [("http://proxy.example", 80), ("http://proxy.example:3128", 3128), (None, 443)]
)
def test_a_proxy_without_a_port_is_called_on_80(proxy: str | None, port: int) -> None:
    """So did the SDK; without a proxy, the port is that of https."""
    made = Connection("https://dynamodb.eu-west-1.amazonaws.com", proxy=proxy)
    assert made._connection.port == port


@pytest.mark.parametrize("name", ["Content-Length", "x-amz-crc32"])
def test_of_two_different_headers_neither_counts(name: str) -> None:
    """Going by one of them, a good key could look unknown."""
    others = [f"x-amz-crc32: {crc32(ITEM)}"] if name == "Content-Length" else []
    reply = whole(
        200, ITEM, [*others, f"{name}: {crc32(ITEM) if name == 'x-amz-crc32' else len(ITEM)}", f"{name}: 2"]
    )
    with FaultyServer(reply, reply, reply) as server, pytest.raises(InternalError):
        Keys(server.url).get(KEY.id)


def test_a_header_that_cannot_be_sent_is_quoted_nowhere() -> None:
    """The session token is a header, and the standard library's error quotes it."""
    with FaultyServer(sent(ITEM)) as server:
        connection = Connection(server.url)
        OPENED.append(connection)
        with pytest.raises(connections.UnusableError) as raised:
            connection.send("POST", "/", {"X-Amz-Security-Token": "secret\ntoken"}, b"{}")
    assert (str(raised.value), raised.value.__cause__) == ("The request or its response is malformed.", None)
