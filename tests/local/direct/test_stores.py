"""Replies of the table and of S3: what is an item, what is an error, and what is asked for again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore import exceptions as botocore

from imagegen.adapters.direct.connection import UnusableError
from imagegen.adapters.direct.resending import RefusedError
from tests.support import sdk_clients
from tests.support.direct_calls import ITEM, PNG, PUT, bucket, refused, table
from tests.support.far_side import FarSide, answer, new_session
from tests.support.faulty_server import CLOSED, FaultyServer, Reply, Script, cut, whole

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


def test_a_reply_that_python_cannot_parse_is_a_failure_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is asked again."""
    reply = Reply(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n")
    with FaultyServer(reply, whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert table().get_item(TableName="t", Key={"id": {"S": "x"}}) == {}
    assert len(server.requests) == 2


def test_a_reply_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB sends no more than a megabyte of items."""
    with FaultyServer(whole(200, b" " * 8_000_001)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(UnusableError, match="too long"):
            table(attempts=1).get_item(TableName="t", Key={"id": {"S": "x"}})


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


def test_an_error_of_s3_does_not_repeat_what_s3_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message about a wrong signature quotes the request."""
    message = b"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>token:token</StringToSign></Error>"
    with FaultyServer(whole(403, message)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(RefusedError) as raised:
            bucket().put_object(**PUT)
    assert "SignatureDoesNotMatch" in str(raised.value)
    assert "token" not in str(raised.value)


def test_the_code_of_an_error_is_quoted_in_part() -> None:
    """Whatever a far side sends, the log gets a line of it."""
    error = RefusedError("S3", 500, "x" * 101)
    assert str(error) == f"S3 replied with 500 {'x' * 100!r}."


def test_a_repeated_call_goes_over_another_connection_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a front end that failed still sends must not be taken for the item. A refusal keeps the connection."""
    with FaultyServer(whole(502, b""), refused("ThrottlingException"), whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        table().get_item(TableName="t", Key={"id": {"S": "x"}})
    assert [request.connection for request in server.requests] == [1, 2, 2]
